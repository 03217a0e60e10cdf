"""Modbus answers that are not the answer: none may be taken for one."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellctl.driver import Device, DriverError, Outcome
from cellctl_drivers.modbus import ModbusDriver
from cellctl_drivers.modbus.requests import RtuFraming, TcpFraming, read, write
from cellctl_drivers.modbus.rows import Table
from cellctl_drivers.wire.orders import OrderError, RefusalError, SilenceError

from .recording import RecordingLink, Running, until
from .rigs import GO, MODBUS_POINTS, REGISTERS
from .servers import Device as FarEnd
from .servers import MemoryLine, Pty, RtuDevice, TcpServer, crc
from .virtual import in_virtual_time

RIGHT = struct.pack(">HHHBBBHH", 1, 0, 7, 3, 3, 4, 10, 20)

WRONG: dict[str, bytes] = {
    "transaction": struct.pack(">HHHBBBHH", 2, 0, 7, 3, 3, 4, 10, 20),
    "no transaction": struct.pack(">HHHBBBHH", 0, 0, 7, 3, 3, 4, 10, 20),
    "protocol": struct.pack(">HHHBBBHH", 1, 1, 7, 3, 3, 4, 10, 20),
    "unit": struct.pack(">HHHBBBHH", 1, 0, 7, 4, 3, 4, 10, 20),
    "function": struct.pack(">HHHBBBHH", 1, 0, 7, 3, 4, 4, 10, 20),
    "refusal of another function": struct.pack(">HHHBBB", 1, 0, 3, 3, 0x84, 2),
    "fewer": struct.pack(">HHHBBBH", 1, 0, 5, 3, 3, 2, 10),
    "more": struct.pack(">HHHBBBHHH", 1, 0, 9, 3, 3, 6, 10, 20, 30),
    "byte count": struct.pack(">HHHBBBHH", 1, 0, 7, 3, 3, 0, 10, 20),
    "length 0": struct.pack(">HHHBBBHH", 1, 0, 0, 3, 3, 4, 10, 20),
    "length 65535": struct.pack(">HHHBBBHH", 1, 0, 65535, 3, 3, 4, 10, 20),
    "two answers": RIGHT + RIGHT,
    "text": b"HTTP/1.0 400 Bad Request\r\n\r\n",
}


def test_the_right_answer_is_taken() -> None:
    frame, take = TcpFraming(3).frame(read(Table.HOLDING, 100, 2))
    assert frame == struct.pack(">HHHBBHH", 1, 0, 6, 3, 3, 100, 2)
    assert take(bytearray(RIGHT)) == b"\0\x0a\0\x14"


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_answer_is_none(answer: bytes) -> None:
    _, take = TcpFraming(3).frame(read(Table.HOLDING, 100, 2))
    with pytest.raises(SilenceError):
        take(bytearray(answer))


@pytest.mark.parametrize("size", range(len(RIGHT)))
def test_a_part_of_an_answer_is_waited_for(size: int) -> None:
    _, take = TcpFraming(3).frame(read(Table.HOLDING, 100, 2))
    assert take(bytearray(RIGHT[:size])) is None


@given(st.binary(min_size=0, max_size=300))
def test_noise_is_never_an_answer(noise: bytes) -> None:
    for framing in (TcpFraming(3), RtuFraming(3)):
        _, take = framing.frame(read(Table.HOLDING, 100, 2))
        _none(take, noise)


@given(st.integers(0, len(RIGHT) - 1), st.integers(1, 255))
def test_a_damaged_byte_changes_the_data_or_spoils_the_answer(at: int, flip: int) -> None:
    damaged = bytearray(RIGHT)
    damaged[at] ^= flip
    _, take = TcpFraming(3).frame(read(Table.HOLDING, 100, 2))
    if at < 9:
        _none(take, bytes(damaged))
    else:
        assert take(damaged) == bytes(damaged[9:])


def _none(take: Callable[[bytearray], bytes | None], data: bytes) -> None:
    with contextlib.suppress(SilenceError, RefusalError, OrderError):
        assert take(bytearray(data)) is None


@given(st.integers(0, 6), st.integers(1, 255))
def test_the_checksum_finds_every_damaged_byte_on_a_line(at: int, flip: int) -> None:
    body = struct.pack(">BBBHH", 9, 3, 4, 10, 20)
    damaged = bytearray(body + crc(body))
    damaged[at] ^= flip
    _, take = RtuFraming(9).frame(read(Table.HOLDING, 100, 2))
    with contextlib.suppress(SilenceError):
        assert take(damaged) is None


@pytest.mark.parametrize(
    ("code", "error"),
    [(1, RefusalError), (2, RefusalError), (6, RefusalError), (5, OrderError), (11, OrderError), (99, RefusalError)],
)
def test_a_refusal_says_why(code: int, error: type[Exception]) -> None:
    _, take = TcpFraming(3).frame(read(Table.HOLDING, 100, 2))
    with pytest.raises(error, match="device"):
        take(bytearray(struct.pack(">HHHBBB", 1, 0, 3, 3, 0x83, code)))


@pytest.mark.parametrize(
    ("request_", "function", "echo"),
    [
        (write(Table.HOLDING, 7, b"\0\5"), 6, struct.pack(">HH", 7, 5)),
        (write(Table.HOLDING, 7, b"\0\5\0\6"), 16, struct.pack(">HH", 7, 2)),
        (write(Table.COIL, 7, b"\1"), 5, struct.pack(">HH", 7, 0xFF00)),
        (write(Table.COIL, 7, b"\1\0\1"), 15, struct.pack(">HH", 7, 3)),
    ],
)
def test_the_echo_of_a_write_is_compared(request_: object, function: int, echo: bytes) -> None:
    for answer in (echo, b"\0\x08" + echo[2:], echo[:2] + b"\0\x09"):
        _, take = TcpFraming(3).frame(request_)  # type: ignore[arg-type]
        frame = bytearray(struct.pack(">HHHBB", 1, 0, 6, 3, function) + answer)
        if answer == echo:
            assert take(frame) == b""
        else:
            with pytest.raises(SilenceError):
                take(frame)


class Scripted(FarEnd):
    """A Modbus TCP device that answers reads of the test registers, or what the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.instead: Callable[[bytes], bytes] | None = None

    def request_size(self, data: bytes) -> int:
        size = 6 + struct.unpack(">H", data[4:6])[0] if len(data) >= 6 else 0
        return size if len(data) >= size else 0

    def respond(self, request: bytes) -> bytes:
        if self.instead is not None:
            return self.instead(request)
        transaction, _, _, unit, function, start, count = struct.unpack(">HHHBBHH", request[:12])
        if function != 3:
            return request[:4] + b"\0\6" + request[6:12]
        data = b"".join(struct.pack(">H", REGISTERS.get(start + i, 0)) for i in range(count))
        return struct.pack(">HHHBBB", transaction, 0, 3 + len(data), unit, function, len(data)) + data


