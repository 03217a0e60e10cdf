"""The two ends of a connection in memory.

The rule kept here: what `asyncio.Transport` promises. Bytes arrive once and in order; `close` lets what was written
arrive and then the end; `abort` throws it away and the other side is told of a reset; who writes faster than the other
side reads is told to pause.
"""

import asyncio
import os
import socket
import struct
from collections import deque
from typing import Any

#: More bytes than this on their way or unread, and the writer is told to pause; below the second it goes on.
_HIGH_WATER, _LOW_WATER = 65_536, 16_384

_PEER = struct.Struct("3i")

#: Marks in a pipe: the other side has closed, or has aborted.
_END, _RESET = b"", None


class MemorySocket:
    """What a protocol may ask its socket: addresses, and who is at the other end (this process)."""

    type = socket.SOCK_STREAM
    proto = 0

    def __init__(self, own: tuple[str, int] | str, peer: tuple[str, int] | str | None) -> None:
        self._own, self._peer = own, peer
        self.family = socket.AF_UNIX if isinstance(own, str) else socket.AF_INET

    def getsockname(self) -> tuple[str, int] | str:
        """Its own address."""
        return self._own

    def getpeername(self) -> tuple[str, int] | str | None:
        """The address of the other end."""
        return self._peer

    def getsockopt(self, level: int, option: int, size: int = 0) -> int | bytes:
        """The credentials of the other end; 0 for everything else."""
        if option == socket.SO_PEERCRED:
            return _PEER.pack(os.getpid(), os.getuid(), os.getgid())
        return 0

    def setsockopt(self, *_: Any) -> None:
        """Nothing here depends on it."""

    def fileno(self) -> int:
        """There is no descriptor."""
        return -1

    def close(self) -> None:
        """There is nothing to close."""


class MemoryTransport(asyncio.Transport):
    """One end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: MemorySocket | None, delay_ns: int, byte_ns: int) -> None:
        super().__init__()
        self._loop, self._delay_ns, self._byte_ns = loop, delay_ns, byte_ns
        if sock is not None:
            self._extra = {"socket": sock, "sockname": sock.getsockname(), "peername": sock.getpeername()}
        self._protocol: asyncio.Protocol = _Nobody()
        self._inbox: deque[tuple[float, bytes | None]] = deque()
        self._arrival_s = 0.0  # of the last byte that was sent
        self._unread = 0  # bytes sent to the other side and not taken by it
        self._timer: asyncio.TimerHandle | None = None
        self._reading = True
        self._closing = self._told = self._paused = self._ended = False
        self._peer: MemoryTransport

    def meet(self, peer: "MemoryTransport") -> None:
        """Know the other end."""
        self._peer = peer

    def begin(self, protocol: Any) -> None:
        """Give it to its user."""
        self._protocol = protocol
        protocol.connection_made(self)
        self._watch()

    # --- what a user of the transport does --------------------------------------------------------------------

    def write(self, data: Any) -> None:
        """Send; never blocks."""
        if self._ended or self._closing or not data:
            return
        data = bytes(data)
        self._unread += len(data)
        now_s = self._loop.time()
        begun_s = max(now_s, self._arrival_s - self._delay_ns / 1e9)
        self._send(begun_s + (self._delay_ns + self._byte_ns * len(data)) / 1e9, data)
        if self._unread > _HIGH_WATER and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Any) -> None:
        """Send them as one."""
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """It can."""
        return True

    def write_eof(self) -> None:
        """Send nothing more; go on reading."""
        if not self._ended and not self._closing:
            self._ended = True
            self._send(max(self._loop.time() + self._delay_ns / 1e9, self._arrival_s), _END)

    def close(self) -> None:
        """Let what was written arrive, then the end; the protocol is told in the next turn of the loop."""
        if not self._closing:
            self.write_eof()
            self._lose(None)

    def abort(self) -> None:
        """Throw away what has not arrived; the other side is told of a reset."""
        if not self._told:
            self._peer.cut()
            self._lose(None)

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._closing

    def pause_reading(self) -> None:
        """Let arriving bytes wait."""
        self._reading = False

    def resume_reading(self) -> None:
        """Take the bytes that waited."""
        self._reading = True
        self._watch()

    def is_reading(self) -> bool:
        """Whether bytes are taken as they arrive."""
        return self._reading and not self._closing

    def set_protocol(self, protocol: Any) -> None:
        """Give it to another user."""
        self._protocol = protocol

    def get_protocol(self) -> Any:
        """Its user."""
        return self._protocol

    def get_write_buffer_size(self) -> int:
        """Bytes that the other side has not taken."""
        return self._unread

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """They stay as they are."""

    def way_s(self, size: int) -> float:
        """How long so many bytes are on their way to the other end."""
        return (self._delay_ns + self._byte_ns * size) / 1e9

    # --- what the other end does ------------------------------------------------------------------------------

    def arrive(self, at_s: float, data: bytes | None) -> None:
        """Something comes, at that time."""
        self._inbox.append((at_s, data))
        self._watch()

    def cut(self) -> None:
        """The other end aborts: what has not arrived is lost, then the reset comes."""
        self._inbox.clear()
        self.arrive(self._loop.time() + self._delay_ns / 1e9, _RESET)

    def taken(self, size: int) -> None:
        """The other end has taken bytes."""
        self._unread -= size
        if self._paused and self._unread <= _LOW_WATER:
            self._paused = False
            if not self._closing:
                self._protocol.resume_writing()

    # --- how --------------------------------------------------------------------------------------------------

    def _send(self, at_s: float, data: bytes) -> None:
        self._arrival_s = max(at_s, self._arrival_s)
        self._peer.arrive(self._arrival_s, data)

    def _watch(self) -> None:
        """Come back when the next bytes are there."""
        if self._inbox and self._timer is None and self._reading and not self._closing:
            self._timer = self._loop.call_at(self._inbox[0][0], self._receive)

    def _receive(self) -> None:
        self._timer = None
        now_s = self._loop.time() + 1e-9
        while self._inbox and self._inbox[0][0] <= now_s and self._reading and not self._closing:
            _, data = self._inbox.popleft()
            if data is _RESET:
                self._lose(ConnectionResetError("the other side has reset the connection"))
            elif data == _END:
                if not self._protocol.eof_received():
                    self.close()
            else:
                self._peer.taken(len(data))
                self._hand_over(data)
        self._watch()

    def _hand_over(self, data: bytes) -> None:
        protocol = self._protocol
        if isinstance(protocol, asyncio.BufferedProtocol):
            while data:
                room = memoryview(protocol.get_buffer(len(data)))
                size = min(len(data), len(room))
                room[:size] = data[:size]
                protocol.buffer_updated(size)
                data = data[size:]
        else:
            protocol.data_received(data)

    def _lose(self, error: Exception | None) -> None:
        self._closing = True
        if not self._told:
            self._told = True
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._loop.call_soon(self._protocol.connection_lost, error)


class _Nobody(asyncio.Protocol):
    """Has the transport before its user."""


def joined(
    loop: asyncio.AbstractEventLoop,
    near: MemorySocket | None,
    far: MemorySocket | None,
    delay_ns: int,
    byte_ns: int = 0,
) -> tuple[MemoryTransport, MemoryTransport]:
    """The two ends of a new connection; a byte takes `byte_ns` to be sent, and `delay_ns` for the way."""
    one, other = MemoryTransport(loop, near, delay_ns, byte_ns), MemoryTransport(loop, far, delay_ns, byte_ns)
    one.meet(other)
    other.meet(one)
    return one, other
