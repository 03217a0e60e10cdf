"""Old entries in archives: moved by hand and by the running cell, found again, never lost, doubled or waited for."""

import asyncio
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cellctl.core.messages import Entry
from cellctl.gateway.parts import Parts
from cellctl.records import ARCHIVE_FOLDER, JOURNAL_FILE, Records
from cellctl.records.chain import verified
from cellctl.records.files import archives
from cellctl.runtime import archive as archive_module
from cellctl.runtime.archive import KEEP_NS, ArchiveError, Archiver, moving
from cellctl.runtime.clock import Clock
from cellctl.runtime.journal import Journal
from cellctl.runtime.ledger import Ledger
from tests.cli.terminal import run
from tests.records.made import DAY_NS, LONG_AGO_NS, change, counted, made, numbers_in_files, snapshot, told, write

NOW_NS = time.time_ns()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Parts of long ago (1 to 30), many entries, a snapshot (2031), and a part of today (2032 to 2034)."""
    folder = tmp_path / ".cellctl"
    write(folder, [entry for number in range(1, 11) for entry in made(number)])
    write(folder, [*counted(2_000, 31), snapshot(parts=10)], begin_ns=LONG_AGO_NS + DAY_NS)
    assert write(folder, made(11), begin_ns=NOW_NS, step_ns=1) == 2_034
    return folder


def all_moved(folder: Path, before_ns: int = NOW_NS) -> None:
    for _ in moving(folder, before_ns):
        pass


def test_by_hand_what_is_old_goes_into_an_archive_and_is_found_there(state: Path) -> None:
    before = Records(state).entries(limit=5_000)
    result = run("journal", "archive", "--before", "2021-01-01", "--state", str(state))
    assert result.code == 0, result.err
    (kept,) = archives(state / ARCHIVE_FOLDER)
    assert result.out == f"Entries 1 to 2,030 are in {kept.path}.\n"
    assert kept.path.name == "journal-000000000001-000000002030.db"
    assert kept.path.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(state / JOURNAL_FILE)) as database:
        assert database.execute("SELECT min(sequence), count(*) FROM entry").fetchone() == (2_031, 4)
    assert numbers_in_files(state) == list(range(1, 2_035))
    assert Records(state).entries(limit=5_000) == before
    assert Records(state).entries(after=2_028, limit=4) == before[2_028:2_032]
    assert Records(state).latest(limit=10) == before[-10:]
    assert [each.sequence for each in Records(state).latest(kind="part", limit=2)] == [28, 2_032]
    assert len(Parts(state).latest(100)) == 11
    assert run("part", "job-1-0003", "--state", str(state)).out.startswith("job-1-0003: good")
    listed = run("journal", "--kind", "part", "--limit", "11", "--state", str(state)).out.splitlines()
    assert len(listed) == 11
    verify = run("journal", "verify", "--state", str(state))
    assert (verify.code, verify.out.splitlines()[0]) == (0, "All 2,034 entries are whole, from 1 to 2,034.")


def test_a_head_of_long_ago_is_found_in_an_archive(state: Path) -> None:
    head = str(told(run("journal", "verify", "--state", str(state), "--json").out)["head"])
    write(state, [snapshot()])
    all_moved(state, NOW_NS + DAY_NS)
    result = run("journal", "verify", "--state", str(state), "--head", head, "--entries", "2034")
    assert (result.code, result.out.splitlines()[0]) == (0, "Entry 2,034 has this head; 1 came after it.")


def test_what_is_needed_to_begin_from_stays_and_why_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    write(folder, counted(10))
    words = ("journal", "archive", "--before", "1 d", "--state", str(folder))
    assert "there is no snapshot of the cell yet" in run(*words).out
    write(folder, [snapshot()])
    assert "Entries 1 to 10 are in" in run(*words).out
    assert "the cell begins from entry 11 on" in run(*words).out
    assert "its oldest entry is of 2020-09-13" in run("journal", "archive", "--before", "2020-01-01", *words[-2:]).out
    assert run("journal", "archive", "--before", "yesterday", *words[-2:]).code == 2
    assert Records(folder).verify().entries == 11


def test_entries_go_on_after_all_before_the_snapshot_was_moved(state: Path) -> None:
    all_moved(state)
    assert write(state, counted(3)) == 2_037
    assert Records(state).verify().entries == 2_037


def test_more_archives_than_one(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "ENTRIES_MAX", 700)
    all_moved(state)
    spans = [(each.first, each.last) for each in archives(state / ARCHIVE_FOLDER)]
    assert spans == [(1, 700), (701, 1_400), (1_401, 2_030)]
    assert [each.data.get("n") for each in Records(state).entries(after=690, limit=1_000)] == list(range(691, 1_691))
    assert [each.sequence for each in Records(state).latest(limit=1_500)] == list(range(535, 2_035))
    assert Records(state).verify().entries == 2_034


def test_an_archive_that_is_not_here_is_told(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "ENTRIES_MAX", 700)
    all_moved(state)
    away = tmp_path / "away"
    away.mkdir()
    for each in archives(state / ARCHIVE_FOLDER)[:2]:
        shutil.move(each.path, away)
    result = run("journal", "verify", "--state", str(state))
    assert result.code == 7
    assert result.err.startswith("Entries 1 to 1,400 were archived, and their archives are not here.\n")
    assert result.out.splitlines()[0] == "All 634 entries are whole, from 1,401 to 2,034."
    assert run("journal", "verify", "--state", str(state), "--archives", str(away)).code == 0
    alone = run("journal", "verify", "--state", str(state), "--without-archives")
    assert (alone.code, alone.out.splitlines()[0]) == (0, "All 4 entries are whole, from 2,031 to 2,034.")
    part = run("part", "job-1-0001", "--state", str(state))
    assert (part.code, part.err.splitlines()[0]) == (1, "There is no part 'job-1-0001'.")
    assert "It may be in entries 1 to 1,400: their archives are not in" in part.err
    assert Records(state).entries(limit=1)[0].sequence == 1_401


@pytest.mark.parametrize(
    ("changes", "broken_at"),
    [
        (["UPDATE entry SET body = '{}' WHERE sequence = 1000"], 1_000),
        (["DELETE FROM entry WHERE sequence = 900"], 900),
        (["DELETE FROM entry WHERE sequence > 1500"], 1_501),
        (["UPDATE origin SET sequence = 3"], 4),
        (["DROP TABLE entry"], 1),
        (["PRAGMA user_version = 7"], 1),
    ],
)
def test_a_changed_archive_is_found(state: Path, changes: list[str], broken_at: int) -> None:
    all_moved(state)
    (kept,) = archives(state / ARCHIVE_FOLDER)
    change(kept.path, *changes)
    result = run("journal", "verify", "--state", str(state), "--json")
    assert (result.code, told(result.out)["broken_at"]) == (7, broken_at)


def test_an_archive_of_another_journal_is_found_and_takes_nothing_out(state: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write(other, [*counted(50), snapshot()])
    all_moved(other)
    shutil.copytree(other / ARCHIVE_FOLDER, state / ARCHIVE_FOLDER)
    with pytest.raises(ArchiveError, match="does not hold what the journal holds"):
        all_moved(state)
    result = run("journal", "archive", "--before", "2021-01-01", "--state", str(state))
    assert (result.code, "Nothing is lost." in result.err) == (1, True)
    assert run("journal", "verify", "--state", str(state)).code == 7
    shutil.rmtree(state / ARCHIVE_FOLDER)
    assert Records(state).verify().entries == 2_034


def test_an_entry_that_is_not_as_it_was_written_is_not_moved(state: Path) -> None:
    change(state / JOURNAL_FILE, "UPDATE entry SET body = '{}' WHERE sequence = 800")
    with pytest.raises(ArchiveError, match="entry 800 is not as it was written"):
        all_moved(state)
    assert archives(state / ARCHIVE_FOLDER) == []


_MOVES = """
import sys
from pathlib import Path
from cellctl.runtime import archive

