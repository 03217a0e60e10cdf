"""The models of bought devices that speak in lines, against what their manuals say."""

from cellctl_simulators.models.a_and_d import Balance, Indicator
from cellctl_simulators.models.cognex import DataMan
from cellctl_simulators.models.hioki import Bt3562
from cellctl_simulators.models.keyence import Sr
from cellctl_simulators.models.mecademic import Meca500
from cellctl_simulators.models.mettler_toledo import MtSics
from cellctl_simulators.models.ur_dashboard import Dashboard
from cellctl_simulators.models.zebra import Printer

MS = 1_000_000
S = 1_000_000_000


class Bench:
    """One model, its inputs and its time."""

    def __init__(self, model, **inputs):
        self.model, self.inputs, self.now_ns = model, {**model.inputs, **inputs}, 0
        self.outputs = {}
        self.wait(0)

    def wait(self, duration_ns):
        """Update at every time the model calls for."""
        end_ns = self.now_ns + duration_ns
        result = self.model.update(self.now_ns, self.inputs)
        while result.call_at_ns is not None and result.call_at_ns <= end_ns:
            self.now_ns = result.call_at_ns
            result = self.model.update(self.now_ns, self.inputs)
        self.now_ns = end_ns
        self.outputs = self.model.update(end_ns, self.inputs).outputs

    def ask(self, text, *, wait_ns=0):
        ask = self.model.wire.ask(text)
        self.wait(wait_ns)
        return ask.replies

    def said(self, count=0):
        return self.model.wire.said_since(count)


def test_a_balance_tells_stable_and_moving_weights():
    balance = Bench(MtSics(), weight=12.3456)
    assert balance.ask("SI") == ["S S     12.3456 g"]
    balance.inputs["stable"] = False
    assert balance.ask("SI") == ["S D     12.3456 g"]
    balance.inputs["weight"] = 500.0
    assert balance.ask("SI") == ["S +"]
    balance.inputs["weight"] = -50.0
    assert balance.ask("SI") == ["S -"]
    assert balance.ask("WEIGH") == ["ES"]


def test_a_balance_waits_for_rest_and_gives_up():
    balance = Bench(MtSics(), weight=5.0, stable=False)
    waiting = balance.model.wire.ask("S")
    balance.wait(2 * S)
    assert waiting.replies == []
    balance.inputs["stable"] = True
    balance.wait(0)
    assert waiting.replies == ["S S      5.0000 g"]
    balance.inputs["stable"] = False
    assert balance.ask("Z", wait_ns=9 * S) == ["Z I"]


def test_a_balance_is_zeroed_and_tared():
    balance = Bench(MtSics(), weight=1.5)
    assert balance.ask("Z") == ["Z A"]
    assert balance.ask("SI") == ["S S      0.0000 g"]
    balance.inputs["weight"] = 11.5
    assert balance.ask("T") == ["T S     10.0000 g"]
    balance.inputs["weight"] = 14.0
    assert balance.ask("SI") == ["S S      2.5000 g"]
    assert balance.outputs["weight"] == 2.5
    assert balance.ask("@")[0].startswith("I4 A ")
    assert balance.ask("SI") == ["S S     14.0000 g"]


def test_a_streaming_balance_speaks_by_itself():
    balance = Bench(Balance(), weight=12.34)
    balance.wait(S)
    assert balance.said()[0] == "ST,+00012.34  g"
    assert 4 <= len(balance.said()) <= 6
    assert balance.ask("Q") == []
    balance.inputs |= {"weight": -0.5, "stable": False}
    balance.wait(S)
    assert balance.said()[-1] == "US,-00000.50  g"
    balance.inputs["weight"] = 4000.0
    balance.wait(S)
    assert balance.said()[-1].startswith("OL,+9999999")
    assert Bench(Indicator()).said()[0] == "ST,GS,+0000.0kg"


