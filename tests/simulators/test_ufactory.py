"""UFACTORY Gripper G2: the model against the vendor's page, and the profile against the model."""

import pytest

from cellctl_simulators.models.ufactory import GripperG2
from cellctl_simulators.wire import ModbusError

from .phase_trial import trial

MS = 1_000_000
S = 1_000_000_000
NOTHING = {"object": -1, "error": 0}
STOPPED, MOVING, GRASPING, ENABLED = 0, 1, 2, 8


def enabled():
    gripper = GripperG2()
    gripper.wire.write(6, 0x0C00, [1])
    gripper.update(0, NOTHING)
    return gripper


def told(gripper):
    """Status, the position asked for and that of the motor."""
    (status,) = gripper.wire.read(3, 0, 1)
    high, low, motor_high, motor_low = gripper.wire.read(3, 4, 4)
    return status, high << 16 | low, motor_high << 16 | motor_low


def test_nothing_moves_before_it_is_enabled():
    gripper = GripperG2()
    gripper.wire.write(16, 0x0C01, [1000, 50, 0, 5000])
    gripper.update(0, NOTHING)
    gripper.update(10 * S, NOTHING)
    assert told(gripper) == (STOPPED, 100_000, 100_000)


def test_it_takes_the_high_word_first_and_echoes_what_it_was_asked():
    gripper = enabled()
    gripper.wire.write(16, 0x0C01, [1000, 50, 1, 0x1170])
    gripper.update(0, NOTHING)
    assert told(gripper) == (MOVING | ENABLED, 70_000, 100_000)
    gripper.update(300 * MS, NOTHING)
    assert told(gripper) == (MOVING | ENABLED, 70_000, 85_000)
    gripper.update(600 * MS, NOTHING)
    assert told(gripper) == (STOPPED | ENABLED, 70_000, 70_000)


def test_it_grasps_until_it_is_asked_to_open():
    inputs = NOTHING | {"object": 40_000}
    gripper = enabled()
    gripper.wire.write(16, 0x0C01, [2000, 50, 0, 0])
    gripper.update(0, inputs)
    assert gripper.update(2 * S, inputs).outputs["holding"] is True
    assert told(gripper) == (GRASPING | ENABLED, 0, 40_000)
    gripper.wire.write(16, 0x0C03, [1, 0])
    gripper.update(2 * S, inputs)
    assert gripper.update(4 * S, inputs).outputs["holding"] is False
    assert told(gripper) == (STOPPED | ENABLED, 65_536, 65_536)


def test_a_fault_disables_it():
    gripper = enabled()
    gripper.update(1 * S, NOTHING | {"error": 19})
    assert (gripper.wire.read(3, 0, 1), gripper.wire.read(3, 15, 1)) == ([0], [19])


def test_what_it_refuses():
    for function, address, code in ((3, 16, 2), (4, 0, 1)):
        with pytest.raises(ModbusError) as refusal:
            GripperG2().wire.read(function, address, 1)
        assert refusal.value.code == code
    with pytest.raises(ModbusError):
        GripperG2().wire.write(6, 6, [1])


def test_a_part_is_gripped_and_let_go(tmp_path):
    body = """
        await c.dev.enable()
        taken = await c.dev.move(position=-10, speed=1500, current=50)
        c.record("gripped", taken.gripped)
        c.record("position", taken.position)
        let_go = await c.dev.move(position=70000, speed=3000, current=50)
        c.record("holds", let_go.gripped)
    """
    at = "modbus+rtu:/dev/ttyUSB0?baud=2000000&unit=8"
    told, outputs = trial(tmp_path, "ufactory.gripper-g2", at, body, {"object": 30_000})
    assert told == {"gripped": True, "position": 30_000, "holds": False}
    assert (outputs["holding"], outputs["position"]) == (False, 70_000)
