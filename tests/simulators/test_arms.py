"""The robot arms of Lebai and Kinova: the models against the vendors' pages, the profiles against the models."""

import pytest

from cellctl_simulators.models.kinova import Gen3
from cellctl_simulators.models.lebai import Lm3
from cellctl_simulators.wire import ModbusError

from .phase_trial import trial

LEBAI = "modbus://10.20.1.14:3051"


def test_the_buttons_of_lebai_are_pressed_and_never_released():
    arm = Lm3()
    assert arm.update(0, arm.inputs).outputs == {"enabled": False, "restarts": 0}
    arm.wire.write(5, 100, [1])
    assert arm.update(0, arm.inputs).outputs["enabled"] is True
    with pytest.raises(ModbusError) as refusal:
        arm.wire.write(5, 100, [0])
    assert refusal.value.code == 3
    for stop in (101, 102, 110, 111):
        arm.wire.write(5, 100, [1])
        arm.update(0, arm.inputs)
        arm.wire.write(5, stop, [1])
        assert arm.update(0, arm.inputs).outputs["enabled"] is False
    assert arm.update(0, arm.inputs).outputs["restarts"] == 1


def test_the_joints_of_lebai_are_turns_and_a_position():
    arm = Lm3()
    arm.update(0, arm.inputs | {"joint_1": 90.0, "joint_2": 540.0, "joint_6": -90.0})
    assert arm.wire.read(4, 300, 4) == [0, 0x4000, 1, 0x8000]
    assert arm.wire.read(4, 310, 2) == [0xFFFF, 0xC000]
    for address in (201, 216, 312):
        with pytest.raises(ModbusError):
            arm.wire.read(3, address, 1)


@pytest.mark.parametrize(
    ("inputs", "state"),
    [({"playing": False, "faults": 0}, 7), ({"playing": True, "faults": 0}, 8), ({"playing": True, "faults": 0b11}, 4)],
)
def test_kinova_is_in_exactly_one_state(inputs, state):
    arm = Gen3()
    arm.update(0, inputs)
    assert arm.wire.read(2, 0, 10) == [int(each == state) for each in range(10)]
    assert arm.wire.read(2, 32, 3) == [1 if inputs["faults"] else 0] * 2 + [0]
    for function, address in ((2, 10), (2, 63), (3, 0)):
        with pytest.raises(ModbusError):
            arm.wire.read(function, address, 1)


def test_the_arm_of_lebai_is_worked(tmp_path):
    body = """
        await c.dev.speed.set(40)
        await c.dev.tcp_z.set(-120)
        await c.dev.payload.set(1500)
        await c.dev.restart()
        await c.dev.stop()
        await c.dev.enable()
        c.record("tcp_z", c.dev.tcp_z.value)
        c.record("joint", c.dev.joint_2.value)
    """
    told, outputs = trial(tmp_path, "lebai.lm3", LEBAI, body, {"joint_2": 180.0})
    assert told == {"tcp_z": -120, "joint": 180.0}
    assert outputs["restarts"] == 1, "a pulse"


def test_the_state_of_kinova_is_read(tmp_path):
    body = """
        c.record("ready", c.dev.ready.value)
        c.record("running", c.dev.running.value)
        c.record("fault", c.dev.fault.value)
    """
    at = "modbus://10.20.1.15:502"
    told, _ = trial(tmp_path, "kinova.gen3", at, body, {"playing": True})
    assert told == {"ready": False, "running": True, "fault": False}
