"""Lines that are heard and have to be answered, and what is said at each connect: over real wires and without one."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from cellctl.driver import AddressError, Command, CommandClass, Device, Driver, DriverError, Outcome, Point, Signal
from cellctl_drivers.serial import SerialDriver
from cellctl_simulators.servers.contact import DeviceContact
from cellctl_simulators.wire import Lines

from .recording import RecordingLink, Running, until
from .servers import Device as FarEnd
from .servers import Pty, TcpServer

RESULT = r"RESULT (?P<number>\d+) (?P<value>[\d.]+)"
POINTS = {
    "torque": Point(Signal("dev.torque", "float"), options={"hear": RESULT, "answer": "ACK {number}"}),
    "number": Point(
        Signal("dev.number", "int"), options={"hear": r"RESULT (?P<value>\d+) [\d.]+", "answer": "ACK {value}"}
    ),
    "note": Point(Signal("dev.note", "text"), options={"hear": "NOTE (?P<value>.+)"}),
    "alive": Point(Signal("dev.alive", "text"), "ALIVE?", every_ns=20_000_000, options={"reply": "(?P<value>YES)"}),
}
SLOW = Command("slow", CommandClass.LEVEL, 10**9, {"ask": "SLOW", "reply": "DONE", "within": "1 s"})
SETTINGS = {
    "end": "\r\n",
    "timeout": "150 ms",
    "error": "NO (?P<code>.*)",
    "prepare": [{"ask": "HELLO", "reply": "WELCOME"}, {"send": "QUIETLY"}, {"ask": "SUBSCRIBE", "reply": "SUBSCRIBED"}],
}


class Tool:
    """A screwdriver that tells its next result when the last one was acknowledged, and none before it is asked to."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.results: list[str] = []
        self.open = ""  # what is not acknowledged yet
        self.welcome = "WELCOME"

    def answers(self, text: str) -> list[str]:
        self.heard.append(text)
        match text.split():
            case ["HELLO"]:
                return [self.welcome]
            case ["SUBSCRIBE"]:
                return ["SUBSCRIBED", *self.next()]
            case ["ACK", number] if self.open.startswith(f"RESULT {number} "):
                self.open = ""
                return self.next()
            case ["ALIVE?"]:
                return ["YES"]
            case ["SLOW"] if self.results:
                return self.next()
        return []

    def next(self) -> list[str]:
        if self.open or not self.results:
            return []
        self.open = self.results.pop(0)
        return [self.open]

    @property
    def acknowledged(self) -> list[str]:
        return [text for text in self.heard if text.startswith("ACK")]


class Wired(FarEnd):
    """The tool on a wire."""

    def __init__(self) -> None:
        super().__init__()
        self.tool = Tool()

    def request_size(self, data: bytes) -> int:
        return data.find(b"\r\n") + 2 if b"\r\n" in data else 0

    def respond(self, request: bytes) -> bytes:
        return b"".join(f"{line}\r\n".encode() for line in self.tool.answers(request.decode().strip()))


class Wireless(Lines):
    """The tool without one: what it says by itself goes to everybody."""

    def __init__(self) -> None:
        super().__init__()
        self.tool = Tool()
        self.contact = DeviceContact(self, self.settle, lambda: False)

    def settle(self) -> None:
        for ask in self.take():
            for line in self.tool.answers(ask.text):
                if line.startswith("RESULT"):
                    self.tell(line)
                else:
                    ask.reply(line)

    def tell(self, line: str) -> None:
        self.say(line)
        self.contact.refresh()


def described(at: str, **more: Any) -> Device:
    parts: dict[str, Any] = {"points": POINTS, "settings": SETTINGS, "commands": {"slow": SLOW}, **more}
    return Device("dev", "serial", at, **parts)


class Place:
    """A tool somewhere, what lets it say something by itself, and what makes its driver."""

    def __init__(self, tool: Tool, say: Callable[[str], None], made: Callable[..., Driver]) -> None:
        self.tool, self.say, self.driver = tool, say, made

    def tighten(self, *results: str) -> None:
        """There are new results."""
        self.tool.results += results
        for line in self.tool.next():
            self.say(line)


