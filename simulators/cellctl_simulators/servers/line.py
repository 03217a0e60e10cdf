"""Text lines: every line that comes in is asked of the model, every reply goes back to the connection that asked.

What the model says by itself goes to every connection.
"""

from collections import deque
from collections.abc import Callable

from cellctl_simulators.wire import Ask, Lines

LINE_BYTES_MAX = 256
#: Questions whose replies may still come; an older one has got all of its replies.
OPEN_ASKS_MAX = 16


class LineSession:
    """One connection to a device that speaks in lines."""

    def __init__(self, write: Callable[[bytes], None], wire: Lines, settle: Callable[[], None]) -> None:
        self._write = write
        self._wire = wire
        self._settle = settle
        self._buffer = b""
        self._asks: deque[Ask] = deque(maxlen=OPEN_ASKS_MAX)
        self._said = wire.said_count
        if wire.greeting:
            self._send(wire.greeting)

    def feed(self, data: bytes) -> None:
        """Ask the model each whole line; one that never ends is dropped."""
        *lines, self._buffer = (self._buffer + data).split(self._wire.takes.encode("ascii"))
        if len(self._buffer) > LINE_BYTES_MAX:
            self._buffer = b""
        for line in lines:
            text = self._taken(line.rstrip(b"\r").decode("ascii", "replace"))
            if text is None:
                continue
            self._settle()
            self._asks.append(self._wire.ask(text))
            self._settle()
            self.refresh()

    def refresh(self) -> None:
        """Send the replies that are there, and what the device says by itself."""
        for text in self._wire.said_since(self._said):
            self._send(text)
        self._said = self._wire.said_count
        for ask in self._asks:
            replies, ask.replies = ask.replies, []
            for reply in replies:
                self._send(reply)

    def close(self) -> None:
        """Nothing is left to be done."""

    def _taken(self, line: str) -> str | None:
        """The line without its length; None if it has another length than it says."""
        digits = self._wire.digits
        if digits and line[:digits] != f"{len(line):0{digits}d}":
            return None
        return line[digits:]

    def _send(self, text: str) -> None:
        digits = self._wire.digits
        length = f"{len(text) + digits:0{digits}d}" if digits else ""
        self._write((self._wire.start + length + text + self._wire.end).encode("ascii"))
