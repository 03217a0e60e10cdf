"""A recording of the traffic of one device: what was sent and received, when, and for which order.

One line of JSON an entry, the first says what it is a recording of; bytes are text where they are text, else hex. So it
can be read, compared and kept beside a test. The rule kept here: whatever can be read of a file is used, and what
cannot is told in a sentence.
"""

import json
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

import cellctl
from cellctl.driver import Device

#: The version of the format, and the key that says it: a file without the key is no recording.
FORMAT, MARK = 1, "cellctl_traffic"

#: No line that cellctl writes is longer: a transport hands over 256 KiB at most, in hex.
LINE_BYTES_MAX = 1_000_000

_TEXT = re.compile(rb"[\t\r\n\x20-\x7e]+")


class TrafficError(Exception):
    """A recording cannot be read, written or replayed: a sentence for a person."""


class Event(StrEnum):
    """What can happen on the link of a device."""

    OPEN = "open"  # a connection stands
    TO_DEVICE = "to_device"
    FROM_DEVICE = "from_device"
    CLOSED = "closed"  # cellctl has ended the connection
    LOST = "lost"  # the device, or the line, has ended it
    ORDER = "order"  # the cell wants something of the driver
    DONE = "done"  # the driver has answered an order
    GAP = "gap"  # so many entries are missing here


BYTES = (Event.TO_DEVICE, Event.FROM_DEVICE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, `at_ns` after the recording was begun. Connections are counted from 1; `number` is the
    id of an order, or how many entries are missing."""

    at_ns: int
    event: Event
    connection: int = 0
    data: bytes = b""
    text: str = ""
    number: int = 0

    def line(self) -> str:
        """As it stands in the file, with the end of the line."""
        told: dict[str, object] = {"event": self.event.value}
        if self.connection:
            told["connection"] = self.connection
        if self.number:
            told["number"] = self.number
        if self.event in BYTES:
            told |= {"text": self.data.decode("ascii")} if is_text(self.data) else {"hex": self.data.hex()}
        elif self.text:
            told["text"] = self.text
        rest = json.dumps(told, ensure_ascii=False, separators=(", ", ": "))
        return f'{{"s": {self.at_ns / 1e9:.9f}, {rest[1:]}\n'


@dataclass(frozen=True, slots=True)
class Head:
    """What a recording is of. `address` is the kind of the address only (`modbus+rtu`), not where the device was;
    `begun` is a time UTC."""

    device: str
    protocol: str
    profile: str
    address: str
    begun: str
    simulated: bool = False
    product: str = f"cellctl {cellctl.__version__}"
    format: int = FORMAT

    def line(self) -> str:
        """As it stands in the file, with the end of the line."""
        told = asdict(self)
        return json.dumps({MARK: told.pop("format"), **told}, ensure_ascii=False) + "\n"


def head_of(device: Device, profile: str, begun_ns: int) -> Head:
    """The head of a recording of `device` that begins at a time, ns UTC."""
    begun = datetime.fromtimestamp(begun_ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    scheme = device.address.partition(":")[0]
    return Head(device.id, device.protocol, profile, scheme, begun, device.simulated)


def is_text(data: bytes) -> bool:
    """Whether bytes can be read as they are."""
    return _TEXT.fullmatch(data) is not None


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that was read, or made in a test. `notes` are sentences on what is wrong with it."""

    head: Head
    entries: Sequence[Entry]
    notes: tuple[str, ...] = ()
    path: Path = field(default=Path())

    @property
    def name(self) -> str:
        """How messages call it."""
        return str(self.path) if self.path != Path() else f"the recording of {self.head.device}"

    def save(self, path: Path | str) -> None:
        """Write it to a file, in place of one that is there."""
        Path(path).write_text(self.head.line() + "".join(entry.line() for entry in self.entries), encoding="utf-8")


def read_recording(path: Path | str) -> Recording:
    """The recording in a file, as far as it can be read; TrafficError if it is none, or cannot be opened."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = _head(path, file.readline(LINE_BYTES_MAX))
            entries, notes = _entries(file, head)
    except OSError as error:
        raise TrafficError(f"{path} cannot be read: {error.strerror or error}.") from error
    missing = sum(entry.number for entry in entries if entry.event is Event.GAP)
    if missing:
        notes.append(f"{missing} entries were left out when it was recorded.")
    return Recording(head, entries, tuple(notes), path)


def entry_of(line: bytes) -> Entry | None:
    """The entry of a line; None for what is none, or has an event that is not known."""
    told = _object(line) or {}
    try:
        event = Event(told["event"])
        text = str(told.get("text", ""))
        data = b""
        if event in BYTES:
            data, text = bytes.fromhex(told["hex"]) if "hex" in told else text.encode("latin-1"), ""
        at_ns = round(float(told["s"]) * 1e9)
        return Entry(at_ns, event, int(told.get("connection", 0)), data, text, int(told.get("number", 0)))
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


class Kept:
    """The entries of a test so far: the beginning, and from then on the last ones, so that it stays bounded."""

    def __init__(self, begin_max: int = 50_000, last_max: int = 150_000) -> None:
        self._begin: list[Entry] = []
        self._begin_max = begin_max
        self._last: deque[Entry] = deque(maxlen=last_max)
        self._count = 0

    def put(self, entry: Entry) -> None:
        """Keep one more."""
        self._count += 1
        (self._begin if len(self._begin) < self._begin_max else self._last).append(entry)

    def entries(self) -> list[Entry]:
        """What there is; a gap stands where entries were left out."""
        missing = self._count - len(self._begin) - len(self._last)
        gap = [Entry(self._last[0].at_ns, Event.GAP, number=missing)] if missing else []
        return [*self._begin, *gap, *self._last]


def _head(path: Path, line: bytes) -> Head:
    told = _object(line)
    if told is None or not isinstance(told.get(MARK), int):
        raise TrafficError(f"{path} is no recording of a device's traffic: its first line does not say so.")
    known = {name: told[name] for name in Head.__dataclass_fields__ if name in told and name != "format"}
    try:
        head = Head(**known, format=told[MARK])
    except TypeError as error:
        raise TrafficError(f"The first line of {path} does not say of which device it is: {error}.") from error
    for name in ("device", "protocol", "profile", "address", "begun", "product"):
        if not isinstance(getattr(head, name), str):
            raise TrafficError(f"The first line of {path} is wrong: {name!r} is not a text.")
    return head


def _entries(file: IO[bytes], head: Head) -> tuple[list[Entry], list[str]]:
    """The entries up to the first torn line; lines of another version that mean nothing here are passed over."""
    entries: list[Entry] = []
    notes: list[str] = []
    passed_over = 0
    for number, line in enumerate(_lines(file), start=2):
        if _object(line) is None:
            what = "cut off in" if not line.endswith(b"\n") else "damaged from"
            notes.append(f"It is {what} line {number}; what stands before is used.")
            break
        if (entry := entry_of(line)) is not None:
            entries.append(entry)
        elif head.format == FORMAT:
            notes.append(f"It is damaged from line {number}; what stands before is used.")
            break
        else:
            passed_over += 1
    if head.format != FORMAT:
        known = f"{len(entries)} of {len(entries) + passed_over} entries are understood and used"
        notes.insert(0, f"It has format {head.format} ({head.product}), this is format {FORMAT}: {known}.")
    return entries, notes


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(LINE_BYTES_MAX):
        yield line


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(line) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None
