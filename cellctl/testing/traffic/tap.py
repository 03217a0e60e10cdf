"""Listening in: a tap between a driver and its transport, which notes what passes and when.

The rule kept here: nothing is forwarded, so nothing can be delayed or changed: driver and transport call each other as
ever, and each call is noted on its way.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from cellctl.driver import TAP, Call, Driver, Link, Order, Outcome, Value, Write
from cellctl.testing.traffic.recording import Entry, Event

Put = Callable[[Entry], None]


class LinkTap:
    """The tap of one device: what passes is handed to `put`, which must neither wait nor raise."""

    def __init__(self, put: Put, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._put, self._now_ns = put, now_ns
        self._begun_ns = now_ns()
        self._connections = 0

    def listening(self, protocol: asyncio.BaseProtocol) -> asyncio.BaseProtocol:
        """See `cellctl.driver.Tap`."""
        self._connections += 1
        return _Listening(self, cast(asyncio.Protocol, protocol), self._connections)

    def note(self, event: Event, connection: int = 0, data: bytes = b"", *, text: str = "", number: int = 0) -> None:
        """Something happened now."""
        self._put(Entry(self._now_ns() - self._begun_ns, event, connection, data, text, number))


class TappedDriver:
    """A driver on whose connections a tap listens in; the orders that it is given are noted too."""

    def __init__(self, driver: Driver, tap: LinkTap) -> None:
        self._driver, self._tap = driver, tap

    async def run(self, link: Link) -> None:
        """As the driver does."""
        before = TAP.set(self._tap)
        try:
            await self._driver.run(cast(Link, _TappedLink(link, self._tap)))
        finally:
            TAP.reset(before)


class _TappedLink:
    def __init__(self, link: Link, tap: LinkTap) -> None:
        self.now, self.up, self.put, self.alive = link.now, link.up, link.put, link.alive
        self.common = link.common
        self._link, self._tap = link, tap

    async def order(self) -> Order:
        order = await self._link.order()
        self._tap.note(Event.ORDER, text=_told(order), number=order.id)
        return order

    def done(self, order: Order, outcome: Outcome, result: Mapping[str, Value] | None = None, reason: str = "") -> None:
        told = outcome.name.lower() + (f": {reason}" if reason else "")
        self._tap.note(Event.DONE, text=told, number=order.id)
        self._link.done(order, outcome, result, reason)


class _Listening(asyncio.Protocol):
    """The protocol that the transport is given: as the driver's own, but that what comes is noted."""

    def __init__(self, tap: LinkTap, inner: asyncio.Protocol, connection: int) -> None:
        self.inner, self._tap, self._connection = inner, tap, connection

    @property
    def ends(self) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        return self._transport, self.inner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = _TappedTransport(cast(asyncio.Transport, transport), self, self.note)
        self.note(Event.OPEN)
        self.inner.connection_made(self._transport)

    def data_received(self, data: bytes) -> None:
        self.note(Event.FROM_DEVICE, bytes(data))
        if isinstance(self.inner, asyncio.BufferedProtocol):
            _fill(self.inner, data)
        else:
            self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        self._lose("")
        return self.inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(str(exc or ""))
        self.inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()

    def _lose(self, why: str) -> None:
        if not self._transport.ended:
            self._transport.ended = True
            self.note(Event.LOST, text=why)

    def note(self, event: Event, data: bytes = b"", text: str = "") -> None:
        self._tap.note(event, self._connection, data, text=text)


class _TappedTransport(asyncio.Transport):
    """The transport that the driver is given: as the real one, but that what goes is noted."""

    def __init__(self, real: asyncio.Transport, listening: _Listening, note: Callable[..., None]) -> None:
        super().__init__()
        self._real, self._listening, self._note = real, listening, note
        self.ended = False  # by one of the two

    def write(self, data: Any) -> None:
        if data and not self._real.is_closing():
            self._note(Event.TO_DEVICE, bytes(data))
        self._real.write(data)

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        self._end()
        self._real.close()

    def abort(self) -> None:
        self._end()
        self._real.abort()

    def _end(self) -> None:
        if not self.ended and not self._real.is_closing():
            self.ended = True
            self._note(Event.CLOSED)

    def is_closing(self) -> bool:
        return self._real.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._real.get_extra_info(name, default)

    def can_write_eof(self) -> bool:
        return self._real.can_write_eof()

    def write_eof(self) -> None:
        self._real.write_eof()

    def is_reading(self) -> bool:
        return self._real.is_reading()

    def pause_reading(self) -> None:
        self._real.pause_reading()

    def resume_reading(self) -> None:
        self._real.resume_reading()

    def get_write_buffer_size(self) -> int:
        return self._real.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._real.get_write_buffer_limits()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._real.set_write_buffer_limits(high, low)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._listening.inner = cast(asyncio.Protocol, protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._listening.inner

    @property
    def max_size(self) -> int:
        """How much the real one reads at once, if it has such a limit."""
        return int(self._real.max_size)  # type: ignore[attr-defined]

    @max_size.setter
    def max_size(self, size: int) -> None:
        self._real.max_size = size  # type: ignore[attr-defined]


def _fill(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    """Hand bytes to a protocol that brings its own buffer."""
    while data:
        room = memoryview(cast(memoryview, protocol.get_buffer(len(data))))
        size = min(len(data), len(room))
        room[:size] = data[:size]
        protocol.buffer_updated(size)
        data = data[size:]


def _told(order: Order) -> str:
    match order:
        case Write(name=name, value=value):
            return f"{order.device}.{name} = {value}"
        case Call(name=name, arguments=arguments, token=token):
            told = [f"{key}={value}" for key, value in {**arguments, "token": token}.items()]
            return f"{order.device}.{name} {' '.join(told)}"
