"""The recorded device as somebody to connect to: on a port or pseudo terminal of this computer, or in memory.

The rule kept here: answers leave as long after the request as they did when they were recorded, in their order; a
request that was never recorded gets none, and over TCP the connection ends, so that nobody waits for it.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import socket
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from cellctl.testing.traffic.replay import Answer, Replay

_logger = logging.getLogger(__name__)

#: Kinds of addresses that lead to a serial port.
SERIAL = ("serial", "modbus+rtu")

_LOOPBACK = "127.0.0.1"
_READ_BYTES = 4096

Told = Callable[[str], None]


class RecordedDevice(asyncio.Protocol):
    """One connection to it. `unknown` is told of each request that was never recorded, once; it ends the connection if
    that is not a serial line. One that is `endless` is all connections of the recording, one after the other."""

    def __init__(self, replay: Replay, unknown: Told, *, endless: bool = False) -> None:
        self._replay, self._unknown, self._endless = replay, unknown, endless
        self._serial = replay.recording.head.address in SERIAL
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._free_s = 0.0  # nothing more is sent before: answers do not overtake each other
        self._coming: list[asyncio.TimerHandle] = []
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet, if the device did."""
        self._transport = cast(asyncio.Transport, transport)
        self.is_open = True
        # A wire in memory takes its time, as the recorded one did: it must not be taken twice.
        self._way_s: Callable[[int], float] = getattr(transport, "way_s", _no_way)
        self._send(self._replay.connect(), 0)

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._received += data
        while size := self._replay.wire.size(self._received):
            request, self._received = self._received[:size], self._received[size:]
            if self._endless:
                self._send(self._replay.connect(), 0)
            told_before = len(self._replay.unknown)
            answer = self._replay.ask(request)
            if answer is not None:
                self._send(answer, len(request))
                continue
            for told in tuple(self._replay.unknown.values())[told_before:]:
                self._unknown(told)
            if not self._serial:
                self.hang_up()
                return

    def hang_up(self) -> None:
        """End the connection."""
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is sent any more."""
        self.is_open = False
        for timer in self._coming:
            timer.cancel()

    def _send(self, answer: Answer, request_bytes: int) -> None:
        asked_s = self._loop.time() - self._way_s(request_bytes)
        self._coming = [timer for timer in self._coming if timer.when() > self._loop.time()]
        for delay_s, chunk in answer.chunks:
            self._later(asked_s + delay_s - self._way_s(len(chunk)), self._transport.write, chunk)
        if answer.lost_s is not None:
            self._later(asked_s + answer.lost_s - self._way_s(0), self._transport.abort)

    def _later(self, at_s: float, what: Callable[..., object], *arguments: object) -> None:
        self._free_s = max(at_s, self._free_s)
        self._coming.append(self._loop.call_at(self._free_s, what, *arguments))


class Served:
    """The recorded device on this computer: `at` is its address in the words of the cell file, with the `options` of
    the real one (such as `unit=9`); `run` serves it. Made by `served`."""

    def __init__(self, replay: Replay, options: str, place: "_Port | _Terminal") -> None:
        scheme = replay.recording.head.address
        slashes = "" if scheme in SERIAL else "//"
        self.at = f"{scheme}:{slashes}{place.at}{f'?{options}' if options else ''}"
        self._replay, self._place = replay, place

    async def run(self) -> None:
        """Until cancelled."""
        await self._place.run(lambda: RecordedDevice(self._replay, _logger.error, endless=self._place.endless))


@contextmanager
def served(replay: Replay, options: str = "") -> Iterator[Served]:
    """A place for the recorded device for the length of the block; nothing of it is left."""
    place = _Terminal() if replay.recording.head.address in SERIAL else _Port()
    try:
        yield Served(replay, options, place)
    finally:
        place.close()


class _Port:
    """A port of loopback that is free."""

    endless = False

    def __init__(self) -> None:
        self._socket = socket.create_server((_LOOPBACK, 0))
        self.at = f"{_LOOPBACK}:{self._socket.getsockname()[1]}"

    async def run(self, make: Callable[[], RecordedDevice]) -> None:
        connected: list[RecordedDevice] = []

        def accepted() -> RecordedDevice:
            connected[:] = [one for one in connected if one.is_open]
            connected.append(make())
            return connected[-1]

        server = await asyncio.get_running_loop().create_server(accepted, sock=self._socket)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            server.close()
            for one in connected:
                one.hang_up()
            await asyncio.sleep(0)  # their sockets are closed in the next turn of the loop

    def close(self) -> None:
        self._socket.close()


class _Terminal(asyncio.Transport):
    """A pseudo terminal, and the transport of our end of it. Nobody can tell when its client comes and goes."""

    endless = True

    def __init__(self) -> None:
        super().__init__()
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self.at = os.ttyname(self._theirs)

    async def run(self, make: Callable[[], RecordedDevice]) -> None:
        loop, device = asyncio.get_running_loop(), make()
        device.connection_made(self)
        loop.add_reader(self._ours, self._read, device)
        try:
            await loop.create_future()
        finally:
            loop.remove_reader(self._ours)
            device.connection_lost(None)

    def write(self, data: Any) -> None:
        """Send; what nobody reads is lost once the terminal is full, as on a line without handshake."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._ours, data)

    def abort(self) -> None:
        """A line is never hung up: there is silence."""

    def close(self) -> None:
        os.close(self._theirs)
        os.close(self._ours)

    def _read(self, device: RecordedDevice) -> None:
        # Our hold on the client's end keeps the terminal alive between two clients, but also the first one's
        # exclusive use of it (TIOCEXCL), which a real port gives up with the client.
        fcntl.ioctl(self._theirs, termios.TIOCNXCL)
        with contextlib.suppress(BlockingIOError):
            device.data_received(os.read(self._ours, _READ_BYTES))


def _no_way(_: int) -> float:
    return 0.0
