"""What a device on a line says without being asked.

The rule kept here: nothing is ever sent. Lines are found by what ends them, whatever the profile says of it.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cellctl.driver import AddressError, Browse, DriverError, Finding
from cellctl_drivers.wire.exchange import Exchange

#: What closes a line.
_END = re.compile(rb"\r\n|[\r\n\x03\x04\0]")

#: What opens one.
_STARTS = b"\x02\x01 "

#: How often the time that is left is told.
_TELL_S = 1.0

#: A line is no longer, and no more is kept.
_BYTES_MAX = 4096

#: What changes from one line to the next: numbers, and long codes.
_CHANGING = re.compile(r"[+-]?\d+(?:\.\d+)?")

#: The last number of a line, if it has a decimal point, and what stands behind it.
_MEASURED = re.compile(r"\d\.\d+(?:\s*(?P<unit>[^\d\s]+))?[^\d]*\Z")

#: Fewer printable characters than this: the speed is wrong, or it is no text.
_PRINTABLE_MIN = 0.8


@dataclass(slots=True)
class _Kind:
    """Lines that differ by their last number only."""

    example: str
    count: int = 0


class Ear:
    """Listens to a device for some time, and sorts what comes."""

    def __init__(self, browse: Browse) -> None:
        self._browse = browse
        self._kinds: dict[str, _Kind] = {}
        self._bytes = 0
        self._printable = 0
        self._rest = b""

    async def attend(self, exchange: Exchange) -> None:
        """Listen for as long as is asked for, and tell; DriverError if the connection is lost before."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + self._browse.listen_s
        try:
            while (rest_s := end_s - loop.time()) > 0 and not exchange.lost.done():
                self._browse.progress(f"listening for another {rest_s:.0f} s: {self._bytes} bytes so far")
                await asyncio.wait((exchange.lost,), timeout=min(rest_s, _TELL_S))
        finally:
            self._tell()
        if exchange.lost.done():
            raise DriverError(exchange.lost.result())

    def listen(self, received: bytearray) -> None:
        """Take what came."""
        data = bytes(received)
        received.clear()
        self._bytes += len(data)
        self._printable += sum(byte in b"\r\n\t\x02\x03" or 32 <= byte < 127 for byte in data)
        *lines, self._rest = _END.split(self._rest + data)
        self._rest = self._rest[-_BYTES_MAX:]
        for line in lines:
            if text := line.lstrip(_STARTS).decode("latin-1"):
                self._hear(text)

    def _hear(self, text: str) -> None:
        key = _pattern(text)
        if key not in self._kinds and len(self._kinds) >= self._browse.count_max:
            return
        kind = self._kinds.setdefault(key, _Kind(text))
        kind.example, kind.count = text, kind.count + 1

    def _tell(self) -> None:
        if self._bytes and self._printable < _PRINTABLE_MIN * self._bytes:
            self._browse.cut(
                f"{self._bytes} bytes were heard, most of which are no text: try another speed or parity in the address"
            )
            return
        for number, (pattern, kind) in enumerate(self._kinds.items(), 1):
            measured = _MEASURED.search(kind.example)
            row: dict[str, object] = {"type": "float" if measured else "text", "hear": pattern, "stale": "10 s"}
            times = "once" if kind.count == 1 else f"{kind.count} times"
            unit = measured["unit"] or "" if measured else ""
            path = f"heard {number}"
            self._browse.found(Finding(path, pattern, "line", "r", kind.example, f"heard {times}", unit, row=row))
        if self._rest.strip(b"\0"):
            self._browse.cut(f"{self._rest.decode('latin-1')[:60]!r} was heard without an end of line")
        if not self._bytes:
            self._browse.cut("nothing was heard: it speaks only when it is asked, or at another speed; see its manual")


def check_ranges(ranges: Sequence[str]) -> None:
    """There is nowhere to look on a line: AddressError."""
    if ranges:
        raise AddressError("a line has no ranges: it is listened to", ("range",))


def _pattern(text: str) -> str:
    """The pattern of lines like this one: its last number, or else its last word, is the value."""
    found = list(_CHANGING.finditer(text))
    if not found:
        head, _, _ = text.rpartition(" ")
        return f"{_fixed(head)} (?P<value>\\S+)" if head else "(?P<value>.+)"
    last = found[-1]
    return f"{_fixed(text[: last.start()])}(?P<value>[+-]?[\\d.]+){_fixed(text[last.end() :])}"


def _fixed(text: str) -> str:
    """The rest of a line, in which other numbers may change."""
    parts = [re.escape(part).replace("\\ ", " ") for part in _CHANGING.split(text)]
    return r"[+-]?[\d.]+".join(parts)
