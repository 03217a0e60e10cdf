"""Byte streams on this machine: a TCP port on loopback, and a pseudo terminal behind a stable path.

The rule kept here: a stream can be stopped and started again at the same address; while it is stopped its clients have
lost their connection and cannot make a new one.
"""

import asyncio
import contextlib
import fcntl
import os
import socket
import termios
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

LOOPBACK = "127.0.0.1"
READ_BYTES = 4096


class Session(Protocol):
    """The protocol of one connection."""

    def feed(self, data: bytes) -> None:
        """Take bytes from the client."""

    def refresh(self) -> None:
        """Send what the device has got to say meanwhile."""


SessionFactory = Callable[[Callable[[bytes], None]], Session]  # is given the function that writes to the client


class ReservedPort:
    """A port of loopback that stays ours while nobody listens on it: bound, never listening."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((LOOPBACK, 0))
        self.number: int = self._socket.getsockname()[1]

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


class TcpStream:
    """A listening port; every connection has a session of its own."""

    def __init__(self, session: SessionFactory) -> None:
        self._session = session
        self._port = ReservedPort()
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self.at = f"{LOOPBACK}:{self._port.number}"

    async def start(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self._session, self._connections), LOOPBACK, self._port.number
        )

    async def stop(self) -> None:
        """Refuse new connections and cut the present ones."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for connection in tuple(self._connections):
            connection.cut()
        await server.wait_closed()
        await asyncio.sleep(0)  # the sockets of the cut connections are closed in the next turn of the loop

    def refresh(self) -> None:
        """Let the sessions send what is new."""
        for connection in tuple(self._connections):
            connection.refresh()

    async def aclose(self) -> None:
        """Give the address back."""
        self._port.close()


class _Connection(asyncio.Protocol):
    def __init__(self, session: SessionFactory, connections: "set[_Connection]") -> None:
        self._factory = session
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._session = self._factory(transport.write)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._session.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)

    def refresh(self) -> None:
        self._session.refresh()

    def cut(self) -> None:
        self._transport.abort()


class PtyStream:
    """A pseudo terminal; `link` leads to the end that a client opens, and is gone while the stream is stopped."""

    def __init__(self, session: SessionFactory, link: Path) -> None:
        self._factory = session
        self._session: Session | None = None
        self._ours = self._theirs = -1
        self._link = link
        self.at = str(link)

    async def start(self) -> None:
        """Make the terminal and put the link."""
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self._session = self._factory(self._write)
        asyncio.get_running_loop().add_reader(self._ours, self._read)
        self._link.symlink_to(os.ttyname(self._theirs))

    async def stop(self) -> None:
        """Take the link away and hang up; a client that has the terminal open reads end of file."""
        if self._session is None:
            return
        self._link.unlink(missing_ok=True)
        self._session = None
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._theirs)
        os.close(self._ours)

    def refresh(self) -> None:
        """Let the session send what is new."""
        if self._session is not None:
            self._session.refresh()

    async def aclose(self) -> None:
        """Nothing is kept while the stream is stopped."""

    def _read(self) -> None:
        assert self._session is not None
        # Our hold on the client's end keeps the terminal alive between two clients, but also the first one's
        # exclusive use of it (TIOCEXCL), which a real port gives up with the client.
        fcntl.ioctl(self._theirs, termios.TIOCNXCL)
        with contextlib.suppress(BlockingIOError):
            self._session.feed(os.read(self._ours, READ_BYTES))

    def _write(self, data: bytes) -> None:
        """Send; what nobody reads is lost once the terminal is full, as on a line without handshake."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._ours, data)