@pytest.fixture(params=["tcp", "pty", "direct"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    if request.param == "tcp":
        device = Wired()
        server = await TcpServer(device).start()
        at = f"tcp://127.0.0.1:{server.port}"
        say = lambda text: server.send(f"{text}\r\n".encode())  # noqa: E731
        yield Place(device.tool, say, lambda **more: SerialDriver(described(at, **more)))
        await server.close()
    elif request.param == "pty":
        device = Wired()
        pty = Pty(device)
        at = f"serial:{pty.path}?baud=115200"
        say = lambda text: pty.send(f"{text}\r\n".encode())  # noqa: E731
        yield Place(device.tool, say, lambda **more: SerialDriver(described(at, **more)))
        pty.close()
    else:
        wire = Wireless()
        await wire.contact.start()
        at = "tcp://127.0.0.1:1"
        yield Place(wire.tool, wire.tell, lambda **more: SerialDriver.direct(described(at, **more), wire.contact))


def told(link: RecordingLink, name: str) -> list[object]:
    return [sample.value for sample in link.samples if sample.signal == f"dev.{name}"]


async def test_what_is_heard_is_told_then_answered_and_brings_the_next(place: Place, link: RecordingLink) -> None:
    async with Running(place.driver(), link):
        await link.value("alive", "YES")
        place.tighten("RESULT 1 2.5", "RESULT 2 2.75", "RESULT 3 3.0")
        await link.value("number", 3)
        await until(lambda: len(place.tool.acknowledged) == 3)
    assert told(link, "torque") == [2.5, 2.75, 3.0]
    assert told(link, "number") == [1, 2, 3], "each once"
    assert place.tool.acknowledged == ["ACK 1", "ACK 2", "ACK 3"], "one answer for both signals"


async def test_what_needs_no_answer_gets_none(place: Place, link: RecordingLink) -> None:
    async with Running(place.driver(), link):
        place.say("NOTE hello")
        await link.value("note", "hello")
        place.say("RESULT x")
        await asyncio.sleep(0.03)
    assert place.tool.acknowledged == []


async def test_a_result_between_a_question_and_its_answer_is_answered_at_once(
    place: Place, link: RecordingLink
) -> None:
    """The tool says DONE only when its result was acknowledged: whoever waits for his turn to do so waits in vain."""
    async with Running(place.driver(), link):
        await link.value("alive", "YES")
        place.tool.results += ["RESULT 7 1.5"]
        order = link.call("slow")
        await until(lambda: place.tool.acknowledged == ["ACK 7"])
        assert order not in link.answers
        place.say("DONE")
        assert (await link.answer(order)).outcome is Outcome.CONFIRMED


async def test_each_connection_is_prepared_in_order(place: Place) -> None:
    driver = place.driver()
    for link in (RecordingLink(), RecordingLink()):
        place.tool.heard.clear()
        async with Running(driver, link):
            await link.value("alive", "YES")
        assert place.tool.heard[:4] == ["ALIVE?", "HELLO", "QUIETLY", "SUBSCRIBE"]


async def test_what_comes_while_it_is_prepared_is_told_and_answered_after_that(
    place: Place, link: RecordingLink
) -> None:
    """The link of these tests takes no sample before it is up."""
    place.tool.results += ["RESULT 1 2.5", "RESULT 2 2.75"]
    async with Running(place.driver(), link):
        await link.value("number", 2)
    assert told(link, "torque") == [2.5, 2.75]
    assert place.tool.acknowledged == ["ACK 1", "ACK 2"]


async def test_nothing_is_prepared_or_answered_at_another_device(place: Place, link: RecordingLink) -> None:
    identify = {"ask": "ALIVE?", "expect": "NO"}
    async with Running(place.driver(identify=identify), link) as running:
        place.say("RESULT 1 2.5")
        await running.ended()
    assert place.tool.heard == ["ALIVE?"]
    assert link.samples == []


@pytest.mark.parametrize(("answer", "words"), [("NO access", "cannot be made ready"), ("WHAT", "no answer")])
async def test_a_device_that_cannot_be_prepared_is_not_up(
    place: Place, link: RecordingLink, answer: str, words: str
) -> None:
    place.tool.welcome = answer
    async with Running(place.driver(), link) as running:
        error = await running.ended()
    assert isinstance(error, DriverError)
    assert words in str(error)
    assert link.ups == []


async def test_an_answer_that_cannot_be_sent_is_not_sent(place: Place, link: RecordingLink) -> None:
    hear = {"hear": r"(?s:N(?P<a>.*) (?P<value>\d+))", "answer": "A{a}"}
    async with Running(place.driver(points={"n": Point(Signal("dev.n", "int"), options=hear)}), link):
        place.say("N\x07 5")
        await link.value("n", 5)
        place.say("Nx 6")
        await until(lambda: "Ax" in place.tool.heard)
    assert [text for text in place.tool.heard if text.startswith("A")] == ["Ax"]


ANSWER = ("signals", "x", "answer")
BAD = [
    ({}, {"hear": "(?P<value>.)", "answer": "ACK {other}"}, ANSWER, "other"),
    ({}, {"hear": "(?P<value>.)", "answer": "ACK {value"}, ANSWER, "filled in"),
    ({}, {"hear": "(?P<value>.)", "answer": "A\x00"}, ANSWER, "printable"),
    ({}, {"answer": "ACK"}, ANSWER, "`hear` is missing"),
    ({"prepare": "HELLO"}, {}, ("line", "prepare"), "write {ask"),
    ({"prepare": [{"ask": "A", "send": "B"}]}, {}, ("line", "prepare", 0, "ask"), "either"),
    ({"prepare": [{"ask": "A"}, {}]}, {}, ("line", "prepare", 1, "ask"), "either"),
    ({"prepare": [{"ask": "A {token}"}]}, {}, ("line", "prepare", 0), "nobody"),
    ({"prepare": [{"ask": "A\x07"}]}, {}, ("line", "prepare", 0), "printable"),
    ({"prepare": [{"ask": "A", "reply": "("}]}, {}, ("line", "prepare", 0, "reply"), "no pattern|not a pattern"),
    ({"prepare": [{"ask": "A", "after": 1}]}, {}, ("line", "prepare", 0, "after"), "not known"),
]


@pytest.mark.parametrize(("settings", "options", "where", "words"), BAD)
def test_what_cannot_be_answered_or_prepared_is_told(
    settings: dict[str, object], options: dict[str, object], where: tuple[str, ...], words: str
) -> None:
    points = {"x": Point(Signal("dev.x", "text"), None if "hear" in options else "X?", options=options)}
    with pytest.raises(AddressError, match=words) as error:
        SerialDriver(Device("dev", "serial", "tcp://127.0.0.1:1", points, settings=settings))
    assert error.value.where == where
