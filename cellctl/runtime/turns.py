"""When the cell takes a turn: as soon as something came, and when the cell itself wants to.

The rules kept here: what comes in one round of the loop is taken in one turn, and between two turns everything else
that is ready gets its chance. A turn that fails is the last.
"""

import asyncio
from collections.abc import Callable

from cellctl.runtime.clock import Clock

#: A cell that wants to be woken for what is due already gets there by its own turn, not by spinning.
TURN_NS_MIN = 1_000_000


class Turns:
    """Calls `turn` on the running loop; it returns when the cell wants the next one (ns UTC). `failed` gets what it
    raised."""

    def __init__(self, clock: Clock, turn: Callable[[], int], failed: Callable[[Exception], None]) -> None:
        self._clock, self._turn, self._failed = clock, turn, failed
        self._loop = asyncio.get_running_loop()
        self.taken = 0  # so many turns came to their end
        self._on = False
        self._soon: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Take the first turn soon, and all others."""
        self._on = True
        self.ring()

    def ring(self) -> None:
        """Take a turn soon."""
        if self._on and self._soon is None:
            self._soon = self._loop.call_soon(self._take)

    def within(self, ns: int) -> None:
        """Take a turn before so much time has passed."""
        if self._on and self._soon is None:
            at_s = self._clock.monotonic_s(self._clock.now() + ns)
            if self._timer is None or at_s < self._timer.when():
                self._wait_until(at_s)

    def stop(self) -> None:
        """Take no further turn."""
        self._on = False
        for handle in (self._soon, self._timer):
            if handle is not None:
                handle.cancel()
        self._soon = self._timer = None

    def _take(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._soon = self._timer = None
        try:
            wake_ns = self._turn()
        except Exception as error:
            self._on = False
            self._failed(error)
            return
        self.taken += 1
        self._wait_until(self._clock.monotonic_s(max(wake_ns, self._clock.now() + TURN_NS_MIN)))

    def _wait_until(self, at_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at_s, self._take)