archive.PIECE = 20
for _ in archive.moving(Path(sys.argv[1]), int(sys.argv[2])):
    print(flush=True)
"""


def test_a_kill_at_any_moment_loses_nothing_and_doubles_nothing(state: Path) -> None:
    before = Records(state).entries(limit=5_000)
    dice = random.Random(5)
    argv = [sys.executable, "-c", _MOVES, str(state), str(NOW_NS)]
    for _ in range(12):
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as mover:
            assert mover.stdout
            for _ in range(dice.randrange(1, 210)):
                mover.stdout.readline()
            mover.send_signal(signal.SIGKILL)
        assert Records(state).entries(limit=5_000) == before
        assert [each.sequence for each in Records(state).latest(limit=5_000)] == list(range(1, 2_035))
        assert verified(state).entries == 2_034
        assert verified(state).reason == ""
    assert subprocess.run(argv, stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert numbers_in_files(state) == list(range(1, 2_035))


def test_steps_of_a_move_that_end_anywhere_lose_nothing(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "PIECE", 100)
    before = Records(state).entries(limit=5_000)
    for count in range(1, 46):
        steps = moving(state, NOW_NS)
        for _ in range(count):
            next(steps, None)
        steps.close()
        assert Records(state).entries(limit=5_000) == before
        assert verified(state).reason == ""
    assert numbers_in_files(state) == list(range(1, 2_035))


def test_verifying_while_entries_move_finds_nothing_wrong(state: Path) -> None:
    argv = [sys.executable, "-c", _MOVES, str(state), str(NOW_NS)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as mover:
        while mover.poll() is None:
            assert verified(state).reason == ""
            assert len(Records(state).entries(limit=5_000)) == 2_034
    assert mover.returncode == 0


@pytest.fixture
def archiver(state: Path) -> Iterator[tuple[Archiver, list[str]]]:
    trouble: list[str] = []
    made = Archiver(state, KEEP_NS, Clock(), trouble=trouble.append)
    yield made, trouble
    made.close()


async def test_a_cell_moves_what_is_old_while_no_decision_waits_longer_than_a_commit(
    state: Path, archiver: tuple[Archiver, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "PIECE", 20)
    mover, trouble = archiver
    on_disk = asyncio.Event()
    journal = Journal(Ledger(state))
    journal.start(committed=lambda number: on_disk.set(), failing=trouble.append, idle=mover.work, end=mover.close)
    waits = []
    async with asyncio.timeout(30):
        while not _all_moved(state):
            on_disk.clear()
            begin = time.monotonic()
            journal.append(time.time_ns(), [Entry("count", {})])
            await on_disk.wait()
            waits.append(time.monotonic() - begin)
            await asyncio.sleep(0.002)
    assert await journal.close(5)
    assert trouble == []
    assert len(waits) > 20
    assert sorted(waits)[len(waits) // 2] < 0.1
    assert numbers_in_files(state) == list(range(1, 2_035 + len(waits)))
    assert Records(state).verify().entries == 2_034 + len(waits)


def _all_moved(state: Path) -> bool:
    with closing(sqlite3.connect(state / JOURNAL_FILE)) as database:
        return bool(database.execute("SELECT min(sequence) FROM entry").fetchone()[0] == 2_031)


def test_a_cell_leaves_alone_what_is_young_and_looks_once_an_hour(tmp_path: Path) -> None:
    write(tmp_path, [*counted(100), snapshot()], begin_ns=NOW_NS - 420 * DAY_NS)
    mover = Archiver(tmp_path, KEEP_NS, Clock(), trouble=print)
    assert mover.work() > 1
    assert archives(tmp_path / ARCHIVE_FOLDER) == []
    mover = Archiver(tmp_path, 380 * DAY_NS, Clock(), trouble=print)
    while mover.work() < 1:
        pass
    assert [each.last for each in archives(tmp_path / ARCHIVE_FOLDER)] == [100]


def test_a_cell_tells_once_what_hinders_it(state: Path, archiver: tuple[Archiver, list[str]]) -> None:
    mover, trouble = archiver
    change(state / JOURNAL_FILE, "UPDATE entry SET body = '{}' WHERE sequence = 2")
    for _ in range(5):
        mover.work()
    assert trouble == [
        "Old entries of the journal cannot be moved into an archive: entry 2 is not as it was written;"
        " 'cellctl journal verify' tells more"
    ]


def test_two_do_not_move_at_once(state: Path) -> None:
    steps = moving(state, NOW_NS)
    next(steps)
    with pytest.raises(ArchiveError, match="another process moves entries just now"):
        next(moving(state, NOW_NS))
    steps.close()


def test_the_space_is_given_back_if_asked(state: Path) -> None:
    size = (state / JOURNAL_FILE).stat().st_size
    assert run("journal", "archive", "--before", "2021-01-01", "--shrink", "--state", str(state)).code == 0
    assert (state / JOURNAL_FILE).stat().st_size < size / 4
    assert Records(state).verify().entries == 2_034


def test_an_old_format_is_brought_up_to_date_first(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parent.parent / "data" / "format-1" / JOURNAL_FILE, tmp_path)
    assert "no snapshot" in run("journal", "archive", "--before", "1 d", "--state", str(tmp_path)).out
    write(tmp_path, [snapshot()])
    assert "Entries 1 to 10 are in" in run("journal", "archive", "--before", "1 d", "--state", str(tmp_path)).out
    assert len(Parts(tmp_path).latest()) == 3
