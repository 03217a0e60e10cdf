"""What is on record, of a cell that runs no more; and records that cannot be read."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from cellctl.core.messages import Entry
from cellctl.core.signal import Quality, Sample, Signal
from cellctl.records import HISTORY_FILE, JOURNAL_FILE
from cellctl.runtime.clock import Clock
from cellctl.runtime.history import History
from cellctl.runtime.journal import Journal
from cellctl.runtime.ledger import Ledger
from tests.cli.terminal import run

COMMANDS = [("parts",), ("part", "job-1-0001"), ("journal",), ("history", "plc.air_pressure")]


@pytest.fixture
async def ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of a cell that made one part and ended; the test stands in a folder of the cell."""
    state, within = tmp_path / ".cellctl", tmp_path / "recipes"
    state.mkdir()
    within.mkdir()
    journal = Journal(Ledger(state))
    journal.start(committed=lambda sequence: None, failing=lambda reason: None, idle=lambda: 1.0)
    part = {"part": "job-1-0001", "job": "job-1"}
    told = [
        Entry("part", {**part, "recipe": "module-12s", "version": "7"}),
        Entry("part.done", {**part, "result": "good"}),
    ]
    journal.append(time.time_ns(), told)
    assert await journal.close(5)
    monkeypatch.chdir(within)
    return state


def test_parts_and_journal_are_read_after_the_end(ended: Path) -> None:
    assert "job-1-0001  module-12s version 7  good" in run("parts").out
    assert run("part", "job-1-0001").out.startswith("job-1-0001: good, module-12s version 7, job job-1")
    assert [line.split()[3] for line in run("journal").out.splitlines()] == ["part", "part.done"]
    assert run("status", "--state", str(ended)).code == 4


def test_the_history_is_read_after_the_end(ended: Path) -> None:
    known = Signal("plc.air_pressure", "float", "bar")
    history = History(ended, {known.id: known}, Clock())
    now = time.time_ns()
    history.put([Sample(known.id, 6.1, Quality.GOOD, now, now)])
    history.work()
    history.close()
    assert " 6.1 " in run("history", "plc.air_pressure").out
    result = run("history", "plc.nothing")
    assert (result.code, result.out) == (0, "Nothing was stored of plc.nothing in the last 10 min.\n")


@pytest.mark.parametrize("words", COMMANDS)
def test_a_folder_without_records_is_told(tmp_path: Path, words: tuple[str, ...]) -> None:
    result = run(*words, "--state", str(tmp_path))
    assert (result.code, result.out) == (4, "")
    assert result.err == f"No cell ever ran on the state folder {tmp_path}.\n"


@pytest.mark.parametrize("words", COMMANDS)
def test_records_that_are_damaged_are_a_sentence(ended: Path, words: tuple[str, ...]) -> None:
    damage(ended)
    result = run(*words)
    assert (result.code, result.out) == (1, "")
    assert " cannot be read: file is not a database." in result.err
    assert "mistake" not in result.err


def test_a_cell_does_not_run_on_damaged_records(ended: Path) -> None:
    damage(ended)
    argv = [sys.executable, "-m", "cellctl.cli", "run", "battery-module", "--http", "off", "--state", str(ended)]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (1, "")
    assert f"{JOURNAL_FILE} cannot be opened: file is not a database." in result.stderr


def damage(state: Path) -> None:
    for name in (JOURNAL_FILE, HISTORY_FILE):
        for left in state.glob(f"{name}*"):
            left.unlink()
        (state / name).write_bytes(b"no database" * 1000)
