"""The robot arm Mecademic Meca500 on its control port: messages end with NUL, and begin with a code in brackets.

Motions are queued and have no answer; a checkpoint that is queued behind them is told when they have come to it.
"""

import re
from collections import deque
from collections.abc import Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Ask, Lines
from cellctl_simulators.world import Outputs

GREETING = "[3000][Connected to Meca500 R4 v10.1.0.0]"
ACTIVATION_NS, HOMING_NS, MOTION_NS = 1_000_000_000, 3_000_000_000, 700_000_000
QUEUE_MAX = 100

_COMMAND = re.compile(r"-?(?P<name>\w+)(?:\((?P<arguments>.*)\))?")


class Meca500:
    """The arm. Input `collision` puts it in error. Outputs: `activated`, `homed`, `moving`, `motions`, `power`."""

    inputs: Mapping[str, Value] = {"collision": False}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = Lines(end="\0", takes="\0", greeting=GREETING)
        self._activated = self._homed = self._error = False
        self._doing: tuple[Ask, str, int] | None = None  # activation or homing: who asked, what, its end
        self._queue: deque[int] = deque()  # 0: a motion, else the number of a checkpoint
        self._arrival_ns: int | None = None
        self._motions = 0

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the arm to `now_ns`."""
        if inputs["collision"] and self._activated:
            self._error = True
            self._halt()
        self._finish(now_ns)
        for ask in self.wire.take():
            if match := _COMMAND.fullmatch(ask.text.strip()):
                self._command(ask, match, now_ns)
            else:
                ask.reply("[1002][Syntax error.]")
        self._move(now_ns)
        moving = self._arrival_ns is not None
        outputs = {"activated": self._activated, "homed": self._homed, "moving": moving, "motions": self._motions}
        times_ns = [at for at in (self._arrival_ns, self._doing[2] if self._doing else None) if at is not None]
        return Outputs({**outputs, "power": 80.0 if moving else 25.0}, min(times_ns, default=None))

    def _finish(self, now_ns: int) -> None:
        if self._doing is None or now_ns < self._doing[2]:
            return
        (ask, what, _), self._doing = self._doing, None
        if what == "ActivateRobot":
            self._activated = True
            ask.reply("[2000][Motors activated.]")
        else:
            self._homed = True
            ask.reply("[2002][Homing done.]")

    def _command(self, ask: Ask, match: re.Match[str], now_ns: int) -> None:
        name = match["name"]
        match name:
            case "GetStatusRobot":
                flags = (self._activated, self._homed, False, self._error, False, False, self._arrival_ns is None)
                ask.reply(f"[2007][{','.join(str(int(flag)) for flag in flags)}]")
            case "ActivateRobot" | "Home" if not self._error:
                self._begin(ask, name, now_ns)
            case "DeactivateRobot":
                self._activated = self._homed = False
                self._doing = None
                self._halt()
                ask.reply("[2004][Motors deactivated.]")
            case "ResetError":
                self._error = False
                ask.reply("[2005][The error was reset.]")
            case "MoveJoints" | "MovePose" | "SetCheckpoint":
                self._enqueue(ask, name, (match["arguments"] or "").split(","))
            case _ if self._error:
                ask.reply("[1011][The robot is in error.]")
            case _:
                ask.reply(f"[1001][{name} is not known.]")

    def _begin(self, ask: Ask, name: str, now_ns: int) -> None:
        done = self._activated if name == "ActivateRobot" else self._homed
        if done:
            ask.reply(
                "[2001][Motors already activated.]" if name == "ActivateRobot" else "[2003][Homing already done.]"
            )
        elif name == "Home" and not self._activated:
            ask.reply("[1005][The robot is not activated.]")
        else:
            self._doing = (ask, name, now_ns + (ACTIVATION_NS if name == "ActivateRobot" else HOMING_NS))

    def _enqueue(self, ask: Ask, name: str, arguments: list[str]) -> None:
        if problem := self._problem(name, arguments):
            ask.reply(problem)
        else:
            self._queue.append(int(arguments[0]) if name == "SetCheckpoint" else 0)

    def _problem(self, name: str, arguments: list[str]) -> str:
        if self._error:
            return "[1011][The robot is in error.]"
        if not self._activated:
            return "[1005][The robot is not activated.]"
        if not self._homed:
            return "[1006][The robot is not homed.]"
        if len(arguments) != (1 if name == "SetCheckpoint" else 6):
            return "[1003][Wrong number of arguments.]"
        return "[1000][The buffer is full.]" if len(self._queue) >= QUEUE_MAX else ""

    def _move(self, now_ns: int) -> None:
        if self._arrival_ns is not None and now_ns >= self._arrival_ns:
            self._arrival_ns, self._motions = None, self._motions + 1
        while self._queue and self._arrival_ns is None:
            if number := self._queue.popleft():
                self.wire.say(f"[3030][{number}]")
            else:
                self._arrival_ns = now_ns + MOTION_NS

    def _halt(self) -> None:
        self._queue.clear()
        self._arrival_ns = None


MODELS = {"mecademic.meca500": Meca500}