def test_a_printer_tells_its_status_in_three_lines():
    printer = Bench(Printer())
    first, second, third = printer.ask("~HS")
    assert (len(first.split(",")), len(second.split(",")), len(third.split(","))) == (12, 11, 2)
    assert first.split(",")[1:5] == ["0", "0", "1245", "000"]


def test_an_unhappy_printer_says_nothing_and_prints_nothing():
    for trouble in ({"paper": False}, {"ribbon": False}, {"head_open": True}, {"too_hot": True}):
        printer = Bench(Printer(), **trouble)
        assert printer.ask("^XA^FDx^FS^XZ~HS", wait_ns=5 * S) == []
        assert printer.outputs["printed"] == 0
        printer.inputs.update(Printer.inputs)
        printer.wait(0)
        assert printer.outputs["printed"] == 0, "it takes its time"
        printer.wait(2 * S)
        assert (printer.outputs["printed"], printer.outputs["label"]) == (1, "x")


def test_a_printer_prints_as_many_labels_as_it_was_told():
    printer = Bench(Printer())
    printer.ask("^XA^FO40,40^FDA^FS^PQ3^XZ")
    printer.ask("^XA^FDB^FS^XZ")
    printer.wait(900 * MS)
    first, second, _ = printer.ask("~HS")
    assert (first.split(",")[4], second.split(",")[8]) == ("002", "00000002")
    printer.inputs["paused"] = True
    printer.wait(5 * S)
    assert printer.outputs["printed"] == 1
    assert printer.ask("~HS")[0].split(",")[2] == "1"
    printer.inputs["paused"] = False
    printer.wait(5 * S)
    assert (printer.outputs["printed"], printer.outputs["label"]) == (4, "B")
    assert printer.ask("~HS")[0].split(",")[4] == "000"


def test_a_battery_tester_writes_numbers_with_blanks():
    tester = Bench(Bt3562(), resistance=0.2906, voltage=1.3924)
    assert tester.ask("*IDN?")[0].startswith("HIOKI,BT3562,")
    assert tester.ask(":FETCh?") == ["  290.60E-3,  1.3924E+0"]
    tester.inputs["resistance"] = 5.0
    assert tester.ask(":FETCh?") == [" 10.0000E+8,  1.3924E+0"]
    tester.inputs["contact"] = False
    assert tester.ask(":FETCh?") == [" 10.0000E+9, 10.0000E+9"]


def test_a_battery_tester_takes_its_time_to_measure_and_drops_what_follows_a_mistake():
    tester = Bench(Bt3562())
    ask = tester.model.wire.ask(":READ?")
    tester.wait(50 * MS)
    assert ask.replies == []
    tester.wait(60 * MS)
    assert (ask.replies, tester.outputs["measurements"]) == (["   15.00E-3,  3.7000E+0"], 1)
    assert tester.ask(":WHAT;*IDN?") == []
    assert len(tester.ask("*IDN?;:FETC?")) == 2


def test_a_reader_confirms_with_the_number_of_the_command():
    reader = Bench(DataMan(), code="0614141000036")
    assert reader.ask("||0:123>trigger on") == ["||0:123[0]"]
    assert reader.said() == []
    assert reader.ask("||0:124>TRIGGER ON") == ["||0:124[104]"]
    reader.wait(100 * MS)
    assert reader.said() == ["0614141000036"]
    assert reader.ask("||>trigger on") == ["||0:0[0]"]
    assert reader.ask("||0:5>JUMP") == ["||0:5[101]"]
    assert reader.ask("trigger on") == []
    reader.inputs["code"] = ""
    reader.wait(S)
    assert (reader.said(), reader.outputs["reads"]) == (["0614141000036"], 1)


def test_a_reader_that_was_told_to_read_reads_until_there_is_a_code():
    reader = Bench(Sr())
    assert reader.ask("LON", wait_ns=3 * S) == []
    assert reader.outputs["reading"] is True
    reader.inputs["code"] = "MOD-1"
    reader.wait(100 * MS)
    assert (reader.said(), reader.outputs["reading"]) == (["MOD-1"], False)
    reader.inputs["code"] = ""
    reader.ask("LON")
    assert reader.ask("LOFF") == []
    assert reader.outputs["reading"] is False
    assert reader.ask("JUMP,1") == ["ER,JUMP,00"]
    assert reader.ask("LOCK") == ["OK,LOCK"]
    reader.ask("LON")
    assert reader.outputs["reading"] is False


