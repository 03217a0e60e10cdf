"""The disk of a cell in virtual time: the real journal in a real SQLite file, written by the loop itself.

The rule kept here: a commit takes virtual time and no other, so that a run stays a function of what runs. What is
confirmed is kept in order; the file gets it in larger portions, and always before anybody reads it.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from cellctl.faults import Fault
from cellctl.runtime.ledger import Disk, Ledger, Row
from cellctl.runtime.writer import RETRY_S, Tell

#: What a commit takes on a good disk.
COMMIT_S = 0.001

#: Entries that are confirmed and not in the file yet, at most.
_PORTION = 2_000

#: How often the history is written: as seldom as its queue allows, for nobody waits for it.
_IDLE_S = 20.0


class BadDisk(Disk):
    """A disk that can be full, broken or slow, and at which the process dies at a chosen entry. `commit_s` is what a
    commit takes: to be waited for by whoever writes."""

    def __init__(self, kill: Callable[[], None], commit_s: float = 0.0) -> None:
        self.error = ""
        self.commit_s = self._good_s = commit_s
        self.kill = kill
        self.last = 0  # entry on disk
        self.kill_at: int | None = None

    def suffer(self, fault: Fault) -> Callable[[], None]:
        """Let one of the faults of a disk begin, or the process die; what ends it."""
        match fault.kind:
            case "kill":
                self.kill_at = self.last + int(fault.options["after"])
                self._look()
                return lambda: None
            case "slow_disk":
                self.commit_s = int(fault.options["by"]) / 1e9
                return lambda: setattr(self, "commit_s", self._good_s)
            case kind:
                self.error = _ERRORS[kind]
                return lambda: setattr(self, "error", "")

    def before(self, last: int) -> None:
        """Fail as a disk does that is full, or whose fsync fails."""
        if self.error:
            raise sqlite3.OperationalError(self.error)

    def after(self, last: int) -> None:
        """The process dies if the entry it is to die at is on disk."""
        self.last = last
        self._look()

    def _look(self) -> None:
        if self.kill_at is not None and self.last >= self.kill_at:
            self.kill_at = None
            self.kill()


_ERRORS = {"disk_full": "database or disk is full", "fsync_error": "disk I/O error"}


class LoopWriter:
    """Writes as the journal's thread does, but as callbacks of the loop. `kept` is told each row that is on disk."""

    def __init__(self, ledger: Ledger, disk: BadDisk, kept: Callable[[Row], None] = lambda row: None) -> None:
        self._ledger, self._disk, self._told_kept = ledger, disk, kept
        self._rows: list[Row] = []
        self._kept: list[Row] = []
        self._timer: asyncio.TimerHandle | None = None
        self._idle: asyncio.TimerHandle | None = None
        self.alive = False

    def start(self, tell: Tell) -> None:
        """Begin."""
        self._loop, self._tell, self.alive = asyncio.get_running_loop(), tell, True
        self._idle = self._loop.call_later(_IDLE_S, self._look_idle)

    def put(self, rows: Sequence[Row]) -> None:
        """Write `rows` after all that were put before."""
        self._rows += rows
        if self._timer is None:
            self._timer = self._loop.call_later(self._disk.commit_s, self._commit)

    def flush(self) -> None:
        """Bring into the file what is confirmed."""
        kept, self._kept = self._kept, []
        if kept:
            self._ledger.write(kept)

    def die(self) -> None:
        """Write nothing more: the process is gone. What was confirmed is in the file."""
        if self.alive:
            self.alive = False
            self._rows.clear()
            self._stop()
            self.flush()
            self._ledger.close()

    async def close(self, timeout_s: float) -> bool:
        """Write what waits and give the file back."""
        if not self.alive:
            return True
        self._stop()
        try:
            if self._rows:
                self._confirm()
        except sqlite3.Error:
            return False
        finally:
            self.flush()
            self._tell.end()
            self._ledger.close()
            self.alive = False
        return True

    def _commit(self) -> None:
        self._timer = None
        try:
            self._confirm()
        except sqlite3.Error as error:
            self._tell.failing(str(error))
            self._timer = self._loop.call_later(RETRY_S, self._commit)

    def _confirm(self) -> None:
        last = self._rows[-1].sequence
        self._disk.before(last)
        self._kept += self._rows
        for row in self._rows:
            self._told_kept(row)
        self._rows.clear()
        if len(self._kept) >= _PORTION:
            self.flush()
        self._disk.after(last)
        if self.alive:
            self._tell.committed(last)

    def _look_idle(self) -> None:
        self._tell.idle()
        self._idle = self._loop.call_later(_IDLE_S, self._look_idle)

    def _stop(self) -> None:
        for timer in (self._timer, self._idle):
            if timer is not None:
                timer.cancel()


def opened(folder: Path) -> Ledger:
    """The ledger of a cell in virtual time: no power fails here, so nothing waits for the platter."""
    return Ledger(folder, synchronous="OFF")
