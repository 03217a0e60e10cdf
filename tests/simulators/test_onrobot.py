"""OnRobot grippers: the model against the registers of the Compute Box, and the profile against the model."""

import pytest

from cellctl_simulators.models.onrobot import MODELS
from cellctl_simulators.wire import ModbusError

from .phase_trial import trial

MS = 1_000_000
S = 1_000_000_000
NOTHING = {"object": 0.0, "s1": False, "s2": False}
BUSY, GRIPPED = 1, 2


def rg2(inputs=NOTHING):
    gripper = MODELS["onrobot.rg2"]()
    gripper.update(0, inputs)
    return gripper


def width_and_status(gripper):
    return tuple(gripper.wire.read(3, 267, 2))


def test_it_is_busy_until_it_is_there():
    gripper = rg2()
    assert width_and_status(gripper) == (1100, 0)
    gripper.wire.write(16, 0, [200, 600, 1])
    assert gripper.update(0, NOTHING).call_at_ns == 600 * MS
    assert width_and_status(gripper) == (1100, BUSY)
    gripper.update(250 * MS, NOTHING)
    assert width_and_status(gripper) == (850, BUSY)
    result = gripper.update(600 * MS, NOTHING)
    assert width_and_status(gripper) == (600, 0)
    assert (result.outputs["holding"], result.outputs["width"], result.outputs["force"]) == (False, 60.0, 20.0)


def test_what_comes_while_it_is_busy_is_ignored():
    gripper = rg2()
    gripper.wire.write(16, 0, [200, 600, 1])
    gripper.update(0, NOTHING)
    gripper.wire.write(16, 0, [200, 1000, 1])
    gripper.update(100 * MS, NOTHING)
    gripper.update(2 * S, NOTHING)
    assert width_and_status(gripper) == (600, 0)


def test_it_closes_on_an_object_and_loses_it_when_it_is_taken():
    inputs = NOTHING | {"object": 40.0}
    gripper = rg2(inputs)
    gripper.wire.write(16, 0, [400, 0, 1])
    gripper.update(0, inputs)
    gripper.update(750 * MS, inputs)
    assert width_and_status(gripper) == (400, BUSY), "it presses before it says so"
    assert gripper.update(800 * MS, inputs).outputs["holding"] is True
    assert width_and_status(gripper) == (400, GRIPPED)
    gripper.update(1 * S, NOTHING)
    assert width_and_status(gripper) == (400, 0)


def test_stop_stops_although_it_is_busy():
    gripper = rg2()
    gripper.wire.write(16, 0, [200, 100, 1])
    gripper.update(0, NOTHING)
    gripper.wire.write(6, 2, [8])
    gripper.update(500 * MS, NOTHING)
    gripper.update(2 * S, NOTHING)
    assert width_and_status(gripper) == (600, 0)


def test_a_safety_switch_that_was_hit_holds_the_gripper_for_good():
    gripper = rg2()
    gripper.wire.write(16, 0, [200, 100, 1])
    gripper.update(0, NOTHING)
    gripper.update(100 * MS, NOTHING | {"s1": True})
    assert width_and_status(gripper) == (1000, 0b1100)
    gripper.update(200 * MS, NOTHING)
    assert width_and_status(gripper) == (1000, 0b1000)
    gripper.wire.write(16, 0, [200, 100, 1])
    gripper.update(300 * MS, NOTHING)
    gripper.update(2 * S, NOTHING)
    assert width_and_status(gripper) == (1000, 0b1000)


def test_the_tips_have_an_offset():
    gripper = rg2()
    gripper.wire.holding[258] = 45
    gripper.wire.write(16, 0, [200, 500, 16])
    gripper.update(0, NOTHING)
    gripper.update(2 * S, NOTHING)
    assert (gripper.wire.read(3, 267, 1), gripper.wire.read(3, 275, 1)) == ([545], [500])


@pytest.mark.parametrize(("model", "width", "force"), [("onrobot.rg2", 110.0, 40.0), ("onrobot.rg6", 160.0, 120.0)])
def test_each_type_has_its_own_limits(model, width, force):
    gripper = MODELS[model]()
    gripper.update(0, NOTHING)
    gripper.wire.write(16, 0, [9999, 9999, 1])
    gripper.update(0, NOTHING)
    outputs = gripper.update(2 * S, NOTHING).outputs
    assert (outputs["width"], outputs["force"]) == (width, force)


@pytest.mark.parametrize(("function", "address", "code"), [(3, 3, 2), (3, 269, 2), (4, 267, 1)])
def test_what_it_refuses(function, address, code):
    with pytest.raises(ModbusError) as refusal:
        rg2().wire.read(function, address, 1)
    assert refusal.value.code == code


def test_a_part_is_gripped_and_let_go(tmp_path):
    body = """
        taken = await c.dev.grip(width_tenths=100, force_tenths=300)
        c.record("gripped", taken.gripped)
        c.record("width", taken.width)
        let_go = await c.dev.grip(width_tenths=900, force_tenths=300)
        c.record("holds", let_go.gripped)
        await c.dev.grip_at_tips(width_tenths=200, force_tenths=250)
        await c.dev.stop()
    """
    told, outputs = trial(tmp_path, "onrobot.rg2", "modbus://10.20.1.12:502?unit=65", body, {"object": 32.5})
    assert told == {"gripped": True, "width": 32.5, "holds": False}
    assert (outputs["holding"], outputs["width"], outputs["force"]) == (True, 32.5, 25.0)


def test_the_rg6_opens_wider_over_the_serial_line(tmp_path):
    at = "modbus+rtu:/dev/ttyUSB0?baud=115200&parity=E&unit=65"
    body = 'c.record("width", (await c.dev.grip(width_tenths=1550, force_tenths=1100)).width)'
    told, outputs = trial(tmp_path, "onrobot.rg6", at, body)
    assert told == {"width": 155.0}
    assert outputs["force"] == 110.0
