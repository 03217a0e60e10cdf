"""What a cell wrote down, read-only: the journal and the history in the state folder.

For the gateway and the command line, while the cell runs or after it ended; control itself never reads here. The rule
kept here: nothing is ever written, and no reader keeps a transaction open, so that no reader can hold the cell up.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from cellctl.core.messages import JSON
from cellctl.core.signal import Quality, Sample

#: The state folder of a cell lies beside its files, if no other is named.
STATE_FOLDER = ".cellctl"

JOURNAL_FILE = "journal.db"
JOURNAL_VERSION = 1
HISTORY_FILE = "history.db"
HISTORY_VERSION = 1

#: One day of the history's tables, ns.
DAY_NS = 86_400_000_000_000

#: Rows fetched at a time, so that no reading transaction lasts long.
_PAGE = 1_000


class RecordsError(Exception):
    """There is no journal or history in this folder, or it cannot be read: a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Written:
    """One entry of the journal as it was written."""

    sequence: int
    time_ns: int
    kind: str
    data: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check of the chain: how many entries are whole, and the first that is not."""

    entries: int
    broken_at: int | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """The samples of one signal within one interval of a trend: only good numbers count."""

    time_ns: int
    low: float
    high: float
    mean: float
    count: int


def chained(previous: bytes, time_ns: int, kind: str, body: str) -> bytes:
    """The hash of an entry: over the hash of the one before it and all that it says."""
    return sha256(previous + f"{time_ns} {len(kind)} {kind} ".encode() + body.encode()).digest()


class Records:
    """The records in one state folder. Opens files only while reading; safe to keep, and to use from any thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entries(self, *, after: int = 0, kind: str | None = None, limit: int = _PAGE) -> list[Written]:
        """Up to `limit` entries with a number above `after`, oldest first; only of `kind` if it is given."""
        where, values = ("AND kind = ?", [kind]) if kind else ("", [])
        return self._select(f"sequence > ? {where} ORDER BY sequence LIMIT ?", [after, *values, limit])

    def latest(self, *, kind: str | None = None, limit: int = 100) -> list[Written]:
        """The last `limit` entries, oldest first; only of `kind` if it is given."""
        where, values = ("kind = ?", [kind]) if kind else ("TRUE", [])
        return self._select(f"{where} ORDER BY sequence DESC LIMIT ?", [*values, limit])[::-1]

    def verify(self) -> Verdict:
        """Recompute the whole chain of hashes."""
        previous, number = b"", 0
        while True:
            with self._journal() as database:
                rows = database.execute(
                    "SELECT sequence, time_ns, kind, body, hash FROM entry"
                    " WHERE sequence > ? ORDER BY sequence LIMIT ?",
                    (number, _PAGE),
                ).fetchall()
            for sequence, time_ns, kind, body, told in rows:
                if sequence != number + 1 or chained(previous, time_ns, kind, body) != told:
                    return Verdict(number, number + 1)
                previous, number = told, sequence
            if not rows:
                return Verdict(number)

    def samples(self, signal: str, start_ns: int, end_ns: int, limit: int = 10_000) -> list[Sample]:
        """The stored samples of `signal` in the half-open interval, oldest first; empty for a name never stored."""
        found: list[Sample] = []
        with self._history() as database:
            for table in _days(database, start_ns, end_ns):
                rows = database.execute(
                    f"SELECT time_ns, value, quality FROM {table} WHERE signal = (SELECT id FROM signal WHERE name = ?)"
                    " AND time_ns >= ? AND time_ns < ? ORDER BY time_ns LIMIT ?",
                    (signal, start_ns, end_ns, limit - len(found)),
                )
                found += [Sample(signal, value, Quality(quality), at, at) for at, value, quality in rows]
        return found

    def trend(self, signal: str, start_ns: int, end_ns: int, points: int = 500) -> list[Point]:
        """At most about `points` intervals of `signal`, each with its lowest, highest and mean good number."""
        step_ns = max(1, (end_ns - start_ns) // max(1, points))
        found: list[Point] = []
        with self._history() as database:
            for table in _days(database, start_ns, end_ns):
                rows = database.execute(
                    "SELECT min(time_ns), min(value), max(value), avg(value), count(*)"
                    f" FROM {table} WHERE signal = (SELECT id FROM signal WHERE name = ?)"
                    " AND time_ns >= ? AND time_ns < ? AND quality = 0 AND typeof(value) IN ('integer', 'real')"
                    " GROUP BY (time_ns - ?) / ? ORDER BY 1",
                    (signal, start_ns, end_ns, start_ns, step_ns),
                )
                found += [Point(*row) for row in rows]
        return found

    def _select(self, rest: str, values: list[object]) -> list[Written]:
        with self._journal() as database:
            rows = database.execute(f"SELECT sequence, time_ns, kind, body FROM entry WHERE {rest}", values)
            return [Written(sequence, time_ns, kind, json.loads(body)) for sequence, time_ns, kind, body in rows]

    def _journal(self) -> AbstractContextManager[sqlite3.Connection]:
        return _reading(self.folder / JOURNAL_FILE, JOURNAL_VERSION)

    def _history(self) -> AbstractContextManager[sqlite3.Connection]:
        return _reading(self.folder / HISTORY_FILE, HISTORY_VERSION)


@contextmanager
def _reading(path: Path, version: int) -> Iterator[sqlite3.Connection]:
    if not path.exists():
        raise RecordsError(f"There is no {path.name} in {path.parent}.")
    try:
        database = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=5.0)
        try:
            (found,) = database.execute("PRAGMA user_version").fetchone()
            if found != version:
                raise RecordsError(f"{path} has format {found}; this cellctl reads {version}.")
            yield database
        finally:
            database.close()
    except (sqlite3.Error, ValueError) as error:
        raise RecordsError(f"{path} cannot be read: {error}.") from error


def day_table(time_ns: int) -> str:
    """The name of the table that holds the samples of the day of `time_ns` (UTC): ``day_`` and its number."""
    return f"day_{time_ns // DAY_NS}"


def day_tables(database: sqlite3.Connection) -> list[str]:
    """The tables of the history, oldest day first."""
    rows = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB 'day_[0-9]*'")
    return sorted((name for (name,) in rows), key=_day)


def _days(database: sqlite3.Connection, start_ns: int, end_ns: int) -> list[str]:
    return [name for name in day_tables(database) if start_ns // DAY_NS <= _day(name) <= end_ns // DAY_NS]


def _day(table: str) -> int:
    return int(table.removeprefix("day_"))
