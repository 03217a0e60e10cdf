"""The report in the terminal.

The rule kept here: what is missing is named, so that a person knows which test to write next.
"""

from collections.abc import Iterator
from textwrap import wrap

from cellctl.faults import KINDS
from cellctl.testing.coverage.collected import CellCoverage, Collected, counted, missing, share

#: Where the column of what is missing begins, and how narrow it may become.
_INDENT, _NARROWEST = 34, 30


def report(collected: Collected, width: int) -> Iterator[str]:
    """The lines of the report, no wider than `width` where a terminal allows it."""
    if not collected.cells:
        yield "No cell was tested."
    for cell in collected.cells.values():
        yield from _cell(cell, width)
        yield ""


def percent(value: float) -> str:
    """Cut, not rounded: 100 % is all."""
    return f"{int(value * 10) / 10:g} %"


def _cell(cell: CellCoverage, width: int) -> Iterator[str]:
    tests = "1 test" if len(cell.ran) == 1 else f"{len(cell.ran)} tests"
    yield f"{cell.name} ({cell.id}), {tests}"
    yield f"{'':18}{'seen':>7}{'':9}missing"
    for section, found in cell.sections():
        yield from _row(section, counted(found.values()), "; ".join(missing(found)), width)
    yield from _row("TOTAL", counted(cell.tests.values()), "", width)
    if cell.faults:
        yield from _wrapped("let happen on purpose: ", ", ".join(kind for kind in KINDS if kind in cell.faults), width)


def _row(name: str, count: tuple[int, int], text: str, width: int) -> Iterator[str]:
    seen, total = count
    yield from _wrapped(f"{name:18}{f'{seen}/{total}':>7}{percent(share(seen, total)):>8} ".ljust(_INDENT), text, width)


def _wrapped(head: str, text: str, width: int) -> Iterator[str]:
    room = max(_NARROWEST, width - len(head))
    first, *others = wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    yield (head + first).rstrip()
    yield from (" " * len(head) + line for line in others)
