"""Bytes that came in as lines, or as frames where a device puts its lines between two signs.

The rule kept here: only what is whole is a line. What stands between frames, what is too long and what nobody waits for
is passed over and counted, and never believed.
"""

import logging
from dataclasses import dataclass

from cellctl.driver import Outcome
from cellctl_drivers.wire.orders import OrderError, SilenceError

_logger = logging.getLogger(__name__)

#: No line of a device that speaks in lines is longer.
LINE_BYTES_MAX = 4096

#: What may stand between two frames without meaning anything.
_BETWEEN = b" \r\n\0"


@dataclass(frozen=True, slots=True)
class Length:
    """The number that a line carries of its own length: `size` bytes at `at`, as digits or `binary`, there with the low
    byte first if `lsb`. With `more` added to it, it counts all that stands between the signs, itself too."""

    at: int
    size: int
    binary: bool = False
    lsb: bool = False
    more: int = 0

    def whole(self, begun: bytes) -> int | None:
        """How long the line is that begins like this; None if that cannot be known yet, ValueError if it cannot be."""
        field = begun[self.at : self.at + self.size]
        if len(field) < self.size:
            return None
        if not self.binary and not field.isdigit():
            raise ValueError(f"{field.decode('latin-1')!r} is no length")
        count = int.from_bytes(field, "little" if self.lsb else "big") if self.binary else int(field)
        whole = count + self.more
        if not self.at + self.size <= whole <= LINE_BYTES_MAX:
            raise ValueError(f"{count} is no length of a line")
        return whole

    def taken_out(self, line: bytes) -> bytes:
        """The line without its number."""
        return line[: self.at] + line[self.at + self.size :]

    def put_in(self, line: bytes) -> bytes:
        """The line with its number; OrderError (not sent) if it has no place for it or is too long."""
        count = len(line) + self.size - self.more
        if len(line) < self.at or not 0 <= count < (256 if self.binary else 10) ** self.size:
            raise OrderError(Outcome.NOT_SENT, f"{line.decode('latin-1')!r} cannot be sent: its length does not fit")
        if self.binary:
            number = count.to_bytes(self.size, "little" if self.lsb else "big")
        else:
            number = b"%0*d" % (self.size, count)
        return line[: self.at] + number + line[self.at :]


@dataclass(frozen=True, slots=True)
class Framing:
    """What stands after each line, and before it ("": nothing), and where it says how long it is, if it does."""

    end: bytes
    start: bytes = b""
    length: Length | None = None

    def around(self, line: bytes) -> bytes:
        """What is sent for a line."""
        return self.start + (self.length.put_in(line) if self.length else line) + self.end


@dataclass(slots=True)
class Strays:
    """What was passed over on one connection: whole lines, bytes between frames, and lines without an end."""

    device: str = ""
    lines: int = 0
    loose_bytes: int = 0
    endless: int = 0

    def line(self, text: str) -> None:
        """A line that means nothing here."""
        self.lines += 1
        self._tell(self.lines, "an unexpected line", text)

    def loose(self, data: bytes) -> None:
        """Bytes that belong to no line."""
        if data := data.strip(_BETWEEN):
            self.loose_bytes += len(data)
            self._tell(self.loose_bytes, "what belongs to no line", data.decode("latin-1"))

    def too_long(self, data: bytes) -> None:
        """A line that never ends."""
        self.endless += 1
        self._tell(self.endless, "a line that never ends", data[:80].decode("latin-1"))

    def _tell(self, count: int, what: str, text: str) -> None:
        """A device that babbles must not fill the log: told when the count has doubled."""
        if count & (count - 1) == 0:
            _logger.info("%s: passed over %s: %.80r (%d so far)", self.device, what, text, count)


class Framer:
    """Takes lines out of the bytes of one connection."""

    def __init__(self, framing: Framing, strays: Strays | None = None) -> None:
        self._framing = framing
        self.strays = strays or Strays()
        self.begun = 0  # bytes of a line that has begun while nobody asked
        self._skipping = False  # what comes up to the next end belongs to a line that was too long

    def next(self, received: bytearray) -> str | None:
        """The next whole line, taken out of `received`; None if there is none yet. SilenceError for one that never
        ends: all of it is passed over."""
        start, end = self._framing.start, self._framing.end
        self.begun = 0
        while True:
            if start and not self._begins(received, start):
                return None
            length = received.find(end, len(start))
            if length < 0:
                self._check_length(received)
                return None
            text = bytes(received[len(start) : length])
            del received[: length + len(end)]
            if self._skipping:
                self._skipping = False
                continue
            if start and start in text:  # the end of the frame before is missing
                cut, _, text = text.rpartition(start)
                self.strays.loose(cut)
            return text.decode("latin-1")

    def forget(self) -> None:
        """What comes next is a beginning."""
        self._skipping = False

    def _begins(self, received: bytearray, start: bytes) -> bool:
        """Pass over what stands before the next frame; whether there is one."""
        at = received.find(start)
        if at < 0:
            at = max(0, len(received) - len(start) + 1)  # the sign itself may be there in part
        if at:
            self.strays.loose(bytes(received[:at]))
            del received[:at]
        return received.startswith(start)

    def _check_length(self, received: bytearray) -> None:
        if len(received) <= LINE_BYTES_MAX:
            return
        if not self._skipping:
            self.strays.too_long(bytes(received))
        self._skipping = not self._framing.start
        del received[: len(received) - len(self._framing.end) + 1]
        raise SilenceError("what the device sends has no line end")
