"""Write the pages of the reference that are drawn from the code: `make docs`.

The rule kept here: what the program knows is not written down a second time by hand. A test holds each committed page
against what is drawn here.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cellctl.cli.diagram import mermaid
from cellctl.core.packml import COMMANDS, DEFAULT_MODES, MANDATORY, STATE_COMPLETE, Command, State
from cellctl.core.units import UNITS, dimension_of

DOCS = Path(__file__).parent

#: What the model says of each state, in a sentence for a person.
MEANING: Mapping[State, str] = {
    State.CLEARING: "A person cleared the abort; faults are looked at.",
    State.STOPPED: "Switched on and at rest. Reset begins.",
    State.STARTING: "What production needs is brought up.",
    State.IDLE: "Ready. Start begins.",
    State.SUSPENDED: "Waits for something outside the cell; goes on by itself.",
    State.EXECUTE: "Makes parts.",
    State.STOPPING: "Comes to rest in good order.",
    State.ABORTING: "Comes to the safe side at once.",
    State.ABORTED: "At rest after an abort. A person clears it.",
    State.HOLDING: "Comes to a halt for a cause inside the cell.",
    State.HELD: "Halted for a cause inside the cell. A person unholds it.",
    State.UNHOLDING: "Makes ready to go on.",
    State.SUSPENDING: "Comes to a halt for a cause outside the cell.",
    State.UNSUSPENDING: "Makes ready to go on.",
    State.RESETTING: "Comes from rest to ready.",
    State.COMPLETING: "Finishes what is in process.",
    State.COMPLETED: "All jobs are done. Reset begins anew.",
}


def packml() -> str:
    """The state machine: diagram, states, commands, modes."""
    states = [
        (state.value, state.title, _kind(state), STATE_COMPLETE[state].title if _acting(state) else "", MEANING[state])
        for state in State
    ]
    legal = [(state.title, *("●" if state in COMMANDS[command][0] else "" for command in Command)) for state in State]
    leads = ("leads to", *(COMMANDS[command][1].title for command in Command))
    modes = [
        (mode.value, mode.title, _listing(rule.disabled) or "none", _listing(rule.change_in))
        for mode, rule in DEFAULT_MODES.items()
    ]
    return _page(
        "The PackML state machine",
        "The base state model of ISA-TR88.00.02-2022 as cellctl runs it. One machine a cell.",
        "## Diagram",
        "`SC` is *state complete*: an acting state ended by itself. A frame holds the states in which its command is"
        " legal.",
        f"```mermaid\n{mermaid()}\n```",
        "## States",
        "The numbers are those that PackTags and OPC 30050 publish.",
        _table(("number", "state", "kind", "ends in", "meaning"), states),
        "## Commands",
        "A dot: the command is legal in that state. Any other is refused, with the state and what would be legal.",
        _table(("state", *(command.title for command in Command)), [*legal, leads]),
        "## Modes",
        "A mode may leave states out. A disabled acting state is passed through at once; a command that would lead to a"
        f" disabled wait state is refused. {_listing(MANDATORY)} cannot be disabled. The mode can be changed in the"
        " states named here, if the other mode has the state and allows it too.",
        _table(("number", "mode", "disabled states", "may be changed in"), modes),
    )


def units() -> str:
    """The units, by what they measure."""
    of: dict[str, list[str]] = {}
    for unit in sorted(UNITS - {""}, key=lambda unit: (dimension_of(unit), unit.lower())):
        of.setdefault(dimension_of(unit), []).append(f"`{unit}`")
    return _page(
        "Units",
        "A quantity in a file or a condition is a number with one of these units, such as `5.2 bar`. Units of one row"
        " are converted into each other; anything else is a mistake. A number without a unit is a bare number.",
        _table(("measures", "units"), [(dimension, " ".join(symbols)) for dimension, symbols in of.items()]),
    )


PAGES: Mapping[str, Callable[[], str]] = {
    "reference/packml.md": packml,
    "reference/units.md": units,
}


def main() -> None:
    """Write every generated page."""
    for name, draw in PAGES.items():
        (DOCS / name).write_text(draw(), encoding="utf-8")


def _kind(state: State) -> str:
    if state is State.EXECUTE:
        return "dual"
    return "acting" if _acting(state) else "wait"


def _acting(state: State) -> bool:
    return state in STATE_COMPLETE


def _listing(states: Iterable[State]) -> str:
    return ", ".join(state.title for state in sorted(states))


def _page(title: str, *blocks: str) -> str:
    note = "<!-- Drawn by docs/generate.py. Change the code, then run `make docs`. -->"
    return "\n\n".join([f"# {title}", note, *blocks]) + "\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)])


if __name__ == "__main__":
    main()
