"""DH-Robotics grippers: the model against the registers of the manual, and the profiles against the model."""

import pytest

from cellctl_simulators.models.dh import GripperAg, GripperRgi
from cellctl_simulators.wire import ModbusError

from .phase_trial import trial

MS = 1_000_000
S = 1_000_000_000
NOTHING = {"object": -1, "blocked": False}
AT = "modbus+rtu:/dev/ttyUSB0?baud=115200&unit=1"


def states(gripper):
    """Initialisation, grip, position."""
    return tuple(gripper.wire.read(3, 0x200, 3))


def initialised(kind=GripperAg):
    gripper = kind()
    gripper.wire.write(6, 0x100, [1])
    gripper.update(0, NOTHING)
    gripper.update(2 * S, NOTHING)
    return gripper


def move(gripper, position, from_ns, inputs=NOTHING):
    gripper.wire.write(6, 0x103, [position])
    gripper.update(from_ns, inputs)
    return gripper.update(from_ns + 10 * S, inputs)


def test_nothing_moves_before_it_is_initialised():
    gripper = GripperAg()
    move(gripper, 200, 0)
    assert states(gripper) == (0, 1, 1000)
    gripper.wire.write(6, 0x100, [0xA5])
    gripper.update(0, NOTHING)
    assert states(gripper)[0] == 2
    gripper.update(4 * S, NOTHING)
    assert states(gripper) == (1, 1, 1000)


def test_it_moves_then_has_reached_its_position():
    gripper = initialised()
    gripper.wire.write(6, 0x103, [400])
    assert gripper.update(2 * S, NOTHING).call_at_ns == 2 * S + 360 * MS
    assert states(gripper)[1] == 0
    gripper.update(2 * S + 180 * MS, NOTHING)
    assert states(gripper) == (1, 0, 700)
    gripper.update(3 * S, NOTHING)
    assert states(gripper) == (1, 1, 400)


def test_it_catches_something_and_says_when_it_is_dropped():
    gripper = initialised()
    assert move(gripper, 0, 2 * S, NOTHING | {"object": 350}).outputs["holding"] is True
    assert states(gripper) == (1, 2, 350)
    assert gripper.update(20 * S, NOTHING).outputs["holding"] is False
    assert states(gripper) == (1, 3, 350)
    move(gripper, 1000, 20 * S)
    assert states(gripper) == (1, 1, 1000)


def test_slow_fingers_take_longer():
    gripper = initialised()
    gripper.wire.write(6, 0x104, [1])
    gripper.wire.write(6, 0x103, [0])
    gripper.update(2 * S, NOTHING)
    gripper.update(7 * S, NOTHING)
    assert 100 < states(gripper)[2] < 250


def test_the_fingers_turn_by_signed_degrees():
    gripper = initialised(GripperRgi)
    gripper.wire.write(6, 0x105, [0x10000 - 90])
    gripper.update(2 * S, NOTHING)
    assert gripper.wire.read(3, 0x20B, 1) == [0]
    gripper.update(3 * S, NOTHING)
    assert (gripper.wire.read(3, 0x208, 1), gripper.wire.read(3, 0x20B, 1)) == ([0x10000 - 90], [1])
    gripper.wire.write(6, 0x105, [90])
    gripper.update(3 * S, NOTHING)
    gripper.update(3 * S + 250 * MS, NOTHING | {"blocked": True})
    gripper.update(9 * S, NOTHING)
    assert (gripper.wire.read(3, 0x208, 1), gripper.wire.read(3, 0x20B, 1)) == ([0], [2])


def test_what_it_refuses():
    for function, address, code in ((3, 0x203, 2), (4, 0x200, 1)):
        with pytest.raises(ModbusError) as refusal:
            GripperAg().wire.read(function, address, 1)
        assert refusal.value.code == code
    with pytest.raises(ModbusError):
        GripperAg().wire.write(6, 0x202, [1])


def test_a_part_is_gripped_turned_and_let_go(tmp_path):
    body = """
        await c.dev.initialise()
        await c.dev.force_limit.set(30)
        await c.dev.speed_limit.set(50)
        taken = await c.dev.move(position=100)
        c.record("gripped", taken.gripped)
        c.record("position", taken.position)
        turned = await c.dev.rotate(angle=-90)
        c.record("angle", turned.angle)
        c.record("let_go", not (await c.dev.move(position=900)).gripped)
    """
    told, outputs = trial(tmp_path, "dh.rgi", AT, body, {"object": 350})
    assert told == {"gripped": True, "position": 350, "angle": -90, "let_go": True}
    assert (outputs["holding"], outputs["position"]) == (False, 900)


def test_the_ag_initialises_in_full(tmp_path):
    body = """
        await c.dev.initialise_fully()
        c.record("position", (await c.dev.move(position=250)).position)
    """
    assert trial(tmp_path, "dh.ag", AT, body)[0] == {"position": 250}
