"""Byte streams on this machine: a TCP port on loopback, and a pseudo terminal behind a stable path.

The rule kept here: a stream can be stopped and started again at the same address; while it is stopped its clients have
lost their connection and cannot make a new one. On a loop that brings a network of its own (`OwnNetwork`), streams are
there and nowhere else.
"""

import asyncio
import contextlib
import fcntl
import os
import socket
import termios
import tty
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

from cellctl_simulators.faults.cable import TO_CLIENT, TO_DEVICE, Cable, Strand

LOOPBACK = "127.0.0.1"
READ_BYTES = 4096


class Session(Protocol):
    """The protocol of one connection."""

    def feed(self, data: bytes) -> None:
        """Take bytes from the client."""

    def refresh(self) -> None:
        """Send what the device has got to say meanwhile."""

    def close(self) -> None:
        """The connection is gone."""


SessionFactory = Callable[[Callable[[bytes], None]], Session]  # is given the function that writes to the client
Factory = Callable[[], asyncio.BaseProtocol]


class Stream(Protocol):
    """Where clients come in."""

    at: str

    async def start(self) -> None:
        """Let clients in."""

    async def stop(self) -> None:
        """Refuse new connections and cut the present ones."""

    def refresh(self) -> None:
        """Let the sessions send what is new."""

    async def cut(self) -> None:
        """Cut the present connections; new ones can be made."""

    async def aclose(self) -> None:
        """Give the address back, after `stop`."""


@runtime_checkable
class OwnNetwork(Protocol):
    """An event loop with ports and serial lines of its own, such as that of `cellctl.testing`."""

    def free_port(self) -> int:
        """A port of its network that is free."""

    async def create_serial_server(self, protocol_factory: Factory, path: str) -> asyncio.AbstractServer:
        """A device at the far end of a serial line of its own."""


class ReservedPort:
    """A port of loopback that stays ours while nobody listens on it: bound, never listening."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        if isinstance(loop, OwnNetwork):
            self.number = loop.free_port()
            return
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((LOOPBACK, 0))
        self.number = int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Give the port back."""
        if self._socket is not None:
            self._socket.close()


def tcp_stream(session: SessionFactory, cable: Cable) -> Stream:
    """A listening port; every connection has a session of its own."""
    port = ReservedPort()

    async def listen(factory: Factory) -> asyncio.AbstractServer:
        return await asyncio.get_running_loop().create_server(factory, LOOPBACK, port.number)

    return _Listening(f"{LOOPBACK}:{port.number}", (session, cable), listen, port.close)


def serial_stream(session: SessionFactory, cable: Cable, link: Path) -> Stream:
    """A serial port: a pseudo terminal behind `link`, or a line of the loop's own network with the name of it."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, OwnNetwork):
        return PtyStream(session, cable, link)
    path = f"/dev/{link.name}"

    async def listen(factory: Factory) -> asyncio.AbstractServer:
        return await loop.create_serial_server(factory, path)

    return _Listening(path, (session, cable), listen, lambda: None)


class _Listening:
    """A stream whose clients come in through a listening server."""

    def __init__(
        self,
        at: str,
        session: tuple[SessionFactory, Cable],
        listen: Callable[[Factory], Awaitable[asyncio.AbstractServer]],
        give_back: Callable[[], None],
    ) -> None:
        self.at = at
        self._session, self._listen, self._give_back = session, listen, give_back
        self._server: asyncio.AbstractServer | None = None
        self._connections: dict[_Connection, None] = {}

    async def start(self) -> None:
        """Listen."""
        self._server = await self._listen(lambda: _Connection(*self._session, self._connections))

    async def stop(self) -> None:
        """Refuse new connections and cut the present ones."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        await self.cut()
        await server.wait_closed()

    async def cut(self) -> None:
        """Cut the present connections; new ones can be made."""
        for connection in tuple(self._connections):
            connection.cut()
        await asyncio.sleep(0)  # their sockets are closed in the next turn of the loop

    def refresh(self) -> None:
        """Let the sessions send what is new."""
        for connection in tuple(self._connections):
            connection.refresh()

    async def aclose(self) -> None:
        """Give the address back."""
        self._give_back()


class _Connection(asyncio.Protocol):
    def __init__(self, session: SessionFactory, cable: Cable, connections: "dict[_Connection, None]") -> None:
        self._factory, self._cable = session, cable
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._out = Strand(self._cable, TO_CLIENT, transport.write)
        self._session = self._factory(self._out.send)
        self._in = Strand(self._cable, TO_DEVICE, self._session.feed)
        self._connections[self] = None

    def data_received(self, data: bytes) -> None:
        self._in.send(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in.cut()
        self._out.cut()
        self._session.close()
        self._connections.pop(self, None)

    def refresh(self) -> None:
        self._session.refresh()

    def cut(self) -> None:
        self._transport.abort()


class PtyStream:
    """A pseudo terminal; `link` leads to the end that a client opens, and is gone while the stream is stopped."""

    def __init__(self, session: SessionFactory, cable: Cable, link: Path) -> None:
        self._factory, self._cable = session, cable
        self._session: Session | None = None
        self._ours = self._theirs = -1
        self._link = link
        self.at = str(link)

    async def start(self) -> None:
        """Make the terminal and put the link."""
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self._out = Strand(self._cable, TO_CLIENT, self._write)
        self._session = self._factory(self._out.send)
        self._in = Strand(self._cable, TO_DEVICE, self._session.feed)
        asyncio.get_running_loop().add_reader(self._ours, self._read)
        self._link.symlink_to(os.ttyname(self._theirs))

    async def stop(self) -> None:
        """Take the link away and hang up; a client that has the terminal open reads end of file."""
        if self._session is None:
            return
        self._link.unlink(missing_ok=True)
        self._session.close()
        self._session = None
        self._in.cut()
        self._out.cut()
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._theirs)
        os.close(self._ours)

    async def cut(self) -> None:
        """Hang up, and be there again, if it was there."""
        if self._session is not None:
            await self.stop()
            await self.start()

    def refresh(self) -> None:
        """Let the session send what is new."""
        if self._session is not None:
            self._session.refresh()

    async def aclose(self) -> None:
        """Nothing is kept while the stream is stopped."""

    def _read(self) -> None:
        # Our hold on the client's end keeps the terminal alive between two clients, but also the first one's
        # exclusive use of it (TIOCEXCL), which a real port gives up with the client.
        fcntl.ioctl(self._theirs, termios.TIOCNXCL)
        with contextlib.suppress(BlockingIOError):
            self._in.send(os.read(self._ours, READ_BYTES))

    def _write(self, data: bytes) -> None:
        """Send; what nobody reads is lost once the terminal is full, as on a line without handshake."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._ours, data)
