"""Oriental Motor AZ: the model against the registers that its drivers use, and the profile against the model."""

import pytest

from cellctl_simulators.models.oriental_motor import Az
from cellctl_simulators.wire import ModbusError

from .phase_trial import trial

S = 1_000_000_000
NOTHING = {"overload": False}
AT = "modbus+rtu:/dev/ttyUSB0?baud=115200&parity=E&unit=1"


class Bench:
    """One driver with its motor, and its time."""

    def __init__(self):
        self.az, self.now_ns, self.inputs = Az(), 0, dict(NOTHING)
        self.wait(0)

    def wait(self, duration_ns):
        self.now_ns += duration_ns
        self.outputs = self.az.update(self.now_ns, self.inputs).outputs

    def write(self, address, *numbers):
        words = [word for number in numbers for word in divmod(number & 0xFFFFFFFF, 0x10000)]
        self.az.wire.write(16, address, words)
        self.wait(0)

    def command(self, word):
        self.az.wire.write(6, 0x7D, [word])
        self.wait(0)

    def pulse(self, word):
        self.command(word)
        self.command(0)

    def status(self):
        word = self.az.wire.read(3, 0x7F, 1)[0]
        return {name for name, bit in (("ready", 5), ("alarm", 7), ("moving", 13), ("there", 14)) if word >> bit & 1}

    def position(self):
        high, low = self.az.wire.read(3, 0xCC, 2)
        value = high << 16 | low
        return value - (1 << 32) if value >> 31 else value


def move(bench, kind, position, speed, trigger=1):
    bench.write(0x58, 0, kind, position, speed, 1500, 1500, 1000, trigger)


def test_all_data_with_their_trigger_start_a_motion():
    bench = Bench()
    assert bench.status() == {"ready", "there"}
    move(bench, 1, -8500, 1000)
    assert bench.status() == {"moving"}
    bench.wait(4 * S)
    assert bench.position() == -4000
    bench.wait(5 * S)
    assert (bench.status(), bench.position()) == ({"ready", "there"}, -8500)
    move(bench, 2, 500, 1000)
    bench.wait(S)
    assert bench.position() == -8000, "by so much"


def test_without_a_trigger_nothing_moves():
    bench = Bench()
    move(bench, 1, 100, 1000, trigger=0)
    assert bench.status() == {"ready", "there"}
    bench.write(0x66, 1)
    assert bench.status() == {"moving"}


def test_a_negative_trigger_names_what_starts_the_motion():
    bench = Bench()
    move(bench, 1, 0, 1000, trigger=-5)
    bench.wait(S)
    bench.write(0x5E, 2000)
    assert bench.status() == {"ready", "there"}, "the speed is not what was named"
    bench.write(0x5C, 4000)
    bench.wait(2 * S)
    assert (bench.status(), bench.position()) == ({"ready", "there"}, 4000)


def test_it_turns_until_it_is_stopped():
    bench = Bench()
    move(bench, 16, 0, -1000)
    bench.wait(3 * S)
    assert bench.status() == {"moving"}
    bench.command(0x20)
    assert (bench.status(), bench.position()) == ({"ready", "there"}, -3000)
    move(bench, 16, 0, 1000)
    assert bench.status() == {"moving"}, "a bit acts when it rises"


def test_it_goes_home_and_can_be_turned_by_hand():
    bench = Bench()
    move(bench, 1, 5000, 5000)
    bench.wait(S)
    bench.pulse(0x10)
    bench.wait(S)
    assert bench.position() == 0
    bench.command(0x40)
    assert bench.outputs["free"] is True
    move(bench, 1, 100, 1000)
    assert bench.status() == {"there"}
    bench.command(0)
    assert bench.status() == {"ready", "there"}


def test_an_alarm_stops_it_until_it_is_reset():
    bench = Bench()
    move(bench, 1, 5000, 1000)
    bench.wait(S)
    bench.inputs["overload"] = True
    bench.wait(S)
    assert (bench.status(), bench.az.wire.read(3, 0x80, 2)) == ({"alarm", "there"}, [0, 0x30])
    bench.pulse(0x80)
    assert "alarm" in bench.status(), "its cause is still there"
    bench.inputs["overload"] = False
    bench.pulse(0x80)
    assert bench.status() == {"ready", "there"}


def test_what_there_is_not():
    for function, address, count in ((3, 0x57, 1), (3, 0x82, 1), (4, 0xCC, 2), (3, 0xCE, 2)):
        with pytest.raises(ModbusError):
            Bench().az.wire.read(function, address, count)


def test_an_axis_is_moved(tmp_path):
    body = """
        await c.dev.move_to(position=-8500, speed=4000)
        c.record("there", c.dev.position.value)
        await c.dev.move_by(distance=500)
        c.record("by", c.dev.position.value)
        await c.dev.home()
        c.record("home", c.dev.position.value)
        await c.dev.turn(speed=1000)
        await c.until("dev.position > 1000", timeout="5 s")
        await c.dev.stop()
        c.record("moving", c.dev.moving.value)
    """
    told, outputs = trial(tmp_path, "oriental-motor.az", AT, body)
    assert told == {"there": -8500, "by": -8000, "home": 0, "moving": False}
    assert outputs["moving"] is False


def test_an_alarm_is_told_and_reset(tmp_path):
    body = """
        await c.until("dev.alarm", timeout="5 s")
        await c.sleep("1 s")
        c.record("code", c.dev.alarm_code.value)
        await c.sleep("1 s")
        await c.dev.reset_alarm()
        c.record("ready", c.dev.ready.value)
    """
    happens = [("1 s", {"overload": True}), ("2 s", {"overload": False})]
    told, _ = trial(tmp_path, "oriental-motor.az", AT, body, happens=happens)
    assert told == {"code": 0x30, "ready": True}
