"""Lines that say how long they are, out of the bytes that came in.

The rule kept here: a length that cannot be true is no line, and neither is one without the sign that should follow it.
Then the next sign is looked for; where there are no signs, only silence tells where a line begins.
"""

from cellctl_drivers.serial.framing import Framer, Framing, Length, Strays
from cellctl_drivers.wire.orders import SilenceError


def framer_of(framing: Framing, strays: Strays) -> Framer:
    """What takes the lines of a connection out of its bytes."""
    return CountedFramer(framing, strays) if framing.length else Framer(framing, strays)


class CountedFramer(Framer):
    """Takes lines by the length that they carry."""

    def next(self, received: bytearray) -> str | None:
        """The next whole line, without its length; None if there is none yet. SilenceError if nothing tells any more
        where a line begins: all of it is passed over."""
        start, end, length = self._framing.start, self._framing.end, self._framing.length
        assert length is not None
        self.begun = 0
        while True:
            if self._skipping and not self._passed(received):
                return None
            if start and not self._begins(received, start):
                return None
            line = self._line(bytes(received[len(start) :]), length)
            if line is None:
                return None
            if line:
                del received[: len(start) + len(line) + len(end)]
                return length.taken_out(line).decode("latin-1")
            self._lose(received)

    def _line(self, begun: bytes, length: Length) -> bytes | None:
        """The line that begins here, with its length; None if it is not complete, empty if it is none."""
        end = self._framing.end
        try:
            whole = length.whole(begun)
        except ValueError:
            return b""
        if whole is None or len(begun) < whole + len(end):
            return None
        return begun[:whole] if begun.startswith(end, whole) else b""

    def _lose(self, received: bytearray) -> None:
        """What begins here is no line: go on at the next sign."""
        if start := self._framing.start:
            self.strays.loose(start)
            del received[: len(start)]
        elif self._framing.end:
            self._skipping = True
        else:
            self.strays.loose(bytes(received))
            received.clear()
            raise SilenceError("what the device sends does not say how long it is")

    def _passed(self, received: bytearray) -> bool:
        """Pass over everything up to the next end; whether there is one."""
        end = self._framing.end
        at = received.find(end)
        self._skipping = at < 0
        passed = max(0, len(received) - len(end) + 1) if self._skipping else at + len(end)
        self.strays.loose(bytes(received[:passed]))
        del received[:passed]
        return not self._skipping
