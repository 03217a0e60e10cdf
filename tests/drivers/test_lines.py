"""The line driver: what is an answer, what is none, and the devices of the cell that speak in lines."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from cellctl.driver import Command, CommandClass, Device, DriverError, Outcome, Point, Quality, Signal
from cellctl_drivers.serial import SerialDriver
from cellctl_drivers.serial.conversation import Answers
from cellctl_drivers.serial.framing import Framer
from cellctl_drivers.serial.profile import Profile
from cellctl_drivers.serial.session import taker
from cellctl_drivers.serial.templates import parse_reply
from cellctl_drivers.wire.orders import RefusalError, SilenceError

from .profiles import OF_THE_CELL, device
from .recording import RecordingLink, Running, until
from .rigs import LINE_GO, LINE_POINTS, LINE_SETTINGS
from .servers import LineDevice, Pty, TcpServer

OVEN = Profile(Device("dev", "serial", "tcp://127.0.0.1:1", {}, settings=LINE_SETTINGS))


def took(pattern: str, received: bytes, lines: int = 1) -> re.Match[str] | None:
    answers = Answers(OVEN, re.compile(pattern).fullmatch, lines)
    return taker(Framer(OVEN.line.framing), answers)(bytearray(received))


@pytest.mark.parametrize(
    ("received", "found"),
    [
        (b"PWR 5\r\n", "5"),
        (b"HELLO\r\nPWR 5\r\n", "5"),
        (b"\r\n\r\nPWR 5\r\nPWR 6\r\n", "5"),
        (b"PWR 5\r", None),
        (b"PWR x\r\n", None),
        (b"PWR\xe9 5\r\n", None),
        (b"", None),
    ],
)
def test_the_line_that_has_the_right_form_is_the_answer(received: bytes, found: str | None) -> None:
    match = took(r"PWR (?P<value>\d+)", received)
    assert (match["value"] if match else None) == found


def test_a_line_that_says_no_is_a_refusal_with_its_text() -> None:
    with pytest.raises(RefusalError, match=r"the value is out of range \(ERR 2\)"):
        took(".*", b"ERR 2\r\n")
    with pytest.raises(RefusalError, match=r"the device refuses \(ERR 99\)"):
        took(".*", b"ERR 99\r\n")


def test_a_line_without_end_is_no_answer() -> None:
    with pytest.raises(SilenceError):
        took(".*", b"x" * 5000)


@pytest.fixture
def oven() -> LineDevice:
    return LineDevice()


@pytest.mark.parametrize(
    ("text", "line", "groups"),
    [
        ("SHOT {token} PEAK (?P<peak>.+)", "SHOT 12 PEAK 3.5", {"peak": "3.5"}),
        ("SHOT {token} PEAK (?P<peak>.+)", "SHOT 1 PEAK 3.5", None),
        ("SHOT {token}(?P<rest>.*)", "SHOT 123", {"rest": "3"}),
        ("{token}", "12", {}),
        ("A{token}|B", "B", {}),  # here and below what stands before the place or after it is not plain
        ("(?P<word>SHOT|MISS) {token}", "MISS 12", {"word": "MISS"}),
        ("(?P<word>SHOT|MISS) {token}", "MISS 13", None),
        ("{token}+", "1222", {}),
        ("{token} of {token}", "12 of 12", {}),
        ("{token} of {token}", "12 of 13", None),
    ],
)
def test_a_value_in_a_reply_stands_for_itself(text: str, line: str, groups: dict[str, str] | None) -> None:
    match = parse_reply(text, ()).match({"token": 12})(line)
    assert (None if match is None else match.groupdict()) == groups


def test_a_value_in_a_reply_is_no_pattern() -> None:
    match = parse_reply("NAME {name} (?P<n>.)", ()).match({"name": "a.c"})
    assert match("NAME a.c 1")
    assert not match("NAME abc 1")


@pytest.fixture
async def server(oven: LineDevice) -> AsyncIterator[TcpServer]:
    server = await TcpServer(oven).start()
    yield server
    await server.close()


@pytest.fixture
async def pty(oven: LineDevice) -> AsyncIterator[Pty]:
    pty = Pty(oven)
    yield pty
    pty.close()


def driver(at: TcpServer | Pty, **more: object) -> SerialDriver:
    address = f"tcp:127.0.0.1:{at.port}" if isinstance(at, TcpServer) else f"serial:{at.path}?baud=115200"
    commands = {"go": Command("go", CommandClass.PULSE, 2_000_000_000, LINE_GO)}
    parts: dict[str, object] = {"commands": commands, "settings": LINE_SETTINGS, **more}
    return SerialDriver(Device("dev", "serial", address, points=parts.pop("points", LINE_POINTS), **parts))  # type: ignore[arg-type]


async def test_the_groups_of_a_reply_are_the_result(server: TcpServer, link: RecordingLink) -> None:
    async with Running(driver(server), link):
        answer = await link.answer(link.call("go", token=12))
    assert (answer.outcome, answer.result) == (Outcome.CONFIRMED, {"peak": 12.5})


async def test_the_answer_to_another_token_is_none(server: TcpServer, oven: LineDevice, link: RecordingLink) -> None:
    async with Running(driver(server), link) as running:
        await link.value("count", 42)
        right = oven._answer
        oven._answer = lambda text: "WENT 11 PEAK 12.5" if text.startswith("GO") else right(text)  # type: ignore[method-assign]
        answer = await link.answer(link.call("go", token=12))
        await running.ended(0.5)
    assert answer.outcome is Outcome.UNKNOWN


async def test_an_argument_that_is_missing_or_wrong_is_not_sent(server: TcpServer, link: RecordingLink) -> None:
    commands = {"heat": Command("heat", CommandClass.LEVEL, 10**9, {"ask": "SET {to:.0f}"})}
    async with Running(driver(server, commands=commands), link):
        missing = await link.answer(link.call("heat"))
        wrong = await link.answer(link.call("heat", to="hot"))
        right = await link.answer(link.call("heat", to=12.4))
    assert [missing.outcome, wrong.outcome] == [Outcome.NOT_SENT] * 2
    assert right.outcome is Outcome.CONFIRMED
    assert "'to' is missing" in missing.reason


async def test_what_means_something_to_the_device_is_not_let_in(
    server: TcpServer, oven: LineDevice, link: RecordingLink
) -> None:
    commands = {"print": Command("print", CommandClass.PULSE, 10**9, {"send": "^XA^FD{text}^FS^XZ"})}
    points = {"word": Point(Signal("dev.word", "text", writable=True), "WORD?", "WORD {value}")}
    made = driver(server, commands=commands, points=points, settings={**LINE_SETTINGS, "reserved": "^~"})
    async with Running(made, link):
        refused = await link.answer(link.call("print", text="A^XZ^XA^FDB"))
        also = await link.set("word", "~JA")
        assert (await link.answer(link.call("print", text="A-1"))).outcome is Outcome.CONFIRMED
        assert (await link.set("word", "A-1")).outcome is Outcome.CONFIRMED
    assert [refused.outcome, also.outcome] == [Outcome.REFUSED] * 2
    assert refused.reason == "text: '^' means something to the device"
    assert [request for request in oven.seen if b"^" in request] == [b"^XA^FDA-1^FS^XZ\r\n"]


async def test_signals_of_one_question_are_asked_once(server: TcpServer, oven: LineDevice, link: RecordingLink) -> None:
    oven.values["WORD"] = "7,closed"
    points = {
        "number": Point(Signal("dev.number", "int"), "WORD?", options={"reply": r"WORD (?P<value>\d+),\w+"}),
        "closed": Point(
            Signal("dev.closed", "bool"), "WORD?", options={"reply": r"WORD \d+,(?P<value>\w+)", "equals": "closed"}
        ),
        "whole": Point(Signal("dev.whole", "text"), "WORD?"),
    }
    async with Running(driver(server, points=points), link):
        await until(lambda: len(link.last) == 3)
    assert {name: sample.value for name, sample in link.last.items()} == {
        "number": 7,
        "closed": True,
        "whole": "WORD 7,closed",
    }
    asked = [request for request in oven.seen if request.startswith(b"WORD")]
    assert asked == [b"WORD?\r\n"] * 2, "once to hear whether anybody is there, once for the three"


async def test_a_device_without_an_identity_is_connected_when_it_answers(
    server: TcpServer, oven: LineDevice, link: RecordingLink
) -> None:
    oven.fault.silent = True
    async with Running(driver(server, points={"temp": LINE_POINTS["temp"]}), link) as running:
        assert isinstance(await running.ended(), DriverError)
    assert link.ups == []
    oven.fault.silent = False
    async with Running(driver(server, points={"temp": LINE_POINTS["temp"]}), link):
        await until(lambda: "temp" in link.last)
    assert link.ups == [""]


async def test_a_refused_question_makes_its_signal_bad_and_nothing_else(
    server: TcpServer, oven: LineDevice, link: RecordingLink
) -> None:
    del oven.values["TEMP"]
    async with Running(driver(server), link) as running:
        await link.value("count", 42)
        await until(lambda: "temp" in link.last)
        assert not running.task.done()
    assert link.last["temp"].quality is Quality.BAD
    assert link.last["temp"].reason == "the value is out of range (ERR 2)"


async def test_the_watchdog_is_fed_while_orders_flood_in(
    server: TcpServer, oven: LineDevice, link: RecordingLink
) -> None:
    fed = {"ask": "BEAT", "reply": "OK", "every": "20 ms"}
    async with Running(driver(server, watchdog=fed), link):
        for token in range(1, 301):
            link.call("go", token=token)
        await until(lambda: len(oven.went) == 300)
        seen = [request for request in oven.seen if request.startswith((b"GO", b"BEAT"))]
        await asyncio.sleep(0.1)
    last = max(index for index, request in enumerate(seen) if request.startswith(b"GO"))
    beats = sum(request.startswith(b"BEAT") for request in seen[:last])
    assert beats >= 2
    assert oven.went == list(range(1, 301))


async def test_a_device_that_refuses_its_watchdog_is_given_up(server: TcpServer, link: RecordingLink) -> None:
    async with Running(driver(server, watchdog={"ask": "NOBEAT", "every": "20 ms"}), link) as running:
        error = await running.ended(0.5)
    assert isinstance(error, DriverError)
    assert "does not take its watchdog" in str(error)


async def test_a_late_answer_on_a_serial_port_is_never_taken_for_the_next(
    pty: Pty, oven: LineDevice, link: RecordingLink
) -> None:
    """The values have no names here, so that only the time tells an answer from another."""
    oven.values |= {"A": "1", "B": "2"}
    oven._answer = lambda text: oven.values[text.rstrip("?")]  # type: ignore[method-assign]
    points = {name: Point(Signal(f"dev.{name}", "int"), f"{name.upper()}?", every_ns=20_000_000) for name in ("a", "b")}
    async with Running(driver(pty, points=points), link) as running:
        for delay_s in (0.11, 0.13, 0.15):
            oven.fault.delays_s = [delay_s, 0.07]
            await asyncio.sleep(0.4)
        assert not running.task.done()
    assert {(sample.signal, sample.value) for sample in link.samples} == {("dev.a", 1), ("dev.b", 2)}


async def test_an_unplugged_port_is_noticed_at_once(pty: Pty, link: RecordingLink) -> None:
    async with Running(driver(pty), link) as running:
        await link.value("count", 42)
        pty.close()
        error = await running.ended(0.1)
    assert "the connection to dev was lost" in str(error)


async def test_a_port_that_somebody_else_uses_is_told(pty: Pty, link: RecordingLink) -> None:
    async with Running(driver(pty), link):
        second = RecordingLink()
        async with Running(driver(pty), second) as running:
            error = await running.ended()
    assert str(error).startswith(f"cannot reach dev at {pty.path}")


class Hipot(LineDevice):
    """The insulation tester of the cell: queries are answered, commands are not."""

    def respond(self, request: bytes) -> bytes:
        text = request.decode().strip()
        answers = {"*IDN?": "EXAMPLE,HP500,7,1.0", "SOUR:VOLT?": self.values["VOLT"], "STAT?": "IDLE"}
        answers |= {"TEST:TOK?": "0", "FETC:RES?": "9.9e37"}
        if text.startswith("SOUR:VOLT "):
            self.values["VOLT"] = text.split()[1]
        return (answers[text] + "\n").encode() if text in answers else b""

    def request_size(self, data: bytes) -> int:
        return data.find(b"\n") + 1


@pytest.fixture
def hipot() -> Hipot:
    made = Hipot()
    made.values["VOLT"] = "0"
    return made


async def test_the_hipot_tester_of_the_cell(hipot: Hipot, link: RecordingLink) -> None:
    server = await TcpServer(hipot).start()
    made = SerialDriver(device(OF_THE_CELL / "hp500-hipot.yaml", f"tcp://127.0.0.1:{server.port}"))
    try:
        async with Running(made, link):
            assert link.ups == ["EXAMPLE,HP500,7,1.0"]
            assert (await link.set("voltage", 500.0)).outcome is Outcome.CONFIRMED
            assert (await link.answer(link.call("measure", token=3, time=2.0))).outcome is Outcome.CONFIRMED
            assert (await link.answer(link.call("off"))).outcome is Outcome.CONFIRMED
            await until(lambda: "resistance" in link.last)
    finally:
        await server.close()
    assert link.last["resistance"].quality is Quality.BAD
    assert b"TEST:STAR 3,2.0\n" in hipot.seen
    assert b"OUTP OFF\n" in hipot.seen
