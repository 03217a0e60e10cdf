"""Lines that come unasked: events of scanners and buttons, while the driver rests and while it waits for an answer."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from cellctl.driver import (
    AddressError,
    Command,
    CommandClass,
    Device,
    Driver,
    DriverError,
    Outcome,
    Point,
    Quality,
    Signal,
    WrongDevice,
)
from cellctl_drivers.serial import SerialDriver
from cellctl_simulators.servers.contact import DeviceContact
from cellctl_simulators.wire import Ask, Lines

from .recording import RecordingLink, Running, until
from .servers import LineDevice, Pty, TcpServer

CODE = Point(Signal("dev.code", "text"), options={"hear": r"CODE (?P<value>\S+)"}, bad_if=("ERROR",))
POINTS = {
    "code": CODE,
    "pressed": Point(Signal("dev.pressed", "bool"), options={"hear": r"BUTTON (?P<value>\w+)", "equals": "DOWN"}),
    "temp": Point(Signal("dev.temp", "float"), "TEMP?", every_ns=30_000_000, options={"reply": r"TEMP (?P<value>\S+)"}),
    "word": Point(Signal("dev.word", "text"), "WORD?", every_ns=50_000_000),
}
SETTINGS = {"end": "\r\n", "timeout": "150 ms", "error": r"ERR (?P<code>\d+)"}
SCAN = Command("scan", CommandClass.LEVEL, 10**9, {"ask": "SCAN", "reply": r"CODE (?P<code>\S+)", "within": "300 ms"})
STATUS = {"ask": "WORD?", "lines": 3, "reply": r"A\nB\nWORD (?P<last>\w+)"}
MOVE = Command("move", CommandClass.LEVEL, 10**9, {"send": ["SET {to:.0f}", "BEAT"]})


class Scanner(LineDevice):
    """The oven of the other tests with a scanner on it, which says what it likes before each answer."""

    def __init__(self) -> None:
        super().__init__()
        self.before = b""

    def respond(self, request: bytes) -> bytes:
        if request == b"SCAN\r\n":
            return b"CODE scanned\r\n"
        answer = b"" if request == b"QUIET?\r\n" else super().respond(request)
        before, self.before = self.before, b""
        return before + answer


class ScannerLines(Lines):
    """The same without a wire."""

    def __init__(self) -> None:
        super().__init__(greeting="OVEN of the tests")
        self.device = Scanner()
        self.late: list[Ask] = []

    def settle(self) -> None:
        for ask in self.take():
            if ask.text == "LATE":
                self.late.append(ask)
                continue
            for line in self.device.respond(ask.text.encode() + b"\r\n").decode().split("\r\n"):
                if line:
                    ask.reply(line)


def described(at: str, **more: Any) -> Device:
    parts: dict[str, Any] = {"points": POINTS, "settings": SETTINGS, "commands": {"scan": SCAN, "move": MOVE}, **more}
    return Device("dev", "serial", at, **parts)


class Place:
    """A scanner somewhere, and what makes its driver."""

    def __init__(self, device: Scanner, say: Callable[[bytes], None], made: Callable[..., Driver]) -> None:
        self.device, self.say, self.driver = device, say, made


@pytest.fixture(params=["tcp", "pty", "direct"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    if request.param == "tcp":
        device = Scanner()
        server = await TcpServer(device).start()
        at = f"tcp://127.0.0.1:{server.port}"
        yield Place(device, lambda data: server.send(data), lambda **more: SerialDriver(described(at, **more)))
        await server.close()
    elif request.param == "pty":
        device = Scanner()
        pty = Pty(device)
        at = f"serial:{pty.path}?baud=115200"
        yield Place(device, pty.send, lambda **more: SerialDriver(described(at, **more)))
        pty.close()
    else:
        wire = ScannerLines()
        contact = DeviceContact(wire, wire.settle, lambda: False)
        await contact.start()

        def say(data: bytes) -> None:
            wire.say(data.decode().removesuffix("\r\n"))
            contact.refresh()

        at = "tcp://127.0.0.1:1"
        yield Place(wire.device, say, lambda **more: SerialDriver.direct(described(at, **more), contact))


@pytest.fixture
async def wired() -> AsyncIterator[Place]:
    device = Scanner()
    pty = Pty(device)
    yield Place(device, pty.send, lambda **more: SerialDriver(described(f"serial:{pty.path}?baud=115200", **more)))
    pty.close()


async def test_what_comes_unasked_is_heard_at_once(place: Place, link: RecordingLink) -> None:
    async with Running(place.driver(), link):
        await link.value("temp", 23.5)
        assert "code" not in link.last
        place.say(b"CODE 4711\r\n")
        sample = await link.value("code", "4711")
        place.say(b"BUTTON DOWN\r\n")
        await link.value("pressed", True)
        place.say(b"BUTTON UP\r\n")
        await link.value("pressed", False)
    assert sample.quality is Quality.GOOD
    assert sample.time_ns > 0


async def test_the_same_again_is_a_new_sample(place: Place, link: RecordingLink) -> None:
    async with Running(place.driver(), link):
        place.say(b"CODE 1\r\n")
        first = await link.value("code", "1")
        place.say(b"CODE 1\r\n")
        await until(lambda: link.last["code"].time_ns > first.time_ns)


async def test_what_a_scanner_says_when_it_read_nothing_is_bad(place: Place, link: RecordingLink) -> None:
    async with Running(place.driver(), link):
        place.say(b"CODE ERROR\r\n")
        await until(lambda: "code" in link.last)
    assert link.last["code"].quality is Quality.BAD


async def test_an_event_between_question_and_answer_is_heard_and_is_no_answer(
    wired: Place, link: RecordingLink
) -> None:
    """`word` takes any line for its answer, but not one that is told unasked."""
    points = {"word": POINTS["word"], "code": CODE}
    async with Running(wired.driver(points=points), link):
        for number in range(5):
            wired.device.before = f"CODE {number}\r\n".encode()
            await link.value("code", str(number))
    assert {sample.value for sample in link.samples if sample.signal == "dev.word"} == {"WORD abc"}


async def test_an_event_in_two_parts_around_a_question_is_heard_as_a_whole(wired: Place, link: RecordingLink) -> None:
    async with Running(wired.driver(), link):
        await link.value("temp", 23.5)
        wired.device.before = b"56\r\n"
        wired.say(b"CODE 1234")
        await link.value("code", "123456")


async def test_a_line_that_broke_off_is_not_the_beginning_of_a_later_one(wired: Place, link: RecordingLink) -> None:
    points = {"code": replace(CODE, options={"hear": "(?P<value>[A-Z0-9]+)"})}
    async with Running(wired.driver(points=points), link):
        wired.say(b"BROKEN")
        await asyncio.sleep(0.25)  # longer than the time-out
        wired.say(b"CODE12")
        await asyncio.sleep(0.05)  # not so long
        wired.say(b"3\r\n")
        await link.value("code", "CODE123")
    assert [sample.value for sample in link.samples] == ["CODE123"]


async def test_what_is_left_of_a_line_after_silence_is_not_the_beginning_of_an_answer(
    wired: Place, link: RecordingLink
) -> None:
    points = {"temp": POINTS["temp"], "code": replace(CODE, options={"hear": "(?P<value>X.*)"})}
    settings = {**SETTINGS, "silence": "is a state"}
    commands = {"quiet": Command("quiet", CommandClass.LEVEL, 10**9, {"ask": "QUIET?", "reply": "Y"})}
    async with Running(wired.driver(points=points, settings=settings, commands=commands), link):
        wired.device.before = b"XTRA"
        answer = await link.answer(link.call("quiet"))
        assert answer.outcome is Outcome.UNKNOWN
        before = len(link.samples)
        await until(lambda: len(link.samples) > before)
    assert "code" not in link.last
    assert link.last["temp"].quality is Quality.GOOD


async def test_an_event_between_the_lines_of_an_answer_is_heard_and_disturbs_nothing(
    wired: Place, link: RecordingLink
) -> None:
    commands = {"status": Command("status", CommandClass.LEVEL, 10**9, STATUS)}
    async with Running(wired.driver(points={"code": CODE}, commands=commands), link):
        wired.device.before = b"A\r\nB\r\nCODE 5\r\n"
        assert (await link.answer(link.call("status"))).result == {"last": "abc"}
        await link.value("code", "5")


async def test_an_answer_that_fits_a_signal_is_heard_too(place: Place, link: RecordingLink) -> None:
    async with Running(place.driver(), link):
        answer = await link.answer(link.call("scan"))
        assert (answer.outcome, answer.result) == (Outcome.CONFIRMED, {"code": "scanned"})
        await link.value("code", "scanned")


async def test_foreign_lines_are_not_believed(place: Place, link: RecordingLink) -> None:
    async with Running(place.driver(), link) as running:
        await link.value("temp", 23.5)
        for line in (b"CODE\r\n", b"CODE 1 2\r\n", b" CODE 1\r\n", b"TEMP99\r\n", b"ERR 2\r\n"):
            place.say(line)
        place.say(b"CODE last\r\n")
        await link.value("code", "last")
        await asyncio.sleep(0.1)
        assert not running.task.done()
    assert [sample.value for sample in link.samples if sample.signal == "dev.code"] == ["last"]
    assert {sample.value for sample in link.samples if sample.signal == "dev.temp"} == {23.5}


async def test_a_refusal_that_fits_a_signal_is_heard_too(place: Place, link: RecordingLink) -> None:
    """A robot tells the errors of its motions whenever they happen, and that may be while a question is open."""
    fault = Point(Signal("dev.fault", "int"), options={"hear": r"ERR (?P<value>\d+)"})
    commands = {"bad": Command("bad", CommandClass.LEVEL, 10**9, {"ask": "NOTHING"})}
    made = place.driver(points={"fault": fault}, commands=commands)
    async with Running(made, link):
        assert (await link.answer(link.call("bad"))).outcome is Outcome.REFUSED
        await link.value("fault", 2)
        place.say(b"ERR 7\r\n")
        await link.value("fault", 7)


async def test_what_is_said_to_a_line_without_an_answer_is_heard(place: Place, link: RecordingLink) -> None:
    beat = Point(Signal("dev.beat", "text"), options={"hear": "(?P<value>OK)"})
    commands = {"beat": Command("beat", CommandClass.LEVEL, 10**9, {"send": "BEAT"})}
    async with Running(place.driver(points={"beat": beat}, commands=commands), link):
        await link.answer(link.call("beat"))
        await link.value("beat", "OK")


async def test_the_end_of_a_line_that_is_too_long_is_no_line(wired: Place, link: RecordingLink) -> None:
    async with Running(wired.driver(points={"code": CODE}), link):
        for _ in range(5):
            wired.say(b"x" * 1000)
            await asyncio.sleep(0.01)
        wired.say(b"CODE 1\r\n")
        wired.say(b"CODE 2\r\n")
        await link.value("code", "2")
    assert [sample.value for sample in link.samples] == ["2"]


async def test_a_flood_of_events_stops_neither_questions_nor_orders(wired: Place, link: RecordingLink) -> None:
    async with Running(wired.driver(), link):
        for number in range(200):
            wired.say(b"CODE %d\r\nnoise\r\n" % number)
            if number % 20 == 0:
                await asyncio.sleep(0.005)
        await link.value("code", "199")
        assert (await link.answer(link.call("move", to=12))).outcome is Outcome.CONFIRMED
    assert len([sample for sample in link.samples if sample.signal == "dev.temp"]) > 1
    assert wired.device.seen.index(b"SET 12\r\n") + 1 == wired.device.seen.index(b"BEAT\r\n")


async def test_nothing_is_heard_of_another_device(wired: Place, link: RecordingLink) -> None:
    """The link of these tests takes no sample before the device is identified."""
    wired.device.before = b"CODE early\r\n"
    identify = {"ask": "*IDN?", "expect": "FRIDGE,.*"}
    async with Running(wired.driver(identify=identify), link) as running:
        wired.say(b"CODE late\r\n")
        error = await running.ended()
    assert isinstance(error, WrongDevice)
    assert "OVEN,1" in str(error)
    assert link.samples == []


@pytest.mark.parametrize("early", [True, False])
async def test_a_device_that_greets_is_known_by_its_greeting(link: RecordingLink, early: bool) -> None:
    for expect, right in (("OVEN of .*", True), ("FRIDGE.*", False)):
        link.ups.clear()
        server = await _greeting(b"OVEN of the tests\r\n", early=early)
        at = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with Running(SerialDriver(described(at, points={}, identify={"expect": expect})), link) as running:
            assert link.ups == (["OVEN of the tests"] if right else [])
            assert running.task.done() is not right
            assert right or isinstance(running.task.exception(), WrongDevice)
        server.close()


async def test_a_device_that_should_greet_and_does_not_is_given_up(link: RecordingLink) -> None:
    server = await _greeting(b"", early=True)
    at = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with Running(SerialDriver(described(at, identify={"expect": "OVEN.*"})), link) as running:
        assert isinstance(await running.ended(), DriverError)
    server.close()


async def _greeting(text: bytes, *, early: bool) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not early:
            writer.write(text[:4])
            await asyncio.sleep(0.03)
            writer.write(text[4:])
        else:
            writer.write(text)
        await reader.read(100)
        writer.transport.abort()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


async def test_a_greeting_without_a_wire(link: RecordingLink) -> None:
    wire = ScannerLines()
    contact = DeviceContact(wire, wire.settle, lambda: False)
    await contact.start()
    for expect, right in (("OVEN of .*", True), ("FRIDGE.*", False)):
        link.ups.clear()
        made = SerialDriver.direct(described("tcp://127.0.0.1:1", identify={"expect": expect}), contact)
        async with Running(made, link):
            assert bool(link.ups) is right


async def test_an_event_is_no_answer_without_a_wire_either(link: RecordingLink) -> None:
    wire = ScannerLines()
    contact = DeviceContact(wire, wire.settle, lambda: False)
    await contact.start()
    commands = {"late": Command("late", CommandClass.LEVEL, 10**9, {"ask": "LATE", "within": "2 s"})}
    async with Running(SerialDriver.direct(described("tcp://127.0.0.1:1", commands=commands), contact), link):
        order = link.call("late")
        await until(lambda: bool(wire.late))
        wire.say("CODE 1")
        contact.refresh()
        await link.value("code", "1")
        assert order not in link.answers
        wire.late[0].reply("done")
        contact.refresh()
        assert (await link.answer(order)).outcome is Outcome.CONFIRMED


async def test_what_is_said_while_nothing_passes_is_lost_without_a_wire_too(link: RecordingLink) -> None:
    wire = ScannerLines()
    contact = DeviceContact(wire, wire.settle, lambda: False)
    await contact.start()
    async with Running(SerialDriver.direct(described("serial:/dev/x"), contact), link):
        contact.suffer("mute")
        wire.say("CODE 1")
        contact.refresh()
        contact.suffer("")
        wire.say("CODE 2")
        contact.refresh()
        await link.value("code", "2")
    assert [sample.value for sample in link.samples if sample.signal == "dev.code"] == ["2"]
    assert all("dev.code" not in (confirmed or ()) for confirmed in link.confirmed), "silence does not keep it young"


def test_what_golden_vectors_say_of_lines_that_come_unasked() -> None:
    driver = SerialDriver(described("tcp://127.0.0.1:1"))
    assert driver.meaning("code", ["HELLO", "CODE 12"]).value == "12"
    with pytest.raises(ValueError, match="code hears"):
        driver.meaning("code", ["HELLO"])


def test_a_pattern_to_hear_needs_its_group() -> None:
    points = {"code": replace(CODE, options={"hear": "CODE .*"})}
    with pytest.raises(AddressError, match="group") as error:
        SerialDriver(described("tcp://127.0.0.1:1", points=points))
    assert error.value.where == ("signals", "code", "hear")
