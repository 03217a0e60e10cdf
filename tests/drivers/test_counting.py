"""Lines that say how long they are: what is whole, what is passed over, and where the next one begins."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellctl.driver import AddressError, Command, CommandClass, Device, DriverError, Outcome, Point, Signal
from cellctl_drivers.serial import SerialDriver
from cellctl_drivers.serial.counting import framer_of
from cellctl_drivers.serial.framing import LINE_BYTES_MAX, Framer, Framing, Length, Strays
from cellctl_drivers.wire.orders import OrderError, SilenceError

from .recording import RecordingLink, Running, until
from .servers import Device as FarEnd
from .servers import Pty, TcpServer

NUL = Framing(b"\0", length=Length(0, 4))
BARE = Framing(b"", length=Length(2, 2, binary=True, more=4))
LOW = Framing(b"", length=Length(0, 2, binary=True, lsb=True))
SIGNED = Framing(b"", b"\x01", Length(1, 1, binary=True, more=2))


def framer(framing: Framing) -> Framer:
    return framer_of(framing, Strays())


def cut(framing: Framing, *received: bytes) -> tuple[list[str], int]:
    made, buffer, lines = framer(framing), bytearray(), []
    for data in received:
        buffer += data
        while (text := made.next(buffer)) is not None:
            lines.append(text)
    return lines, made.strays.loose_bytes


FRAMES = [
    (NUL, b"0006AB\x000005C\x00", ["AB", "C"], 0),
    (NUL, b"0004\x00", [""], 0),
    (NUL, b"0008A\x00BC\x000005D\x00", ["A\0BC", "D"], 0),
    (NUL, b"0006A", [], 0),
    (NUL, b"0006ABC\x000005D\x00", ["D"], 7),  # longer than it says
    (NUL, b"0x06AB\x000005D\x00", ["D"], 6),  # no number
    (NUL, b"0003\x000005D\x00", ["D"], 4),  # shorter than its own number
    (NUL, b"9999AB\x000005D\x00", ["D"], 6),  # longer than any line
    (BARE, b"ID\x00\x02ABID\x00\x00", ["IDAB", "ID"], 0),
    (LOW, b"\x04\x00AB\x03\x00C", ["AB", "C"], 0),
    (SIGNED, b"\x01Q\x03ABCnoise\x01R\x00", ["QABC", "R"], 5),
]


@pytest.mark.parametrize(("framing", "received", "lines", "loose"), FRAMES)
def test_only_what_is_whole_is_a_line(framing: Framing, received: bytes, lines: list[str], loose: int) -> None:
    assert cut(framing, received) == (lines, loose)
    assert cut(framing, *(received[i : i + 1] for i in range(len(received)))) == (lines, loose)


@given(st.lists(st.tuples(st.text("AB01", max_size=9), st.sampled_from([b"", b"x", b"0007", b"99A"]))), st.data())
def test_whatever_stands_between_lines_costs_at_most_the_next_one(
    told: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    """Noise before a line makes that line noise too; all others are found, however the bytes come in."""
    received, wanted = b"", []
    for text, noise in told:
        received += noise + NUL.around(text.encode())
        wanted += [] if noise else [text]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(received)), max_size=6)))
    parts = [received[at:to] for at, to in zip([0, *cuts], [*cuts, len(received)], strict=True)]
    lines, _ = cut(NUL, *parts)
    assert lines == wanted


def test_where_there_are_no_signs_only_silence_tells_where_a_line_begins() -> None:
    made, buffer = framer(Framing(b"", length=Length(0, 2))), bytearray(b"x1AB05C")
    with pytest.raises(SilenceError, match="how long it is"):
        made.next(buffer)
    assert not buffer
    buffer += b"04DE"
    assert made.next(buffer) == "DE"


def test_what_follows_no_sign_does_not_pile_up() -> None:
    made, buffer = framer(NUL), bytearray()
    for _ in range(10):
        buffer += b"x" * 1000
        assert made.next(buffer) is None
        assert len(buffer) < 2
    assert made.strays.loose_bytes >= 9_999
    buffer += b"\x000005A\x00"
    assert made.next(buffer) == "A"


@pytest.mark.parametrize(
    ("length", "line", "sent"),
    [
        (Length(0, 4), b"0001001", b"00110001001"),
        (Length(0, 4, more=1), b"AB", b"0005AB"),
        (Length(2, 2, binary=True, more=4), b"IDAB", b"ID\x00\x02AB"),
        (Length(2, 2, binary=True, lsb=True, more=4), b"IDAB", b"ID\x02\x00AB"),
        (Length(1, 1), b"A", b"A2"),
    ],
)
def test_the_length_is_put_into_what_is_sent(length: Length, line: bytes, sent: bytes) -> None:
    assert Framing(b"\0", b">", length).around(line) == b">" + sent + b"\0"


@pytest.mark.parametrize(
    ("length", "line"), [(Length(0, 1), b"A" * 9), (Length(3, 1), b"AB"), (Length(0, 1, more=9), b"A")]
)
def test_what_has_no_place_for_its_length_is_not_sent(length: Length, line: bytes) -> None:
    with pytest.raises(OrderError, match="does not fit"):
        length.put_in(line)


class Counter(FarEnd):
    """Counts; its lines begin with their length in two bytes, and end with nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 7

    def request_size(self, data: bytes) -> int:
        size = int.from_bytes(data[:2], "big") if len(data) > 1 else 0
        return size if size and len(data) >= size else 0

    def respond(self, request: bytes) -> bytes:
        text = request[2:].decode()
        if text.startswith("SET "):
            self.count = int(text[4:])
        body = f"COUNT {self.count}".encode()
        return (len(body) + 2).to_bytes(2, "big") + body