@pytest.fixture
async def scripted() -> AsyncIterator[tuple[Scripted, ModbusDriver]]:
    device = Scripted()
    server = await TcpServer(device).start()
    settings = {"timeout": "100 ms"}
    yield (
        device,
        ModbusDriver(
            Device("dev", "modbus", f"modbus://127.0.0.1:{server.port}?unit=3", MODBUS_POINTS, {"go": GO}, settings)
        ),
    )
    await server.close()


@pytest.mark.parametrize("kind", ["transaction", "unit", "function", "text", "two answers"])
async def test_one_wrong_answer_ends_a_tcp_connection(
    scripted: tuple[Scripted, ModbusDriver], link: RecordingLink, kind: str
) -> None:
    device, driver = scripted
    async with Running(driver, link) as running:
        await link.value("count", 42)
        device.instead = lambda request: WRONG[kind]
        error = await running.ended(0.5)
    assert isinstance(error, DriverError)
    assert "answered something else" in str(error)


async def test_a_late_answer_ends_a_tcp_connection_and_the_write_is_unknown(
    scripted: tuple[Scripted, ModbusDriver], link: RecordingLink
) -> None:
    device, driver = scripted
    async with Running(driver, link) as running:
        await link.value("count", 42)
        device.instead = lambda request: b""
        order = link.write("setpoint", 50.0)
        error = await running.ended(0.5)
    assert "within 100 ms" in str(error)
    assert (await link.answer(order)).outcome in (Outcome.UNKNOWN, Outcome.NOT_SENT)


async def test_a_gateway_that_does_not_reach_the_device_is_told_from_a_device_that_answers(
    scripted: tuple[Scripted, ModbusDriver], link: RecordingLink
) -> None:
    device, driver = scripted
    device.instead = lambda request: request[:4] + bytes([0, 3, request[6], request[7] | 0x80, 11])
    async with Running(driver, link) as running:
        error = await running.ended(0.5)
    assert isinstance(error, DriverError)
    assert str(error) == "dev: the device behind the gateway does not answer"
    assert not link.ups


