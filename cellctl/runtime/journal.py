"""The journal: every decision, on disk before its effect leaves.

The rule kept here: a sequence number is told as committed only after the disk said so, and the order never changes.
What writes is `writer.py`, what is written `ledger.py`.
"""

import time
from collections.abc import Callable, Sequence

from cellctl.core.messages import Entry
from cellctl.runtime.ledger import JournalError, Ledger, Row
from cellctl.runtime.writer import Tell, Writer, WriterThread

__all__ = ["Journal", "JournalError"]

#: More waiting entries mean that the disk is gone, not slow: the cell must not go on deciding.
WAITING_MAX = 100_000


class Journal:
    """Appends without waiting, and tells when it is on disk. The constructor takes the open file, `start` begins.

    `monotonic_ns` is the clock by which the disk's slowness is told.
    """

    def __init__(
        self,
        ledger: Ledger,
        writer: Callable[[Ledger], Writer] = WriterThread,
        *,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._path = ledger.path
        self._writer = writer(ledger)
        self._monotonic_ns = monotonic_ns
        self.sequence = self.committed = ledger.tail.sequence
        self._waiting_since_ns = 0

    def start(
        self,
        *,
        committed: Callable[[int], None],
        failing: Callable[[str], None],
        idle: Callable[[], float],
        end: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin to write, for the running loop. What is called, and where: see `Tell`."""
        self._tell_committed = committed
        self._writer.start(Tell(self._confirm, failing, idle, end))

    @property
    def waiting_s(self) -> float:
        """For how long the disk has not confirmed anything although something waits."""
        return (self._monotonic_ns() - self._waiting_since_ns) / 1e9 if self.committed < self.sequence else 0.0

    def append(self, time_ns: int, entries: Sequence[Entry]) -> int:
        """Hand `entries` to the writer; the number of the last. JournalError if the disk has been gone for long."""
        if not entries:
            return self.sequence
        if self.sequence - self.committed > WAITING_MAX or not self._writer.alive:
            raise JournalError(f"The journal {self._path} has not been writable for too long; the cell ends.")
        if self.committed == self.sequence:
            self._waiting_since_ns = self._monotonic_ns()
        rows = [Row(number, time_ns, entry) for number, entry in enumerate(entries, self.sequence + 1)]
        self.sequence += len(rows)
        self._writer.put(rows)
        return self.sequence

    async def close(self, timeout_s: float) -> bool:
        """Write what waits and give the file back; False if the disk took longer than `timeout_s`."""
        return await self._writer.close(timeout_s)

    def _confirm(self, sequence: int) -> None:
        self.committed = sequence
        self._waiting_since_ns = self._monotonic_ns()
        self._tell_committed(sequence)