SETTINGS = {"length": {"bytes": 2}, "timeout": "150 ms"}
POINTS = {
    "count": Point(
        Signal("dev.count", "int"), "COUNT?", every_ns=20_000_000, options={"reply": r"COUNT (?P<value>\d+)"}
    )
}
SET = Command("set", CommandClass.LEVEL, 10**9, {"ask": "SET {to}", "reply": r"COUNT (?P<count>\d+)"})


def described(at: str, settings: Any = SETTINGS, points: Any = POINTS) -> Device:
    return Device("dev", "serial", at, points, {"set": SET}, settings)


@pytest.mark.parametrize("port", ["tcp", "pty"])
async def test_a_device_whose_lines_have_a_length_and_no_end(link: RecordingLink, port: str) -> None:
    device = Counter()
    server = await TcpServer(device).start() if port == "tcp" else Pty(device)
    at = f"tcp://127.0.0.1:{server.port}" if isinstance(server, TcpServer) else f"serial:{server.path}"
    async with Running(SerialDriver(described(at)), link):
        await link.value("count", 7)
        assert (await link.answer(link.call("set", to=31000))).result == {"count": 31000}
        await link.value("count", 31000)
        device.fault.garbage = [b"\x00\x01"]  # shorter than its own number
        if port == "pty":
            device.count = 8
            await link.value("count", 8)
    assert b"\x00\x0bSET 31000" in device.seen
    closed = server.close()
    if closed is not None:
        await closed


async def test_lost_count_ends_a_connection_that_can_be_made_anew(link: RecordingLink) -> None:
    device = Counter()
    server = await TcpServer(device).start()
    async with Running(SerialDriver(described(f"tcp://127.0.0.1:{server.port}")), link) as running:
        await link.value("count", 7)
        device.fault.garbage = [b"\x00\x01"]
        error = await running.ended()
    assert isinstance(error, DriverError)
    assert "how long it is" in str(error)
    await server.close()


async def test_a_line_in_two_parts_is_waited_for(link: RecordingLink) -> None:
    device = Counter()
    pty = Pty(device)
    async with Running(SerialDriver(described(f"serial:{pty.path}")), link):
        await link.value("count", 7)
        device.fault.garbage = [b"\x00\x09COU"]
        await until(lambda: not device.fault.garbage)
        await asyncio.sleep(0.02)
        pty.send(b"NT 9")
        await until(lambda: 9 in [sample.value for sample in link.samples])
    pty.close()


async def test_an_argument_that_makes_a_line_too_long_for_its_length_is_not_sent(link: RecordingLink) -> None:
    device = Counter()
    server = await TcpServer(device).start()
    driver = SerialDriver(described(f"tcp://127.0.0.1:{server.port}"))
    async with Running(driver, link):
        answer = await link.answer(link.call("set", to="9" * 70_000))
    assert answer.outcome is Outcome.NOT_SENT
    assert "length does not fit" in answer.reason
    await server.close()


BAD = [
    ({"length": 4}, {}, ("line", "length"), "where the length stands"),
    ({"length": {"at": 0}}, {}, ("line", "length"), "`digits`"),
    ({"length": {"digits": 4, "bytes": 2}}, {}, ("line", "length"), "`digits`"),
    ({"length": {"digits": 9}}, {}, ("line", "length", "digits"), "outside 1..8"),
    ({"length": {"bytes": 5}}, {}, ("line", "length", "bytes"), "outside 1..4"),
    ({"length": {"digits": 4, "at": -1}}, {}, ("line", "length", "at"), "outside 0..64"),
    ({"length": {"digits": 4, "at": 65}}, {}, ("line", "length", "at"), "outside 0..64"),
    ({"length": {"digits": 4, "more": "x"}}, {}, ("line", "length", "more"), "whole number"),
    ({"length": {"digits": 4, "byte_order": "lsb"}}, {}, ("line", "length", "byte_order"), "no byte order"),
    ({"length": {"bytes": 2, "byte_order": "big"}}, {}, ("line", "length", "byte_order"), "chosen"),
    ({"length": {"digits": 4, "size": 2}}, {}, ("line", "length", "size"), "not known"),
    ({"length": {"digits": 1}}, {}, ("signals", "x", "read"), "length does not fit"),
    ({"length": {"digits": 4, "at": 30}}, {}, ("signals", "x", "read"), "length does not fit"),
    ({"end": ""}, {}, ("line", "end"), "an end, or a length"),
]


@pytest.mark.parametrize(("settings", "options", "where", "words"), BAD)
def test_what_cannot_be_a_length_is_told(
    settings: dict[str, object], options: dict[str, object], where: tuple[str, ...], words: str
) -> None:
    points = {"x": Point(Signal("dev.x", "int"), "HOW MUCH IS IT?", options=options)}
    with pytest.raises(AddressError, match=words) as error:
        SerialDriver(Device("dev", "serial", "tcp://127.0.0.1:1", points, settings=settings))
    assert error.value.where == where


def test_no_line_is_longer_than_any() -> None:
    with pytest.raises(ValueError, match="no length of a line"):
        Length(0, 4).whole(b"%04d" % (LINE_BYTES_MAX + 1))
