"""P11: how fast virtual time goes on one core, while the battery-module cell makes modules.

Every measure is a process of its own, so that each round begins with the same memory.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.rounds import Row, figures

PROGRAM = Path(__file__).parent / "virtual_cell.py"

#: level -> how many modules are made in a round (a second or two of CPU), and the goal.
LEVELS = {"wire": (3, 30), "direct": (24, 1_000)}

#: So many places that take most of the CPU are told.
PLACES = 6


def rows() -> Iterator[Row]:
    """Both levels."""
    for level, (modules, goal) in LEVELS.items():
        yield Row(
            "P11",
            f"virtual seconds in one CPU second, {level} level",
            "1/s",
            figures({"ours": partial(_speed, level, modules), "floor": partial(_speed, "bare", 1)}),
            f"≥ {goal:,}",
            goal,
            at_least=True,
            note=f"The cell makes {modules} modules. The floor is the same event loop with a task for each device that"
            f" wakes every 100 ms and does nothing. The CPU of ours goes to {_told(_run(level, modules, 'shares'))}.",
        )


def _speed(level: str, modules: int) -> float:
    return float(_run(level, modules)["speed"])


def _told(run: Mapping[str, Any]) -> str:
    """The places that take most, with their share."""
    most = sorted(run["shares"].items(), key=lambda one: -one[1])[:PLACES]
    return ", ".join(f"{place} {100 * share:.0f} %" for place, share in most)


def _run(*arguments: object) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=True, timeout=120
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found