def test_a_dashboard_answers_before_it_has_done_anything():
    dashboard = Bench(Dashboard())
    assert dashboard.model.wire.greeting == "Connected: Universal Robots Dashboard Server"
    assert dashboard.ask("robotmode") == ["Robotmode: POWER_OFF"]
    assert dashboard.ask("power on") == ["Powering on"]
    assert dashboard.ask("robotmode") == ["Robotmode: POWER_OFF"]
    dashboard.wait(3 * S)
    assert dashboard.ask("robotmode") == ["Robotmode: IDLE"]
    assert dashboard.ask("brake release", wait_ns=2 * S) == ["Brake releasing"]
    assert dashboard.ask("robotmode") == ["Robotmode: RUNNING"]
    assert dashboard.ask("play") == ["Failed to execute: play"]
    assert dashboard.ask("load none.urp") == ["File not found: none.urp"]
    assert dashboard.ask("load weld.urp") == ["Loading program: weld.urp"]
    assert dashboard.ask("play") == ["Starting program"]
    assert dashboard.ask("running") == ["Program running: true"]
    assert dashboard.ask("programState") == ["PLAYING weld.urp"]
    assert dashboard.ask("pause") == ["Pausing program"]
    assert dashboard.ask("stop") == ["Stopped"]
    dashboard.inputs["remote"] = False
    assert dashboard.ask("play") == ["Failed to execute: play"]


def test_an_arm_queues_motions_without_an_answer_and_tells_checkpoints():
    arm = Bench(Meca500())
    assert arm.model.wire.greeting.startswith("[3000][Connected to Meca500 ")
    assert arm.ask("MoveJoints(0,0,0,0,0,0)") == ["[1005][The robot is not activated.]"]
    assert arm.ask("ActivateRobot", wait_ns=2 * S) == ["[2000][Motors activated.]"]
    assert arm.ask("MoveJoints(0,0,0,0,0,0)") == ["[1006][The robot is not homed.]"]
    assert arm.ask("Home", wait_ns=4 * S) == ["[2002][Homing done.]"]
    assert arm.ask("GetStatusRobot") == ["[2007][1,1,0,0,0,0,1]"]
    assert arm.ask("MoveJoints(0,0,0,0,0,0)") == []
    assert arm.ask("SetCheckpoint(5)") == []
    assert arm.ask("GetStatusRobot") == ["[2007][1,1,0,0,0,0,0]"]
    assert arm.said() == []
    arm.wait(S)
    assert arm.said() == ["[3030][5]"]
    assert arm.ask("MoveJoints(0,0)")[0].startswith("[1003]")
    assert arm.ask("Fly")[0].startswith("[1001]")


def test_an_arm_in_error_moves_only_after_it_was_reset():
    arm = Bench(Meca500())
    arm.ask("ActivateRobot", wait_ns=2 * S)
    arm.ask("Home", wait_ns=4 * S)
    arm.ask("MoveJoints(0,0,0,0,0,0)")
    arm.inputs["collision"] = True
    arm.wait(0)
    assert arm.outputs["moving"] is False
    assert arm.ask("GetStatusRobot") == ["[2007][1,1,0,1,0,0,1]"]
    assert arm.ask("Home")[0].startswith("[1011]")
    arm.inputs["collision"] = False
    assert arm.ask("ResetError")[0].startswith("[2005]")
    assert arm.ask("MoveJoints(0,0,0,0,0,0)") == []
    assert arm.ask("DeactivateRobot")[0].startswith("[2004]")
    assert (arm.outputs["activated"], arm.outputs["moving"]) == (False, False)
