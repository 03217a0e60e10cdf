"""The network in memory: ports, sockets in files, and serial lines.

The rules kept here. Every connection is two pipes, and in each of them bytes keep their order. Who connects to what is
not there is refused, as on one computer. Ports and paths are given out in order, so that two runs get the same ones.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from cellctl.testing.virtual.transport import MemorySocket, MemoryTransport, joined

Factory = Callable[[], asyncio.BaseProtocol]
Address = tuple[str, int] | str

#: Who makes connections: a name by which all of them can be cut off at once. A task has that of who created it.
HOST: ContextVar[str] = ContextVar("host", default="")

#: What a packet takes from one end of the computer to the other, and through a quick switch.
LATENCY_NS = 200_000

_PORT_FIRST = 20_000
_CLIENT_PORT_FIRST = 50_000
_LOCAL = ("", "localhost", "0.0.0.0", "::", "::1")


class Listener(asyncio.AbstractServer):
    """A port, socket or line that lets clients in until it is closed."""

    def __init__(self, net: "Net", address: Address, factory: Factory) -> None:
        self.address, self.factory = address, factory
        self._net = net
        self._closed = asyncio.Event()
        self.user: MemoryTransport | None = None  # who has the serial line open

    @property
    def sockets(self) -> tuple[MemorySocket, ...]:
        """One, while it listens."""
        return (MemorySocket(self.address, None),) if self.is_serving() else ()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of the net."""
        return self._net.loop

    def is_serving(self) -> bool:
        """Whether clients are let in."""
        return self._net.listening.get(self.address) is self

    async def start_serving(self) -> None:
        """It does so from the beginning."""

    async def serve_forever(self) -> None:
        """Until cancelled."""
        try:
            await self._net.loop.create_future()
        finally:
            self.close()

    def close(self) -> None:
        """Let nobody in any more; who is in stays."""
        if self.is_serving():
            del self._net.listening[self.address]
            self._closed.set()

    async def wait_closed(self) -> None:
        """Until it is closed; connections are not waited for."""
        await self._closed.wait()


class Net:
    """All that can be connected to. `latency_ns` is the way of one packet."""

    def __init__(self, loop: asyncio.AbstractEventLoop, latency_ns: int = LATENCY_NS) -> None:
        self.loop = loop
        self.latency_ns = latency_ns
        self.listening: dict[Address, Listener] = {}
        self._ends: dict[str, list[MemoryTransport]] = {}
        self._port = _PORT_FIRST
        self._client_port = _CLIENT_PORT_FIRST

    # --- ports and sockets ------------------------------------------------------------------------------------

    def free_port(self) -> int:
        """A port that nobody has had."""
        self._port += 1
        return self._port

    def listen(self, factory: Factory, address: Any) -> Listener:
        """Let clients in at `address`; OSError if somebody listens there already."""
        where = self._local(address)
        if isinstance(where, tuple) and where[1] == 0:
            where = (where[0], self.free_port())
        if where in self.listening:
            raise OSError(errno.EADDRINUSE, f"{where} is in use already")
        if isinstance(where, str):
            Path(where).touch()
        self.listening[where] = listener = Listener(self, where, factory)
        return listener

    async def connect(self, factory: Factory, address: Any) -> tuple[MemoryTransport, asyncio.BaseProtocol]:
        """Transport and protocol of a new connection; OSError if nobody listens at `address`."""
        where = self._local(address)
        await asyncio.sleep(2 * self.latency_ns / 1e9)  # there and back
        listener = self.listening.get(where)
        if listener is None:
            if isinstance(where, str):
                _check_there(where)
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"nobody listens at {_shown(where)}")
        self._client_port += 1
        client = ("127.0.0.1", self._client_port) if isinstance(where, tuple) else ""
        protocol = factory()
        near, far = joined(self.loop, MemorySocket(client, where), MemorySocket(where, client), self.latency_ns)
        self._belongs(near)
        far.begin(listener.factory())
        near.begin(protocol)
        return near, protocol

    def power_off(self, host: str) -> None:
        """Whoever made connections as `host` is gone: they are reset, and nothing more leaves; who listens is not."""
        for end in self._ends.pop(host, ()):
            end.abort()

    def _belongs(self, near: MemoryTransport) -> None:
        ends = self._ends.setdefault(HOST.get(), [])
        ends[:] = [end for end in ends if not end.is_closing()]
        ends.append(near)

    def resolve(self, host: Any, port: Any) -> list[tuple[Any, ...]]:
        """As `getaddrinfo` tells it."""
        name = host.decode() if isinstance(host, bytes) else host
        name = "127.0.0.1" if name in (None, *_LOCAL) else name
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (name, int(port or 0)))]

    # --- serial lines -----------------------------------------------------------------------------------------

    def plug_line(self, factory: Factory, path: str) -> Listener:
        """A device at the far end of the line `path`."""
        if f"line {path}" in self.listening:
            raise OSError(errno.EBUSY, f"{path} has a device already")
        self.listening[f"line {path}"] = listener = Listener(self, f"line {path}", factory)
        return listener

    async def open_line(
        self, factory: Factory, path: str, character_s: float
    ) -> tuple[MemoryTransport, asyncio.BaseProtocol]:
        """Open the near end of the line; OSError if there is no device, or somebody has it open already."""
        listener = self.listening.get(f"line {path}")
        if listener is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if listener.user is not None and not listener.user.is_closing():
            raise OSError(errno.EBUSY, f"{path} is in use by somebody else")
        near, far = joined(self.loop, None, None, 0, round(character_s * 1e9))
        protocol = factory()
        listener.user = near
        self._belongs(near)
        far.begin(listener.factory())
        near.begin(protocol)
        return near, protocol

    def _local(self, address: Any) -> Address:
        if isinstance(address, str):
            return address
        host, port = address[0], address[1]
        host = host[0] if isinstance(host, list | tuple) else host
        return ("127.0.0.1" if host in (None, *_LOCAL) else str(host), int(port))


def _check_there(path: str) -> None:
    if not Path(path).exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def _shown(address: Address) -> str:
    return address if isinstance(address, str) else f"{address[0]}:{address[1]}"