@pytest.fixture
async def rtu(link: RecordingLink) -> AsyncIterator[tuple[RtuDevice, ModbusDriver]]:
    device = RtuDevice(dict(REGISTERS))
    pty = Pty(device)
    settings = {"timeout": "60 ms"}
    device.address = f"modbus+rtu:{pty.path}?baud=115200&unit=9"
    yield device, ModbusDriver(Device("dev", "modbus", device.address, MODBUS_POINTS, {"go": GO}, settings))
    pty.close()


@in_virtual_time
async def test_a_late_answer_on_a_line_is_never_taken_for_the_next(link: RecordingLink) -> None:
    """Two registers, asked for in turn: but for the time, the answers could be taken for one another."""
    device = RtuDevice(dict(REGISTERS))
    line = MemoryLine(device)
    await line.plug()
    points = {name: MODBUS_POINTS[name] for name in ("setpoint", "locked")}
    address = f"modbus+rtu:{line.path}?baud=115200&unit=9"
    driver = ModbusDriver(Device("dev", "modbus", address, points, settings={"timeout": "60 ms"}))
    async with Running(driver, link) as running:
        for delay_s in (0.07, 0.09, 0.11):
            await link.value("locked", 1)
            device.fault.delays_s = [delay_s, 0.04]
            await asyncio.sleep(0.3)
        assert not running.task.done()
    line.close()
    assert {(sample.signal, sample.value) for sample in link.samples} == {("dev.setpoint", 10.0), ("dev.locked", 1)}


@pytest.mark.parametrize("noise", [b"\xff", b"\x09\x03\x00", bytes(40), b"\x09\x83\x02\x00\x00"])
async def test_noise_on_a_line_costs_one_reading(
    rtu: tuple[RtuDevice, ModbusDriver], link: RecordingLink, noise: bytes
) -> None:
    device, driver = rtu
    async with Running(driver, link) as running:
        await link.value("count", 42)
        device.fault.garbage = [noise]
        await until(lambda: not device.fault.garbage)
        seen = len(link.confirmed)
        await until(lambda: len(link.confirmed) > seen + 20)
        assert not running.task.done()
    assert all(sample.value in (23.5, 42, True, None, 500.0, 10.0, 5.0, 1) for sample in link.samples)


async def test_a_write_without_an_answer_on_a_line_is_unknown_and_the_line_goes_on(
    rtu: tuple[RtuDevice, ModbusDriver], link: RecordingLink
) -> None:
    device, driver = rtu
    async with Running(driver, link) as running:
        await link.value("count", 42)
        device.fault.garbage = [b"\0"]
        answers = [await link.set("setpoint", value) for value in (50.0, 60.0)]
        assert not running.task.done()
    assert Outcome.CONFIRMED in [answer.outcome for answer in answers]
    assert all(answer.outcome in (Outcome.UNKNOWN, Outcome.CONFIRMED) for answer in answers)


async def test_an_address_that_the_device_does_not_have_makes_its_signals_bad_and_nothing_else(
    rtu: tuple[RtuDevice, ModbusDriver], link: RecordingLink
) -> None:
    device, driver = rtu
    del device.registers[70]
    async with Running(driver, link) as running:
        await link.value("count", 42)
        await until(lambda: "locked" in link.last)
        assert link.last["locked"].reason == "the device has no such address"
        assert link.last["count"].good
        device.registers[70] = 1
        await link.value("locked", 1)
        assert link.last["locked"].good
        assert not running.task.done()


async def _unheard(at: str) -> str:
    """Why a visit ends to a device that says nothing."""
    device = Device("dev", "modbus", at, MODBUS_POINTS, {}, {"timeout": "60 ms"})
    async with Running(ModbusDriver(device), RecordingLink("dev")) as running:
        return str(await running.ended(15))


async def test_who_has_never_answered_on_a_line_may_have_another_number() -> None:
    end = RtuDevice({})
    end.fault.silent = True
    pty = Pty(end)
    told = await _unheard(f"modbus+rtu:{pty.path}?baud=115200&unit=7")
    pty.close()
    assert told.endswith("it has never answered: is 7 its unit number?")


async def test_who_has_never_answered_in_a_network_may_have_another_number() -> None:
    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while await reader.read(256):
                pass
        writer.close()

    async with await asyncio.start_server(ignore, "127.0.0.1", 0) as server:
        told = await _unheard(f"modbus://127.0.0.1:{server.sockets[0].getsockname()[1]}?unit=7")
        await asyncio.sleep(0.05)
    assert told == "no answer from dev within 60 ms; it has never answered: is 7 its unit number?"
