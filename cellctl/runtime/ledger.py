"""The file of the journal: entries in order, each with the hash of the one before it.

SQLite in WAL mode. The rule kept here: what `write` returned from is in the file, whole and once; after an error the
file itself says how far it got. Belongs to whoever writes, never to the loop of a running cell.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from cellctl.core.messages import Entry
from cellctl.records.chain import chained
from cellctl.records.files import JOURNAL_FILE, origin
from cellctl.runtime.format import FormatError, prepared

#: Nothing that a cell decides is nested deeper.
DEPTH_MAX = 8

_INSERT = "INSERT INTO entry VALUES (?, ?, ?, ?, ?)"


class JournalError(Exception):
    """The journal cannot be opened, or has not been writable for so long that the cell must end: a sentence."""


@dataclass(frozen=True, slots=True)
class Row:
    """An entry with its number and its time (ns UTC)."""

    sequence: int
    time_ns: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Tail:
    """The last entry in the file."""

    sequence: int
    hash: bytes


class Disk:
    """What stands between the journal and the disk: nothing. A test puts a disk there that is full, slow or broken."""

    def before(self, last: int) -> None:
        """Entries up to `last` are about to be committed. sqlite3.Error as a disk that fails raises it."""

    def after(self, last: int) -> None:
        """Entries up to `last` are committed."""


class Ledger:
    """The open file; JournalError if it cannot be opened. `synchronous`: how SQLite waits for the disk."""

    def __init__(self, folder: Path, *, synchronous: str = "FULL", disk: Disk | None = None) -> None:
        self.path = folder / JOURNAL_FILE
        self._synchronous, self._disk = synchronous, disk or Disk()
        self._database = self._opened()
        try:
            self.tail = self._last()
        except sqlite3.Error as error:
            self._database.close()
            raise JournalError(
                f"The journal {self.path} is damaged: {error}. 'cellctl journal verify' says how far it is whole."
            ) from error

    def write(self, rows: Sequence[Row]) -> None:
        """Commit those of `rows` that come after the tail. sqlite3.Error if the disk does not take them."""
        inserted = []
        previous = self.tail.hash
        for row in rows:
            if row.sequence > self.tail.sequence:
                body = _body(row.entry)
                previous = chained(previous, row.time_ns, row.entry.kind, body)
                inserted.append((row.sequence, row.time_ns, row.entry.kind, body, previous))
        last = rows[-1].sequence
        self._disk.before(last)
        self._commit(inserted)
        self.tail = Tail(last, previous)
        self._disk.after(last)

    def reopen(self) -> None:
        """A fresh connection after an error, and the truth from the file: the failed commit may have got there."""
        with suppress(sqlite3.Error, JournalError):
            self._database.close()
            self._database = self._opened()
            self.tail = self._last()

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    def _commit(self, rows: Sequence[tuple[object, ...]]) -> None:
        database = self._database
        try:
            if len(rows) == 1:
                database.execute(_INSERT, rows[0])  # a transaction by itself
                return
            database.execute("BEGIN IMMEDIATE")
            database.executemany(_INSERT, rows)
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                with suppress(sqlite3.Error):
                    database.execute("ROLLBACK")
            raise

    def _opened(self) -> sqlite3.Connection:
        try:
            self.path.touch(mode=0o600)
            database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5.0)
            try:
                database.execute("PRAGMA journal_mode = WAL")
                database.execute(f"PRAGMA synchronous = {self._synchronous}")
                database.execute("PRAGMA journal_size_limit = 16777216")
                prepared(database, self.path)
            except BaseException:
                database.close()
                raise
        except FormatError as error:
            raise JournalError(str(error)) from error
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"The journal {self.path} cannot be opened: {error}.") from error
        return database

    def _last(self) -> Tail:
        row = self._database.execute("SELECT sequence, hash FROM entry ORDER BY sequence DESC LIMIT 1").fetchone()
        begin = origin(self._database)
        return Tail(*row) if row else Tail(begin.sequence, begin.hash)


def _body(entry: Entry) -> str:
    """Canonical JSON. What JSON cannot say must not stop the journal, nor take the rest of the entry with it."""
    try:
        body = _json(entry.data)
        body.encode()  # half a character that some device sent is no text
        return body
    except (TypeError, ValueError):
        return _json(_sayable(entry.data))


def _json(data: object) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _sayable(value: object, depth: int = 0) -> object:
    """`value` with what JSON cannot say as its Python text."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if value is None or isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
        return value
    if isinstance(value, Mapping) and depth < DEPTH_MAX:
        return {_sayable(str(key)): _sayable(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth < DEPTH_MAX:
        return [_sayable(one, depth + 1) for one in value]
    return repr(value)
