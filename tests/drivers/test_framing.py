"""Lines and frames: what is whole, what is passed over, and answers of several lines, over every kind of wire."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio

import pytest

from cellctl.driver import AddressError, Command, CommandClass, Device, Outcome, Point, Signal
from cellctl_drivers.serial import SerialDriver
from cellctl_drivers.serial.framing import LINE_BYTES_MAX, Framer, Framing
from cellctl_drivers.wire.orders import SilenceError
from cellctl_simulators.servers.contact import DeviceContact
from cellctl_simulators.wire import Lines

from .recording import RecordingLink, Running
from .servers import Device as FarEnd
from .servers import LineDevice, Pty, TcpServer

STX = Framing(b"\x03", b"\x02")
CRLF = Framing(b"\r\n")
WIDE = Framing(b">>", b"<<")


def cut(framing: Framing, *received: bytes) -> tuple[list[str], Framer]:
    framer, buffer, lines = Framer(framing), bytearray(), []
    for data in received:
        buffer += data
        while (text := framer.next(buffer)) is not None:
            lines.append(text)
    return lines, framer


FRAMES = [
    (STX, b"\x02A\x03\x02B\x03", ["A", "B"], 0),
    (STX, b"\x02A\x03\r\n\x02B\x03\r\n", ["A", "B"], 0),
    (STX, b"noise\x02A\x03 more\x02B\x03", ["A", "B"], 9),
    (STX, b"\x02lost\x02A\x03", ["A"], 4),
    (STX, b"A\x03B\x03", [], 4),
    (STX, b"\x02\x03\x02A", [""], 0),
    (CRLF, b"A\r\nB\r\nC", ["A", "B"], 0),
    (CRLF, b"A\rB\r\n", ["A\rB"], 0),
    (Framing(b"\0"), b"[1][x]\0[2][]\0", ["[1][x]", "[2][]"], 0),
    (Framing(b"\r"), b"OK\rER\r", ["OK", "ER"], 0),
    (WIDE, b"x<<A>><<B>>", ["A", "B"], 1),
    (WIDE, b"<a<<A>b>>", ["A>b"], 2),
]


@pytest.mark.parametrize(("framing", "received", "lines", "loose"), FRAMES)
def test_only_what_is_whole_is_a_line(framing: Framing, received: bytes, lines: list[str], loose: int) -> None:
    whole, framer = cut(framing, received)
    assert (whole, framer.strays.loose_bytes) == (lines, loose)
    in_bytes, framer = cut(framing, *(received[i : i + 1] for i in range(len(received))))
    assert (in_bytes, framer.strays.loose_bytes) == (lines, loose)


@pytest.mark.parametrize("framing", [STX, CRLF])
def test_a_line_that_is_too_long_is_passed_over_to_its_end(framing: Framing) -> None:
    framer, buffer = Framer(framing), bytearray(framing.start + b"x" * LINE_BYTES_MAX + b"12")
    with pytest.raises(SilenceError, match="no line end"):
        framer.next(buffer)
    assert len(buffer) < 4
    buffer += b"34" + framing.end + framing.start + b"A" + framing.end
    assert framer.next(buffer) == "A", "the rest of a line is no line"
    assert framer.strays.endless == 1


def test_what_is_never_a_frame_does_not_pile_up() -> None:
    framer, buffer = Framer(STX), bytearray()
    for _ in range(100):
        buffer += b"x" * 1000
        assert framer.next(buffer) is None
        assert not buffer
    assert framer.strays.loose_bytes == 100_000


STATUS = ["030,{paper:d},0,1245,000,0,0,0,000,0,0,0", "001,0,0,1,0,2,4,0,00000000,1,000", "1234,0"]
SETTINGS = {"start": "\x02", "end": "\x03", "send_start": "", "send_end": "\r\n", "timeout": "100 ms"}
POINTS = {
    "paper_out": Point(
        Signal("dev.paper_out", "bool"),
        "~HS",
        every_ns=20_000_000,
        options={"lines": 3, "reply": r"\d{3},(?P<value>[01]),(?s:.*)"},
    ),
    "head_open": Point(
        Signal("dev.head_open", "bool"),
        "~HS",
        every_ns=20_000_000,
        options={"lines": 3, "reply": r"[^\n]*\n\d{3},\d,(?P<value>[01]),(?s:.*)"},
    ),
}
ASK = Command(
    "ask",
    CommandClass.LEVEL,
    10**9,
    {"ask": "~HS", "lines": 3, "reply": r"[^\n]*\n[^\n]*\n(?P<password>\d+),(?P<ram>\d)"},
)


class Printer(FarEnd):
    """A label printer: its status is three frames, and nothing comes without a question."""

    def __init__(self) -> None:
        super().__init__()
        self.paper_out = False
        self.noise = b""
        self.frames = 3

    def request_size(self, data: bytes) -> int:
        return data.find(b"\r\n") + 2 if b"\r\n" in data else 0

    def respond(self, request: bytes) -> bytes:
        lines = [line.format(paper=self.paper_out).encode() for line in STATUS[: self.frames]]
        return self.noise + b"".join(b"\x02" + line + b"\x03\r\n" for line in lines)


class PrinterLines(Lines):
    """The same without a wire."""

    def __init__(self) -> None:
        super().__init__()
        self.paper_out = False

    def settle(self) -> None:
        for ask in self.take():
            for line in STATUS if ask.text == "~HS" else ():
                ask.reply(line.format(paper=self.paper_out))


def described(at: str) -> Device:
    return Device("dev", "serial", at, POINTS, {"ask": ASK}, SETTINGS)


@pytest.fixture(params=["tcp", "pty"])
async def printer(request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]
    """The printer and its driver."""
    device = Printer()
    if request.param == "tcp":
        server = await TcpServer(device).start()
        yield device, SerialDriver(described(f"tcp://127.0.0.1:{server.port}"))
        await server.close()
    else:
        pty = Pty(device)
        yield device, SerialDriver(described(f"serial:{pty.path}?baud=115200"))
        pty.close()


async def test_an_answer_of_three_frames(printer: tuple[Printer, SerialDriver], link: RecordingLink) -> None:
    device, driver = printer
    device.noise = b"\xff\x00"  # between the frames, where it harms nobody
    async with Running(driver, link):
        await link.value("head_open", False)
        device.paper_out = True
        await link.value("paper_out", True)
        answer = await link.answer(link.call("ask"))
    assert answer.result == {"password": 1234, "ram": 0}
    assert set(device.seen) == {b"~HS\r\n"}, "what is sent has no signs around it"


async def test_two_frames_of_three_are_no_answer(printer: tuple[Printer, SerialDriver], link: RecordingLink) -> None:
    device, driver = printer
    async with Running(driver, link) as running:
        await link.value("paper_out", False)
        device.frames, device.paper_out = 2, True
        answer = await link.answer(link.call("ask"))
        await running.ended(2)
    assert answer.outcome is Outcome.UNKNOWN
    assert link.last["paper_out"].value is False


async def test_a_frame_too_many_is_passed_over(printer: tuple[Printer, SerialDriver], link: RecordingLink) -> None:
    device, driver = printer
    device.noise = b"\x02left over\x03"
    async with Running(driver, link):
        assert (await link.answer(link.call("ask"))).result == {"password": 1234, "ram": 0}


async def test_a_line_without_end_is_over_after_the_silence(link: RecordingLink) -> None:
    device = LineDevice()
    pty = Pty(device)
    points = {
        "temp": Point(
            Signal("dev.temp", "float"), "TEMP?", every_ns=20_000_000, options={"reply": r"TEMP (?P<value>.+)"}
        )
    }
    made = SerialDriver(
        Device("dev", "serial", f"serial:{pty.path}", points, settings={"end": "\r\n", "timeout": "80 ms"})
    )
    async with Running(made, link) as running:
        await link.value("temp", 23.5)
        device.values["TEMP"] = "24.5"
        device.fault.garbage = [b"x" * 2000]
        await asyncio.sleep(0.03)
        pty.send(b"x" * 2500)
        await link.value("temp", 24.5)
        assert not running.task.done()
    pty.close()


async def test_an_answer_of_three_lines_without_a_wire(link: RecordingLink) -> None:
    wire = PrinterLines()
    contact = DeviceContact(wire, wire.settle, lambda: False)
    await contact.start()
    async with Running(SerialDriver.direct(described("tcp://127.0.0.1:1"), contact), link):
        await link.value("head_open", False)
        wire.paper_out = True
        contact.refresh()
        await link.value("paper_out", True)
        assert (await link.answer(link.call("ask"))).result == {"password": 1234, "ram": 0}


def test_what_golden_vectors_say_of_several_lines() -> None:
    driver = SerialDriver(described("tcp://127.0.0.1:1"))
    lines = [line.format(paper=True) for line in STATUS]
    assert driver.meaning("paper_out", lines).value is True
    with pytest.raises(ValueError, match="no line here is an answer"):
        driver.meaning("paper_out", lines[:2])


@pytest.mark.parametrize(
    ("settings", "options", "where"),
    [
        ({"end": ""}, {}, ("line", "end")),
        ({"start": "€"}, {}, ("line", "start")),
        ({}, {"lines": 0}, ("signals", "x", "lines")),
        ({}, {"lines": 33}, ("signals", "x", "lines")),
    ],
)
def test_what_cannot_be_a_frame_is_told(
    settings: dict[str, object], options: dict[str, object], where: tuple[str, ...]
) -> None:
    points = {"x": Point(Signal("dev.x", "int"), "X?", options=options)}
    with pytest.raises(AddressError) as error:
        SerialDriver(Device("dev", "serial", "tcp://127.0.0.1:1", points, settings=settings))
    assert error.value.where == where
