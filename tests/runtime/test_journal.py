"""The journal on a real disk: durable, in order, chained; also when the process is killed or the disk fails."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from math import nan
from pathlib import Path
from typing import Any

import pytest

from cellctl.core.messages import Entry
from cellctl.records import Records, RecordsError
from cellctl.runtime import journal as journal_module
from cellctl.runtime import writer as writer_module
from cellctl.runtime.journal import Journal, JournalError
from cellctl.runtime.ledger import Disk, Ledger


class FullDisk(Disk):
    """Takes nothing while it is full."""

    full = True

    def before(self, last: int) -> None:
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")


def entries(*numbers: int) -> list[Entry]:
    return [Entry("count", {"n": number}) for number in numbers]


def started(
    folder: Path,
    committed: Callable[[int], None] = lambda n: None,
    failing: Callable[[str], None] = print,
    disk: Disk | None = None,
) -> Journal:
    journal = Journal(Ledger(folder, disk=disk))
    journal.start(committed=committed, failing=failing, idle=lambda: 0.05)
    return journal


async def test_entries_are_kept_in_order_and_across_runs(tmp_path: Path) -> None:
    first = started(tmp_path)
    assert first.append(10, entries(1, 2)) == 2
    assert first.append(11, entries(3)) == 3
    assert await first.close(5)
    second = started(tmp_path)
    assert second.append(12, entries(4)) == 4
    assert await second.close(5)
    written = Records(tmp_path).entries()
    assert [(one.sequence, one.time_ns, one.data["n"]) for one in written] == [
        (1, 10, 1),
        (2, 10, 2),
        (3, 11, 3),
        (4, 12, 4),
    ]
    assert Records(tmp_path).verify().entries == 4


async def test_a_number_is_told_as_committed_only_when_a_reader_finds_it(tmp_path: Path) -> None:
    found: list[tuple[int, int]] = []
    enough = asyncio.Event()

    def committed(sequence: int) -> None:
        found.append((sequence, Records(tmp_path).latest(limit=1)[0].sequence))
        if sequence == 200:
            enough.set()

    journal = started(tmp_path, committed)
    for number in range(200):
        journal.append(number, entries(number))
        if number % 10 == 0:
            await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await enough.wait()
    await journal.close(5)
    assert all(on_disk >= told for told, on_disk in found)
    assert [told for told, _ in found] == sorted(told for told, _ in found)
    assert len(found) < 200, "entries that wait together are committed together"


@pytest.mark.parametrize(
    ("change", "broken_at"),
    [
        ("UPDATE entry SET body = '{\"n\":9}' WHERE sequence = 3", 3),
        ("UPDATE entry SET kind = 'other' WHERE sequence = 2", 2),
        ("UPDATE entry SET time_ns = 1 WHERE sequence = 4", 4),
        ("DELETE FROM entry WHERE sequence = 2", 2),
        ("UPDATE entry SET sequence = sequence + 1 WHERE sequence = 5", 5),
    ],
)
async def test_the_chain_finds_the_first_entry_that_was_changed(tmp_path: Path, change: str, broken_at: int) -> None:
    journal = started(tmp_path)
    journal.append(10, entries(1, 2, 3, 4, 5))
    await journal.close(5)
    database = sqlite3.connect(tmp_path / "journal.db")
    with database:
        database.execute(change)
    database.close()
    verdict = Records(tmp_path).verify()
    assert (verdict.entries, verdict.broken_at) == (broken_at - 1, broken_at)


_WRITER = """
import asyncio, sys
from pathlib import Path
from cellctl.core.messages import Entry
from cellctl.runtime.journal import Journal
from cellctl.runtime.ledger import Ledger

async def main():
    journal = Journal(Ledger(Path(sys.argv[1])))
    journal.start(committed=lambda n: print(n, flush=True), failing=print, idle=lambda: 1.0)
    while True:
        journal.append(1, [Entry("count", {"n": journal.sequence + 1})])
        await asyncio.sleep(0.0002)

