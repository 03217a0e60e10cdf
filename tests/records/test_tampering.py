"""A thousand journals that somebody changed, in an archive or in the journal itself: each is found by a head."""

import random
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from cellctl.records import ARCHIVE_FOLDER, JOURNAL_FILE
from cellctl.records.chain import chained, head_bytes, verified
from cellctl.records.files import archives
from cellctl.runtime.archive import moving
from tests.records.made import counted, snapshot, write

COUNT = 60
_ROWS = "SELECT sequence, time_ns, kind, body, hash FROM entry ORDER BY sequence"


def edit(database: sqlite3.Connection, dice: random.Random) -> None:
    number = _any(database, dice)
    column, value = dice.choice([("body", '{"n":-1}'), ("kind", "state"), ("time_ns", 5), ("hash", b"x" * 32)])
    database.execute(f"UPDATE entry SET {column} = ? WHERE sequence = ?", (value, number))


def delete(database: sqlite3.Connection, dice: random.Random) -> None:
    database.execute("DELETE FROM entry WHERE sequence = ?", (_any(database, dice),))


def swap(database: sqlite3.Connection, dice: random.Random) -> None:
    one, other = dice.sample([row[0] for row in database.execute(_ROWS)], 2)
    for a, b in ((one, -1), (other, one), (-1, other)):
        database.execute("UPDATE entry SET sequence = ? WHERE sequence = ?", (b, a))


def insert(database: sqlite3.Connection, dice: random.Random) -> None:
    number = _any(database, dice)
    rows = database.execute(_ROWS).fetchall()
    database.execute("DELETE FROM entry WHERE sequence >= ?", (number,))
    (copied,) = [row for row in rows if row[0] == number]
    later = [(row[0] + 1, *row[1:]) for row in rows if row[0] >= number]
    database.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", [copied, *later])


def cut(database: sqlite3.Connection, dice: random.Random) -> None:
    database.execute("DELETE FROM entry WHERE sequence >= ?", (_any(database, dice),))


def anew(database: sqlite3.Connection, dice: random.Random) -> None:
    """Edit an entry, and compute all hashes after it again."""
    number = _any(database, dice)
    database.execute("UPDATE entry SET body = '{\"n\":-1}' WHERE sequence = ?", (number,))
    (previous,) = database.execute("SELECT hash FROM origin").fetchone()
    for sequence, time_ns, kind, body, _ in database.execute(_ROWS).fetchall():
        previous = chained(previous, time_ns, kind, body)
        database.execute("UPDATE entry SET hash = ? WHERE sequence = ?", (previous, sequence))


def _any(database: sqlite3.Connection, dice: random.Random) -> int:
    return int(dice.choice([row[0] for row in database.execute(_ROWS)]))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Sixty entries in an archive, and sixty more with a snapshot in the journal."""
    folder = tmp_path / "state"
    write(folder, [*counted(COUNT), snapshot(), *counted(COUNT - 1)])
    for _ in moving(folder, time.time_ns()):
        pass
    return folder


@pytest.mark.parametrize("tamper", [edit, delete, swap, insert, cut, anew])
def test_whatever_is_changed_is_found(state: Path, tmp_path: Path, tamper) -> None:  # type: ignore[no-untyped-def]
    head = head_bytes(verified(state).head)
    kept = archives(state / ARCHIVE_FOLDER)[0].path.relative_to(state)
    dice = random.Random(tamper.__name__)
    changed = tmp_path / "changed"
    for number in range(170):
        shutil.copytree(state, changed)
        with closing(sqlite3.connect(changed / dice.choice([kept, Path(JOURNAL_FILE)]))) as database, database:
            tamper(database, dice)
        verdict = verified(changed, head=head)
        assert verdict.reason or verdict.missing or 2 * COUNT not in verdict.found, f"{tamper.__name__} {number}"
        shutil.rmtree(changed)
    assert verified(state, head=head).found == (2 * COUNT,)
