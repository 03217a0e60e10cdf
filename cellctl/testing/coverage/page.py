"""The report as a page: one HTML file that needs nothing besides itself.

The rule kept here: every item stands on it, exercised or not, and each tells the tests that exercised it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from html import escape
from importlib.resources import files

import cellctl
from cellctl.core.packml import Command, State
from cellctl.faults import KINDS
from cellctl.testing.coverage.collected import CellCoverage, Collected, counted, share
from cellctl.testing.coverage.items import SECTIONS, STATE_COMPLETES, STATES, TRANSITIONS, Item
from cellctl.testing.coverage.text import percent

#: So many tests an item names; the others are counted.
TESTS_NAMED = 12

#: The states as a cell runs through them, from rest to rest.
_RUN = (
    State.STOPPED, State.RESETTING, State.IDLE, State.STARTING, State.EXECUTE, State.COMPLETING, State.COMPLETED,
    State.HOLDING, State.HELD, State.UNHOLDING, State.SUSPENDING, State.SUSPENDED, State.UNSUSPENDING,
    State.STOPPING, State.ABORTING, State.ABORTED, State.CLEARING,
)  # fmt: skip


def page(collected: Collected) -> str:
    """All cells on one page."""
    seen, total = collected.count
    style = (files("cellctl.testing.coverage") / "page.css").read_text(encoding="utf-8")
    cells = "".join(_cell(cell) for cell in collected.cells.values()) or "<p>No cell was tested.</p>"
    told = (
        f"{seen} of {total} things that the cells have were exercised (cellctl {cellctl.__version__}). A number tells"
        " how many tests did; point at it for their names."
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Cell coverage</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        f'<div class="head"><div><h1>Cell coverage</h1><p class="quiet">{escape(told)}</p></div>'
        f'<div class="share">{percent(collected.percent)}</div></div>\n{cells}</main>\n</body>\n</html>\n'
    )


def _cell(cell: CellCoverage) -> str:
    sections = dict(cell.sections())
    blocks = [_machine(cell, sections)]
    blocks += [_section(cell, name, found) for name, found in sections.items() if name not in (STATES, TRANSITIONS)]
    tests = "1 test" if len(cell.ran) == 1 else f"{len(cell.ran)} tests"
    return (
        f'<section class="cell">\n<div class="head"><h2>{escape(cell.name)} '
        f'<span class="quiet">{escape(cell.id)}, {tests}</span></h2></div>\n'
        f'<div class="card bars">\n{"".join(_bars(cell, sections))}</div>\n{"".join(blocks)}{_faults(cell)}</section>\n'
    )


def _bars(cell: CellCoverage, sections: Mapping[str, Mapping[Item, set[str]]]) -> Iterator[str]:
    for name, found in sections.items():
        seen, total = counted(found.values())
        part = share(seen, total)
        yield (
            f'<a href="#{_anchor(cell, name)}">{escape(name)}</a>'
            f'<div class="track"><i style="width:{part:.1f}%"></i></div>'
            f'<span class="number">{seen}/{total}</span><span class="number quiet">{percent(part)}</span>\n'
        )


def _machine(cell: CellCoverage, sections: Mapping[str, Mapping[Item, set[str]]]) -> str:
    """States and transitions in one table: a row for each state, a column for each way to leave it."""
    states = {item.name: tests for item, tests in sections.get(STATES, {}).items()}
    ways = {(item.name, item.group): tests for item, tests in sections.get(TRANSITIONS, {}).items()}
    triggers = [*(command.title for command in Command), STATE_COMPLETES]
    head = "".join(f"<th>{trigger}</th>" for trigger in triggers)
    rows = "".join(
        f"<tr>{_marked('th', state.title, states[state.title])}"
        + "".join(_way(ways.get((state.title, trigger))) for trigger in triggers)
        + "</tr>\n"
        for state in _RUN
        if state.title in states
    )
    return (
        f'<div class="card wide" id="{_anchor(cell, STATES)}"><span id="{_anchor(cell, TRANSITIONS)}"></span>'
        f"<h3>states and transitions</h3>"
        f'<p class="quiet">{SECTIONS[STATES]} {SECTIONS[TRANSITIONS]}</p>\n'
        f"<table>\n<thead><tr><th></th>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n"
    )


def _way(tests: Collection[str] | None) -> str:
    return "<td></td>" if tests is None else _marked("td", str(len(tests)), tests)


def _section(cell: CellCoverage, name: str, found: Mapping[Item, set[str]]) -> str:
    groups: dict[str, list[str]] = {}
    for item, tests in found.items():
        groups.setdefault(item.group, []).append(_chip(item.name, tests))
    rows = "".join(
        f'<div class="quiet">{escape(group)}</div><div class="items">{"".join(chips)}</div>\n'
        for group, chips in groups.items()
    )
    return (
        f'<div class="card" id="{_anchor(cell, name)}"><h3>{escape(name)}</h3>'
        f'<p class="quiet">{SECTIONS[name]}</p>\n<div class="groups">{rows}</div></div>\n'
    )


def _faults(cell: CellCoverage) -> str:
    chips = "".join(_chip(kind, cell.faults.get(kind, ()), otherwise="unused") for kind in KINDS)
    return (
        f'<div class="card"><h3>faults let happen on purpose</h3>'
        '<p class="quiet">What the tests broke. It does not count: a fault is a means, no part of the cell.</p>\n'
        f'<div class="groups"><div class="items alone">{chips}</div></div></div>\n'
    )


def _chip(name: str, tests: Collection[str], otherwise: str = "missed") -> str:
    count = f"<b>{len(tests)}</b>" if tests else ""
    return _element("span", f"{escape(name)}{count}", tests, f"item {'seen' if tests else otherwise}")


def _marked(element: str, text: str, tests: Collection[str]) -> str:
    return _element(element, escape(text), tests, "seen" if tests else "missed")


def _element(element: str, inner: str, tests: Collection[str], of: str) -> str:
    return f'<{element} class="{of}" title="{escape(_told(tests))}">{inner}</{element}>'


def _told(tests: Iterable[str]) -> str:
    """The tests that exercised it, one a line."""
    named = sorted(tests)
    more = [f"and {len(named) - TESTS_NAMED} more"] if len(named) > TESTS_NAMED else []
    return "\n".join([*named[:TESTS_NAMED], *more]) or "no test"


def _anchor(cell: CellCoverage, section: str) -> str:
    return escape(f"{cell.id}-{section}".replace(" ", "-"))
