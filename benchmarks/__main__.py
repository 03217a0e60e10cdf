"""Measure all goals, or those named (``python -m benchmarks P7 P8``); print the table, and write it if it is whole."""

import sys
import time
from importlib import import_module

from benchmarks import report
from benchmarks.rounds import Row

#: goal -> the module that measures it.
GOALS = {
    "P1": "exchange", "P4": "scan", "P6": "stop", "P7": "core", "P8": "journal", "P9": "start", "P10": "load",
    "P11": "virtual", "P14": "scale", "P16": "shift",
}  # fmt: skip


def main() -> None:
    """Measure what was asked for; a missed goal is told in the table."""
    wanted = sys.argv[1:] or list(GOALS)
    start, rows = time.monotonic(), list[Row]()
    for goal in wanted:
        print(f"measuring {goal} ...", file=sys.stderr, flush=True)
        rows += import_module(f"benchmarks.{GOALS[goal]}").rows()
    print(report.printed(rows))
    print(f"{len(rows)} rows in {time.monotonic() - start:.0f} s", file=sys.stderr)
    if not sys.argv[1:]:
        report.write(rows)


if __name__ == "__main__":
    main()
