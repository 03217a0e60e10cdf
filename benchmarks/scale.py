"""P14: what grows with the number of signals, of conditions, and with the years that a journal holds.

Here the floor is our own cost when there is little: the goal is that much costs the same.
"""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks import long_journal
from benchmarks.core import CHANGED, changed_sample, quiet_turn
from benchmarks.rounds import Row, figures
from benchmarks.running import bytecode, running
from benchmarks.start import small_cell

FEW, MANY = 100, 10_000
#: Of the signals, so many to a condition.
PER_CONDITION = 10
#: A year of a busy cell, and its first hour.
LONG, SHORT = 1_000_000, 500
#: What is as good as the same: machines are noisy, and 10,000 signals do not fit into the caches of a processor.
FLAT = 2


def rows() -> Iterator[Row]:
    """A sample, a turn, a start."""
    told = f"≤ {FLAT} × the floor"
    for name, cost in (
        (f"a changed sample ({CHANGED} in a turn)", changed_sample),
        ("a turn without news", quiet_turn),
    ):
        measures = {"ours": partial(_cost, cost, MANY), "floor": partial(_cost, cost, FEW)}
        yield Row(
            "P14", f"{name}, {MANY:,} signals against {FEW}", "µs", figures(measures), told, FLAT, "floor",
        )  # fmt: skip
    with (
        tempfile.TemporaryDirectory() as folder,
        bytecode(Path(folder) / "bytecode"),
        small_cell(Path(folder) / "cell") as cell,
    ):
        states = {"ours": _lived(Path(folder) / "long", LONG), "floor": _lived(Path(folder) / "short", SHORT)}
        found = figures({name: partial(_start, cell, state) for name, state in states.items()})
    yield Row(
        "P14", f"control ready, {LONG:,} entries in the journal against {SHORT}", "s", found, told, FLAT, "floor",
        note="The entries were written before; the cell starts on that journal again and again, from a snapshot on.",
    )  # fmt: skip


def _cost(cost: Callable[[int, int], float], signals: int) -> float:
    return cost(signals, signals // PER_CONDITION)


def _start(cell: Path, state: Path) -> float:
    with running(cell, state) as cell_runs:
        return cell_runs.control_s


def _lived(state: Path, entries: int) -> Path:
    """A state folder with a journal of so many entries."""
    long_journal.write(state, entries)
    return state
