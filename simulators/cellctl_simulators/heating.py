"""A furnace for models of temperature controllers: heated by a share of its power, cooled by the room.

The rule kept here: it goes on in steps of its own, so its temperature does not depend on how often it is looked at.
"""

from collections.abc import Callable
from dataclasses import dataclass

STEP_NS = 200_000_000
TIME_CONSTANT_S = 60.0
RISE_C = 500.0  # above the room, at full power
BAND_C = 20.0  # so far below the setpoint a controller gives full power beyond what the losses take


@dataclass(slots=True)
class Furnace:
    """`temperature_c` follows `output`, in percent of the power."""

    temperature_c: float
    output: float = 0.0
    _last_ns: int = 0

    def advance(self, now_ns: int, room_c: float, control: Callable[[], float]) -> int:
        """Bring it to `now_ns`; `control` tells the output of each step. When it goes on."""
        while self._last_ns + STEP_NS <= now_ns:
            self._last_ns += STEP_NS
            self.output = control()
            end_c = room_c + RISE_C * self.output / 100
            self.temperature_c += (end_c - self.temperature_c) * STEP_NS / 1e9 / TIME_CONSTANT_S
        return self._last_ns + STEP_NS

    def wanted(self, setpoint_c: float, room_c: float) -> float:
        """The output by which a well tuned controller holds the setpoint, 0 to 100 %."""
        losses = (setpoint_c - room_c) / RISE_C
        return max(0.0, min(100.0, 100 * (losses + (setpoint_c - self.temperature_c) / BAND_C)))
