"""The network in memory: what real protocol stacks expect of sockets, files of sockets and serial lines."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from asyncua import Client, Server, ua
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from cellctl.testing.virtual import VirtualLoop, wall_clock


def run(work: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any) -> Any:
    loop = VirtualLoop()
    with wall_clock(loop), asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(work(*arguments))


class Ear(asyncio.Protocol):
    """Notes all that it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.told.append(data)

    def eof_received(self) -> None:
        self.told.append("eof")

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append(exc)

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")


async def pair() -> tuple[Any, Ear, Ear]:
    """The server's protocol and the client's, connected."""
    loop = asyncio.get_running_loop()
    far = Ear()
    server = await loop.create_server(lambda: far, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    _, near = await loop.create_connection(Ear, "localhost", port)
    return server, far, near  # type: ignore[return-value]


def test_bytes_arrive_in_order_after_their_way_and_then_the_end() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        _, far, near = await pair()
        start = loop.time()
        near.transport.write(b"one")
        near.transport.writelines([b"two", b"three"])
        near.transport.close()
        assert near.transport.is_closing()
        await asyncio.sleep(0.00019)
        assert far.told == []
        await asyncio.sleep(0.00002)
        assert far.told[:2] == [b"one", b"twothree"]
        await asyncio.sleep(0.01)
        assert far.told == [b"one", b"twothree", "eof", None]
        assert near.told == [None]
        assert loop.time() - start < 0.02

    run(work)


def test_an_abort_throws_away_what_is_on_its_way() -> None:
    async def work() -> None:
        _, far, near = await pair()
        near.transport.write(b"lost")
        near.transport.abort()
        await asyncio.sleep(0.01)
        assert [type(one) for one in far.told] == [ConnectionResetError]
        assert near.told == [None]
        far.transport.write(b"nobody hears")
        far.transport.abort()

    run(work)


def test_who_does_not_read_pauses_who_writes() -> None:
    async def work() -> None:
        _, far, near = await pair()
        far.transport.pause_reading()
        near.transport.write(bytes(70_000))
        await asyncio.sleep(1)
        assert (near.told, far.told) == (["pause"], [])
        assert near.transport.get_write_buffer_size() == 70_000
        far.transport.resume_reading()
        await asyncio.sleep(0.01)
        assert (near.told, len(far.told[0])) == (["pause", "resume"], 70_000)

    run(work)


def test_half_a_connection_may_end() -> None:
    async def work() -> bytes:
        async def upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.read()).upper())
            writer.close()

        await asyncio.start_server(upper, "127.0.0.1", 4000)
        reader, writer = await asyncio.open_connection("127.0.0.1", 4000)
        writer.write(b"quiet")
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer

    assert run(work) == b"QUIET"


def test_nobody_there_is_refused() -> None:
    async def work() -> None:
        server, _, near = await pair()
        with pytest.raises(ConnectionRefusedError, match=r"nobody listens at 127\.0\.0\.1:9"):
            await asyncio.open_connection("127.0.0.1", 9)
        with pytest.raises(OSError, match="in use"):
            await asyncio.get_running_loop().create_server(Ear, "", server.sockets[0].getsockname()[1])
        server.close()
        assert not server.is_serving()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.get_running_loop().create_connection(Ear, "127.0.0.1", near.transport._extra["peername"][1])
        assert not near.transport.is_closing(), "who is in stays in"

    run(work)


def test_a_socket_in_a_file(tmp_path: Path) -> None:
    async def work() -> None:
        path = tmp_path / "x.sock"
        with pytest.raises(FileNotFoundError):
            await asyncio.open_unix_connection(path)
        credentials: list[Any] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            sock = writer.get_extra_info("socket")
            credentials.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            writer.write(b"hello\n")
            writer.close()

        server = await asyncio.start_unix_server(serve, path)
        path.chmod(0o600)
        reader, writer = await asyncio.open_unix_connection(path)
        assert await reader.readline() == b"hello\n"
        assert len(credentials[0]) == 12
        writer.close()
        server.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_unix_connection(path)

    run(work)