asyncio.run(main())
"""


def test_what_was_told_as_committed_survives_kill_9(tmp_path: Path) -> None:
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout
            told = [int(writer.stdout.readline()) for _ in range(50)]
            writer.send_signal(signal.SIGKILL)
            told += [int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
        verdict = Records(tmp_path).verify()
        assert verdict.broken_at is None
        assert verdict.entries >= max(told)
    numbers = [one.data["n"] for one in Records(tmp_path).entries(limit=1_000_000)]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_a_failed_commit_is_told_and_tried_again_without_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[str] = []
    disk = FullDisk()
    monkeypatch.setattr(writer_module, "RETRY_S", 0.01)
    journal = started(tmp_path, failing=failures.append, disk=disk)
    journal.append(1, entries(1, 2))
    await asyncio.sleep(0.1)
    assert journal.committed == 0
    assert journal.waiting_s > 0.05
    assert "full" in failures[0]
    journal.append(2, entries(3))
    disk.full = False
    assert await journal.close(5)
    assert [one.data["n"] for one in Records(tmp_path).entries()] == [1, 2, 3]


async def test_a_commit_that_failed_after_it_reached_the_disk_is_not_written_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Late(Disk):
        """Tells of an error, once, when all is written."""

        calls = 0

        def after(self, last: int) -> None:
            self.calls += 1
            if self.calls == 1:
                raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(writer_module, "RETRY_S", 0.01)
    journal = started(tmp_path, failing=lambda reason: None, disk=Late())
    journal.append(1, entries(1, 2, 3))
    assert await journal.close(5)
    assert Records(tmp_path).verify().entries == 3


async def test_a_disk_that_never_answers_does_not_hold_the_end_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "WAITING_MAX", 3)
    journal = started(tmp_path, failing=lambda reason: None, disk=FullDisk())
    journal.append(1, entries(1, 2, 3, 4))
    with pytest.raises(JournalError, match="writable"):
        journal.append(1, entries(5))
    assert not await journal.close(0.05)
    await asyncio.sleep(0.3)


async def test_what_json_cannot_say_is_kept_as_text(tmp_path: Path) -> None:
    journal = started(tmp_path)
    odd: list[Any] = [
        {"half": "a\udcff"},
        {"kept": "x", "list": [1, {"value": nan}]},
        {"kept": "y", "value": {1}},
    ]
    journal.append(1, [Entry("odd", data) for data in odd])
    await journal.close(5)
    journaled = [one.data for one in Records(tmp_path).entries()]
    assert journaled[0] == {"half": "a\\udcff"}
    assert journaled[1:] == [{"kept": "x", "list": [1, {"value": "nan"}]}, {"kept": "y", "value": [1]}]


def test_a_journal_of_a_newer_cellctl_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "journal.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(JournalError, match="format 99"):
        Ledger(tmp_path)
    with pytest.raises(RecordsError, match="format 99"):
        Records(tmp_path).latest()
    (tmp_path / "journal.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(JournalError, match="cannot be opened"):
        Ledger(tmp_path)
    with pytest.raises(RecordsError, match="cannot be read"):
        Records(tmp_path).verify()


async def test_entries_can_be_picked_by_kind(tmp_path: Path) -> None:
    journal = started(tmp_path)
    journal.append(1, [Entry("a", {}), Entry("b", {}), Entry("a", {}), Entry("b", {})])
    await journal.close(5)
    records = Records(tmp_path)
    assert [one.sequence for one in records.entries(kind="a")] == [1, 3]
    assert [one.sequence for one in records.latest(kind="b", limit=1)] == [4]
    assert [one.sequence for one in records.entries(after=2, limit=1)] == [3]
    with pytest.raises(RecordsError, match=r"no history\.db"):
        records.samples("oven.temp", 0, 1)
