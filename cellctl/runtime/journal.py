"""The journal: every decision, on disk before its effect leaves; and the one thread that writes.

SQLite in WAL mode with `synchronous=FULL`. Entries that arrive while a commit is under way go into the next one
together (group commit), so a decision waits for two commits at most and order never changes. Each entry carries the
hash of the one before it. The rule kept here: a sequence number is told as committed only after the disk said so;
what cannot be written is tried again, in the same order, until it can be.
"""

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

from cellctl.core.messages import Entry
from cellctl.records import JOURNAL_FILE, JOURNAL_VERSION, chained
from cellctl.runtime import process

#: More waiting entries mean that the disk is gone, not slow: the cell must not go on deciding.
WAITING_MAX = 100_000

#: Entries in one commit: enough for full throughput, few enough that the next decision waits some ms.
GROUP_MAX = 1_000

#: Pause before a failed commit is tried again: short, so that all goes on as soon as there is space.
RETRY_S = 0.2

_SCHEMA = f"""
BEGIN;
CREATE TABLE entry (
    sequence INTEGER PRIMARY KEY,
    time_ns  INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    body     TEXT    NOT NULL,
    hash     BLOB    NOT NULL
);
CREATE INDEX entry_kind ON entry (kind, sequence);
PRAGMA user_version = {JOURNAL_VERSION};
COMMIT;
"""


class JournalError(Exception):
    """The journal cannot be opened, or has not been writable for so long that the cell must end: a sentence."""


@dataclass(frozen=True, slots=True)
class _Row:
    sequence: int
    time_ns: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class _Tail:
    """The last entry in the file."""

    sequence: int
    hash: bytes


class Journal:
    """Appends without waiting, and tells when it is on disk. The constructor opens the file, `start` the thread."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL_FILE
        self._database = _opened(self._path)
        self._tail = _tail(self._database)
        self.sequence = self.committed = self._tail.sequence
        self._queue: SimpleQueue[list[_Row] | None] = SimpleQueue()
        self._waiting_since = 0.0
        self._given_up = threading.Event()
        self._ended = asyncio.Event()
        self._thread: threading.Thread | None = None

    def start(
        self,
        *,
        committed: Callable[[int], None],
        failing: Callable[[str], None],
        idle: Callable[[], float],
        end: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin to write, for the running loop.

        `committed` and `failing` are called on the loop: with the last number that is on disk, and with the reason
        why nothing can be written. `idle` is called on the journal's thread whenever nothing waits; it returns after
        how many seconds it wants to be called again. `end` is the last thing that the thread calls.
        """
        self._loop = asyncio.get_running_loop()
        self._tell_committed, self._tell_failing, self._idle, self._end = committed, failing, idle, end
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def waiting_s(self) -> float:
        """For how long the disk has not confirmed anything although something waits."""
        return time.monotonic() - self._waiting_since if self.committed < self.sequence else 0.0

    def append(self, time_ns: int, entries: Sequence[Entry]) -> int:
        """Hand `entries` to the writer; the number of the last. JournalError if the disk has been gone for long."""
        if not entries:
            return self.sequence
        if self.sequence - self.committed > WAITING_MAX or not (self._thread and self._thread.is_alive()):
            raise JournalError(f"The journal {self._path} has not been writable for too long; the cell ends.")
        if self.committed == self.sequence:
            self._waiting_since = time.monotonic()
        rows = [_Row(number, time_ns, entry) for number, entry in enumerate(entries, self.sequence + 1)]
        self.sequence += len(rows)
        self._queue.put(rows)
        return self.sequence

    async def close(self, timeout_s: float) -> bool:
        """Write what waits and give the file back; False if the disk took longer than `timeout_s`."""
        if self._thread is None:
            self._database.close()
            return True
        self._queue.put(None)
        try:
            async with asyncio.timeout(timeout_s):
                await self._ended.wait()
        except TimeoutError:
            self._given_up.set()
            return False
        self._thread.join()
        return True

    def _run(self) -> None:
        """The thread."""
        process.follow()
        pause_s, open_ = 0.0, True
        try:
            while open_:
                rows, open_ = self._next(pause_s)
                if rows and not self._commit(rows):
                    return
                pause_s = self._idle() if self._queue.empty() else 0.0
        finally:
            with closing(self._database):
                self._end()
            self._call(self._ended.set)

    def _next(self, pause_s: float) -> tuple[list[_Row], bool]:
        """What waits, up to `GROUP_MAX` rows, and whether more may come; waits up to `pause_s` for the first."""
        group: list[_Row] = []
        with suppress(Empty):
            rows = self._queue.get(timeout=pause_s) if pause_s > 0 else self._queue.get_nowait()
            while rows is not None:
                group += rows
                if len(group) >= GROUP_MAX:
                    return group, True
                rows = self._queue.get_nowait()
            return group, False
        return group, True

    def _commit(self, rows: list[_Row]) -> bool:
        """Write `rows`, however often it must be tried; False if the end came first."""
        while True:
            try:
                self._tail = _written(self._database, self._tail, rows)
            except sqlite3.Error as error:
                self._call(self._tell_failing, str(error))
                if self._given_up.wait(RETRY_S):
                    return False
                self._reopen()
            else:
                self._call(self._confirm, self._tail.sequence)
                return True

    def _reopen(self) -> None:
        """A fresh connection after an error, and the truth from the file: the failed commit may have got there."""
        with suppress(sqlite3.Error, JournalError):
            self._database.close()
            self._database = _opened(self._path)
            self._tail = _tail(self._database)

    def _confirm(self, sequence: int) -> None:
        self.committed = sequence
        self._waiting_since = time.monotonic()
        self._tell_committed(sequence)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits for the news
            self._loop.call_soon_threadsafe(function, *arguments)


def _opened(path: Path) -> sqlite3.Connection:
    try:
        path.touch(mode=0o600)
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA journal_size_limit = 16777216")
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version == 0:
                database.executescript(_SCHEMA)
            elif version != JOURNAL_VERSION:
                raise JournalError(f"The journal {path} has format {version}; this cellctl reads {JOURNAL_VERSION}.")
        except BaseException:
            database.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise JournalError(f"The journal {path} cannot be opened: {error}.") from error
    return database


def _tail(database: sqlite3.Connection) -> _Tail:
    row = database.execute("SELECT sequence, hash FROM entry ORDER BY sequence DESC LIMIT 1").fetchone()
    return _Tail(*row) if row else _Tail(0, b"")


def _written(database: sqlite3.Connection, tail: _Tail, rows: Sequence[_Row]) -> _Tail:
    """Commit those of `rows` that come after `tail`; the new tail."""
    inserted = []
    previous = tail.hash
    for row in rows:
        if row.sequence > tail.sequence:
            body = _body(row.entry)
            previous = chained(previous, row.time_ns, row.entry.kind, body)
            inserted.append((row.sequence, row.time_ns, row.entry.kind, body, previous))
    try:
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", inserted)
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
        raise
    return _Tail(rows[-1].sequence, previous)


def _body(entry: Entry) -> str:
    """Canonical JSON. What JSON cannot say must not stop the journal: it is kept as its Python text."""
    try:
        return json.dumps(entry.data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        return json.dumps({"unwritable": repr(entry.data)}, ensure_ascii=True)
