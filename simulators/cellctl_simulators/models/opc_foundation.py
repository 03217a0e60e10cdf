"""A robot behind OPC UA for Robotics (OPC 40010-1): one motion device with six axes, its safety state, and a task.

Programs are loaded by name, started and stopped by methods; each answers with a status: 0 done, 1 the wrong state,
2 something unexpected, 3 an alarm is active.
"""

from collections.abc import Mapping, Sequence
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Method, Node, Nodes, Step
from cellctl_simulators.world import Outputs

NAMESPACE = "urn:cellctl:simulated:robotics"
ROBOTICS, DI, STANDARD = (f"http://opcfoundation.org/UA/{part}" for part in ("Robotics/", "DI/", ""))

#: The programs that the controller has, and where each brings the axes, in degrees.
PROGRAMS: Mapping[str, tuple[float, ...]] = {
    "home": (0.0, -90.0, 90.0, 0.0, 90.0, 0.0),
    "pick": (45.0, -60.0, 100.0, 0.0, 50.0, 45.0),
    "place": (-45.0, -60.0, 100.0, 0.0, 50.0, -45.0),
}
#: At full speed a program takes this long; positions are told this often.
PROGRAM_NS, TOLD_NS = 2_000_000_000, 50_000_000

DONE, WRONG_STATE, UNEXPECTED, ALARM = 0, 1, 2, 3
AUTOMATIC_EXTERNAL = 4

_SYSTEM: tuple[Step, ...] = ((DI, "DeviceSet"), ("", "MotionDeviceSystem"))
_ROBOT: tuple[Step, ...] = (*_SYSTEM, (ROBOTICS, "MotionDevices"), ("", "MotionDevice"))
_TASK: tuple[Step, ...] = (
    *_SYSTEM, (ROBOTICS, "Controllers"), ("", "Controller"), (ROBOTICS, "TaskControls"), ("", "TaskControl"),
)  # fmt: skip
_SAFETY: tuple[Step, ...] = (*_SYSTEM, (ROBOTICS, "SafetyStates"), ("", "SafetyState"))
_MACHINE: tuple[Step, ...] = (*_TASK, (ROBOTICS, "TaskControlOperation"), (ROBOTICS, "TaskControlStateMachine"))


def _parameter(of: tuple[Step, ...], name: str) -> tuple[Step, ...]:
    return (*of, (DI, "ParameterSet"), (ROBOTICS, name))


_NODES: Mapping[str, Node] = {
    "EmergencyStop": Node("Boolean", False, at=_parameter(_SAFETY, "EmergencyStop")),
    "ProtectiveStop": Node("Boolean", False, at=_parameter(_SAFETY, "ProtectiveStop")),
    "OperationalMode": Node("Int32", AUTOMATIC_EXTERNAL, at=_parameter(_SAFETY, "OperationalMode")),
    "SpeedOverride": Node("Double", 100.0, at=_parameter(_ROBOT, "SpeedOverride")),
    "TaskProgramName": Node("String", "", at=_parameter(_TASK, "TaskProgramName")),
    "TaskProgramLoaded": Node("Boolean", False, at=_parameter(_TASK, "TaskProgramLoaded")),
    "CurrentState": Node("LocalizedText", "Idle", at=(*_MACHINE, (STANDARD, "CurrentState"))),
    **{
        f"Axis_{number}": Node(
            "Double", angle, at=_parameter((*_ROBOT, (ROBOTICS, "Axes"), ("", f"Axis_{number}")), "ActualPosition")
        )
        for number, angle in enumerate(PROGRAMS["home"], 1)
    },
}
_METHODS: Mapping[str, Method] = {
    name: Method(inputs, ("Int32",), (*_MACHINE, (ROBOTICS, name)))
    for name, inputs in (("LoadByName", ("String",)), ("UnloadProgram", ()), ("Start", ()), ("Stop", ("Int64",)))
}


class RoboticsArm:
    """The robot. Inputs: the two stops, `mode` (4: automatic, external) and `speed_override` in %. Outputs: `moving`,
    `finished` (how many programs came to their end), `power`."""

    inputs: Mapping[str, Value] = {
        "emergency_stop": False,
        "protective_stop": False,
        "mode": AUTOMATIC_EXTERNAL,
        "speed_override": 100.0,
    }

    def __init__(self, random: Random | None = None) -> None:
        self.wire = Nodes(NAMESPACE, _NODES, _METHODS)
        self.wire.answer = self._answer
        self._program = ""
        self._executing = False
        self._done_part = 0.0  # of the program that runs
        self._from: tuple[float, ...] = PROGRAMS["home"]
        self._axes = self._from
        self._seen_ns = 0
        self._finished = 0

    def _answer(self, name: str, inputs: Sequence[Value]) -> Sequence[Value]:
        return (self._called(name, inputs),)

    def _called(self, name: str, inputs: Sequence[Value]) -> int:
        match name:
            case "LoadByName" if not self._program:
                if inputs[0] not in PROGRAMS:
                    return UNEXPECTED
                self._program = str(inputs[0])
            case "UnloadProgram" if self._program and not self._executing:
                self._program = ""
            case "Start" if self._program and not self._executing:
                if self.wire["EmergencyStop"] or self.wire["ProtectiveStop"]:
                    return ALARM
                if self.wire["OperationalMode"] != AUTOMATIC_EXTERNAL:
                    return WRONG_STATE
                self._executing, self._done_part, self._from = True, 0.0, self._axes
            case "Stop" if self._executing:
                self._executing = False
            case _:
                return WRONG_STATE
        return DONE

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the robot to `now_ns`."""
        passed_ns, self._seen_ns = now_ns - self._seen_ns, now_ns
        stopped = bool(inputs["emergency_stop"] or inputs["protective_stop"])
        if self._executing:
            self._move(passed_ns * float(inputs["speed_override"]) / 100.0)
            self._executing = self._executing and not stopped
        wire = self.wire
        wire["EmergencyStop"], wire["ProtectiveStop"] = inputs["emergency_stop"], inputs["protective_stop"]
        wire["OperationalMode"], wire["SpeedOverride"] = inputs["mode"], float(inputs["speed_override"])
        wire["TaskProgramName"], wire["TaskProgramLoaded"] = self._program, bool(self._program)
        wire["CurrentState"] = "Executing" if self._executing else "Ready" if self._program else "Idle"
        for number, angle in enumerate(self._axes, 1):
            wire[f"Axis_{number}"] = angle
        outputs: dict[str, Value] = {"moving": self._executing, "finished": self._finished}
        outputs["power"] = 900.0 if self._executing else 200.0
        return Outputs(outputs, now_ns + TOLD_NS if self._executing else None)

    def _move(self, worked_ns: float) -> None:
        """Go on with the program for so long at full speed."""
        self._done_part = min(1.0, self._done_part + worked_ns / PROGRAM_NS)
        ends = PROGRAMS[self._program]
        self._axes = tuple(a + (b - a) * self._done_part for a, b in zip(self._from, ends, strict=True))
        if self._done_part == 1.0:
            self._executing = False
            self._finished += 1


MODELS = {"opc-foundation.robotics": RoboticsArm}
