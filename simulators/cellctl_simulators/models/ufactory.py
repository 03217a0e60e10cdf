"""UFACTORY Gripper G2, an electric gripper, as the vendor's page of its protocol describes it.

Told: 0 motion (bits 0..1) and enable (bits 2..3, 2 is enabled), 4 the position asked for, 6 that of the motor, 15 the
error. Written: 0x0C00 enable, 0x0C01 speed, 0x0C02 current, 0x0C03 position. 32-bit numbers have the high word first.
"""

import struct
from collections.abc import Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Registers
from cellctl_simulators.world import Outputs

STATUS, COMMAND, MOTOR, ERROR = 0, 4, 6, 15
ENABLE, SPEED, CURRENT, POSITION = 0x0C00, 0x0C01, 0x0C02, 0x0C03
TOLD, WRITTEN = range(16), range(ENABLE, POSITION + 2)
STOPPED, MOVING, GRASPING = 0, 1, 2
ENABLED = 2 << 2
OPEN = 100_000  # where the model stands when it is switched on
UNITS_PER_S_AND_RPM = 50


class GripperG2:
    """The gripper. Input `object` is the position at which the fingers meet something (-1: nothing), `error` the code
    of a fault. Outputs: `holding`, `position` at rest, `power` in W.
    """

    inputs: Mapping[str, Value] = {"object": -1, "error": 0}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = Registers(writable=WRITTEN, functions=(3, 6, 16))
        self.wire.holding = dict.fromkeys((*TOLD, *WRITTEN), 0)
        self._put(POSITION, OPEN)
        self._motion = STOPPED
        self._position = self._target = OPEN
        self._left = (OPEN, 0)  # position, and the time, at which the fingers left it

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the gripper to `now_ns`."""
        registers = self.wire.holding
        enabled = bool(registers[ENABLE]) and not inputs["error"]
        call_at_ns = self._move(now_ns, int(inputs["object"])) if enabled else None
        if not enabled:
            self._motion = STOPPED
        registers[STATUS] = self._motion | ENABLED * enabled
        registers[ERROR] = int(inputs["error"])
        self._put(COMMAND, self._target)
        self._put(MOTOR, self._position)
        moving = self._motion == MOVING
        rest = {} if moving else {"position": self._position}
        outputs = {"holding": self._motion == GRASPING, "power": 10.0 if moving else 2.0, **rest}
        return Outputs(outputs, call_at_ns)

    def _move(self, now_ns: int, object: int) -> int | None:
        wanted = self._got(POSITION)
        if wanted != self._target:
            self._target, self._left, self._motion = wanted, (self._position, now_ns), MOVING
        if self._motion == GRASPING and object != self._position:
            self._left, self._motion = (self._position, now_ns), MOVING
        if self._motion != MOVING:
            return None
        start, left_ns = self._left
        meets = object >= 0 and self._target < object <= start
        end = object if meets else self._target
        speed = max(1, self.wire.holding[SPEED]) * UNITS_PER_S_AND_RPM
        arrival_ns = left_ns + abs(end - start) * 1_000_000_000 // speed
        if now_ns < arrival_ns:
            self._position = round(start + (end - start) * (now_ns - left_ns) / (arrival_ns - left_ns))
            return arrival_ns
        self._position, self._motion = end, GRASPING if meets else STOPPED
        return None

    def _put(self, address: int, value: int) -> None:
        self.wire.holding[address], self.wire.holding[address + 1] = struct.unpack(">HH", struct.pack(">i", value))

    def _got(self, address: int) -> int:
        words = self.wire.holding[address], self.wire.holding[address + 1]
        value: int = struct.unpack(">i", struct.pack(">HH", *words))[0]
        return value


MODELS = {"ufactory.gripper-g2": GripperG2}
