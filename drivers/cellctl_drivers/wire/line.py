"""The connection to one address, for all devices that are there: opened by the first, closed when the last has left.

The rules kept here. One request at a time: what is urgent first, else in order of coming. After a request that was not
answered the line is left alone until nothing came for one more time-out, so that a late answer finds nobody who could
take it for another. A unit that is silent costs its neighbours that time and no more: afterwards they have the line
for as long, before its next reading. A connection that is lost is lost for all; one on which nobody hears anything any
more is made anew.
"""

import asyncio
import contextlib
import socket
import struct
from enum import IntEnum
from typing import Any, cast

from cellctl.driver import TAP, DriverError, tapped
from cellctl_drivers.wire.endpoint import Endpoint, Tcp, Tls, Tty
from cellctl_drivers.wire.tls import check, context
from cellctl_drivers.wire.tty import open_tty
from cellctl_drivers.wire.unreachable import cause, why

#: How long a connection may take to be made: one repeated SYN and some time.
CONNECT_S = 2.0

#: So many time-outs after a request a line that is still not quiet counts as babbling.
_QUIET_TIMEOUTS_MAX = 5

#: What keeps coming while nobody asks, such as an answer that comes twice, is waited for so many pauses.
_PAUSES_MAX = 5

#: Linger for 0 s: what was not sent yet is thrown away and the peer is told at once.
_ABORT = struct.pack("ii", 1, 0)


class Urgency(IntEnum):
    """What a request is for; the lowest goes first."""

    WATCHDOG = 0
    STOP = 1
    ORDER = 2
    RENEWAL = 3
    READING = 4


class Place(asyncio.Protocol):
    """What one device has of a line: it is told what comes while it has the turn, and when the connection is lost."""

    def __init__(self, device: str, min_pause_s: float) -> None:
        self.device, self.min_pause_s = device, min_pause_s
        self.urgency = Urgency.READING
        self.heard = False  # whether it has ever got an answer here
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()


