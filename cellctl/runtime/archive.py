"""Old entries leave the journal for an archive, in pieces that each take no longer than a commit.

An archive is finished and on disk before the first of its entries leaves the journal, and each leaves only after it was
read back. So a crash at any point loses nothing; what is in both files then is taken out of the journal by the next
move. The rule kept here: what moves is a whole run from the first entry on, older than a time and before the newest
snapshot, from which a cell begins; an archive is never changed, and never deleted.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from cellctl.core.outbox import SNAPSHOT
from cellctl.records import RecordsError
from cellctl.records.chain import chained
from cellctl.records.files import (
    ARCHIVE_FOLDER,
    JOURNAL_FILE,
    JOURNAL_VERSION,
    Archive,
    Origin,
    Row,
    archive_name,
    archives,
    origin,
    reading,
)
from cellctl.runtime.clock import Clock
from cellctl.runtime.format import create, settle

#: For how long entries stay in the journal if nobody says otherwise: a year, and time to look at it.
KEEP_NS = 400 * 86_400_000_000_000

#: So much more may gather before a running cell moves it: a month makes an archive.
GATHER_NS = 30 * 86_400_000_000_000

#: Entries in one piece: copied or taken out within a few milliseconds.
PIECE = 500

#: Entries in one archive, at most: some hundred megabytes.
ENTRIES_MAX = 1_000_000

#: How often a running cell looks whether anything is old enough, and its pause between two pieces.
LOOK_NS = 3_600_000_000_000
PAUSE_S = 0.05
_REST_S = 60.0

#: A lock that another process holds for longer is waited for another time.
_BUSY_S = 0.2

_ROWS = "SELECT sequence, time_ns, kind, body, hash FROM entry WHERE sequence > ? AND sequence <= ? ORDER BY sequence"


#: Steps of a move: each did one piece; one that finished an archive gives it.
Moving = Generator[Archive | None, None, None]


class ArchiveError(Exception):
    """Entries cannot be moved: a sentence for a person. Nothing is lost."""


class Archiver:
    """Moves what is old while nobody waits for the disk. `work` and `close` belong to the journal's thread.

    `trouble` is told what hinders it; it tries again an hour later.
    """

    def __init__(self, folder: Path, keep_ns: int, clock: Clock, *, trouble: Callable[[str], None]) -> None:
        self._folder, self._keep_ns, self._clock, self._trouble = folder, keep_ns, clock, trouble
        self._looked_ns: int | None = None
        self._moving: Moving | None = None

    def work(self) -> float:
        """One piece, if there is any; after how many seconds to call again. Never raises for the disk."""
        try:
            if self._moving is None and not self._look():
                return _REST_S
            assert self._moving is not None
            next(self._moving)
        except StopIteration:
            self._moving = None
        except (ArchiveError, RecordsError, sqlite3.Error, OSError) as error:
            self._moving = None
            self._trouble(f"Old entries of the journal cannot be moved into an archive: {error}")
        return PAUSE_S

    def close(self) -> None:
        """Give the files back; what was not finished begins anew another time."""
        moving, self._moving = self._moving, None
        if moving is not None:
            moving.close()

    def _look(self) -> bool:
        """Whether there is anything to do, once in an hour."""
        now = self._clock.now()
        if self._looked_ns is not None and abs(now - self._looked_ns) < LOOK_NS:
            return False
        self._looked_ns = now
        with closing(_connected(self._folder / JOURNAL_FILE)) as journal:
            begin, newest = origin(journal), _snapshot(journal)
            oldest = journal.execute("SELECT min(sequence), time_ns FROM entry").fetchone()
        left = [each for each in archives(self._folder / ARCHIVE_FOLDER) if each.last > begin.sequence]
        due = oldest[0] is not None and oldest[0] < newest and oldest[1] < now - self._keep_ns - GATHER_NS
        if due or left:
            self._moving = moving(self._folder, now - self._keep_ns)
        return self._moving is not None


def moving(folder: Path, before_ns: int) -> Moving:
    """Move the entries of a state folder that are older than `before_ns` and are not needed to begin from.

    ArchiveError, RecordsError, sqlite3.Error or OSError if it cannot go on.
    """
    place = folder / ARCHIVE_FOLDER
    with _alone(place), closing(_connected(folder / JOURNAL_FILE)) as journal:
        (version,) = journal.execute("PRAGMA user_version").fetchone()
        if version != JOURNAL_VERSION:
            raise ArchiveError(f"the journal has format {version} until its cell runs with this cellctl")
        yield from _taken_out(journal, place)
        while (last := (yield from _copied(journal, place, before_ns))) is not None:
            yield last
            yield from _taken_out(journal, place)


def _copied(journal: sqlite3.Connection, place: Path, before_ns: int) -> Generator[None, None, Archive | None]:
    """One archive of what is old; None if nothing is."""
    begin, upto = origin(journal), _snapshot(journal) - 1
    last = begin
    rows = _old(journal, last, upto, before_ns)
    if not rows:
        return None
    part = place / "journal.part"
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    with closing(sqlite3.connect(part, isolation_level=None)) as archive:
        archive.execute("PRAGMA journal_mode = OFF")  # what a crash leaves of it is thrown away
        archive.execute("PRAGMA synchronous = FULL")  # each piece on its own, so that no large one waits for the disk
        create(archive, begin)
        while rows:
            archive.execute("BEGIN")
            archive.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", rows)
            archive.execute("COMMIT")
            last = Origin(rows[-1][0], rows[-1][4])
            yield None
            room = ENTRIES_MAX - (last.sequence - begin.sequence)
            rows = _old(journal, last, upto, before_ns)[:room]
    finished = Archive(begin.sequence + 1, last.sequence, place / archive_name(begin.sequence + 1, last.sequence))
    settle(part, finished.path)
    return finished


def _old(journal: sqlite3.Connection, last: Origin, upto: int, before_ns: int) -> list[Row]:
    """The next piece after `last` of what is old. ArchiveError if an entry is not as it was written."""
    rows = journal.execute(_ROWS, (last.sequence, min(last.sequence + PIECE, upto))).fetchall()
    found, number, previous = [], last.sequence, last.hash
    for row in rows:
        sequence, time_ns, kind, body, told = row
        if time_ns >= before_ns:
            break
        if sequence != number + 1 or chained(previous, time_ns, kind, body) != told:
            raise ArchiveError(f"entry {number + 1} is not as it was written; 'cellctl journal verify' tells more")
        found.append(row)
        number, previous = sequence, told
    return found


def _taken_out(journal: sqlite3.Connection, place: Path) -> Generator[None, None, None]:
    """Take out of the journal what archives hold, after a look at both."""
    newest = _snapshot(journal)
    for archive in archives(place):
        if archive.last <= origin(journal).sequence:
            continue
        if archive.last >= newest:
            raise ArchiveError(
                f"{archive.path.name} holds more than may be moved; it is not an archive of this journal"
            )
        with reading(archive.path) as kept:
            while (begin := origin(journal)).sequence < archive.last:
                upto = min(begin.sequence + PIECE, archive.last)
                rows = journal.execute(_ROWS, (begin.sequence, upto)).fetchall()
                if not rows or rows != kept.execute(_ROWS, (begin.sequence, upto)).fetchall():
                    raise ArchiveError(f"{archive.path.name} does not hold what the journal holds")
                journal.execute("BEGIN IMMEDIATE")
                try:
                    journal.execute("DELETE FROM entry WHERE sequence <= ?", (upto,))
                    journal.execute("UPDATE origin SET sequence = ?, hash = ?", (upto, rows[-1][4]))
                    journal.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):
                        journal.execute("ROLLBACK")
                    raise
                yield None


def _snapshot(journal: sqlite3.Connection) -> int:
    """The number of the newest snapshot; 0 if there is none, and so nothing that may be moved."""
    (newest,) = journal.execute("SELECT max(sequence) FROM entry WHERE kind = ?", (SNAPSHOT,)).fetchone()
    return newest or 0


def _connected(path: Path) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode=rw"
    database = sqlite3.connect(address, uri=True, isolation_level=None, timeout=_BUSY_S)
    database.execute("PRAGMA synchronous = FULL")
    return database


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Nobody else moves anything meanwhile."""
    place.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(place / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArchiveError("another process moves entries just now") from None
        yield
    finally:
        os.close(lock)
