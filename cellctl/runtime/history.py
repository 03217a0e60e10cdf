"""The history: samples over time, one table per UTC day, in a file of its own.

The rule kept here: the history may lose, it may never delay. The loop only hands samples over; the journal's thread
writes them when it has nothing to commit, without waiting for the disk (`synchronous=NORMAL`), in short transactions.
What does not fit is dropped and counted. A number is stored when it moved by more than its deadband, when its quality
changed, and once a minute, so that a flat line is told from a silent one.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cellctl.core.signal import Sample, Signal
from cellctl.records import DAY_NS, HISTORY_FILE, HISTORY_VERSION, day_table, day_tables
from cellctl.runtime.clock import Clock

#: Of the range of a signal: finer than any screen draws, coarser than most noise.
DEADBAND = 1 / 1000

#: An unchanged value is stored again after this long.
REPEAT_NS = 60_000_000_000

#: Samples that may wait for the writer; more are dropped.
WAITING_MAX = 50_000

#: Samples looked at in one turn of the writer: a decision that comes meanwhile waits some ms.
TURN_MAX = 2_000

#: How often the history is written, and how often its size and age are looked at.
WRITE_S = 0.5
HOUSEKEEPING_NS = 10_000_000_000

#: Pages given back to the file system at a time.
_VACUUM_PAGES = 1_000

_SCHEMA = f"""
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
CREATE TABLE signal (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
PRAGMA user_version = {HISTORY_VERSION};
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept: so many days, and of these so many bytes."""

    days: int = 90
    bytes: int = 2 << 30


class History:
    """`put` belongs to the loop, `work` and `close` to the journal's thread."""

    def __init__(
        self,
        folder: Path,
        signals: Mapping[str, Signal],
        clock: Clock,
        *,
        limits: Limits = Limits(),
        trouble: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._path = folder / HISTORY_FILE
        self._deadbands = {name: _deadband(signal) for name, signal in signals.items()}
        self._clock, self._limits, self._trouble = clock, limits, trouble
        self._queue: deque[Sequence[Sample]] = deque()
        self._put = self._taken = 0
        self._stored: dict[str, Sample] = {}
        self._ids: dict[str, int] = {}
        self._table = ""
        self._full = False
        self._tidy_at_ns = 0
        self._database: sqlite3.Connection | None = None
        self.dropped = 0

    def put(self, samples: Sequence[Sample]) -> None:
        """Hand `samples` over; never waits."""
        if self._put - self._taken + len(samples) > WAITING_MAX:
            self.dropped += len(samples)
            return
        self._put += len(samples)
        self._queue.append(samples)

    def work(self) -> float:
        """Store some of what waits, and tidy up; after how many seconds to call again. Never raises for the disk."""
        rows = list(self._moved(self._next()))
        try:
            if rows or self._database:
                self._store(rows)
        except (sqlite3.Error, OSError) as error:
            self.dropped += len(rows)
            self.let_go()
            self._trouble(f"The history {self._path} cannot be written: {error}.")
        return 0.0 if self._queue else WRITE_S

    def close(self) -> None:
        """Store what still waits and give the file back."""
        while self.work() == 0.0:
            pass
        self.let_go()

    def let_go(self) -> None:
        """Give the file back, and write nothing more."""
        database, self._database, self._table = self._database, None, ""
        if database:
            with suppress(sqlite3.Error):
                database.close()

    def _next(self) -> Iterator[Sample]:
        taken = 0
        while self._queue and taken < TURN_MAX:
            samples = self._queue.popleft()
            taken += len(samples)
            yield from samples
        self._taken += taken

    def _moved(self, samples: Iterator[Sample]) -> Iterator[Sample]:
        """Those samples that say something new."""
        for sample in samples:
            deadband = self._deadbands.get(sample.signal)
            if deadband is None:
                continue
            last = self._stored.get(sample.signal)
            if last is None or _differs(last, sample, deadband):
                self._stored[sample.signal] = sample
                yield sample

    def _store(self, rows: list[Sample]) -> None:
        database = self._opened()
        if (now := self._clock.now()) >= self._tidy_at_ns:
            self._tidy_at_ns = now + HOUSEKEEPING_NS
            self._tidy(database)
        if self._full:
            self.dropped += len(rows)
            return
        database.execute("BEGIN")
        try:
            for row in rows:
                self._insert(database, row)
            database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise

    def _insert(self, database: sqlite3.Connection, row: Sample) -> None:
        table = day_table(row.received_ns)
        if table != self._table:
            database.execute(
                f"CREATE TABLE IF NOT EXISTS {table} (signal INTEGER, time_ns INTEGER, value, quality INTEGER NOT NULL,"
                " PRIMARY KEY (signal, time_ns)) WITHOUT ROWID"
            )
            self._table = table
        number = self._ids.get(row.signal)
        if number is None:
            database.execute("INSERT OR IGNORE INTO signal (name) VALUES (?)", (row.signal,))
            (number,) = database.execute("SELECT id FROM signal WHERE name = ?", (row.signal,)).fetchone()
            self._ids[row.signal] = number
        database.execute(
            f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?)",
            (number, row.received_ns, row.value, int(row.quality)),
        )

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            self._path.touch(mode=0o600)
            database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=1.0)
            self._database = database
            self._ids.clear()
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version == 0:
                database.executescript(_SCHEMA)
            elif version != HISTORY_VERSION:
                raise sqlite3.DatabaseError(f"it has format {version}, this cellctl writes {HISTORY_VERSION}")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute("PRAGMA journal_size_limit = 16777216")
        return self._database

    def _tidy(self, database: sqlite3.Connection) -> None:
        """Drop at most one day: the oldest, if it is too old or the file too big. The last day stays."""
        tables = day_tables(database)
        oldest = day_table(self._clock.now() - self._limits.days * DAY_NS)
        too_big = _bytes(database) > self._limits.bytes
        if len(tables) > 1 and (too_big or int(tables[0][4:]) < int(oldest[4:])):
            database.execute(f"DROP TABLE {tables[0]}")
            self._tidy_at_ns = 0
        self._full = too_big and len(tables) <= 1
        database.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")


def _deadband(signal: Signal) -> float:
    if signal.type != "float" or signal.low is None or signal.high is None:
        return 0.0
    return (signal.high - signal.low) * DEADBAND


def _differs(last: Sample, sample: Sample, deadband: float) -> bool:
    if sample.quality is not last.quality or sample.received_ns - last.received_ns >= REPEAT_NS:
        return True
    if deadband and isinstance(sample.value, int | float) and isinstance(last.value, int | float):
        return abs(sample.value - last.value) > deadband
    return sample.value != last.value


def _bytes(database: sqlite3.Connection) -> int:
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    (free,) = database.execute("PRAGMA freelist_count").fetchone()
    (size,) = database.execute("PRAGMA page_size").fetchone()
    return int(size) * (int(pages) - int(free))
