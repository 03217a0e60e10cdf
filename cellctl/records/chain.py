"""The chain of hashes through the journal and its archives: how it is made, and how it is recomputed.

The rule kept here: what is told as whole was read and recomputed, entry by entry, and follows what came before it.
Whoever can write the files can also compute another chain: that is found by a head that was written down elsewhere.
"""

import sqlite3
from base64 import b32decode, b32encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cellctl.records.files import (
    ARCHIVE_FOLDER,
    JOURNAL_FILE,
    Archive,
    Origin,
    RecordsError,
    archives,
    origin,
    reading,
)

#: So many letters are easily written down and compared, and met by chance once in 10^12 entries.
HEAD_LETTERS = 8

#: Rows fetched at a time, so that no reading transaction lasts long.
_PAGE = 1_000

_SELECT = "SELECT sequence, time_ns, kind, body, hash FROM entry WHERE sequence > ? ORDER BY sequence LIMIT ?"

_BEGINNING = Origin()

#: How often the walk is begun anew because a running cell moved entries into an archive meanwhile.
_TRIES = 10


def chained(previous: bytes, time_ns: int, kind: str, body: str) -> bytes:
    """The hash of an entry: over the hash of the one before it and all that it says."""
    return sha256(previous + f"{time_ns} {len(kind)} {kind} ".encode() + body.encode()).digest()


def head_of(hash: bytes) -> str:
    """The letters by which a person knows a hash: those of its base32, in small letters."""
    return b32encode(hash).decode().lower()[:HEAD_LETTERS]


def head_bytes(letters: str) -> bytes:
    """The beginning of a hash by its letters, as a person writes them; ValueError with a sentence if they are none."""
    bare = "".join(sign for sign in letters.upper() if sign not in " -")
    try:
        if len(bare) == HEAD_LETTERS:
            return b32decode(bare)
    except ValueError:
        pass
    raise ValueError(f"{letters!r} is not a head: that is {HEAD_LETTERS} of the signs a to z and 2 to 7")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check of the chain.

    `entries`: up to this number all that is here is whole. If something is not: `reason` says what, in which `file`,
    and `broken_at` is the first entry that is not whole, if it is an entry. `head`: the letters of the last whole one.
    `missing`: what was archived and is not here. `found`: the entries that have the head that was asked for.
    """

    entries: int
    broken_at: int | None = None
    reason: str = ""
    file: Path | None = None
    head: str = ""
    missing: tuple[tuple[int, int], ...] = ()
    found: tuple[int, ...] = ()


class _Moved(Exception):  # noqa: N818 - nothing is wrong
    """Entries went into an archive while they were read."""


class _Broken(Exception):  # noqa: N818 - it is what was looked for
    """The entry after the last one that was seen is not whole."""


class _Damaged(_Broken):
    """All entries were seen, and the file is not whole."""


def verified(folder: Path, *, head: bytes = b"", elsewhere: Path | None = None, only_journal: bool = False) -> Verdict:
    """Recompute the chain in a state folder. RecordsError if there is no journal, or it cannot be opened.

    `head` is looked for; `elsewhere` is a folder with archives that were moved away; `only_journal` leaves all out.
    """
    for _ in range(_TRIES):
        folders = [] if only_journal else [folder / ARCHIVE_FOLDER, *([elsewhere] if elsewhere else [])]
        files = {(each.first, each.last): each for place in reversed(folders) for each in archives(place)}
        try:
            return _Walk(head).through(folder / JOURNAL_FILE, sorted(files.values()))
        except _Moved:
            continue
    raise RecordsError(f"The journal in {folder} changes faster than it can be read. Try again.")


class _Walk:
    """One way through all files."""

    def __init__(self, head: bytes) -> None:
        self._head = head
        self._last = _BEGINNING
        self._missing: list[tuple[int, int]] = []
        self._found: list[int] = []

    def through(self, journal: Path, files: list[Archive]) -> Verdict:
        file = journal
        try:
            for archive in files:
                file = archive.path
                self._archive(archive)
            file = journal
            self._journal(journal)
        except _Broken as broken:
            at = None if isinstance(broken, _Damaged) else self._last.sequence + 1
            return self._verdict(at, str(broken), file)
        return self._verdict()

    def _verdict(self, broken_at: int | None = None, reason: str = "", file: Path | None = None) -> Verdict:
        number = self._last.sequence
        head = head_of(self._last.hash) if number else ""
        return Verdict(number, broken_at, reason, file, head, tuple(self._missing), tuple(self._found))

    def _archive(self, archive: Archive) -> None:
        with _readable(archive.path) as database:
            self._begin(_origin(database))
            self._rows(database)
            self._whole(database)
        if self._last.sequence != archive.last:
            raise _Broken(f"by its name it goes on to entry {archive.last}")

    def _journal(self, path: Path) -> None:
        """The entries that lie in an archive and are not yet taken out of the journal are looked at in both."""
        archived = self._last
        with reading(path) as database:
            begin = _origin(database)
            if begin.sequence < archived.sequence:
                self._last = begin
            else:
                self._begin(begin)
            self._rows(database, archived, moving=True)
            if self._last.sequence < archived.sequence:
                raise _Broken(f"it ends before the last archive does, at entry {archived.sequence}")
            self._whole(database)

    def _begin(self, begin: Origin) -> None:
        """Go on with a file that follows `begin`."""
        if begin.sequence > self._last.sequence:
            self._missing.append((self._last.sequence + 1, begin.sequence))
            self._last = begin
        elif begin != self._last:
            raise _Broken("it does not follow the entries before it")

    def _rows(self, database: sqlite3.Connection, archived: Origin = _BEGINNING, *, moving: bool = False) -> None:
        head, length = self._head, len(self._head)
        number, previous = self._last.sequence, self._last.hash
        try:
            while rows := database.execute(_SELECT, (number, _PAGE)).fetchall():
                for sequence, time_ns, kind, body, told in rows:
                    if sequence != number + 1:
                        if moving and _origin(database).sequence > number:
                            raise _Moved
                        raise _Broken(f"entry {number + 1} is not there")
                    if not (type(time_ns) is int and type(kind) is str and type(body) is str):
                        raise _Broken("what it holds is no entry")
                    if chained(previous, time_ns, kind, body) != told:
                        raise _Broken("its hash is not that of what it says and of the entry before it")
                    if sequence == archived.sequence and told != archived.hash:
                        raise _Broken("it is another one than that in the archive")
                    previous, number = told, sequence
                    if head and told[:length] == head:
                        self._found.append(number)
        except (sqlite3.Error, UnicodeError) as error:
            raise _Broken(f"it cannot be read: {error}") from error
        finally:
            self._last = Origin(number, previous)

    def _whole(self, database: sqlite3.Connection) -> None:
        """What SQLite itself says of the file: also of what the chain does not see, such as its index."""
        try:
            told = [str(line) for (line,) in database.execute("PRAGMA integrity_check(3)")]
        except sqlite3.Error as error:
            told = [str(error)]
        if told != ["ok"]:
            raise _Damaged("SQLite says of the file: " + "; ".join(told))


@contextmanager
def _readable(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with reading(path) as database:
            yield database
    except RecordsError as error:
        raise _Broken(str(error).rstrip(".")) from error


def _origin(database: sqlite3.Connection) -> Origin:
    try:
        return origin(database)
    except sqlite3.Error as error:
        raise _Broken(f"{error}") from error
