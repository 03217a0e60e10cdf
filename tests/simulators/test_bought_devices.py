"""The models of devices that can be bought, against the numbers of their manuals."""

import struct

import pytest

from cellctl_simulators.models.eastron import Sdm630
from cellctl_simulators.models.robotiq import Gripper2F85
from cellctl_simulators.models.universal_robots import UrArm
from cellctl_simulators.wire import ModbusError

MS = 1_000_000
S = 1_000_000_000


def status(gripper):
    """(gACT, gGTO, gSTA, gOBJ), gPR, gPO."""
    word, echo, place = gripper.wire.read(4, 2000, 3)
    byte = word >> 8
    return (byte & 1, byte >> 3 & 1, byte >> 4 & 3, byte >> 6), echo & 0xFF, place >> 8


def run(model, inputs, until_ns, *, from_ns=0):
    """Update at every time the model calls for."""
    now_ns = from_ns
    while now_ns <= until_ns:
        result = model.update(now_ns, inputs)
        if result.call_at_ns is None or result.call_at_ns > until_ns:
            break
        now_ns = result.call_at_ns
    return model.update(until_ns, inputs)


def activated():
    gripper = Gripper2F85()
    gripper.wire.write(16, 1000, [0x0100, 0, 0])
    run(gripper, {"object": 0}, 2 * S)
    return gripper


def test_the_gripper_is_reset_then_activates():
    gripper = Gripper2F85()
    gripper.update(0, {"object": 0})
    assert status(gripper) == ((0, 0, 0, 0), 0, 0)
    gripper.wire.write(16, 1000, [0x0100, 0, 0])
    assert gripper.update(0, {"object": 0}).call_at_ns > 0
    assert status(gripper)[0] == (1, 0, 1, 0)
    run(gripper, {"object": 0}, 2 * S)
    assert status(gripper)[0] == (1, 0, 3, 3)


def test_the_gripper_does_not_move_before_it_is_active():
    gripper = Gripper2F85()
    gripper.wire.write(16, 1000, [0x0900, 0x00FF, 0xFF80])
    run(gripper, {"object": 0}, 100 * MS)
    assert status(gripper)[2] == 0


def test_object_bits_are_old_until_the_request_is_echoed():
    gripper = activated()
    gripper.wire.write(16, 1000, [0x0900, 0x00FF, 0xFF80])
    gripper.update(2 * S, {"object": 0})
    assert status(gripper)[:2] == ((1, 1, 3, 3), 0)
    gripper.update(2 * S + 5 * MS, {"object": 0})
    assert status(gripper)[:2] == ((1, 1, 3, 0), 255)


def test_the_gripper_closes_on_an_object_and_lets_go():
    gripper = activated()
    gripper.wire.write(16, 1000, [0x0900, 0x00FF, 0xFF80])
    assert run(gripper, {"object": 128}, 3 * S, from_ns=2 * S).outputs["holding"] is True
    assert status(gripper) == ((1, 1, 3, 2), 255, 128)
    gripper.wire.write(16, 1000, [0x0900, 0x00FF, 0x2010])
    assert run(gripper, {"object": 128}, 4 * S, from_ns=3 * S).outputs["holding"] is True, "the same again, gently"
    gripper.wire.write(16, 1000, [0x0900, 0x0000, 0xFF80])
    assert run(gripper, {"object": 128}, 5 * S, from_ns=4 * S).outputs["holding"] is False
    assert status(gripper) == ((1, 1, 3, 3), 0, 0)


def test_the_gripper_closes_on_nothing_and_says_at_position():
    gripper = activated()
    gripper.wire.write(16, 1000, [0x0900, 0x00FF, 0xFF80])
    result = run(gripper, {"object": 0}, 3 * S, from_ns=2 * S)
    assert (result.outputs["holding"], result.outputs["position"]) == (False, 255)
    assert status(gripper) == ((1, 1, 3, 3), 255, 255)


def test_activating_again_neither_drops_nor_moves():
    gripper = activated()
    gripper.wire.write(16, 1000, [0x0900, 0x00FF, 0xFF80])
    run(gripper, {"object": 128}, 3 * S, from_ns=2 * S)
    gripper.wire.write(16, 1000, [0x0100, 0, 0])
    assert run(gripper, {"object": 128}, 5 * S, from_ns=3 * S).outputs["holding"] is True
    assert status(gripper)[0] == (1, 0, 3, 2)


