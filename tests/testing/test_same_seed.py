"""The same seed is the same run: two processes write the same journal, byte by byte, whatever their hashes are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: Two modules with a weak weld, a laser that is unplugged, and an order whose answer is lost: much that could differ.
_RUN = """
import asyncio, sys
from contextlib import nullcontext
from pathlib import Path
from cellctl.testing import Setup, VirtualLoop, cell_model, on_bench, wall_clock

async def run(setup):
    async with on_bench(setup) as cell:
        cell.world.set("laser.weak_rate", 0.1)
        job = await cell.produce("module-8s", quantity=2)
        await cell.clock.until(lambda: cell.world.get("laser.shots") >= 5)
        cell.faults.unplug("laser", for_="3 s")
        await cell.clock.until("Held", limit="20 s")
        await cell.clock.until(lambda: "unhold" in cell.view.commands)
        await cell.operator.press("unhold")
        cell.faults.delay("grip", by="20 ms", jitter="10 ms", for_="10 s")
        while not job.done():
            await cell.clock.until(lambda: job.done() or cell.view.questions)
            for question in cell.view.questions:
                await cell.operator.answer("skip", question.id)

_, folder, level, seed = sys.argv
loop = VirtualLoop()
with wall_clock(loop) if level == "wire" else nullcontext(), asyncio.Runner(loop_factory=lambda: loop) as runner:
    runner.run(run(Setup(cell_model("battery-module"), Path(folder), level, int(seed))))
"""


def journal(folder: Path, level: str, *, seed: int, hashes: str) -> bytes:
    """The bytes of the journal's file that a process of its own has left behind."""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(folder), level, str(seed)],
        env={**os.environ, "PYTHONHASHSEED": hashes},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert not (folder / "journal.db-wal").exists(), "all is in the one file"
    return (folder / "journal.db").read_bytes()


@pytest.mark.parametrize("level", ["direct", "wire"])
def test_two_processes_with_the_same_seed_write_the_same_journal(tmp_path: Path, level: str) -> None:
    first = journal(tmp_path / "first", level, seed=3, hashes="0")
    assert journal(tmp_path / "second", level, seed=3, hashes="7") == first
    assert len(first) > 20_000, "there was something to be the same"


def test_another_seed_is_another_run(tmp_path: Path) -> None:
    assert journal(tmp_path / "first", "direct", seed=3, hashes="0") != journal(
        tmp_path / "second", "direct", seed=4, hashes="0"
    )
