"""The format of the journal's file: its tables, and how a file of an older format gets them.

The rule kept here: an older file is changed in one transaction, and not before a copy of it lies beside it, which the
older release can read. A file of a newer format is left alone.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from cellctl.records.files import JOURNAL_VERSION, Origin

#: `origin` has one row: the entry that the first one here follows.
_ORIGIN = "CREATE TABLE origin (sequence INTEGER NOT NULL, hash BLOB NOT NULL)"
_ENTRY = """
CREATE TABLE entry (
    sequence INTEGER PRIMARY KEY,
    time_ns  INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    body     TEXT    NOT NULL,
    hash     BLOB    NOT NULL
)"""
_KINDS = "CREATE INDEX entry_kind ON entry (kind, sequence)"


class FormatError(Exception):
    """The file cannot be used as it is: a sentence for a person."""


def prepared(database: sqlite3.Connection, path: Path) -> None:
    """Make a new or an older journal one of this format; FormatError, sqlite3.Error or OSError if it cannot be."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version == 0:
        create(database, Origin())
    elif version == 1:
        _keep(database, kept_copy(path, version))
        _in_one(database, _ORIGIN, "INSERT INTO origin VALUES (0, x'')", f"PRAGMA user_version = {JOURNAL_VERSION}")
    elif version != JOURNAL_VERSION:
        raise FormatError(
            f"The journal {path} has format {version}; this cellctl writes {JOURNAL_VERSION}."
            " Run the cellctl that wrote it, or a newer one."
        )


def create(database: sqlite3.Connection, begin: Origin) -> None:
    """The tables of a journal, or of an archive, whose first entry will follow `begin`."""
    hash = f"x'{begin.hash.hex()}'"
    insert = f"INSERT INTO origin VALUES ({begin.sequence}, {hash})"
    _in_one(database, _ENTRY, _KINDS, _ORIGIN, insert, f"PRAGMA user_version = {JOURNAL_VERSION}")


def kept_copy(path: Path, version: int) -> Path:
    """Where the copy of a journal of an older format lies."""
    return path.with_name(f"{path.stem}.format-{version}{path.suffix}")


def _keep(database: sqlite3.Connection, target: Path) -> None:
    """A whole copy of the file in `target`; one of an earlier try, after which nothing was changed, is replaced."""
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    with closing(sqlite3.connect(part, isolation_level=None)) as copy:
        database.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    settle(part, target)


def settle(part: Path, target: Path) -> None:
    """Give a finished file its name, for good: it is there after a power cut."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _in_one(database: sqlite3.Connection, *statements: str) -> None:
    database.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements:
            database.execute(statement)
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