def test_slow_fingers_take_longer():
    gripper = activated()
    gripper.wire.write(16, 1000, [0x0900, 0x00FF, 0x0080])
    run(gripper, {"object": 0}, 3 * S, from_ns=2 * S)
    assert 50 < status(gripper)[2] < 70
    run(gripper, {"object": 0}, 7 * S, from_ns=3 * S)
    assert status(gripper)[2] == 255


@pytest.mark.parametrize(("function", "address", "count", "code"), [(3, 1003, 1, 2), (4, 1999, 2, 2), (6, 1000, 1, 1)])
def test_what_the_gripper_refuses(function, address, count, code):
    with pytest.raises(ModbusError) as refusal:
        Gripper2F85().wire.read(function, address, count)
    assert refusal.value.code == code


def test_the_status_of_the_gripper_cannot_be_written():
    with pytest.raises(ModbusError) as refusal:
        Gripper2F85().wire.write(16, 2000, [0])
    assert refusal.value.code == 2


def quantity(meter, address):
    return struct.unpack(">f", struct.pack(">HH", *meter.wire.read(4, address, 2)))[0]


def test_the_meter_shows_power_and_counts_energy():
    meter = Sdm630()
    meter.update(0, {"power": 3000.0})
    meter.update(3600 * S, {"power": 0.0})
    assert quantity(meter, 0x48) == pytest.approx(3.0)
    assert quantity(meter, 0x156) == pytest.approx(3.0)
    assert quantity(meter, 0x34) == 0.0
    meter.update(7200 * S, {"power": 900.0})
    assert quantity(meter, 0x48) == pytest.approx(3.0)
    assert [quantity(meter, each) for each in (0x0C, 0x0E, 0x10)] == [300.0, 300.0, 300.0]
    assert quantity(meter, 0x34) == pytest.approx(900.0)
    assert quantity(meter, 0x46) == 50.0
    assert quantity(meter, 0x00) == pytest.approx(230.0, abs=3)


def test_the_meter_tells_at_most_forty_quantities_at_once():
    meter = Sdm630()
    assert len(meter.wire.read(4, 0, 80)) == 80
    with pytest.raises(ModbusError) as refusal:
        meter.wire.read(4, 0, 82)
    assert refusal.value.code == 3


def test_the_meter_tells_its_settings_as_floats():
    assert struct.unpack(">f", struct.pack(">HH", *Sdm630().wire.read(3, 0x0A, 2))) == (3.0,)


UR_INPUTS = {"digital_in": 0, "protective_stop": False, "emergency_stop": False}


def test_the_arm_sets_and_clears_outputs_by_masks():
    arm = UrArm()
    arm.wire.write(6, 1, [0b0001])
    arm.wire.write(6, 2, [0b0110])
    arm.wire.write(6, 3, [0b0001])
    arm.update(0, UR_INPUTS)
    assert arm.wire.read(3, 1, 3) == [0b0110, 0, 0]
    arm.wire.write(16, 32, [0b1000, 0])
    arm.update(0, UR_INPUTS)
    assert arm.wire.read(3, 31, 3) == [0b1000, 0, 0]


def test_the_arm_tells_its_state():
    arm = UrArm()
    arm.update(0, UR_INPUTS | {"digital_in": 0b101, "emergency_stop": True})
    assert arm.wire.read(3, 0, 1) == [0b101]
    assert 1 <= arm.wire.read(3, 256, 1)[0] <= 9
    assert arm.wire.read(3, 258, 5) == [7, 0, 1, 0, 1]
    x, y, z = arm.wire.read(3, 400, 3)
    assert (x, y - 0x10000, z) == (0, -3000, 5000)
    assert arm.wire.read(3, 450, 1)[0] > 0


def test_only_the_program_registers_and_outputs_of_the_arm_can_be_written():
    arm = UrArm()
    arm.wire.write(16, 128, [7] * 64)
    assert arm.wire.read(3, 190, 2) == [7, 7]
    for address in (0, 256, 258, 400):
        with pytest.raises(ModbusError):
            arm.wire.write(6, address, [1])