class Line:
    """One connection. `forgiving`: a request without an answer does not end it."""

    def __init__(self, endpoint: Endpoint, *, forgiving: bool) -> None:
        self.forgiving = forgiving
        self._endpoint = endpoint
        self._loop = asyncio.get_running_loop()
        self._port: _Port | None = None
        self._places: dict[Place, asyncio.Protocol] = {}  # with what listens in between, if anything does
        self._rest_s = 0.0  # between what comes and what is sent: the longest that a device here needs
        self._waiting: dict[Place, asyncio.Future[None]] = {}
        self._speaker: Place | None = None
        self._unanswered: tuple[float, float] | None = None  # when the request was sent, and its time-out
        self._last_byte_s = 0.0
        self._silent: set[str] = set()  # devices that did not answer last time
        self._spared_until_s = 0.0  # until then those are not read
        self._timer: asyncio.TimerHandle | None = None

    # --- places -----------------------------------------------------------------------------------------------

    async def enter(self, place: Place) -> None:
        """Take a place; `leave` gives it back. DriverError if there is no connection."""
        self._places[place] = place
        self._rest_s = max(each.min_pause_s for each in self._places)
        if self._port is None:
            await self.begin(place)
            self.end()
        protocol = self._places[place] = cast(asyncio.Protocol, tapped(lambda: place)())
        protocol.connection_made(_End(self))

    async def leave(self, place: Place) -> None:
        """Give the place back."""
        del self._places[place]
        if self._places:
            self._rest_s = max(each.min_pause_s for each in self._places)
            self._advance()
        else:
            await self._close()

    # --- turns ------------------------------------------------------------------------------------------------

    async def begin(self, place: Place) -> None:
        """Wait until it is the turn of `place` and the line may be spoken on; DriverError if the connection is gone."""
        if self._speaker is None and not self._waiting and self._ready(place):
            self._speaker = place
            return
        turn = self._waiting[place] = self._loop.create_future()
        self._advance()
        try:
            await turn
        except asyncio.CancelledError:
            if self._waiting.pop(place, None) is None:  # it had just been given
                self.end()
            raise
        try:
            _check(place)
            if self._port is None:
                await self._open(place.device)
            await self._quiet(place)
            await self._pause(place)
            _check(place)
        except BaseException:
            self.end()
            raise

    async def _pause(self, place: Place) -> None:
        """Wait until nothing came for as long as the devices here need; what never stops is not waited for."""
        end_s = self._loop.time() + _PAUSES_MAX * self._rest_s
        while (rest_s := min(self._pause_s(), end_s - self._loop.time())) > 0:
            await asyncio.wait((place.lost,), timeout=rest_s)
            _check(place)

    def end(self) -> None:
        """The turn is over. Who had it may have something more urgent to ask at once: the next is chosen after that."""
        self._speaker = None
        if self._waiting:
            self._loop.call_soon(self._advance)

    def urge(self, place: Place, urgency: Urgency) -> None:
        """So urgent is what `place` waits to ask, and what it asks from now on."""
        place.urgency = urgency
        if place in self._waiting:
            self._advance()

    def _advance(self) -> None:
        """Give the turn to the first that may have it, if nobody has it."""
        if self._speaker is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
        able = [place for place, turn in self._waiting.items() if not turn.done() and not self._spared(place)]
        if able:
            self._speaker = min(able, key=_urgency)
            self._waiting.pop(self._speaker).set_result(None)
        elif self._waiting:
            self._timer = self._loop.call_at(self._spared_until_s, self._spare_no_more)

    def _spare_no_more(self) -> None:
        self._spared_until_s = 0.0  # a timer may be a little early
        self._advance()

    def _ready(self, place: Place) -> bool:
        """Whether nothing at all keeps `place`, which is alone in wanting it, from speaking at once."""
        if self._port is None or self._unanswered is not None or place.lost.done():
            return False
        return not self._spared(place) and self._pause_s() <= 0

    def _pause_s(self) -> float:
        """How long the line must still rest between what came and what is sent, in seconds."""
        return self._last_byte_s + self._rest_s - self._loop.time() if self._rest_s else 0.0

    def _spared(self, place: Place) -> bool:
        """Whether the neighbours have the line for themselves."""
        doubtful = place.urgency > Urgency.ORDER and place.device in self._silent
        return doubtful and len(self._places) > 1 and self._loop.time() < self._spared_until_s

    # --- what is said in a turn -------------------------------------------------------------------------------

    def asked(self, timeout_s: float) -> None:
        """A request leaves, whose answer is waited for so long."""
        self._unanswered = self._loop.time(), timeout_s

    def told(self) -> None:
        """Something leaves to which there is no answer."""
        self._last_byte_s = self._loop.time()

    def answered(self, place: Place) -> None:
        """The request was answered."""
        self._unanswered = None
        self._silent.discard(place.device)
        place.heard = True

    async def silent(self, place: Place) -> bool:
        """The request was not answered: wait until the line is quiet; False if it never is."""
        self._silent.add(place.device)
        assert self._unanswered is not None
        sent_s, _ = self._unanswered
        quiet = await self._quiet(place)
        self._spared_until_s = 2 * self._loop.time() - sent_s
        if not any(each.heard for each in self._places):
            await self._close()  # whoever is next opens it again
        return quiet

    async def _quiet(self, place: Place) -> bool:
        """Leave the line alone while a late answer may come; False if something never stops coming."""
        while self._unanswered is not None:
            sent_s, timeout_s = self._unanswered
            now_s = self._loop.time()
            since_s = self._last_byte_s if self._last_byte_s > sent_s else sent_s + timeout_s
            rest_s = since_s + timeout_s - now_s
            patience_s = sent_s + _QUIET_TIMEOUTS_MAX * timeout_s - now_s
            if min(rest_s, patience_s) <= 0:
                self._unanswered = None
                return rest_s <= 0
            await asyncio.wait((place.lost,), timeout=min(rest_s, patience_s))
            _check(place)
        return True

    # --- the connection ---------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send."""
        if self._port is not None:
            self._port.write(data)

    def heard(self, data: bytes) -> None:
        """What came is for the one whose turn it is; where there is one place only, it may come unasked."""
        self._last_byte_s = self._loop.time()
        if self._speaker is not None:
            self._places[self._speaker].data_received(data)
        elif len(self._places) == 1:
            next(iter(self._places.values())).data_received(data)

    def lost(self, port: "_Port", error: Exception | None) -> None:
        """The connection is gone, for all."""
        if port is self._port:
            self._port = None
            for protocol in tuple(self._places.values()):
                protocol.connection_lost(error)

    async def _open(self, device: str) -> None:
        self._port = port = _Port(self)
        # Who listens in on a device is to hear that device, not all that are here: see `enter`.
        before = TAP.set(None)
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._connect(port)
        except BaseException as error:
            await self._close()
            if isinstance(error, TimeoutError):
                raise DriverError(f"{self._endpoint} does not answer: is {device} switched on?") from error
            if isinstance(error, OSError):
                raise DriverError(f"cannot reach {device} at {self._endpoint}: {why(error)}") from cause(error)
            raise
        finally:
            TAP.reset(before)

    async def _connect(self, port: "_Port") -> None:
        match self._endpoint:
            case Tcp(host, number, None):
                await self._loop.create_connection(lambda: port, host, number)
            case Tcp(host, number, Tls() as files):
                secured = await asyncio.to_thread(context, files)
                transport, _ = await self._loop.create_connection(lambda: port, host, number, ssl=secured)
                await asyncio.to_thread(check, files, transport.get_extra_info("ssl_object"))
            case Tty() as tty:
                await open_tty(lambda: port, tty)

    async def _close(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            await port.close()


class _Port(asyncio.Protocol):
    """The connection itself, from its making to its end."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._gone = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # asyncio's own receive buffer of 256 KiB is allocated anew for each read and costs more than the rest.
        if hasattr(transport, "max_size"):
            transport.max_size = 4096

    def data_received(self, data: bytes) -> None:
        self._line.heard(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set_result(None)
        self._line.lost(self, exc)

    def write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    async def close(self) -> None:
        """Abort the connection: nothing that waits to be sent leaves any more."""
        if self._transport is None:
            return
        sock = self._transport.get_extra_info("socket")
        if sock is not None and not self._transport.is_closing():
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._transport.abort()
        await asyncio.wait((self._gone,))


class _End(asyncio.Transport):
    """The line as the transport of one device."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line
        self._closed = False

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        if not self._closed:
            self._line.write(bytes(data))

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        self._closed = True


def _check(place: Place) -> None:
    if place.lost.done():
        raise DriverError(place.lost.result())


def _urgency(place: Place) -> Urgency:
    return place.urgency
