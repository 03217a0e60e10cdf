"""Flags beside what they announce, outputs that must be renewed, and words of one item: on a line and without one."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
from typing import Any

import pytest

from cellctl.driver import AddressError, Command, CommandClass, Device, Outcome, Point, Quality, Signal
from cellctl_drivers.modbus import ModbusDriver
from cellctl_simulators.servers.contact import DeviceContact
from cellctl_simulators.wire import BUSY, ModbusError, Registers

from .recording import RecordingLink, Running, until
from .servers import Pty, RtuDevice

FLAG, RESULT, OUTPUT, PLAIN = 4, 5, 60, 70
FAST_NS = 20_000_000


class Screwdriver:
    """A flag that clears itself when it is read, with a result beside it; what was read of it and written to it."""

    def __init__(self) -> None:
        self.registers = {FLAG: 0, RESULT: 0, RESULT + 1: 0, OUTPUT: 0, PLAIN: 9, PLAIN + 1: 8, PLAIN + 2: 7}
        self.read: list[int] = []
        self.written: list[int] = []
        self.busy = 0
        self.refuses = False

    def finish(self, torque: int, angle: int) -> None:
        self.registers |= {FLAG: 1, RESULT: torque, RESULT + 1: angle}

    def reads(self, address: int, count: int) -> list[int] | None:
        """What is there; None: it is busy."""
        self.read.append(address)
        if address == RESULT and self.busy:
            self.busy -= 1
            return None
        values = [self.registers[each] for each in range(address, address + count)]
        if address == FLAG:
            self.registers[FLAG] = 0
        return values

    def writes(self, address: int, values: list[int]) -> bool:
        if self.refuses:
            return False
        self.written += values
        self.registers.update(enumerate(values, address))
        return True


class OnALine(RtuDevice):
    """The screwdriver behind Modbus RTU."""

    def __init__(self, tool: Screwdriver) -> None:
        super().__init__(tool.registers)
        self.tool = tool

    def _answer(self, function: int, address: int, count: int, request: bytes) -> bytes:
        if function == 6:
            return request[1:6] if self.tool.writes(address, [count]) else bytes([function | 0x80, 4])
        values = self.tool.reads(address, count)
        if values is None:
            return bytes([function | 0x80, BUSY])
        return bytes([function, 2 * count]) + b"".join(value.to_bytes(2, "big") for value in values)


class Touched(Registers):
    """The screwdriver without a wire."""

    def __init__(self, tool: Screwdriver) -> None:
        super().__init__()
        self.tool = tool

    def read(self, function: int, address: int, count: int) -> list[int]:
        values = self.tool.reads(address, count)
        if values is None:
            raise ModbusError(BUSY)
        return values

    def write(self, function: int, address: int, values: Any) -> None:
        if not self.tool.writes(address, list(values)):
            raise ModbusError(4)


def point(name: str, read: str | None, write: str | None = None, kind: str = "int", **options: Any) -> Point:
    signal = Signal(f"dev.{name}", kind, "", write is not None)
    return Point(signal, read, write, FAST_NS, options=options)


POINTS = {
    "new": point("new", "input 4 uint16", kind="bool", clears=True),
    "torque": point("torque", "input 5 uint16", after="new"),
    "angle": point("angle", "input 6 uint16", after="new"),
    "lever": point("lever", "holding 60 uint16", "holding 60 uint16", kind="bool", renew="30 ms"),
    "last": point("last", "holding 70 word 2 of 3"),
}
COMMANDS = {
    "stop": Command("stop", CommandClass.STOP, 10**9, {"write": {"holding 80": 0}}),
    "drop": Command("drop", CommandClass.LEVEL, 10**9, {"write": {"holding 60": 0}}),
    "other": Command("other", CommandClass.LEVEL, 10**9, {"write": {"holding 80": 1}}),
    "sweep": Command("sweep", CommandClass.LEVEL, 10**9, {"write": {"holding 59": [0, 0]}}),
    "huge": Command("huge", CommandClass.LEVEL, 10**9, {"write": {"holding 60": "$size"}}),
}


class Place:
    """A screwdriver somewhere, its driver, and what tells that it did something."""

    def __init__(self, tool: Screwdriver, made: Any, moved: Any) -> None:
        self.tool, self._made, self._moved = tool, made, moved

    def driver(self, points: Any = POINTS, **settings: object) -> Any:
        return self._made(points, {"timeout": "100 ms", **settings})

    def finish(self, torque: int, angle: int) -> None:
        self.tool.finish(torque, angle)
        self._moved()


@pytest.fixture(params=["line", "direct"])
async def place(request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]
    tool = Screwdriver()
    if request.param == "line":
        pty = Pty(OnALine(tool))
        at = f"modbus+rtu:{pty.path}?baud=115200&unit=9"
        yield Place(tool, lambda *it: ModbusDriver(Device("dev", "modbus", at, it[0], COMMANDS, it[1])), lambda: None)
        pty.close()
    else:
        contact = DeviceContact(Touched(tool), lambda: None, lambda: False)
        await contact.start()

        def made(points: Any, settings: Any) -> Any:
            device = Device("dev", "modbus", "modbus://127.0.0.1:1", points, COMMANDS, settings)
            return ModbusDriver.direct(device, contact)

        yield Place(tool, made, contact.refresh)


def told(link: RecordingLink, *names: str) -> list[tuple[str, object]]:
    short = [(sample.signal.removeprefix("dev."), sample.value) for sample in link.samples]
    return [each for each in short if each[0] in names]


async def test_what_a_flag_announces_is_read_then_and_told_before_it(place: Place, link: RecordingLink) -> None:
    async with Running(place.driver(), link):
        await link.value("new", False)
        assert (link.last["torque"].value, link.last["angle"].value) == (0, 0), "once at the beginning"
        before, reads = len(link.samples), place.tool.read.count(RESULT)
        for torque in (250, 250, 251):
            place.finish(torque, 90)
            await link.value("new", True)
            await link.value("new", False)
    news = told(link, "new", "torque")[-9:]
    assert [value for name, value in news if name == "torque"] == [250, 250, 251], "new even if it is the same"
    for at, (name, value) in enumerate(news):
        assert (name, value) != ("new", True) or news[at - 1][0] == "torque"
    assert place.tool.read.count(RESULT) == reads + 3, "both in one request, and only then"
    assert len(link.samples) > before


async def test_what_follows_is_waited_for_while_the_device_is_busy(place: Place, link: RecordingLink) -> None:
    async with Running(place.driver(busy="1 s"), link):
        await link.value("new", False)
        place.tool.busy = 2
        place.finish(300, 95)
        await link.value("new", True)
        assert (link.last["torque"].value, link.last["angle"].value) == (300, 95)
        await link.value("new", False)


async def test_what_follows_and_is_refused_is_bad_and_the_flag_is_told(place: Place, link: RecordingLink) -> None:
    async with Running(place.driver(), link):
        await link.value("new", False)
        place.tool.busy = 1
        place.finish(300, 95)
        await link.value("new", True)
    assert link.last["torque"].quality is Quality.BAD


async def test_a_result_whose_answer_is_lost_is_asked_for_again(link: RecordingLink) -> None:
    tool = Screwdriver()
    device = OnALine(tool)
    pty = Pty(device)
    points = {name: POINTS[name] for name in ("new", "torque", "angle")}
    at = f"modbus+rtu:{pty.path}?baud=115200&unit=9"
    answer = device._answer

    def spoilt(function: int, address: int, *rest: Any) -> bytes:
        if address == RESULT and tool.registers[RESULT] == 400 and not lost:
            lost.append(True)
            device.fault.garbage = [b"x"]
        return answer(function, address, *rest)

    lost: list[bool] = []
    device._answer = spoilt  # type: ignore[method-assign]
    try:
        async with Running(ModbusDriver(Device("dev", "modbus", at, points, {}, {"timeout": "60 ms"})), link):
            await link.value("new", False)
            tool.finish(400, 91)
            await link.value("new", True)
            assert (lost, link.last["torque"].value, link.last["angle"].value) == ([True], 400, 91)
    finally:
        pty.close()
    assert all(sample.good for sample in link.samples), "nothing was lost"


async def test_what_is_on_is_renewed_until_it_is_off(place: Place, link: RecordingLink) -> None:
    async with Running(place.driver(), link):
        assert (await link.set("lever", True)).outcome is Outcome.CONFIRMED
        await until(lambda: place.tool.written.count(1) > 4)
        assert (await link.set("lever", False)).outcome is Outcome.CONFIRMED
        place.tool.written.clear()
        await asyncio.sleep(0.1)
        assert place.tool.written == []


@pytest.mark.parametrize(("command", "ends"), [("stop", True), ("drop", True), ("sweep", True), ("other", False)])
async def test_a_command_that_stops_or_writes_it_ends_what_is_held(
    place: Place, link: RecordingLink, command: str, ends: bool
) -> None:
    async with Running(place.driver(), link):
        await link.set("lever", True)
        await link.answer(link.stop(command) if command == "stop" else link.call(command))
        place.tool.written.clear()
        await asyncio.sleep(0.12)
        assert (place.tool.written == []) is ends


async def test_a_command_that_is_never_sent_ends_nothing(place: Place, link: RecordingLink) -> None:
    async with Running(place.driver(), link):
        await link.set("lever", True)
        assert (await link.answer(link.call("huge", size=70_000))).outcome is Outcome.REFUSED
        place.tool.written.clear()
        await until(lambda: place.tool.written.count(1) > 2)


async def test_what_reading_clears_is_not_lost_when_it_is_looked_whether_anybody_is_there(
    place: Place, link: RecordingLink
) -> None:
    event = Point(Signal("dev.new", "int"), "input 4 uint16", every_ns=FAST_NS, options={"clears": True})
    place.finish(1, 2)
    async with Running(place.driver({"new": event}), link):
        await until(lambda: "new" in link.last)
    assert link.samples[0].value == 1


async def test_what_cannot_be_renewed_is_told(place: Place, link: RecordingLink) -> None:
    async with Running(place.driver(), link):
        await link.set("lever", True)
        place.tool.refuses = True
        await until(lambda: any("held no longer" in sample.reason for sample in link.samples))
        place.tool.refuses = False
        place.tool.written.clear()
        await asyncio.sleep(0.1)
    assert place.tool.written == []


async def test_nothing_is_held_over_a_connection(place: Place) -> None:
    driver = place.driver()
    link = RecordingLink()
    async with Running(driver, link):
        await link.set("lever", True)
    place.tool.written.clear()
    async with Running(driver, RecordingLink()):
        await asyncio.sleep(0.1)
    assert place.tool.written == []


async def test_a_word_of_an_item_is_read_with_the_whole_of_it(place: Place, link: RecordingLink) -> None:
    async with Running(place.driver(), link):
        await link.value("last", 7)


BAD: list[tuple[dict[str, Any], tuple[str, ...], str]] = [
    ({"x": point("x", "input 1 uint16", after="y")}, ("signals", "x", "after"), "no signal 'y'"),
    ({"x": point("x", "input 1 uint16", after="x")}, ("signals", "x", "after"), "read by itself"),
    (
        {"x": point("x", "input 1 uint16", after="t"), "t": point("t", "input 2 text 4", kind="text")},
        ("signals", "x", "after"),
        "read by itself",
    ),
    (
        {"x": point("x", None, "holding 1 uint16", after="n"), "n": point("n", "input 2 uint16")},
        ("signals", "x", "after"),
        "not read",
    ),
    (
        {"x": point("x", "input 1 uint16", kind="bool", renew="50 ms")},
        ("signals", "x", "renew"),
        "a bool that is written",
    ),
    ({"x": point("x", None, "holding 1 uint16", renew="50 ms")}, ("signals", "x", "renew"), "a bool that is written"),
    ({"x": point("x", None, "coil 1", kind="bool", renew="1 ms")}, ("signals", "x", "renew"), "10 ms to 10 s"),
    ({"x": point("x", None, "coil 1", kind="bool", renew="fast")}, ("signals", "x", "renew"), "fast"),
    ({"x": point("x", "input 1 word 3 of 3")}, ("signals", "x", "read"), "count from 0"),
    ({"x": point("x", "input 1 word 3")}, ("signals", "x", "read"), "word 2 of 9"),
    ({"x": point("x", "input 1 word 0..3")}, ("signals", "x", "read"), "word 2 of 9"),
    ({"x": point("x", "input 1 bits 0 of 3")}, ("signals", "x", "read"), "bits 4..7"),
    ({"x": point("x", "input 1 word 0 of 126")}, ("signals", "x", "read"), "125 at most"),
    ({"x": point("x", None, "holding 1 word 0 of 3")}, ("signals", "x", "write"), "a part of a place"),
]


@pytest.mark.parametrize(("points", "where", "words"), BAD)
def test_what_cannot_be_so_is_told(points: dict[str, Any], where: tuple[str, ...], words: str) -> None:
    with pytest.raises(AddressError, match=words) as error:
        ModbusDriver(Device("dev", "modbus", "modbus://127.0.0.1:1", points))
    assert error.value.where == where
