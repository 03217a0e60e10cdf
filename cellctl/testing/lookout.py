"""Waiting for what only looking can tell: whether it is so is looked at after every turn of the cell, and in between.

The rule kept here: a look is a bare callback and wakes no task, for a test looks thousands of times until what it waits
for is so. It comes after the turn, never within it: whoever looks may touch the world.
"""

import asyncio
from collections.abc import Callable

#: A test that fails shows its own line, not those in here.
__tracebackhide__ = True

#: What changes without a turn is seen this much later at most, virtual s.
LOOK_S = 0.1


class Lookout:
    """Looks whether something is `fulfilled`, for `limit_s` (virtual s); `turned` is called after every turn.

    `seen` is a future: True as soon as it is so, False after the limit, or what looking raised.
    """

    def __init__(self, fulfilled: Callable[[], object], limit_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._fulfilled = fulfilled
        self._end_s = self._loop.time() + limit_s
        self._soon: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.seen: asyncio.Future[bool] = self._loop.create_future()
        self._look()
        self._wait()

    def turned(self) -> None:
        """Look soon."""
        if self._soon is None and not self.seen.done():
            self._soon = self._loop.call_soon(self._look)

    def close(self) -> None:
        """Look no more."""
        for handle in (self._soon, self._timer):
            if handle is not None:
                handle.cancel()

    def _wait(self) -> None:
        """Look again when nobody has looked for so long, and for the last time at the end."""
        again_s = self._looked_s + LOOK_S
        if again_s < self._end_s:
            self._timer = self._loop.call_at(again_s, self._tick, self._looked_s)
        else:
            self._timer = self._loop.call_at(self._end_s, self._end)

    def _tick(self, looked_s: float) -> None:
        if self._looked_s == looked_s:  # no turn was taken since
            self._look()
        if not self.seen.done():
            self._wait()

    def _end(self) -> None:
        self._look()
        if not self.seen.done():
            self.seen.set_result(False)

    def _look(self) -> None:
        self._soon, self._looked_s = None, self._loop.time()
        if self.seen.done():
            return
        try:
            if self._fulfilled():
                self.seen.set_result(True)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # it belongs to who waits, not to the loop
            self.seen.set_exception(error)
