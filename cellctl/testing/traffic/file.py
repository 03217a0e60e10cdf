"""The file that a recording is written to while a cell runs.

The rules kept here: whoever hands over an entry never waits, and hears nothing of a disk that is slow, full or gone.
The file never grows beyond its limit: then its middle is left out, and the beginning, in which the device says who it
is, and the last of it stay. Whatever is left out is counted, and stands in the file as a gap.
"""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from queue import SimpleQueue

from cellctl.testing.traffic.recording import Entry, Event, Head, TrafficError, entry_of

_logger = logging.getLogger(__name__)

#: Hours of one device, in a file that still can be sent by mail.
LIMIT_BYTES = 20_000_000

#: So many entries may wait for the disk: some seconds of a device that is asked every few milliseconds.
WAITING_MAX = 10_000

#: What comes within this is written at once: a thread that woke for each entry would be in the loop's way (measured at
#: full speed on loopback: an exchange takes 35 µs longer with it, and took 65 µs longer without).
GATHER_S = 0.05

#: A thread that does not get rid of what waits by then is left alone with it.
CLOSE_S = 5.0


@contextmanager
def recording_to(path: Path, head: Head, limit_bytes: int = LIMIT_BYTES) -> Iterator["TrafficFile"]:
    """A new file for the length of the block; TrafficError if it is there already, or cannot be made."""
    try:
        file = FileIO(path, "xb")
        traffic = TrafficFile(path, file, limit_bytes)
        traffic.start(head)
    except FileExistsError:
        raise TrafficError(f"{path} is there already, and is not overwritten.") from None
    except OSError as error:
        raise TrafficError(f"{path} cannot be written: {error.strerror}.") from error
    try:
        yield traffic
    finally:
        traffic.close()


class TrafficFile:
    """Writes entries in a thread of its own. Made by `recording_to`."""

    def __init__(self, path: Path, file: FileIO, limit_bytes: int) -> None:
        self._path, self._file, self._limit = path, file, limit_bytes
        self._queue: SimpleQueue[Entry | None] = SimpleQueue()
        self._size = self._begin = 0  # bytes: of the file, and of the part that always stays
        self._dropped = 0  # entries that found the queue full: counted where they are handed over,
        self._seen = 0  # and taken notice of where they would have been written
        self._missing = 0  # entries that are not in the file, and for which no gap is there yet
        self._failing = self._used = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def start(self, head: Head) -> None:
        """Begin with the head; OSError if that cannot be written."""
        self._write(head.line().encode())
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Write one more; never waits, never fails."""
        self._used = True
        if self._queue.qsize() < WAITING_MAX:
            self._queue.put(entry)
        else:
            self._dropped += 1

    def close(self) -> None:
        """Write what waits and give the file back; one that nothing was to be written to is not left."""
        self._queue.put(None)
        self._closing.set()
        self._thread.join(CLOSE_S)
        if not self._used:
            self._path.unlink(missing_ok=True)

    def _run(self) -> None:
        is_open = True
        while is_open:
            lines, first_ns, is_open = self._next()
            dropped = self._dropped
            self._missing, self._seen = self._missing + dropped - self._seen, dropped
            self._append(lines, first_ns)
        self._file.close()

    def _next(self) -> tuple[list[bytes], int, bool]:
        """What waits, as much as is written at once, with the time of the first; and whether more may come."""
        lines: list[bytes] = []
        first_ns = size = 0
        while (entry := self._queue.get()) is not None:
            if not lines:
                first_ns = entry.at_ns
                self._closing.wait(GATHER_S)
            lines.append(entry.line().encode())
            size += len(lines[-1])
            if size > self._limit // 8 or self._queue.empty():
                return lines, first_ns, True
        return lines, first_ns, False

    def _append(self, lines: list[bytes], first_ns: int) -> None:
        """Write these lines, after a gap if some are missing; if that cannot be, they are missing too."""
        gap = [Entry(first_ns, Event.GAP, number=self._missing).line().encode()] if self._missing else []
        data = b"".join(gap + lines)
        try:
            if self._size + len(data) > self._limit:
                self._leave_out_the_middle()
            self._write(data)
        except OSError as error:
            self._missing += len(lines)
            if not self._failing:
                _logger.error("The traffic cannot be written to %s (%s); the cell goes on.", self._path, error.strerror)
            self._failing = True
        else:
            self._missing, self._failing = 0, False

    def _write(self, data: bytes) -> None:
        """Write all of it, or nothing: what a full disk took is taken back."""
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError:
            os.ftruncate(self._file.fileno(), self._size)
            self._file.seek(self._size)
            raise
        self._size += len(data)
        if self._size <= self._limit // 4:
            self._begin = self._size

    def _leave_out_the_middle(self) -> None:
        """Write the beginning, a gap, and the last half of the limit to a file beside; then that is the file."""
        content = self._path.read_bytes()
        cut = content.index(b"\n", max(self._begin, len(content) - self._limit // 2) - 1) + 1
        left_out = [entry for line in content[self._begin : cut].splitlines(keepends=True) if (entry := entry_of(line))]
        missing = sum(entry.number if entry.event is Event.GAP else 1 for entry in left_out)
        gap = Entry(left_out[-1].at_ns, Event.GAP, number=missing).line().encode() if left_out else b""
        beside = self._path.with_name(f"{self._path.name}.part")
        beside.write_bytes(content[: self._begin] + gap + content[cut:])
        os.replace(beside, self._path)
        self._file.close()
        self._file = FileIO(self._path, "ab")
        self._size = self._path.stat().st_size
