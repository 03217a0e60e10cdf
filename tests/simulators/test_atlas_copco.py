"""The Open Protocol of Atlas Copco: the model against the messages of the protocol, the profile against the model."""

from cellctl_simulators.models.atlas_copco import Controller
from cellctl_simulators.servers.line import LineSession

from .phase_trial import trial

S = 1_000_000_000
HEADER = "001001010000"  # revision 1, with acknowledgement, station 1, spindle 1
SUBSCRIBE, ACKNOWLEDGE = f"0060{HEADER}", f"0062{HEADER}"


class Bench:
    """One controller, a client at its wire, and time."""

    def __init__(self):
        self.controller, self.inputs, self.now_ns = Controller(), dict(Controller.inputs), 0
        self.outputs = {}
        self.wait(0)

    def wait(self, duration_ns):
        self.now_ns += duration_ns
        self.outputs = self.controller.update(self.now_ns, self.inputs).outputs

    def ask(self, text):
        ask = self.controller.wire.ask(text)
        self.wait(0)
        return ask.replies

    def said(self):
        return self.controller.wire.said_since(0)

    def begin(self):
        assert self.ask(f"0001{HEADER}")[0].startswith("0002001")
        assert self.ask(SUBSCRIBE) == ["00050010000000000060"]

    def tighten(self, **inputs):
        self.inputs |= {**inputs, "trigger": True}
        self.wait(0)
        self.inputs["trigger"] = False
        self.wait(S)


def test_nothing_is_answered_before_the_communication_is_begun():
    bench = Bench()
    for text in (f"9999{HEADER}", SUBSCRIBE, f"0018{HEADER}001", "0001"):
        assert bench.ask(text) == []
    assert bench.ask("0001006001010000") == ["0004001000000000000197"], "revision 6"
    bench.begin()
    assert bench.ask(f"9999{HEADER}") == [f"9999{HEADER}"]
    assert bench.ask(SUBSCRIBE) == ["0004001000000000006009"]
    assert bench.ask(f"0031{HEADER}") == ["0004001000000000003199"]
    assert bench.ask(f"0003{HEADER}") == ["00050010000000000003"]
    assert bench.ask(f"9999{HEADER}") == []


def test_a_result_has_its_fields_at_their_places():
    bench = Bench()
    bench.begin()
    bench.tighten(torque=4.97, angle=93, vin="MOD-12S-0042")
    (result,) = bench.said()
    assert len(result) + 4 == 231
    assert (result[:4], result[16:18], result[53:80].rstrip()) == ("0061", "01", "04MOD-12S-0042")
    assert (result[101:104], result[134:142], result[163:170]) == ("091", "15000497", "1900093")
    assert result[-12:] == "230000000001"


def test_the_next_result_waits_until_the_last_is_acknowledged():
    bench = Bench()
    bench.begin()
    for torque in (5.0, 6.0, 4.0):
        bench.tighten(torque=torque)
    assert len(bench.said()) == 1
    for number in (2, 3, 3):
        bench.ask(ACKNOWLEDGE)
        assert len(bench.said()) == number
    assert [result[101:110] for result in bench.said()] == ["091101111", "090102111", "090100111"]
    assert (bench.outputs["tightened"], bench.outputs["ok"]) == (3, 1)


def test_who_did_not_ask_is_told_nothing():
    bench = Bench()
    bench.ask(f"0001{HEADER}")
    bench.tighten()
    assert bench.ask(SUBSCRIBE) == ["00050010000000000060"]
    assert bench.said() == []


def test_a_tool_that_is_disabled_turns_nothing():
    bench = Bench()
    bench.begin()
    assert bench.ask(f"0042{HEADER}") == ["00050010000000000042"]
    bench.tighten()
    assert (bench.outputs["tightened"], bench.outputs["enabled"]) == (0, False)
    bench.ask(f"0043{HEADER}")
    bench.tighten()
    assert bench.outputs["tightened"] == 1


def test_a_parameter_set_that_there_is_not_cannot_be_selected():
    bench = Bench()
    bench.begin()
    assert bench.ask(f"0018{HEADER}009") == ["0004001000000000001802"]
    assert bench.ask(f"0018{HEADER}1") == ["0004001000000000001801"]
    assert bench.ask(f"0018{HEADER}003") == ["00050010000000000018"]
    bench.tighten(torque=10.0)
    assert bench.said()[0][84:93] == "060030700"


def test_who_says_nothing_for_long_is_forgotten():
    bench = Bench()
    bench.begin()
    bench.wait(10 * S)
    assert bench.ask(f"9999{HEADER}")
    bench.wait(14 * S)
    assert bench.ask(f"9999{HEADER}")
    bench.wait(15 * S)
    assert bench.ask(f"9999{HEADER}") == []


def test_messages_go_out_and_come_in_with_their_length():
    controller, sent = Controller(), []
    session = LineSession(sent.append, controller.wire, lambda: controller.update(0, Controller.inputs))
    session.feed(b"00210001001001010000\x00" + b"xx\x00")
    assert sent == [], "of another length than it says"
    session.feed(b"0020000100100101")
    session.feed(b"0000\x00")
    assert sent[0].startswith(b"00570002001")
    assert sent[0].index(b"\x00") == 57


def test_a_screw_is_turned_and_its_result_is_known(tmp_path):
    body = """
        await c.dev.select_pset(pset=2)
        await c.dev.enable_tool()
        await c.until("dev.id >= 1", timeout="20 s")
        c.record("ok", c.dev.ok.value)
        c.record("torque", c.dev.torque.value)
        c.record("angle", c.dev.angle.value)
        c.record("pset", c.dev.pset.value)
        c.record("vin", c.dev.vin.value)
        await c.sleep("25 s")
        await c.dev.disable_tool()
    """
    told, outputs = trial(
        tmp_path,
        "atlas-copco.open-protocol",
        "tcp://192.0.2.45:4545",
        body,
        {"torque": 4.97, "vin": "MOD-12S-0042", "angle": 93},
        happens=[("2 s", {"trigger": True})],
    )
    assert told == {"ok": True, "torque": 4.97, "angle": 93, "pset": 2, "vin": "MOD-12S-0042"}
    assert (outputs["enabled"], outputs["tightened"]) == (False, 1)
