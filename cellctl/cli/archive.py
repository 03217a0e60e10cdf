"""`cellctl journal archive`: entries are moved by hand, beside a cell that runs or not.

The rule kept here: a cell that runs is given way after each piece; what is to be done alone is refused while it runs.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cellctl.cli.terminal import FAILED, REFUSED, Failure, clock, say
from cellctl.core.outbox import SNAPSHOT
from cellctl.records import JOURNAL_FILE, RecordsError
from cellctl.records.files import Archive, reading
from cellctl.runtime.archive import PAUSE_S, ArchiveError, moving
from cellctl.runtime.folder import StateError, StateInUse, claimed
from cellctl.runtime.journal import JournalError
from cellctl.runtime.ledger import Ledger

#: How often it is told that it goes on.
_TELL_S = 5.0


def moved(folder: Path, before_ns: int, *, alone: bool) -> list[Archive]:
    """The archives that were made. Failure if a cell runs although we are to be `alone`, or it cannot be done."""
    runs = _brought_up_to_date(folder)
    if runs and alone:
        raise Failure("The cell runs: stop it to give the space in its journal back to the disk.", REFUSED)
    found, told_at = [], time.monotonic()
    with _sentences(folder):
        for archive in moving(folder, before_ns):
            if archive is not None:
                found.append(archive)
            if time.monotonic() - told_at > _TELL_S:
                told_at = time.monotonic()
                say("Moving entries ... Ctrl-C loses nothing.")
            if runs:
                time.sleep(PAUSE_S)
    return found


def shrunk(folder: Path) -> None:
    """Give the space of what was moved back to the disk."""
    try:
        with _sentences(folder), claimed(folder), closing(sqlite3.connect(folder / JOURNAL_FILE)) as journal:
            journal.execute("VACUUM")
    except StateError as error:
        raise Failure(str(error), REFUSED) from error


def needed(folder: Path, before_ns: int) -> str:
    """Why nothing was moved."""
    with _sentences(folder), reading(folder / JOURNAL_FILE) as journal:
        (newest,) = journal.execute("SELECT max(sequence) FROM entry WHERE kind = ?", (SNAPSHOT,)).fetchone()
        oldest = journal.execute("SELECT min(sequence), time_ns FROM entry").fetchone()
    if oldest[0] is None:
        return "the journal is empty"
    if oldest[1] >= before_ns:
        return f"its oldest entry is of {clock(oldest[1])}"
    if newest is None:
        return "there is no snapshot of the cell yet, so it begins from all entries"
    return f"the cell begins from entry {newest:,} on, the newest snapshot"


def _brought_up_to_date(folder: Path) -> bool:
    """Whether a cell runs. If none does, a journal of an older format gets that of today."""
    try:
        with claimed(folder):
            Ledger(folder).close()
    except StateInUse:
        return True
    except (StateError, JournalError) as error:
        raise Failure(str(error)) from error
    return False


@contextmanager
def _sentences(folder: Path) -> Iterator[None]:
    try:
        yield
    except (ArchiveError, RecordsError, sqlite3.Error, OSError) as error:
        text = str(error).rstrip(".")
        raise Failure(f"The entries in {folder} cannot be moved: {text}. Nothing is lost.", FAILED) from error
