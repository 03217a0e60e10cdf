"""DH-Robotics AG and RGI, electric grippers, as the RGI-30 manual (p. 10) lists their registers.

Written: 0x100 initialise (1, or 0xA5 in full), 0x101 force, 0x103 position, 0x104 speed, 0x105 angle. Told: 0x200 how
far the initialisation is, 0x201 the grip, 0x202 the position; of the RGI 0x208 the angle, 0x20B the rotation. Nothing
moves before the gripper is initialised.
"""

from collections.abc import Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Registers, word
from cellctl_simulators.world import Outputs

INIT, FORCE, POSITION, SPEED, ANGLE = 0x100, 0x101, 0x103, 0x104, 0x105
INIT_STATE, GRIP_STATE, ACTUAL, ACTUAL_ANGLE, ROTATION_INIT, ROTATION_STATE = 0x200, 0x201, 0x202, 0x208, 0x20A, 0x20B
NOT_INITIALISED, INITIALISED, INITIALISING = 0, 1, 2
MOVING, REACHED, CAUGHT, DROPPED = 0, 1, 2, 3
BLOCKED = 2
INIT_NS = {1: 1_500_000_000, 0xA5: 3_000_000_000}
STROKE_FAST_NS, STROKE_SLOW_NS = 600_000_000, 6_000_000_000  # the whole stroke at speed 100 and 1
DEGREES_PER_S = 360


class GripperAg:
    """The gripper. Input `object` is the position at which the fingers meet something, in thousandths (-1: nothing).

    Outputs: `holding`, `position` at rest, `power` in W.
    """

    inputs: Mapping[str, Value] = {"object": -1}
    written: tuple[int, ...] = (INIT, FORCE, POSITION, SPEED)
    told: tuple[int, ...] = (INIT_STATE, GRIP_STATE, ACTUAL)

    def __init__(self, random: Random | None = None) -> None:
        self.wire = Registers(writable=self.written, functions=(3, 6, 16))
        self.wire.holding = dict.fromkeys((*self.written, *self.told), 0) | {FORCE: 100, SPEED: 100, POSITION: 1000}
        self._state = NOT_INITIALISED
        self._ready_ns = 0
        self._grip = REACHED
        self._position = self._target = 1000
        self._left = (1000, 0)  # position, and the time, at which the fingers left it

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the gripper to `now_ns`."""
        registers = self.wire.holding
        asked, registers[INIT] = registers[INIT], 0
        if asked in INIT_NS:
            self._state, self._ready_ns = INITIALISING, now_ns + INIT_NS[asked]
        if self._state == INITIALISING and now_ns >= self._ready_ns:
            self._state, self._grip, self._position = INITIALISED, REACHED, 1000
            self._target = registers[POSITION] = 1000
        calls_ns = [self._ready_ns] if self._state == INITIALISING else []
        if self._state == INITIALISED:
            calls_ns += self._motion(now_ns, int(inputs["object"])) + self._rotation(now_ns, inputs)
        registers[INIT_STATE], registers[GRIP_STATE], registers[ACTUAL] = self._state, self._grip, self._position
        rest = {} if calls_ns else {"position": self._position}
        outputs = {"holding": self._grip == CAUGHT, "power": 15.0 if calls_ns else 2.0, **rest}
        return Outputs(outputs, min(calls_ns, default=None))

    def _motion(self, now_ns: int, object: int) -> list[int]:
        wanted = min(self.wire.holding[POSITION], 1000)
        if wanted != self._target:
            self._target, self._left, self._grip = wanted, (self._position, now_ns), MOVING
        if self._grip == CAUGHT and object != self._position:
            self._grip = DROPPED
        if self._grip != MOVING:
            return []
        start, left_ns = self._left
        meets = object >= 0 and self._target < object <= start
        end = object if meets else self._target
        slowness = 100 - max(1, min(self.wire.holding[SPEED], 100))
        stroke_ns = STROKE_FAST_NS + (STROKE_SLOW_NS - STROKE_FAST_NS) * slowness // 99
        arrival_ns = left_ns + stroke_ns * abs(end - start) // 1000
        if now_ns < arrival_ns:
            self._position = round(start + (end - start) * (now_ns - left_ns) / (arrival_ns - left_ns))
            return [arrival_ns]
        self._position, self._grip = end, CAUGHT if meets else REACHED
        return []

    def _rotation(self, now_ns: int, inputs: Mapping[str, Value]) -> list[int]:
        """The fingers of this type do not turn."""
        return []


class GripperRgi(GripperAg):
    """The gripper whose fingers turn; input `blocked` stops them."""

    inputs: Mapping[str, Value] = {"object": -1, "blocked": False}
    written = (*GripperAg.written, ANGLE)
    told = (*GripperAg.told, ACTUAL_ANGLE, ROTATION_INIT, ROTATION_STATE)

    def __init__(self, random: Random | None = None) -> None:
        super().__init__(random)
        self._angle = self._wanted = 0
        self._turned = (0, 0)  # angle, and the time, at which the fingers left it
        self._turn = self.wire.holding[ROTATION_STATE] = REACHED

    def _rotation(self, now_ns: int, inputs: Mapping[str, Value]) -> list[int]:
        registers = self.wire.holding
        wanted = (registers[ANGLE] ^ 0x8000) - 0x8000
        if wanted != self._wanted:
            self._wanted, self._turned, self._turn = wanted, (self._angle, now_ns), MOVING
        start, left_ns = self._turned
        arrival_ns = left_ns + abs(self._wanted - start) * 1_000_000_000 // DEGREES_PER_S
        if self._turn == MOVING and now_ns < arrival_ns:
            self._angle = round(start + (self._wanted - start) * (now_ns - left_ns) / (arrival_ns - left_ns))
            self._turn = BLOCKED if inputs["blocked"] else MOVING
        elif self._turn == MOVING:
            self._angle, self._turn = self._wanted, REACHED
        registers[ACTUAL_ANGLE], registers[ROTATION_STATE] = word(self._angle), self._turn
        return [arrival_ns] if self._turn == MOVING else []


MODELS = {"dh.ag": GripperAg, "dh.rgi": GripperRgi}