def test_a_serial_line_has_one_user_and_its_own_pace() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        device = Ear()
        with pytest.raises(FileNotFoundError):
            await loop.create_serial_connection(Ear, "/dev/x", character_s=0.001)
        server = await loop.create_serial_server(lambda: device, "/dev/x")
        transport, _ = await loop.create_serial_connection(Ear, "/dev/x", character_s=0.001)
        with pytest.raises(OSError, match="in use"):
            await loop.create_serial_connection(Ear, "/dev/x", character_s=0.001)
        transport.write(b"0123456789")
        transport.write(b"ab")
        await asyncio.sleep(0.0095)
        assert device.told == []
        await asyncio.sleep(0.001)
        assert device.told == [b"0123456789"]
        await asyncio.sleep(0.002)
        assert device.told == [b"0123456789", b"ab"]
        transport.close()
        await loop.create_serial_connection(Ear, "/dev/x", character_s=0.001)
        server.close()

    run(work)


def test_what_the_network_cannot_do_is_said() -> None:
    async def work() -> None:
        with pytest.raises(ValueError, match="no TLS"):
            await asyncio.open_connection("127.0.0.1", 443, ssl=True)

    run(work)


def test_pymodbus_as_it_is() -> None:
    async def work() -> tuple[list[int], float]:
        loop = asyncio.get_running_loop()
        block = SimData(0, values=[11, 12, 13], datatype=DataType.REGISTERS)
        server = ModbusTcpServer(SimDevice(id=1, simdata=[block]), address=("127.0.0.1", 5020))
        await server.serve_forever(background=True)
        client = AsyncModbusTcpClient("127.0.0.1", port=5020, retries=0, timeout=0.5)
        assert await client.connect()
        start = loop.time()
        for _ in range(1000):
            answer = await client.read_holding_registers(0, count=3, device_id=1)
        client.close()
        await server.shutdown()
        return answer.registers, loop.time() - start

    registers, passed_s = run(work)
    assert registers == [11, 12, 13]
    assert passed_s == pytest.approx(0.4, abs=0.01), "a thousand ways there and back of 0.2 ms each"


def test_asyncua_as_it_is() -> None:
    async def work() -> list[tuple[float, str]]:
        server = Server()
        await server.init()
        server.set_endpoint("opc.tcp://127.0.0.1:4840")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        variable = await server.nodes.objects.add_variable(ua.NodeId("Temp", 2), "Temp", 0.0)
        told: list[tuple[float, str]] = []

        class Notes:
            def datachange_notification(self, node: object, value: float, data: Any) -> None:
                told.append((value, data.monitored_item.Value.SourceTimestamp.isoformat()))

        async with server, Client("opc.tcp://127.0.0.1:4840", auto_reconnect=False) as client:
            asked = ua.CreateSubscriptionParameters(
                RequestedPublishingInterval=50, RequestedMaxKeepAliveCount=20, RequestedLifetimeCount=600
            )
            subscription = await client.create_subscription(asked, Notes())
            await subscription.subscribe_data_change(client.get_node(ua.NodeId("Temp", 2)))
            for number in range(1, 61):
                await asyncio.sleep(1)
                stamped = ua.DataValue(ua.Variant(float(number)), SourceTimestamp=datetime.now(UTC))
                await server.write_attribute_value(variable.nodeid, stamped)
            await asyncio.sleep(1)
        return told

    told = run(work)
    assert [value for value, _ in told] == [*map(float, range(61))]
    assert told[-1][1].startswith("2026-01-05T06:01:0"), "the time of the loop, not of the computer"


def test_uvicorn_as_it_is() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await asyncio.sleep(30)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"later"})

    async def work() -> tuple[bytes, float]:
        loop = asyncio.get_running_loop()
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=8000, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.1)
        start = loop.time()
        reader, writer = await asyncio.open_connection("127.0.0.1", 8000)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        passed_s = loop.time() - start
        writer.close()
        server.should_exit = True
        await serving
        return answer, passed_s

    answer, passed_s = run(work)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"later")
    assert b"Mon, 05 Jan 2026 06:00" in answer
    assert passed_s == pytest.approx(30, abs=0.2)
