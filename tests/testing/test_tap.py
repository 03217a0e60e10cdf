"""Listening in on a connection: whatever a driver does with it, it notices nothing, and all bytes are noted."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from cellctl.driver import TAP
from cellctl.runtime.process import new_loop
from cellctl.testing import VirtualLoop
from cellctl.testing.traffic.recording import Entry, Event
from cellctl.testing.traffic.tap import LinkTap

LOOPS = pytest.mark.parametrize("loop_factory", [new_loop, VirtualLoop], ids=["real", "virtual"])

Use = Callable[[int], Coroutine[Any, Any, None]]


class Echo(asyncio.Protocol):
    """Says what it hears, and hangs up at a full stop."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)
        if data.endswith(b"."):
            self.transport.close()


def heard(loop_factory: Callable[[], asyncio.AbstractEventLoop], use: Use) -> list[tuple[Event, int, bytes]]:
    """What a tap notes while a connection to an echo is used."""
    entries: list[Entry] = []

    async def scene() -> None:
        server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
        TAP.set(LinkTap(entries.append))
        await use(server.sockets[0].getsockname()[1])
        server.close()
        await asyncio.sleep(0.01)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(scene())
    return [(entry.event, entry.connection, entry.data) for entry in entries]


@LOOPS
def test_streams(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def use(port: int) -> None:
        for farewell in (b"", b"."):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"a\n")
            assert await reader.readline() == b"a\n"
            writer.writelines([b"b", b"\n", farewell])
            await writer.drain()
            assert await reader.readline() == b"b\n"
            if farewell:
                assert await reader.read() == b"."
            writer.close()
            await writer.wait_closed()

    talk = [(Event.TO_DEVICE, b"a\n"), (Event.FROM_DEVICE, b"a\n")]
    first = [*talk, (Event.TO_DEVICE, b"b\n"), (Event.FROM_DEVICE, b"b\n"), (Event.CLOSED, b"")]
    last = [*talk, (Event.TO_DEVICE, b"b\n."), (Event.FROM_DEVICE, b"b\n."), (Event.LOST, b"")]
    noted = heard(loop_factory, use)
    assert noted == [
        (Event.OPEN, 1, b""), *((event, 1, data) for event, data in first),
        (Event.OPEN, 2, b""), *((event, 2, data) for event, data in last),
    ]  # fmt: skip


class Buffered(asyncio.BufferedProtocol):
    """Brings a small buffer of its own."""

    def __init__(self) -> None:
        self.buffer, self.got = bytearray(3), b""
        self.whole = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.got += self.buffer[:nbytes]
        if len(self.got) == 8:
            self.whole.set_result(self.got)


@LOOPS
def test_a_protocol_with_its_own_buffer(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def use(port: int) -> None:
        transport, protocol = await asyncio.get_running_loop().create_connection(Buffered, "127.0.0.1", port)
        assert isinstance(protocol, Buffered)
        assert transport.get_protocol() is protocol
        transport.write(b"12345678")
        assert await protocol.whole == b"12345678"
        transport.abort()

    noted = heard(loop_factory, use)
    assert noted[1:3] == [(Event.TO_DEVICE, 1, b"12345678"), (Event.FROM_DEVICE, 1, b"12345678")]
    assert noted[3][0] is Event.CLOSED
