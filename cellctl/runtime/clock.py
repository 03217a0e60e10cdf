"""The one clock of the process.

The rule kept here: wall time is read once, at the start, and advanced by the monotonic clock, so that nobody who sets
the time of the computer makes a wait expire or a journal run backwards. A stepped wall clock is told, not followed.
"""

import time
from collections.abc import Callable

#: A wall clock that is slewed stays together with the monotonic one; a larger difference was a step.
STEP_NS = 50_000_000


class Clock:
    """Nanoseconds UTC that only ever go forward, by the two clocks of the computer, or of a test."""

    def __init__(
        self, monotonic_ns: Callable[[], int] = time.monotonic_ns, utc_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self.monotonic_ns, self._utc_ns = monotonic_ns, utc_ns
        self._offset_ns = self._told_ns = self._difference_ns()

    def now(self) -> int:
        """The time, ns UTC."""
        return self.monotonic_ns() + self._offset_ns

    def monotonic_s(self, time_ns: int) -> float:
        """`time_ns` on the clock of the event loop, seconds."""
        return (time_ns - self._offset_ns) / 1e9

    def step_ns(self) -> int:
        """By how much the wall clock was set since this was last asked; 0 if it was not."""
        offset_ns = self._difference_ns()
        step_ns = offset_ns - self._told_ns
        if abs(step_ns) <= STEP_NS:
            return 0
        self._told_ns = offset_ns
        return step_ns

    def _difference_ns(self) -> int:
        """UTC less monotonic time; read again if the process was interrupted between the two, for that is no step."""
        while True:
            before = self.monotonic_ns()
            utc = self._utc_ns()
            after = self.monotonic_ns()
            if after - before < STEP_NS // 10:
                return utc - (before + after) // 2
