"""A robot by OPC UA for Robotics, driven by its profile, over the wire and without one."""

import pytest

from cellctl_simulators.models.opc_foundation import PROGRAMS, RoboticsArm

from .phase_trial import trial

AT = "opc.tcp://10.0.0.1:4840"
MS = 1_000_000

#: As a cell tells where its robot is.
_WAY = '$robot: "path=$system/rob:MotionDevices/MotionDevice"'


def test_a_program_is_loaded_runs_and_moves_the_axes(tmp_path):
    body = """
        c.record("before", f"{c.dev.state.value} {c.dev.program_loaded.value} {c.dev.axis_2.value:g}")
        c.record("facts", f"{c.dev.mode.value} {c.dev.speed_override.value:g} {c.dev.emergency_stop.value}")
        await c.dev.load(program="pick")
        await c.until("dev.state == 'Ready'", timeout="1 s")
        await c.dev.start()
        await c.until("dev.state == 'Executing'", timeout="1 s")
        await c.until("dev.axis_1 > 1 deg", timeout="2 s")
        await c.until("dev.state == 'Ready'", timeout="5 s")
        await c.until("dev.axis_1 > 44.9 deg", timeout="1 s")
        c.record("after", f"{c.dev.program.value} {c.dev.axis_1.value:g} {c.dev.axis_2.value:g} {c.dev.axis_6.value:g}")
        await c.dev.unload()
        await c.until("dev.state == 'Idle'", timeout="1 s")
    """
    told, outputs = trial(tmp_path, "opc-foundation.robotics", AT, body)
    assert told == {"before": "Idle False -90", "facts": "4 100 False", "after": "pick 45 -60 45"}
    assert outputs["finished"] == 1


def test_a_robot_that_is_stopped_says_why_it_does_not_start(tmp_path):
    body = """
        c.record("stop", f"{c.dev.protective_stop.value} {c.dev.emergency_stop.value}")
        await c.dev.load(program="home")
        try:
            await c.dev.start()
        except PhaseFault as fault:
            c.record("why", str(fault))
    """
    told, outputs = trial(tmp_path, "opc-foundation.robotics", AT, body, {"protective_stop": True})
    assert told["stop"] == "True False"
    assert "status 3: an alarm is active" in told["why"]
    assert outputs["moving"] is False


def test_a_program_is_stopped_on_its_way(tmp_path):
    body = """
        await c.dev.load(program="place")
        await c.dev.start()
        await c.until("dev.axis_1 < -10 deg", timeout="3 s")
        await c.dev.stop()
        c.record("state", c.dev.state.value)
    """
    told, outputs = trial(tmp_path, "opc-foundation.robotics", AT, body, {"speed_override": 50.0}, _WAY)
    assert told == {"state": "Ready"}
    assert (outputs["finished"], outputs["moving"]) == (0, False)


@pytest.mark.parametrize(
    ("inputs", "calls", "status"),
    [
        ({}, [("Start", ())], 1),
        ({}, [("Stop", (1,))], 1),
        ({}, [("UnloadProgram", ())], 1),
        ({}, [("LoadByName", ("dance",))], 2),
        ({}, [("LoadByName", ("pick",)), ("LoadByName", ("home",))], 1),
        ({"mode": 1}, [("LoadByName", ("pick",)), ("Start", ())], 1),
        ({"emergency_stop": True}, [("LoadByName", ("pick",)), ("Start", ())], 3),
        ({}, [("LoadByName", ("pick",)), ("Start", ()), ("UnloadProgram", ())], 1),
        ({}, [("LoadByName", ("pick",)), ("Start", ()), ("Stop", (1,)), ("Start", ())], 0),
    ],
)
def test_a_method_says_whether_it_may(inputs, calls, status):
    arm = RoboticsArm()
    arm.update(0, {**arm.inputs, **inputs})
    for name, arguments in calls:
        (last,) = arm.wire.answer(name, arguments)
        arm.update(0, {**arm.inputs, **inputs})
    assert last == status


def test_an_emergency_stop_ends_the_program_where_it_is():
    arm = RoboticsArm()
    arm.update(0, arm.inputs)
    arm.wire.answer("LoadByName", ("pick",))
    arm.wire.answer("Start", ())
    arm.update(0, arm.inputs)
    arm.update(1000 * MS, {**arm.inputs, "emergency_stop": True})
    assert arm.wire["Axis_1"] == pytest.approx(PROGRAMS["pick"][0] / 2)
    assert arm.update(2000 * MS, arm.inputs).outputs["moving"] is False
    assert arm.wire["CurrentState"] == "Ready"
