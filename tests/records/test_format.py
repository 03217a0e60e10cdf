"""A journal that an older cellctl wrote: read as it is, brought to the format of today, and kept for the way back."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from cellctl.gateway.parts import Parts
from cellctl.records import JOURNAL_FILE, Records, RecordsError
from cellctl.runtime import format as format_module
from cellctl.runtime.ledger import JournalError, Ledger
from tests.cli.terminal import run
from tests.records.made import change, counted, write

#: Written by cellctl 0.1.0 of format 1: ten entries about three parts.
OLD = Path(__file__).parent.parent / "data" / "format-1" / JOURNAL_FILE

KEPT = "journal.format-1.db"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    shutil.copy(OLD, tmp_path / JOURNAL_FILE)
    return tmp_path


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def rows(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT * FROM entry ORDER BY sequence").fetchall()


def test_the_file_is_what_it_is_said_to_be() -> None:
    assert version(OLD) == 1
    assert len(rows(OLD)) == 10


def test_an_old_journal_is_read_as_it_is(state: Path) -> None:
    assert [part["serial"] for part in Parts(state).latest()] == ["job-1-0003", "job-1-0002", "job-1-0001"]
    result = run("journal", "verify", "--state", str(state))
    assert (result.code, result.out.splitlines()[0]) == (0, "All 10 entries are whole, from 1 to 10.")
    assert version(state / JOURNAL_FILE) == 1
    assert not (state / KEPT).exists()


def test_a_writer_brings_it_to_the_format_of_today_and_keeps_a_copy(state: Path) -> None:
    before = rows(OLD)
    write(state, counted(5))
    assert version(state / JOURNAL_FILE) == 2
    assert rows(state / JOURNAL_FILE)[:10] == before
    assert Records(state).verify().entries == 15
    assert (version(state / KEPT), rows(state / KEPT)) == (1, before)
    assert (state / KEPT).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in state.glob("*.part")] == []


_DIES = """
import os, sys
from pathlib import Path
from cellctl.runtime import format
from cellctl.runtime.ledger import Ledger

def die(*_):
    os.kill(os.getpid(), 9)

setattr(format, sys.argv[2], die)
Ledger(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("point", ["settle", "_in_one"])
def test_a_kill_on_the_way_there_loses_nothing(state: Path, point: str) -> None:
    done = subprocess.run([sys.executable, "-c", _DIES, str(state), point], check=False)
    assert done.returncode == -9
    assert version(state / JOURNAL_FILE) == 1
    assert Records(state).verify().entries == 10
    write(state, counted(1))
    assert Records(state).verify().entries == 11
    assert rows(state / KEPT) == rows(OLD)


def test_without_space_for_the_copy_nothing_is_changed(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(format_module, "settle", full)
    with pytest.raises(JournalError, match="No space left on device"):
        Ledger(state)
    assert (version(state / JOURNAL_FILE), rows(state / JOURNAL_FILE)) == (1, rows(OLD))


def test_a_newer_format_is_refused_with_what_to_do(state: Path) -> None:
    change(state / JOURNAL_FILE, "PRAGMA user_version = 3")
    before = (state / JOURNAL_FILE).read_bytes()
    with pytest.raises(JournalError, match=r"format 3; this cellctl writes 2\. Run the cellctl that wrote it"):
        Ledger(state)
    with pytest.raises(RecordsError, match="format 3; this cellctl reads 1 and 2"):
        Records(state).latest()
    assert (state / JOURNAL_FILE).read_bytes() == before


def test_a_journal_with_damaged_pages_is_a_sentence(state: Path) -> None:
    whole = bytearray((state / JOURNAL_FILE).read_bytes())
    whole[4096:4200] = b"\xff" * 104
    (state / JOURNAL_FILE).write_bytes(whole)
    with pytest.raises(JournalError, match=r"is damaged: .* 'cellctl journal verify' says how far it is whole"):
        Ledger(state)
