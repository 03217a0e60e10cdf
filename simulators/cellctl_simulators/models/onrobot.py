"""OnRobot RG2 and RG6, electric two-finger grippers, as seen at the Modbus server of their Compute Box.

Registers 0 force, 1 width, 2 control (tenths; 1 grip, 8 stop, 16 grip with the fingertip offset), 258 that offset, 267
width, 268 status bits, 275 width with the offset. The habits: a command that comes while the gripper is busy is
ignored, and once a safety switch was hit nothing moves until the power was off.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Registers, word
from cellctl_simulators.world import Outputs

FORCE, WIDTH, CONTROL, OFFSET, ACTUAL, STATUS, ACTUAL_AT_TIPS = 0, 1, 2, 258, 267, 268, 275
GRIP, STOP, GRIP_AT_TIPS = 1, 8, 16
BUSY, GRIPPED, S1_PUSHED, S1_TRIGGERED, S2_PUSHED, S2_TRIGGERED = (1 << bit for bit in range(6))
HOLD_NS = 100_000_000  # so long it presses before it says that it holds


@dataclass(frozen=True, slots=True)
class Size:
    """What one type can, in tenths of a millimetre and of a newton, and how fast it moves."""

    width_max: int
    force_max: int
    tenths_per_s: int


RG2 = Size(1100, 400, 1000)
RG6 = Size(1600, 1200, 1100)


class RgGripper:
    """The gripper. Input `object` is the width in mm of what lies between the fingers (0: nothing), `s1` and `s2` the
    safety switches. Outputs: `holding`, `width` in mm at rest, `force` in N of the last grip, `power` in W.
    """

    inputs: Mapping[str, Value] = {"object": 0.0, "s1": False, "s2": False}

    def __init__(self, size: Size, random: Random | None = None) -> None:
        self.wire = Registers(writable=(FORCE, WIDTH, CONTROL), functions=(3, 6, 16))
        self.wire.holding = dict.fromkeys((FORCE, WIDTH, CONTROL, OFFSET, ACTUAL, STATUS, ACTUAL_AT_TIPS), 0)
        self._size = size
        self._width = float(size.width_max)
        self._target = size.width_max
        self._force = 0
        self._left: tuple[float, int] | None = None  # width, and the time, at which the fingers left it
        self._end_ns = 0
        self._holding = False
        self._triggered = 0

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the gripper to `now_ns`."""
        registers = self.wire.holding
        pushed = S1_PUSHED * bool(inputs["s1"]) | S2_PUSHED * bool(inputs["s2"])
        self._triggered |= pushed << 1
        self._move(now_ns, round(float(inputs["object"]) * 10))
        control, registers[CONTROL] = registers[CONTROL], 0
        if control == STOP or self._triggered:
            self._left = None
        elif control in (GRIP, GRIP_AT_TIPS) and self._left is None:
            self._begin(now_ns, offset=registers[OFFSET] if control == GRIP_AT_TIPS else 0)
            self._move(now_ns, round(float(inputs["object"]) * 10))
        busy = self._left is not None
        registers[ACTUAL] = word(self._width)
        registers[ACTUAL_AT_TIPS] = word(self._width - registers[OFFSET])
        registers[STATUS] = BUSY * busy | GRIPPED * self._holding | pushed | self._triggered
        rest = {} if busy else {"width": round(self._width) / 10}
        outputs = {"holding": self._holding, "force": self._force / 10, "power": 12.0 if busy else 3.0, **rest}
        return Outputs(outputs, self._end_ns if busy else None)

    def _begin(self, now_ns: int, *, offset: int) -> None:
        self._target = min(self.wire.holding[WIDTH] + offset, self._size.width_max)
        self._force = min(self.wire.holding[FORCE], self._size.force_max)
        self._left = (self._width, now_ns)

    def _move(self, now_ns: int, object: int) -> None:
        """Move the fingers until they are there, or close on something."""
        if self._left is None:
            self._holding = self._holding and object >= self._width
            return
        start, left_ns = self._left
        meets = self._target < object <= start
        end = object if meets else self._target
        arrival_ns = left_ns + round(abs(end - start) / self._size.tenths_per_s * 1e9)
        self._end_ns = arrival_ns + HOLD_NS
        if end > start:
            self._holding = False
        if now_ns < arrival_ns:
            self._width = start + (end - start) * (now_ns - left_ns) / (arrival_ns - left_ns)
            return
        self._width = float(end)
        if now_ns >= self._end_ns:
            self._left, self._holding = None, meets


MODELS = {"onrobot.rg2": partial(RgGripper, RG2), "onrobot.rg6": partial(RgGripper, RG6)}
