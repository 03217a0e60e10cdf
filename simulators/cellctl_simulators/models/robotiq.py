"""Robotiq 2F-85, 2F-140 and Hand-E, electric two-finger grippers, as their manuals (chapter 4, control) describe them.

Output registers 1000..1002 (written by the client), input registers 2000..2002; the high byte of a register is the
first of its two bytes. The handshake: reset (all zero), activate (rACT), wait for gSTA 3, go to a position (rGTO with
rPR); the object bits gOBJ are valid only once gPR echoes the request.
"""

from collections.abc import Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Registers
from cellctl_simulators.world import Outputs

CYCLE_NS = 5_000_000  # the gripper updates its registers 200 times a second
ACTIVATION_NS = 900_000_000  # it opens and closes once to find its ends

RESET, ACTIVATING, ACTIVE = 0, 1, 3  # gSTA
MOVING, CONTACT_OPENING, CONTACT_CLOSING, AT_POSITION = 0, 1, 2, 3  # gOBJ
R_ACT, R_GTO = 0x01, 0x08


class Gripper2F85:
    """The gripper. Input `object` is the position at which the fingers meet something (0: nothing is between them).

    Outputs: `holding`, `position` (0 open, 255 closed) at rest, `power` in W.
    """

    inputs: Mapping[str, Value] = {"object": 0}
    stroke_fast_ns = 570_000_000  # 85 mm at 150 mm/s, speed 255
    stroke_slow_ns = 4_250_000_000  # 85 mm at 20 mm/s, speed 0

    def __init__(self, random: Random | None = None) -> None:
        self.wire = Registers(writable=range(1000, 1003), functions=(3, 4, 16, 23))
        self.wire.holding = self.wire.input = dict.fromkeys((1000, 1001, 1002, 2000, 2001, 2002), 0)
        self._status = RESET
        self._object = MOVING
        self._active_at_ns = 0
        self._order = (0, 0)  # position and speed asked for, as accepted
        self._pending: tuple[tuple[int, int], int] | None = None  # and when it will be accepted
        self._start = (0, 0)  # position, and the time at which the fingers left it
        self._position = 0
        self._holding = False

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the gripper to `now_ns`."""
        action = self.wire.holding[1000] >> 8
        call_at_ns = self._activation(now_ns, bool(action & R_ACT))
        if self._status == ACTIVE and action & R_GTO:
            call_at_ns = self._motion(now_ns, int(inputs["object"]))
        self.wire.input[2000] = (bool(action & R_ACT) | (action & R_GTO) | self._status << 4 | self._object << 6) << 8
        self.wire.input[2001] = self._order[0]
        self.wire.input[2002] = self._position << 8 | (10 if self._object == MOVING else 0)
        moving = call_at_ns is not None
        rest = {} if moving else {"position": self._position}
        return Outputs({"holding": self._holding, "power": 8.0 if moving else 2.0, **rest}, call_at_ns)

    def _activation(self, now_ns: int, wanted: bool) -> int | None:
        if not wanted:
            self._status, self._object, self._pending = RESET, MOVING, None
        elif self._status == RESET:
            self._status, self._active_at_ns = ACTIVATING, now_ns + ACTIVATION_NS
        if self._status != ACTIVATING:
            return None
        if now_ns < self._active_at_ns:
            return self._active_at_ns
        self._status, self._object, self._order = ACTIVE, AT_POSITION, (self._position, 255)
        return None

    def _motion(self, now_ns: int, contact: int) -> int | None:
        wanted = (self.wire.holding[1001] & 0xFF, self.wire.holding[1002] >> 8)
        if wanted != self._order and (self._pending is None or self._pending[0] != wanted):
            self._pending = (wanted, now_ns + CYCLE_NS)
        if self._pending is not None:
            if now_ns < self._pending[1]:
                return self._pending[1]
            self._order, self._pending = self._pending[0], None
            self._start = (self._position, now_ns)
            self._object = MOVING
        return self._travel(now_ns, contact)

    def _travel(self, now_ns: int, contact: int) -> int | None:
        """Move the fingers; they stop at the order's position, or at what they meet while closing, for as long as it
        is there."""
        if self._object == CONTACT_CLOSING and contact == 0:
            self._object, self._holding, self._start = MOVING, False, (self._position, now_ns)
        if self._object != MOVING:
            return None
        start, left_ns = self._start
        target, speed = self._order
        closing = target > start
        meets = closing and contact > 0 and start <= contact <= target
        end = contact if meets else target
        stroke_ns = self.stroke_slow_ns + (self.stroke_fast_ns - self.stroke_slow_ns) * speed // 255
        arrival_ns = left_ns + stroke_ns * abs(end - start) // 255
        if not closing and target < start:
            self._holding = False
        if now_ns < arrival_ns:
            done = (now_ns - left_ns) / (arrival_ns - left_ns)
            self._position = round(start + (end - start) * done)
            return arrival_ns
        self._position = end
        self._object = CONTACT_CLOSING if meets else AT_POSITION
        self._holding = self._object == CONTACT_CLOSING
        return None


class Gripper2F140(Gripper2F85):
    """The wide one: 140 mm at 250 and 30 mm/s."""

    stroke_fast_ns = 560_000_000
    stroke_slow_ns = 4_670_000_000


class GripperHandE(Gripper2F85):
    """The one with parallel fingers: 50 mm at 150 and 20 mm/s."""

    stroke_fast_ns = 333_000_000
    stroke_slow_ns = 2_500_000_000


MODELS = {"robotiq.2f85": Gripper2F85, "robotiq.2f140": Gripper2F140, "robotiq.hand-e": GripperHandE}
