"""The files of the journal, read-only: the one that grows, and the archives of what came before it.

An archive is a journal of its own, with the same tables: a whole run of entries, and in `origin` what its first entry
follows. The rule kept here: a reader finds every entry once, also while it is being moved into an archive; and no
transaction is kept open between two questions.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

#: The journal itself. Format 2 has `origin`; format 1 begins with its first entry.
JOURNAL_FILE = "journal.db"
JOURNAL_VERSION = 2
JOURNAL_READABLE = frozenset({1, JOURNAL_VERSION})

#: The folder of the archives in the state folder. The name of each tells its first and its last entry.
ARCHIVE_FOLDER = "archive"
_ARCHIVE = re.compile(r"journal-(\d{12})-(\d{12})\.db")

#: Above every sequence number.
LAST = 2**62

#: Sequence, time (ns UTC), kind, data as JSON, hash.
Row = tuple[int, int, str, str, bytes]


class RecordsError(Exception):
    """There is no journal or history in this folder, or it cannot be read: a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The entry that the first entry of a file follows: its number and its hash. Nothing: 0 and no hash."""

    sequence: int = 0
    hash: bytes = b""


@dataclass(frozen=True, slots=True, order=True)
class Archive:
    """One archive, by its name."""

    first: int
    last: int
    path: Path


@dataclass(frozen=True, slots=True)
class Pick:
    """Which entries: above `after`, up to `upto`, of one of `kinds` (of any if none is named), about one part."""

    after: int = 0
    upto: int = LAST
    kinds: tuple[str, ...] = ()
    part: str | None = None

    def within(self, after: int, upto: int) -> "Pick":
        """Those of them within these bounds."""
        return Pick(max(self.after, after), min(self.upto, upto), self.kinds, self.part)

    def sql(self) -> tuple[str, list[object]]:
        """The condition, and its values."""
        terms = ["sequence > ? AND sequence <= ?"]
        told: list[object] = [self.after, self.upto, *self.kinds]
        if self.kinds:
            terms.append(f"kind IN ({', '.join('?' * len(self.kinds))})")
        if self.part is not None:
            terms.append("json_extract(body, '$.part') = ?")
            told.append(self.part)
        return " AND ".join(terms), told


def archive_name(first: int, last: int) -> str:
    """The name of the archive that holds the entries from `first` to `last`."""
    return f"journal-{first:012}-{last:012}.db"


def archives(folder: Path) -> list[Archive]:
    """The archives that lie in `folder`, oldest first."""
    found = []
    for path in folder.glob("journal-*.db"):
        if match := _ARCHIVE.fullmatch(path.name):
            found.append(Archive(int(match[1]), int(match[2]), path))
    return sorted(found)


def origin(database: sqlite3.Connection) -> Origin:
    """What the first entry of an open journal or archive follows. sqlite3.DatabaseError if that is not one answer."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version == 1:
        return Origin()
    rows = database.execute("SELECT sequence, hash FROM origin").fetchall()
    if len(rows) != 1 or not isinstance(rows[0][0], int) or not isinstance(rows[0][1], bytes):
        raise sqlite3.DatabaseError("where it begins is damaged")
    return Origin(*rows[0])


@contextmanager
def reading(path: Path, versions: frozenset[int] = JOURNAL_READABLE) -> Iterator[sqlite3.Connection]:
    """The open file, read-only; RecordsError if it is not there, cannot be read, or is of another format."""
    if not path.exists():
        raise RecordsError(f"There is no {path.name} in {path.parent}.")
    with _told(path):
        address = f"file:{quote(str(path.absolute()))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=5.0, isolation_level=None)) as database:
            (found,) = database.execute("PRAGMA user_version").fetchone()
            if found not in versions:
                reads = " and ".join(map(str, sorted(versions)))
                raise RecordsError(f"{path} has format {found}; this cellctl reads {reads}. Use the one that wrote it.")
            yield database


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, ValueError) as error:
        raise RecordsError(f"{path} cannot be read: {error}.") from error


class Reader:
    """The journal and its archives, open as one: for many questions in a row, in one thread. To be used in `with`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[Path, sqlite3.Connection] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._journal = self._opened(self._folder / JOURNAL_FILE)
        return self

    def __exit__(self, *reason: Any) -> None:
        self._stack.close()

    def oldest(self, pick: Pick, limit: int) -> list[Row]:
        """Up to `limit` of the entries picked, oldest first."""
        found: list[Row] = []
        after = pick.after
        while len(found) < limit and after < pick.upto:
            begin, rows = self._in_journal(pick.within(after, LAST), limit - len(found), from_origin=False)
            if after >= begin.sequence:
                return found + rows
            archive = next((each for each in self._archives() if each.last > after), None)
            upto = min(archive.last, begin.sequence) if archive else begin.sequence
            if archive and archive.first <= begin.sequence:
                found += self._select(archive.path, pick.within(after, upto), limit - len(found))
            after = upto
        return found

    def newest(self, pick: Pick, limit: int) -> list[Row]:
        """Up to `limit` of the entries picked, newest first."""
        begin, found = self._in_journal(pick, limit, newest=True)
        upto = begin.sequence
        for archive in reversed(self._archives() if upto else []):
            if len(found) >= limit or pick.after >= upto:
                break
            if archive.first <= upto:
                within = pick.within(archive.first - 1, upto)
                found += self._select(archive.path, within, limit - len(found), newest=True)
                upto = archive.first - 1
        return found

    def missing(self) -> list[tuple[int, int]]:
        """The first and the last of each run of entries that were archived and are not in the folder any more."""
        number, found = 0, []
        for archive in self._archives():
            if archive.first > number + 1:
                found.append((number + 1, archive.first - 1))
            number = max(number, archive.last)
        with _told(self._folder / JOURNAL_FILE):
            begin = origin(self._journal)
        return [*found, (number + 1, begin.sequence)] if begin.sequence > number else found

    def _in_journal(
        self, pick: Pick, limit: int, *, newest: bool = False, from_origin: bool = True
    ) -> tuple[Origin, list[Row]]:
        """What the journal itself has, and where it begins, of one moment. Unless `from_origin`: nothing, if what is
        picked begins before the journal does."""
        path = self._folder / JOURNAL_FILE
        with _told(path):
            self._journal.execute("BEGIN")
            try:
                begin = origin(self._journal)
                if not from_origin and pick.after < begin.sequence:
                    return begin, []
                return begin, self._select(path, pick.within(begin.sequence, LAST), limit, newest=newest)
            finally:
                self._journal.execute("COMMIT")

    def _select(self, path: Path, pick: Pick, limit: int, *, newest: bool = False) -> list[Row]:
        where, values = pick.sql()
        order = "DESC" if newest else "ASC"
        query = f"SELECT sequence, time_ns, kind, body, hash FROM entry WHERE {where} ORDER BY sequence {order} LIMIT ?"
        database = self._opened(path)
        with _told(path):
            return database.execute(query, (*values, limit)).fetchall()

    def _archives(self) -> list[Archive]:
        return archives(self._folder / ARCHIVE_FOLDER)

    def _opened(self, path: Path) -> sqlite3.Connection:
        if path not in self._open:
            self._open[path] = self._stack.enter_context(reading(path))
        return self._open[path]
