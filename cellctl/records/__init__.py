"""What a cell wrote down, read-only: the journal and the history in the state folder.

For the gateway and the command line, while the cell runs or after it ended; control itself never reads here. The rule
kept here: nothing is ever written, and no reader keeps a transaction open, so that no reader can hold the cell up.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from cellctl.core.messages import JSON
from cellctl.core.signal import Quality, Sample
from cellctl.records.chain import Verdict, verified
from cellctl.records.files import (
    ARCHIVE_FOLDER,
    JOURNAL_FILE,
    JOURNAL_VERSION,
    LAST,
    Pick,
    Reader,
    RecordsError,
    Row,
    reading,
)

__all__ = [
    "ARCHIVE_FOLDER",
    "JOURNAL_FILE",
    "JOURNAL_VERSION",
    "LAST",
    "Pick",
    "Reader",
    "RecordsError",
    "Row",
    "Verdict",
]

#: The state folder of a cell lies beside its files, if no other is named.
STATE_FOLDER = ".cellctl"

HISTORY_FILE = "history.db"
HISTORY_VERSION = 1

#: One day of the history's tables, ns.
DAY_NS = 86_400_000_000_000

#: Rows fetched at a time, so that no reading transaction lasts long.
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Written:
    """One entry of the journal as it was written."""

    sequence: int
    time_ns: int
    kind: str
    data: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Point:
    """The samples of one signal within one interval of a trend: only good numbers count."""

    time_ns: int
    low: float
    high: float
    mean: float
    count: int


class Records:
    """The records in one state folder. Opens files only while reading; safe to keep, and to use from any thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entries(self, *, after: int = 0, kind: str | None = None, limit: int = _PAGE) -> list[Written]:
        """Up to `limit` entries with a number above `after`, oldest first; only of `kind` if it is given."""
        with Reader(self.folder) as reader:
            return written(reader.oldest(Pick(after=after, kinds=_kinds(kind)), limit))

    def latest(self, *, kind: str | None = None, limit: int = 100) -> list[Written]:
        """The last `limit` entries, oldest first; only of `kind` if it is given."""
        with Reader(self.folder) as reader:
            return written(reader.newest(Pick(kinds=_kinds(kind)), limit)[::-1])

    def missing(self) -> list[tuple[int, int]]:
        """The first and the last of each run of entries that were archived and are not in the folder any more."""
        with Reader(self.folder) as reader:
            return reader.missing()

    def verify(self) -> Verdict:
        """Recompute the whole chain of hashes, from the oldest archive to the last entry."""
        return verified(self.folder)

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

    def _history(self) -> AbstractContextManager[sqlite3.Connection]:
        return reading(self.folder / HISTORY_FILE, frozenset({HISTORY_VERSION}))


def written(rows: Sequence[Row]) -> list[Written]:
    """The entries of these rows."""
    return [Written(sequence, time_ns, kind, json.loads(body)) for sequence, time_ns, kind, body, _ in rows]


def _kinds(kind: str | None) -> tuple[str, ...]:
    return (kind,) if kind else ()


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
