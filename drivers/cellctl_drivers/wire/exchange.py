"""One request, one answer, over a line that a device has for itself or shares with others.

The rule kept here: an answer that comes late is never taken for the answer to the next request. Where a device has a
TCP connection for itself, a request without a proper answer ends it. On a line, where a new connection would still
hear the old answer, the line is left alone until it was quiet; the second failure in a row ends the place of the device
there (a later one, for devices to which silence is an answer), and not the line.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TypeVar, cast

from cellctl.driver import DriverError
from cellctl_drivers.wire.line import Line, Place, Urgency
from cellctl_drivers.wire.orders import OrderError, RefusalError, SilenceError

T = TypeVar("T")

#: Takes the answer out of what was received so far; None: it is not complete; SilenceError: it is none.
Take = Callable[[bytearray], T | None]

#: Takes what nobody asked for out of what was received so far; what it leaves may be the beginning of something.
Listen = Callable[[bytearray], None]


class Exchange(Place):
    """The place of one device on a line, for one request at a time.

    So many requests in a row as `silences_max` may stay without an answer.
    """

    def __init__(self, line: Line, device: str, min_pause_s: float, listen: Listen = bytearray.clear) -> None:
        super().__init__(device, min_pause_s)
        self.silences_max = int(line.forgiving)
        self._line = line
        self._loop = asyncio.get_running_loop()
        self._listen = listen
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._take: Take[object] = _nothing
        self._answer: asyncio.Future[object] | None = None
        self._failures = 0
        self._give_up_s = self._timeout_s = 0.0  # of the request whose answer is waited for
        self._timer: asyncio.TimerHandle | None = None

    async def ask(self, request: bytes, take: Take[T], timeout_s: float) -> T:
        """Send `request` when it is the device's turn, and return what `take` makes of the answer.

        SilenceError if none came in time and the connection may go on, DriverError if it is over; whatever else `take`
        raises means that the device did answer.
        """
        await self._line.begin(self)
        try:
            answer = await self._ask(request, take, timeout_s)
            self._succeed()
            return answer
        except SilenceError as silence:
            if not self.silences_max:
                raise DriverError(str(silence)) from silence
            self._failures += 1
            if not await self._line.silent(self):
                raise DriverError(f"{self.device} never stops sending") from silence
            self._buffer.clear()
            if self._failures > self.silences_max:
                raise DriverError(f"{silence} ({self._failures} times in a row)") from silence
            raise
        except (RefusalError, OrderError):
            self._succeed()
            raise
        finally:
            self._line.end()

    async def tell(self, request: bytes) -> None:
        """Send `request`, to which there is no answer, when it is the device's turn."""
        await self._line.begin(self)
        self._sending().write(request)
        self._line.told()
        self._line.end()

    def say(self, data: bytes) -> None:
        """Send at once what answers the device, whoever has the turn."""
        self._sending().write(data)
        self._line.told()

    def urge(self, urgency: Urgency) -> None:
        """So urgent is what waits to be sent, and what is sent from now on."""
        self._line.urge(self, urgency)

    async def close(self) -> None:
        """Leave the line. Where this was the last place, nothing that waits to be sent leaves any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        await self._line.leave(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The line calls this when the place is taken."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The line calls this when the connection is gone."""
        reason = f"the connection to {self.device} was lost" + (f": {exc}" if exc else "")
        if not self.lost.done():
            self.lost.set_result(reason)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(DriverError(reason))

    def data_received(self, data: bytes) -> None:
        """The line calls this with what came in."""
        self._buffer += data
        if self._answer is not None and not self._answer.done():
            self._look(self._answer)
        if self._answer is None or self._answer.done():
            self._listen(self._buffer)

    def _look(self, waiting: asyncio.Future[object]) -> None:
        """Whether what came in is the answer that is waited for; a part of it that was taken makes up for its time."""
        size = len(self._buffer)
        try:
            answer = self._take(self._buffer)
        except Exception as error:
            waiting.set_exception(error)
            return
        if answer is not None:
            waiting.set_result(answer)
        elif len(self._buffer) < size:
            self._give_up_s = self._loop.time() + self._timeout_s

    async def _ask(self, request: bytes, take: Take[T], timeout_s: float) -> T:
        transport = self._sending()
        self._listen(self._buffer)
        self._take = take
        self._answer = self._loop.create_future()
        self._give_up_s, self._timeout_s = self._loop.time() + timeout_s, timeout_s
        if self._timer is None or self._timer.when() > self._give_up_s:
            self._set_timer()
        try:
            self._line.asked(timeout_s)
            transport.write(request)
            return cast(T, await self._answer)
        finally:
            self._answer = None

    def _succeed(self) -> None:
        self._failures = 0
        self._line.answered(self)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._give_up_s, self._ring, self._give_up_s)

    def _ring(self, set_for_s: float) -> None:
        """Most requests were answered long since: one timer looks after all of them, and is set anew when it rings."""
        self._timer = None
        if self._answer is None or self._answer.done():
            return
        if set_for_s < self._give_up_s:
            self._set_timer()
            return
        text = f"no answer from {self.device} within {self._timeout_s * 1e3:.0f} ms"
        self._answer.set_exception(SilenceError(text))

    def _sending(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport


@contextlib.asynccontextmanager
async def connected(
    line: Line, device: str, min_pause_s: float, listen: Listen = bytearray.clear
) -> AsyncIterator[Exchange]:
    """A place on `line` for the length of the block; DriverError if there is no connection.

    `listen` is given what comes in while nothing is asked.
    """
    exchange = Exchange(line, device, min_pause_s, listen)
    try:
        await line.enter(exchange)
        yield exchange
    finally:
        await exchange.close()


def _nothing(_: bytearray) -> None:
    return None
