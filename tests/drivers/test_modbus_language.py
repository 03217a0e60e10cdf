"""The habits of Modbus devices that a profile can tell: over a line and without one, they come out the same."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from cellctl.driver import (
    Command,
    CommandClass,
    Device,
    Driver,
    DriverError,
    Outcome,
    Point,
    Quality,
    Signal,
    Unwilling,
    Value,
)
from cellctl_drivers.modbus import ModbusDriver
from cellctl_simulators.servers.contact import DeviceContact
from cellctl_simulators.wire import BUSY, ModbusError, Registers

from .recording import RecordingLink, Running, until
from .servers import Pty, RtuDevice, crc

FAST_NS = 20_000_000
BYTE_SWAPPED = {0: 0x0201, 1: 0x4241, 2: 0x0043}  # the low byte of each word first


class FarEnd:
    """A device with the registers that the test gives; what was written to it, and how often it is still busy."""

    def __init__(self, registers: Mapping[int, int]) -> None:
        self.registers = dict(registers)
        self.written: list[tuple[int, int, list[int]]] = []  # function code, address, values
        self.read: list[tuple[int, int]] = []  # address, count
        self.busy = 0
        self.refused = -1

    def take(self, function: int, address: int, values: list[int]) -> int:
        """A write request; the exception code, or 0."""
        if self.busy:
            self.busy -= 1
            return BUSY
        if address == self.refused:
            return 3
        self.written.append((function, address, values))
        self.registers.update(enumerate(values, address))
        return 0


class OnALine(RtuDevice):
    """The far end behind Modbus RTU."""

    def __init__(self, far: FarEnd) -> None:
        super().__init__(far.registers)
        self.far = far

    def _answer(self, function: int, address: int, count: int, request: bytes) -> bytes:
        if function in (3, 4):
            self.far.read.append((address, count))
            if self.far.busy:
                self.far.busy -= 1
                return bytes([function | 0x80, BUSY])
            return super()._answer(function, address, count, request)
        words = (
            [count]
            if function == 6
            else [int.from_bytes(request[at : at + 2], "big") for at in range(7, len(request) - 2, 2)]
        )
        code = self.far.take(function, address, words)
        return bytes([function | 0x80, code]) if code else request[1:6]


class Touched(Registers):
    """The far end without a wire."""

    def __init__(self, far: FarEnd) -> None:
        super().__init__(writable=far.registers)
        self.holding = self.input = far.registers
        self.far = far

    def read(self, function: int, address: int, count: int) -> list[int]:
        self.far.read.append((address, count))
        if self.far.busy:
            self.far.busy -= 1
            raise ModbusError(BUSY)
        return super().read(function, address, count)

    def write(self, function: int, address: int, values: Any) -> None:
        code = self.far.take(function, address, list(values))
        if code == BUSY:
            raise ModbusError(BUSY)
        if code:
            raise Unwilling("the device does not accept this value or length")


Make = Callable[..., tuple[FarEnd, Driver]]


@pytest.fixture(params=["line", "direct"])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    """Makes the far end, and a driver for it with rows, commands and settings of the test."""
    ends: list[Any] = []

    def made(
        registers: Mapping[int, int],
        points: Mapping[str, Point],
        commands: Mapping[str, Any] | None = None,
        **settings: object,
    ) -> tuple[FarEnd, Driver]:
        far = FarEnd(registers)
        given = {
            name: Command(name, CommandClass.LEVEL, 2 * 10**9, {"write": writes})
            for name, writes in (commands or {}).items()
        }
        watchdog: Any = settings.pop("watchdog", None)
        settings = {"timeout": "100 ms", **settings}
        if request.param == "direct":
            contact = DeviceContact(Touched(far), lambda: None, lambda: False)
            ends.append(contact)
            device = Device("dev", "modbus", "modbus://127.0.0.1:1", points, given, settings, watchdog=watchdog)
            return far, ModbusDriver.direct(device, contact)
        pty = Pty(OnALine(far))
        ends.append(pty)
        address = f"modbus+rtu:{pty.path}?baud=115200&unit=9"
        return far, ModbusDriver(Device("dev", "modbus", address, points, given, settings, watchdog=watchdog))

    yield made
    for end in ends:
        if isinstance(end, Pty):
            end.close()
        else:
            await end.stop()


@pytest.fixture
def start(make: Make) -> Callable[..., Any]:
    """Makes both, and waits until the far end of a touched device can be touched."""

    async def started(*given: Any, **settings: object) -> tuple[FarEnd, Driver]:
        far, driver = make(*given, **settings)
        contact = getattr(driver, "_contact", None)
        if contact is not None:
            await contact.start()
        return far, driver

    return started


def signal(name: str, kind: str = "int", **more: Any) -> Signal:
    return Signal(f"dev.{name}", kind, **more)


def point(name: str, read: str, write: str | None = None, **more: Any) -> Point:
    """A point of `kind`, with `verify`, and further keys of its row."""
    kind, verify = more.pop("kind", "int"), more.pop("verify", None)
    return Point(signal(name, kind, writable=write is not None, verify=verify), read, write, FAST_NS, options=more)


async def test_the_low_byte_of_a_word_may_come_first(start: Any, link: RecordingLink) -> None:
    points = {
        "number": point("number", "holding 0 uint16", "holding 0 uint16", verify=0),
        "name": point("name", "holding 1 text 3", kind="text"),
        "plain": point("plain", "holding 0 uint16", byte_order="msb"),
        "bit": point("bit", "holding 0 bit 9", kind="bool"),
    }
    far, driver = await start(BYTE_SWAPPED, points, byte_order="lsb")
    async with Running(driver, link):
        await link.value("name", "ABC")
        assert {name: sample.value for name, sample in link.last.items()} == {
            "number": 0x0102, "plain": 0x0201, "name": "ABC", "bit": False,
        }  # fmt: skip
        assert (await link.set("number", 0x0304)).outcome is Outcome.CONFIRMED
    assert far.registers[0] == 0x0403


async def test_a_bit_is_set_in_one_register_and_cleared_in_another(start: Any, link: RecordingLink) -> None:
    far, driver = await start(
        {1: 0, 2: 0, 3: 0}, {"out": point("out", "holding 1 bit 4", "holding 2/3 bit 4", kind="bool")}
    )
    async with Running(driver, link):
        for value in (True, False):
            assert (await link.set("out", value)).outcome is Outcome.CONFIRMED
    assert far.written == [(6, 2, [0x10]), (6, 3, [0x10])]


async def test_a_device_that_knows_no_single_write_is_never_sent_one(start: Any, link: RecordingLink) -> None:
    far, driver = await start({1: 0}, {"a": point("a", "holding 1 uint16", "holding 1 uint16")}, write_single="no")
    async with Running(driver, link):
        assert (await link.set("a", 7)).outcome is Outcome.CONFIRMED
    assert far.written == [(16, 1, [7])]


async def test_a_busy_device_is_asked_again_until_it_has_begun(start: Any, link: RecordingLink) -> None:
    far, driver = await start({1: 5}, {"a": point("a", "holding 1 uint16", "holding 1 uint16")}, busy="1 s")
    async with Running(driver, link):
        await link.value("a", 5)
        far.busy = 3
        assert (await link.set("a", 7)).outcome is Outcome.CONFIRMED
        assert all(sample.good for sample in link.samples), "a busy device still has the value that it had"
    assert far.written == [(6, 1, [7])], "once"


async def test_a_busy_device_that_stays_so_refuses(start: Any, link: RecordingLink) -> None:
    far, driver = await start({1: 5}, {"a": point("a", "holding 1 uint16", "holding 1 uint16")}, busy="150 ms")
    async with Running(driver, link):
        await link.value("a", 5)
        far.busy = 1000
        answer = await link.set("a", 7)
        assert (answer.outcome, answer.reason) == (Outcome.REFUSED, answer.reason)
        far.busy = 0
    assert far.written == []


async def test_without_patience_a_busy_device_is_bad(start: Any, link: RecordingLink) -> None:
    far, driver = await start({1: 5}, {"a": point("a", "holding 1 uint16")})
    async with Running(driver, link):
        await link.value("a", 5)
        far.busy = 1000
        await until(lambda: link.last["a"].quality is Quality.BAD)


async def test_the_steps_of_a_command_come_in_order_with_their_pauses(start: Any, link: RecordingLink) -> None:
    steps = [{"holding 9": 1}, {"wait": "120 ms"}, {"holding 1": ["$program", 8], "holding 9": 2}]
    far, driver = await start({1: 0, 2: 0, 9: 0}, {"a": point("a", "holding 1 uint16")}, {"store": steps})
    async with Running(driver, link):
        begin = asyncio.get_running_loop().time()
        assert (await link.answer(link.call("store", program=3))).outcome is Outcome.CONFIRMED
        assert asyncio.get_running_loop().time() - begin >= 0.12
    assert [(address, values) for _, address, values in far.written] == [(9, [1]), (1, [3, 8]), (9, [2])]


async def test_what_does_not_fit_is_found_before_the_first_step(start: Any, link: RecordingLink) -> None:
    steps = [{"holding 9": 1}, {"holding 1": "$program"}]
    far, driver = await start({1: 0, 9: 0}, {"a": point("a", "holding 1 uint16")}, {"store": steps})
    async with Running(driver, link):
        assert (await link.answer(link.call("store", program=70_000))).outcome is Outcome.REFUSED
    assert far.written == []


async def test_a_refusal_in_the_middle_of_the_steps_leaves_it_open(start: Any, link: RecordingLink) -> None:
    steps = [{"holding 9": 1}, {"holding 1": 4}]
    far, driver = await start({1: 0, 9: 0}, {"a": point("a", "holding 1 uint16")}, {"store": steps})
    async with Running(driver, link):
        far.refused = 1
        answer = await link.answer(link.call("store"))
        assert (answer.outcome, "only a part was done" in answer.reason) == (Outcome.UNKNOWN, True)
        far.refused = 9
        assert (await link.answer(link.call("store"))).outcome is Outcome.REFUSED


async def test_a_device_is_made_ready_before_it_counts_as_connected(start: Any, link: RecordingLink) -> None:
    far, driver = await start({1: 5, 9: 0}, {"a": point("a", "holding 1 uint16")}, prepare=[{"holding 9": 0xAA55}])
    async with Running(driver, link):
        assert far.written == [(6, 9, [0xAA55])]
        await link.value("a", 5)


async def test_a_device_that_cannot_be_made_ready_is_not_connected(start: Any, link: RecordingLink) -> None:
    far, driver = await start({1: 5, 9: 0}, {"a": point("a", "holding 1 uint16")}, prepare={"holding 9": 1})
    far.refused = 9
    async with Running(driver, link) as running:
        error = await running.ended()
    assert isinstance(error, DriverError)
    assert "cannot be made ready" in str(error)
    assert link.ups == []


async def test_a_device_is_kept_alive_and_given_up_if_it_does_not_let_itself(start: Any, link: RecordingLink) -> None:
    watchdog = {"write": "holding 9 uint16", "every": "40 ms"}
    far, driver = await start({1: 5, 9: 0}, {"a": point("a", "holding 1 uint16")}, watchdog=watchdog)
    async with Running(driver, link) as running:
        await until(lambda: len(far.written) > 2)
        assert [values for _, _, values in far.written[:3]] == [[1], [2], [3]]
        far.refused = 9
        error = await running.ended()
    assert isinstance(error, DriverError)
    assert "does not take its watchdog" in str(error)


async def test_what_stands_in_an_eeprom_already_is_not_written(start: Any, link: RecordingLink) -> None:
    points = {"a": point("a", "holding 1 uint16", "holding 1 uint16", verify=0, eeprom=True)}
    far, driver = await start({1: 5}, points)
    async with Running(driver, link):
        answers: list[Mapping[str, Value]] = []
        for value in (5, 6, 6):
            answer = await link.set("a", value)
            assert answer.outcome is Outcome.CONFIRMED
            answers.append(answer.result)
    assert answers == [{"read_back": 5}, {"read_back": 6}, {"read_back": 6}]
    assert far.written == [(6, 1, [6])]


async def test_rows_that_are_read_alone_are(start: Any, link: RecordingLink) -> None:
    points = {name: point(name, f"holding {at} uint16", alone=at == 2) for name, at in {"a": 1, "b": 2, "c": 3}.items()}
    far, driver = await start({1: 5, 2: 6, 3: 7}, points)
    async with Running(driver, link):
        await link.value("c", 7)
        await link.value("b", 6)
    assert {(1, 1), (2, 1), (3, 1)} == set(far.read)


async def test_an_answer_that_cleared_something_and_is_lost_is_told(link: RecordingLink) -> None:
    device = OnALine(FarEnd({1: 1, 5: 9}))
    pty = Pty(device)
    points = {"new": point("new", "holding 1 uint16", clears=True), "other": point("other", "holding 5 uint16")}
    address = f"modbus+rtu:{pty.path}?baud=115200&unit=9"
    try:
        driver = ModbusDriver(Device("dev", "modbus", address, points, settings={"timeout": "60 ms"}))
        async with Running(driver, link):
            await link.value("new", 1)
            for _ in range(20):  # sooner or later it is the answer of `new` that is spoilt
                device.fault.garbage = [crc(b"x")]
                await asyncio.sleep(0.25)
                if any("was lost" in sample.reason for sample in link.samples):
                    break
    finally:
        pty.close()
    assert {sample.signal for sample in link.samples if sample.quality is Quality.BAD} == {"dev.new"}
