"""Eurotherm and Watlow temperature controllers: the models against the manuals, the profiles against the models."""

import struct

import pytest

from cellctl_simulators.models.eurotherm import Controller3216
from cellctl_simulators.models.watlow import MODELS as WATLOW
from cellctl_simulators.wire import ModbusError

from .phase_trial import trial

S = 1_000_000_000
ROOM = {"room": 20.0}
AT = "modbus+rtu:/dev/ttyUSB0?baud=9600&unit=1"


def run(model, until_s, from_s=0):
    for second in range(from_s, until_s + 1):
        result = model.update(second * S, ROOM)
    return result


def floats(*words):
    return struct.unpack(">f", struct.pack(">HH", *words))[0]


def words(value):
    return list(struct.unpack(">HH", struct.pack(">f", value)))


def full(controller, number):
    """A parameter of the Eurotherm in its full-resolution region, high word first."""
    return floats(*controller.wire.read(3, 0x8000 + 2 * number, 2))


def test_eurotherm_parameters_have_two_places():
    controller = Controller3216()
    controller.wire.write(6, 24, [1505])
    run(controller, 0)
    assert (full(controller, 24), full(controller, 2), full(controller, 5)) == (150.5, 150.5, 150.5)
    controller.wire.write(16, 0x8000 + 2 * 24, words(99.5))
    run(controller, 0)
    assert controller.wire.read(3, 24, 1) == [995]
    assert full(controller, 39) == pytest.approx(-79.5)
    assert controller.wire.read(3, 39, 1) == [0x10000 - 795]


def test_eurotherm_setpoints_in_the_eeprom_wear_the_remote_one_does_not():
    controller = Controller3216()
    controller.wire.write(6, 276, [1])
    for step in range(100):
        controller.wire.write(16, 0x8000 + 2 * 26, words(20 + step))
    assert run(controller, 0).outputs["wear"] == 0
    assert full(controller, 5) == 119
    controller.wire.write(6, 2, [300])
    run(controller, 0)
    controller.wire.write(16, 0x8000 + 2 * 25, words(30))
    assert run(controller, 0).outputs["wear"] == 2
    assert full(controller, 5) == 119, "the remote one counts"
    controller.wire.write(6, 276, [0])
    run(controller, 0)
    assert full(controller, 5) == 30


def test_eurotherm_heats_to_its_setpoint():
    controller = Controller3216()
    controller.wire.write(6, 24, [1200])
    run(controller, 5)
    assert full(controller, 4) == 100
    run(controller, 300, 5)
    assert full(controller, 1) == pytest.approx(120, abs=1)
    assert full(controller, 4) == pytest.approx(20, abs=3)


def test_eurotherm_runs_its_program_to_the_end():
    controller = Controller3216()
    controller.wire.write(6, 23, [1])
    run(controller, 10)
    assert controller.wire.read(3, 23, 1) == [1]
    run(controller, 31, 10)
    assert controller.wire.read(3, 23, 1) == [3]


def test_watlow_puts_the_low_word_first_and_shows_its_unit():
    for name, setpoint, shown in (("watlow.ez-zone", 212.0, 68.0), ("watlow.ez-zone-degc", 100.0, 20.0)):
        controller = WATLOW[name]()
        run(controller, 0)
        low, high = controller.wire.read(3, 360, 2)
        assert floats(high, low) == pytest.approx(shown)
        controller.wire.write(16, 2160, words(setpoint)[::-1])
        assert run(controller, 300).outputs["temperature"] == pytest.approx(100, abs=1)
        low, high = controller.wire.read(3, 360, 2)
        assert floats(high, low) == pytest.approx(setpoint, abs=2)


def test_what_they_refuse():
    for controller, read, write in ((Controller3216(), 100, 1), (WATLOW["watlow.ez-zone"](), 361 + 1, 360)):
        with pytest.raises(ModbusError):
            controller.wire.read(3, read, 1)
        with pytest.raises(ModbusError):
            controller.wire.write(6, write, [0])


def test_a_ramp_by_the_eurotherm_does_not_wear_its_eeprom(tmp_path):
    body = """
        await c.dev.remote.on()
        for n in range(30, 90, 5):
            await c.dev.setpoint.set(float(n))
            await c.sleep("1 s")
        await c.until("dev.temperature > 80 degC", timeout="30 s")
        c.record("setpoint", c.dev.active_setpoint.value)
        await c.dev.run_program()
        await c.dev.hold_program()
        c.record("program", c.dev.program_status.value)
        await c.dev.reset_program()
    """
    told, outputs = trial(tmp_path, "eurotherm.3216", AT, body)
    assert told == {"setpoint": 85.0, "program": 2}
    assert outputs["wear"] == 0
    assert outputs["temperature"] > 80


@pytest.mark.parametrize(
    ("profile", "setpoint", "condition"),
    [
        ("watlow.ez-zone", 194.0, "dev.temperature > 185 degF"),
        ("watlow.ez-zone-degc", 90.0, "dev.temperature > 85 degC"),
    ],
)
def test_watlow_is_told_its_setpoint(profile, setpoint, condition, tmp_path):
    body = f"""
        await c.dev.alarm_1_high.set({setpoint + 10})
        await c.dev.setpoint.set({setpoint})
        await c.until("{condition}", timeout="50 s")
        c.record("alarm", c.dev.alarm_1_high.value)
    """
    told, outputs = trial(tmp_path, profile, AT, body)
    assert told == {"alarm": setpoint + 10}
    assert outputs["temperature"] > 84


def test_watlow_in_another_unit_is_another_device(tmp_path):
    """The profile for degC is not connected to a controller that talks degF."""
    profiles = tmp_path / "cell" / "profiles"
    profiles.mkdir(parents=True)
    head = "cellctl: 1\nprofile: {id: wrong, version: 1, protocol: modbus, extends: watlow.ez-zone-degc}\n"
    (profiles / "wrong.yaml").write_text(head + "sim: {model: watlow.ez-zone}\n")
    with pytest.raises(AssertionError, match="not within 60 s: all devices are connected"):
        trial(tmp_path, "wrong", AT, "await c.dev.setpoint.set(90.0)")
