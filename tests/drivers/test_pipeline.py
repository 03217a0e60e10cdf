"""Several requests at once to a device that keeps them: told apart by their numbers, each with its own fate."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import struct
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellctl.driver import Device, DriverError, Point, Quality, Signal
from cellctl_drivers.modbus import ModbusDriver
from cellctl_drivers.modbus.plan import Block, together
from cellctl_drivers.modbus.requests import Request, TcpFraming, read
from cellctl_drivers.modbus.rows import Table
from cellctl_drivers.wire.orders import RefusalError, SilenceError

from .recording import RecordingLink, Running, until
from .servers import Device as FarEnd
from .servers import TcpServer

UNIT = 3
REFUSED = 20


def asked(count: int) -> list[Request]:
    return [read(Table.HOLDING, 10 * number, 1) for number in range(count)]


def answer(number: int) -> bytes:
    """To the request of that number: its number, or a refusal for one of them."""
    if number == REFUSED:
        return struct.pack(">HHHBBB", number, 0, 3, UNIT, 0x83, 2)
    return struct.pack(">HHHBBBH", number, 0, 5, UNIT, 3, 2, number)


@given(st.integers(2, 32).flatmap(lambda count: st.permutations(range(1, count + 1))), st.data())
def test_answers_in_any_order_and_any_pieces_find_their_requests(order: list[int], data: st.DataObject) -> None:
    _, take = TcpFraming(UNIT).together(asked(len(order)))
    stream = b"".join(answer(number) for number in order)
    received, replies = bytearray(), None
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        assert replies is None
        received += stream[:size]
        stream = stream[size:]
        replies = take(received)
    assert replies is not None
    for number, reply in enumerate(replies, 1):
        assert isinstance(reply, RefusalError) if number == REFUSED else reply == struct.pack(">H", number)
    assert not received


@pytest.mark.parametrize(
    "stream",
    [
        answer(1) + answer(9),  # of another request
        answer(1) + answer(1),  # twice
        answer(1) + struct.pack(">HHHBBBH", 2, 0, 5, UNIT + 1, 3, 2, 2),  # of another unit
        answer(1) + struct.pack(">HHHBBB", 2, 0, 400, UNIT, 3, 2) + bytes(400),  # longer than any answer
        answer(1) + struct.pack(">HHHBBBH", 2, 0, 5, UNIT, 4, 2, 2),  # to another function
    ],
)
def test_what_is_no_answer_is_not_believed(stream: bytes) -> None:
    _, take = TcpFraming(UNIT).together(asked(3))
    with pytest.raises(SilenceError, match="something else"):
        take(bytearray(stream))


def test_groups_are_of_one_period() -> None:
    blocks = [Block(Table.HOLDING, at, 1, every_ns, ()) for at, every_ns in enumerate((5, 5, 5, 7, 7))]
    assert [[block.start for block in group] for group in together(blocks, 2)] == [[0, 1], [2], [3, 4]]


class Keeping(FarEnd):
    """A device that answers when `wanted` requests have come, the last one first."""

    def __init__(self, wanted: int) -> None:
        super().__init__()
        self.wanted = wanted
        self.refused: set[int] = set()
        self.most = 0
        self._kept: list[bytes] = []

    def request_size(self, data: bytes) -> int:
        return 12 if len(data) >= 12 else 0

    def respond(self, request: bytes) -> bytes:
        self._kept.append(request)
        self.most = max(self.most, len(self._kept))
        if len(self._kept) < self.wanted:
            return b""
        answers = b"".join(map(self._answer, reversed(self._kept)))
        self._kept.clear()
        return answers

    def _answer(self, request: bytes) -> bytes:
        number, _, _, unit, function, start, _ = struct.unpack(">HHHBBHH", request)
        if start in self.refused:
            return struct.pack(">HHHBBB", number, 0, 3, unit, function | 0x80, 2)
        return struct.pack(">HHHBBBH", number, 0, 5, unit, function, 2, start + 1)


def driver(port: int, pipeline: int) -> ModbusDriver:
    points = {
        f"s{at}": Point(Signal(f"dev.s{at}", "int"), read=f"holding {at} uint16", every_ns=20_000_000)
        for at in (0, 100, 200, 300)
    }
    settings = {"timeout": "200 ms", "pipeline": pipeline}
    return ModbusDriver(Device("dev", "modbus", f"modbus://127.0.0.1:{port}?unit={UNIT}", points, settings=settings))


@pytest.fixture
async def keeping() -> AsyncIterator[tuple[Keeping, int]]:
    device = Keeping(1)
    server = await TcpServer(device).start()
    yield device, server.port
    await server.close()


async def test_all_that_is_due_is_asked_at_once(keeping: tuple[Keeping, int], link: RecordingLink) -> None:
    device, port = keeping
    async with Running(driver(port, 4), link):
        device.wanted = 4  # it says nothing until all four have come
        await until(lambda: device.most == 4)
        for at in (0, 100, 200, 300):
            assert (await link.value(f"s{at}", at + 1)).good


async def test_without_a_word_one_at_a_time(keeping: tuple[Keeping, int], link: RecordingLink) -> None:
    device, port = keeping
    async with Running(driver(port, 1), link):
        await link.value("s300", 301)
        device.wanted = 2
        await until(lambda: device.most == 1)


async def test_one_that_is_refused_spoils_no_other(keeping: tuple[Keeping, int], link: RecordingLink) -> None:
    device, port = keeping
    device.refused.add(200)
    async with Running(driver(port, 4), link):
        await link.value("s300", 301)
        await until(lambda: "s200" in link.last)
    assert link.last["s200"].quality is Quality.BAD
    assert all(link.last[name].good for name in ("s0", "s100", "s300"))


async def test_one_without_an_answer_ends_the_connection(keeping: tuple[Keeping, int], link: RecordingLink) -> None:
    device, port = keeping
    async with Running(driver(port, 4), link) as running:
        await link.value("s300", 301)
        device.wanted = 5
        error = await running.ended(1.0)
    assert isinstance(error, DriverError)
    assert "within 200 ms" in str(error)


async def test_each_answer_has_its_own_time(keeping: tuple[Keeping, int], link: RecordingLink) -> None:
    device, port = keeping
    async with Running(driver(port, 4), link) as running:
        await link.value("s300", 301)
        device.fault.delays_s = [0.12, 0.24, 0.36, 0.48]
        seen = len(link.confirmed)
        await until(lambda: not device.fault.delays_s)
        await until(lambda: len(link.confirmed) > seen + 4)
        assert not running.task.done()
