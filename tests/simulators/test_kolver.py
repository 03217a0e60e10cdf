"""Kolver K-DUCER: the model against the vendor's library, and the profile against the model."""

import pytest

from cellctl_simulators.models.kolver import Kdu
from cellctl_simulators.wire import ModbusError

from .phase_trial import trial

MS = 1_000_000
AT = "modbus://10.20.1.46:502"


class Bench:
    """One control, its inputs and its time."""

    def __init__(self, **inputs):
        self.kdu, self.inputs, self.now_ns = Kdu(), {**Kdu.inputs, **inputs}, 0
        self.wait(0)

    def wait(self, duration_ns):
        end_ns = self.now_ns + duration_ns
        result = self.kdu.update(self.now_ns, self.inputs)
        while result.call_at_ns is not None and result.call_at_ns <= end_ns:
            self.now_ns = result.call_at_ns
            result = self.kdu.update(self.now_ns, self.inputs)
        self.now_ns = end_ns
        self.outputs = self.kdu.update(end_ns, self.inputs).outputs

    def read(self, function, address, count=1):
        return self.kdu.wire.read(function, address, count)

    def write(self, function, address, *values):
        self.kdu.wire.write(function, address, values)
        self.wait(0)


def test_it_says_what_it_is():
    words = Bench().read(4, 370, 10)
    assert b"".join(word.to_bytes(2, "big") for word in words).rstrip(b"\0") == b"KDU-1A vM.00.38"


def test_a_result_is_announced_once_and_stays():
    bench = Bench(torque=248, lever=True)
    bench.wait(700 * MS)
    assert bench.read(4, 294) == [1]
    assert bench.read(4, 294) == [0], "it clears itself"
    for _ in range(2):
        assert (bench.read(4, 295 + 8), bench.read(4, 295 + 23), bench.read(4, 295 + 35)) == ([1], [248], [13])
    assert (bench.outputs["screws"], bench.outputs["ok"]) == (1, 1)
    bench.wait(2000 * MS)
    assert bench.outputs["screws"] == 1, "one for each pull of the lever"


@pytest.mark.parametrize(("torque", "code"), [(200, 31), (300, 32)])
def test_a_screw_that_is_not_as_it_should_be(torque, code):
    bench = Bench(torque=torque, lever=True)
    bench.wait(700 * MS)
    assert (bench.read(4, 295 + 8), bench.read(4, 295 + 35)) == ([0], [code])


def test_the_remote_lever_lets_go_unless_it_is_written_again():
    bench = Bench()
    bench.write(5, 32, 1)
    bench.wait(140 * MS)
    assert bench.outputs["running"] is True
    bench.wait(20 * MS)
    assert (bench.outputs["running"], bench.read(4, 295 + 35)) == (False, [25])
    for _ in range(20):
        bench.write(5, 32, 1)
        bench.wait(50 * MS)
    assert (bench.outputs["ok"], bench.read(4, 295 + 35)) == (1, [13])


def test_the_remote_lever_is_let_go_at_once():
    bench = Bench()
    bench.write(5, 32, 1)
    bench.write(5, 32, 0)
    assert bench.outputs["running"] is False


def test_a_motor_that_is_stopped_does_not_run():
    bench = Bench()
    bench.write(5, 34, 1)
    bench.inputs["lever"] = True
    bench.wait(1000 * MS)
    assert bench.outputs["screws"] == 0
    bench.write(5, 34, 0)
    bench.wait(1000 * MS)
    assert bench.outputs["screws"] == 1


def test_it_is_busy_after_another_program_was_selected_and_shows_it_then():
    bench = Bench()
    bench.write(6, 7372, 5)
    for ask in (lambda: bench.read(3, 7372), lambda: bench.kdu.wire.write(6, 7372, [6])):
        with pytest.raises(ModbusError) as refusal:
            ask()
        assert refusal.value.busy
    bench.wait(300 * MS)
    assert bench.read(3, 7372) == [5]


def test_what_there_is_not():
    bench = Bench()
    for function, address in ((3, 7373), (4, 293), (4, 362), (1, 33)):
        with pytest.raises(ModbusError) as refusal:
            bench.read(function, address)
        assert not refusal.value.busy


def test_screws_are_turned_by_an_automatic_machine(tmp_path):
    body = """
        await c.dev.select_program(program=5)
        await c.dev.set_barcode(barcode="MOD-12S-0042")
        await c.dev.release_motor()
        async with c.safe(c.dev.stop_motor):
            for screw in range(3):
                await c.dev.lever.on()
                await c.until("dev.new_result", timeout="5 s")
                c.record(f"ok_{screw}", c.dev.ok.value)
                c.record(f"torque_{screw}", c.dev.torque.value)
                c.record(f"count_{screw}", c.dev.ok_count.value)
                await c.dev.lever.off()
                await c.until("not dev.new_result", timeout="5 s")
        c.record("code", c.dev.code.value)
        c.record("program", c.dev.result_program.value)
        c.record("barcode", c.dev.barcode.value)
    """
    told, outputs = trial(tmp_path, "kolver.kdu", AT, body, {"torque": 248})
    assert told == {
        **{f"ok_{screw}": True for screw in range(3)},
        **{f"torque_{screw}": 248.0 for screw in range(3)},
        **{f"count_{screw}": screw + 1 for screw in range(3)},
        "code": 13, "program": 5, "barcode": "MOD-12S-0042",
    }  # fmt: skip
    assert (outputs["screws"], outputs["ok"], outputs["running"]) == (3, 3, False)


def test_a_person_turns_a_screw_and_its_result_is_there_with_its_announcement(tmp_path):
    body = """
        await c.until("dev.new_result", timeout="10 s")
        c.record("ok", c.dev.ok.value)
        c.record("code", c.dev.code.value)
        c.record("angle", c.dev.angle.value)
    """
    happens = [("1500 ms", {"lever": True, "torque": 300, "angle": 77})]
    told, _ = trial(tmp_path, "kolver.kdu", AT, body, happens=happens)
    assert told == {"ok": False, "code": 32, "angle": 77}
