"""One request, one answer, over a TCP connection or a serial port.

The rule kept here: an answer that comes late is never taken for the answer to the next request. Over TCP a request
without a proper answer ends the connection, and the socket is aborted. On a serial port, where a new connection would
still hear the old answer, the line is left alone until it was quiet for one more time-out; the second failure in a row
ends the connection (a later one, for devices to which silence is an answer).
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import TypeVar, cast

from cellctl.driver import DriverError
from cellctl_drivers.wire.endpoint import Endpoint, Tcp
from cellctl_drivers.wire.orders import OrderError, RefusalError, SilenceError
from cellctl_drivers.wire.tty import open_tty

T = TypeVar("T")

#: Takes the answer out of what was received so far; None: it is not complete; SilenceError: it is none.
Take = Callable[[bytearray], T | None]

#: Takes what nobody asked for out of what was received so far; what it leaves may be the beginning of something.
Listen = Callable[[bytearray], None]

#: How long a connection may take to be made: one repeated SYN and some time.
CONNECT_S = 2.0

#: The longest that the end of a late answer is waited for before a line counts as babbling.
_QUIET_TIMEOUTS_MAX = 4

#: Linger for 0 s: what was not sent yet is thrown away and the peer is told at once.
_ABORT = struct.pack("ii", 1, 0)


class Exchange(asyncio.Protocol):
    """A connection to one device, for one request at a time. So many requests in a row as `silences_max` may stay
    without an answer."""

    def __init__(
        self, device: str, *, forgiving: bool, min_pause_s: float = 0.0, listen: Listen = bytearray.clear
    ) -> None:
        self.device = device
        self.silences_max = int(forgiving)
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._listen = listen
        self._min_pause_s = min_pause_s
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._take: Take[object] = _nothing
        self._answer: asyncio.Future[object] | None = None
        self._failures = 0
        self._last_byte_s = 0.0

    async def ask(self, request: bytes, take: Take[T], timeout_s: float) -> T:
        """Send `request` and return what `take` makes of the answer.

        SilenceError if none came in time and the connection may go on, DriverError if it is over; whatever else `take`
        raises means that the device did answer.
        """
        try:
            answer = await self._ask(request, take, timeout_s)
        except SilenceError as silence:
            if not self.silences_max:
                raise DriverError(str(silence)) from silence
            self._failures += 1
            await self._quiet(timeout_s)
            self._buffer.clear()
            if self._failures > self.silences_max:
                raise DriverError(f"{silence} ({self._failures} times in a row)") from silence
            raise
        except (RefusalError, OrderError):
            self._failures = 0
            raise
        self._failures = 0
        return answer

    async def tell(self, request: bytes) -> None:
        """Send `request`, to which there is no answer."""
        await self._pause()
        self._sending().write(request)
        self._last_byte_s = self._loop.time()

    async def close(self) -> None:
        """Abort the connection: nothing that waits to be sent leaves any more."""
        if self._transport is None:
            return
        sock = self._transport.get_extra_info("socket")
        if sock is not None and not self._transport.is_closing():
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._transport.abort()
        await asyncio.wait((self.lost,))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio calls this when the connection stands."""
        self._transport = cast(asyncio.Transport, transport)
        # asyncio's own receive buffer of 256 KiB is allocated anew for each read and costs more than the rest.
        if hasattr(transport, "max_size"):
            transport.max_size = 4096

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio calls this when the connection is gone."""
        reason = f"the connection to {self.device} was lost" + (f": {exc}" if exc else "")
        if not self.lost.done():
            self.lost.set_result(reason)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(DriverError(reason))

    def data_received(self, data: bytes) -> None:
        """Asyncio calls this with what came in."""
        self._last_byte_s = self._loop.time()
        self._buffer += data
        if self._answer is not None and not self._answer.done():
            self._look(self._answer)
        if self._answer is None or self._answer.done():
            self._listen(self._buffer)

    def _look(self, waiting: asyncio.Future[object]) -> None:
        """Whether what came in is the answer that is waited for."""
        try:
            answer = self._take(self._buffer)
        except Exception as error:
            waiting.set_exception(error)
            return
        if answer is not None:
            waiting.set_result(answer)

    async def _ask(self, request: bytes, take: Take[T], timeout_s: float) -> T:
        await self._pause()
        transport = self._sending()
        self._listen(self._buffer)
        self._take = take
        self._answer = self._loop.create_future()
        timer = self._loop.call_later(timeout_s, self._expire, timeout_s)
        try:
            transport.write(request)
            return cast(T, await self._answer)
        finally:
            timer.cancel()
            self._answer = None

    def _expire(self, timeout_s: float) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(SilenceError(f"no answer from {self.device} within {timeout_s * 1e3:.0f} ms"))

    def _sending(self) -> asyncio.Transport:
        if self.lost.done():
            raise DriverError(self.lost.result())
        assert self._transport is not None
        return self._transport

    async def _pause(self) -> None:
        if self._min_pause_s:
            await asyncio.sleep(max(0.0, self._last_byte_s + self._min_pause_s - self._loop.time()))

    async def _quiet(self, timeout_s: float) -> None:
        """Wait until nothing came for `timeout_s`; DriverError if the line never stops."""
        since = self._loop.time()
        end = since + _QUIET_TIMEOUTS_MAX * timeout_s
        while (rest := max(since, self._last_byte_s) + timeout_s - self._loop.time()) > 0:
            if self._loop.time() > end:
                raise DriverError(f"{self.device} never stops sending")
            await asyncio.wait((self.lost,), timeout=rest)
            self._sending()


@contextlib.asynccontextmanager
async def connected(
    endpoint: Endpoint, device: str, min_pause_s: float, listen: Listen = bytearray.clear
) -> AsyncIterator[Exchange]:
    """A connection to `endpoint` for the length of the block; DriverError if it cannot be made.

    `listen` is given what comes in while nothing is asked.
    """
    exchange = Exchange(device, forgiving=not isinstance(endpoint, Tcp), min_pause_s=min_pause_s, listen=listen)
    loop = asyncio.get_running_loop()
    try:
        try:
            async with asyncio.timeout(CONNECT_S):
                if isinstance(endpoint, Tcp):
                    await loop.create_connection(lambda: exchange, endpoint.host, endpoint.port)
                else:
                    await open_tty(lambda: exchange, endpoint)
        except TimeoutError as error:
            raise DriverError(f"{endpoint} does not answer: is {device} switched on?") from error
        except OSError as error:
            raise DriverError(f"cannot reach {device} at {endpoint}: {error.strerror or error}") from error
        yield exchange
    finally:
        await exchange.close()


def _nothing(_: bytearray) -> None:
    return None
