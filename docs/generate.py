"""Write the pages of the reference that are drawn from the code: `make docs`.

The rule kept here: what the program knows is not written down a second time by hand. A test holds each committed page
against what is drawn here.
"""

import inspect
import runpy
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from fastapi import FastAPI

from cellctl.cli import COMMANDS as COMMAND_LINE
from cellctl.cli import cellctl
from cellctl.cli.diagram import mermaid
from cellctl.core.packml import COMMANDS, DEFAULT_MODES, MANDATORY, STATE_COMPLETE, Command, State
from cellctl.core.units import UNITS, dimension_of
from cellctl.faults import CONTROL, DEVICE, KINDS, LINK, FaultKind
from cellctl.gateway.http import alarms, faults, reads, requests, stream
from cellctl.model.codes import CODES
from cellctl.testing import assertions, plugin
from cellctl.testing.cell import BenchJournal, CellOnBench
from cellctl.testing.clock import BenchClock
from cellctl.testing.coverage.items import SECTIONS
from cellctl.testing.device import connected
from cellctl.testing.faults import BenchFaults
from cellctl.testing.operator import Answer, Operator
from cellctl.testing.truth import Truth
from cellctl.testing.work import JobHandle

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


def error_codes() -> str:
    """What `cellctl explain` knows."""
    blocks = []
    for code, told in sorted(CODES.items()):
        examples = [
            f"{label}:\n\n```\n{text}\n```" for label, text in (("Wrong", told.wrong), ("Right", told.right)) if text
        ]
        blocks += [f"## {code}: {told.title}", told.meaning, *examples]
    return _page(
        "Error codes",
        "What `cellctl check` may say. `cellctl explain E131` shows one of these in the terminal. A code that begins"
        " with W is a warning: the cell runs, but look at it. `check --strict` counts warnings as errors.",
        *blocks,
    )


def units() -> str:
    """The units, by what they measure."""
    of: dict[str, list[str]] = {}
    for unit in sorted(UNITS - {""}, key=lambda unit: (dimension_of(unit), unit.lower(), unit)):
        of.setdefault(dimension_of(unit), []).append(f"`{unit}`")
    return _page(
        "Units",
        "A quantity in a file or a condition is a number with one of these units, such as `5.2 bar`. Units of one row"
        " are converted into each other; anything else is a mistake. A number without a unit is a bare number.",
        _table(("measures", "units"), [(dimension, " ".join(symbols)) for dimension, symbols in of.items()]),
    )


#: What a command ends with.
EXIT_CODES = [
    *((0, "done"), (1, "failed"), (2, "used wrongly"), (3, "files invalid")),
    *((4, "the cell or a device cannot be reached"), (5, "refused by the state of the cell")),
    *((7, "verification failed: something is not as it was written"), (130, "interrupted")),
]


def cli() -> str:
    """Every command of the command line, with its own help."""
    context = click.Context(cellctl, info_name="cellctl", **cellctl.context_settings)
    blocks = []
    for heading, names in COMMAND_LINE.items():
        blocks.append(f"## {heading}")
        for name in names:
            command = cellctl.get_command(context, name)
            assert command is not None
            blocks += _command(command, context, name)
    return _page(
        "The command line",
        "Results go to stdout, progress and errors to stderr. With `--json` a command prints one document that names"
        " its schema. Colours are left out where `NO_COLOR` is set or the output is no terminal.",
        "## Exit codes",
        _table(
            ("code", "means"),
            EXIT_CODES,
        ),
        *blocks,
    )


def _command(command: click.Command, parent: click.Context, name: str) -> list[str]:
    context = click.Context(command, parent, name, terminal_width=100)
    text = command.get_help(context).removeprefix("Usage: ")
    blocks = [f"### {context.command_path}", f"```\n{text}\n```"]
    if isinstance(command, click.Group):
        for inner_name in command.list_commands(context):
            inner = command.get_command(context, inner_name)
            assert inner is not None
            blocks += _command(inner, context, inner_name)
    return blocks


def api() -> str:
    """Every route, and the forms of what it takes and answers."""
    app = FastAPI(title="cellctl", version="1")
    no_desk: Any = None  # the routes look at it when they are asked, not when they are made
    for part in (reads, requests, alarms):
        app.include_router(part.routes(no_desk))
    app.include_router(faults.routes(Path()))
    told = app.openapi()
    routes = [
        (f"`{method.upper()} {path}`", route["description"], _exchange(route))
        for path, methods in told["paths"].items()
        for method, route in methods.items()
    ]
    forms = [
        block
        for name, form in sorted(told["components"]["schemas"].items())
        if name not in ("HTTPValidationError", "ValidationError")
        for block in _form(name, form)
    ]
    return _page(
        "The API",
        "HTTP and JSON under `/api/v1`. A running gateway serves the same as `/openapi.json`. How to use it:"
        " [with curl](../how-to/use-the-api.md).",
        "Every error has the form `Problem`: a sentence in `reason`, and in `possible` what would be possible instead."
        " A request with an `id` may be repeated: the same id gets the same receipt and is done once.",
        "## Addresses",
        _table(("address", "does", "takes → answers"), routes),
        "## The live stream",
        "`GET /api/v1/stream` answers server-sent events:",
        f"```\n{inspect.cleandoc(str(stream.__doc__).rpartition(chr(10) * 2)[2])}\n```",
        "A client that falls behind loses the oldest changes and gets a new snapshot.",
        "## Forms",
        *forms,
    )


def _exchange(route: Mapping[str, Any]) -> str:
    """What a route takes and answers."""
    takes = [_type(content["schema"]) for content in route.get("requestBody", {}).get("content", {}).values()]
    takes += [f"`{parameter['name']}`" for parameter in route.get("parameters", ())]
    good = next(answer for status, answer in sorted(route["responses"].items()) if status.startswith("2"))
    answers = [_type(content["schema"]) for content in good.get("content", {}).values() if content.get("schema")]
    return f"{', '.join(takes)} → {', '.join(answers) or 'events'}".strip()


def _form(name: str, form: Mapping[str, Any]) -> list[str]:
    required = form.get("required", ())
    rows = [
        (f"`{field}`" if field in required else f"`{field}` (may be left out)", _type(kind))
        for field, kind in form.get("properties", {}).items()
    ]
    return [f"### {name}", form.get("description", ""), _table(("field", "is"), rows)]


def _type(schema: Mapping[str, Any]) -> str:
    """A JSON Schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {_type(schema['additionalProperties'])}"
    return str(schema.get("type", "anything"))


def testing() -> str:
    """The test kit: what is registered with pytest, what its fixtures offer, and what can go wrong on purpose."""
    options = _Options()
    plugin.pytest_addoption(options)  # type: ignore[arg-type]
    marks = [(f"`{key}={default!r}`", told) for key, (default, told) in plugin.MARK_KEYS.items()]
    fixtures = [(f"`{name}`", _first_paragraph(getattr(plugin, name))) for name in plugin.FIXTURES]
    offered = [
        block
        for name, kind in OFFERED.items()
        for block in (f"### {name}", _rest_of(kind), _table(("write", "to"), _members(name.partition(" ")[0], kind)))
    ]
    places = {LINK: "On the line", DEVICE: "In a device", CONTROL: "In the controller"}
    kinds = [
        block
        for of, heading in places.items()
        for block in (
            f"### {heading}",
            _table(
                ("kind", "names", "what happens", "options", "lasts"),
                [_fault(name, kind) for name, kind in KINDS.items() if kind.of == of],
            ),
        )
    ]
    return _page(
        "The test kit",
        "With `cellctl[test]` installed, pytest has what stands here. Begin with"
        ' [Write and test a phase](../tutorials/test-a-phase.md). A *duration* is a text such as `"30 s"`, or seconds'
        " as a number; all times are virtual.",
        "## The marker",
        f"`@pytest.mark.cell(path, ...)`: {plugin.MARK}. On a class or in `pytestmark` it holds for all tests there;"
        " what is nearer to the test wins, key by key.",
        _table(("key, and its default", "says"), marks),
        "## Options of pytest",
        _table(("option", "means"), options.rows),
        "## Fixtures",
        "A test that asks for one of them is a test of a cell, marked or not. It is `async def`, and runs in an event"
        " loop of its own whose clock jumps to whatever is due next.",
        _table(("fixture", "is"), fixtures),
        *offered,
        "## One device, without a cell",
        *(" ".join(text.split()) for text in inspect.cleandoc(str(connected.__doc__)).split("\n\n")),
        "## Claims",
        inspect.cleandoc(str(assertions.__doc__)),
        _table(("write", "to claim"), _members("cell", assertions.Assertions)),
        "## Cell coverage",
        "`--cell-cov` tells how much of this the tests have exercised, and names what is missing. The end of a test,"
        " which stops every cell, exercises nothing. Cells are told apart by their ids.",
        _table(("row", "asks"), SECTIONS.items()),
        "## Kinds of faults",
        '`faults.KIND("TARGET", for_="30 s", OPTION=...)` in a test; `cellctl fault KIND TARGET --for \'30 s\'` in a'
        " running simulated cell. Both know the same kinds. What lasts ends after `for_`, or by hand:"
        " `fault = faults.unplug(...)`, `fault.end()`. How to use them:"
        " [Let things go wrong](../how-to/inject-a-fault.md).",
        *kinds,
        "(wire): a test needs `wire=True`. [What is held of links](drivers.md#what-is-held-of-links).",
    )


#: What the fixtures give, besides what pytest itself says of them.
OFFERED: Mapping[str, type] = {
    "cell": CellOnBench,
    "clock": BenchClock,
    "operator": Operator,
    "world": Truth,
    "faults": BenchFaults,
    "journal": BenchJournal,
    "job = await cell.produce(...)": JobHandle,
    "answer = operator.press(...)": Answer,
}


class _Options:
    """Takes the place of pytest's parser, and keeps what is registered."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str]] = []

    def getgroup(self, *_: str) -> "_Options":
        return self

    def addoption(self, name: str, *, metavar: str = "", help: str, **_: object) -> None:
        self.rows.append((f"`{name}={metavar}`" if metavar else f"`{name}`", help))


def _members(name: str, kind: type) -> list[tuple[str, str]]:
    """What an object offers, in the order of its text: how to write it, and what it does."""
    told = {
        each: member for each, member in vars(kind).items() if inspect.isfunction(member) or type(member) is property
    }
    own = [(each, member) for each, member in told.items() if not each.startswith("_")]
    return [(f"`{_written(f'{name}.{each}', member)}`", _first_paragraph(member)) for each, member in own]


def _written(name: str, member: object) -> str:
    if not inspect.isfunction(member):
        return name
    parameters = inspect.signature(member).parameters.values()
    given = [each.replace(annotation=inspect.Parameter.empty) for each in parameters if each.name != "self"]
    waits = "await " if inspect.iscoroutinefunction(member) else ""
    return f"{waits}{name}{inspect.Signature(given)}".replace("|", "\\|")


def _first_paragraph(thing: object) -> str:
    return " ".join(str(inspect.getdoc(thing)).partition("\n\n")[0].split()).replace("``", "`")


def _rest_of(kind: type) -> str:
    """What the class says of its object, without the name in front."""
    text = _first_paragraph(kind)
    _, colon, rest = text.partition(": ")
    return f"{rest[:1].upper()}{rest[1:]}" if colon else text


def _fault(name: str, kind: FaultKind) -> tuple[str, ...]:
    options = "; ".join(
        f"`{option}`: {' or '.join(told.choices) or told.kind}, {told.text}"
        + ("" if told.default in (None, "") else f" [{told.default}]")
        for option, told in kind.options.items()
    )
    wire = " (wire)" if kind.needs_wire else ""
    return f"`{name}`{wire}", f"`{kind.target}`" if kind.target else "", kind.text, options, "yes" if kind.lasts else ""


def main() -> None:
    """Write every generated page."""
    for name, draw in PAGES.items():
        (DOCS / name).parent.mkdir(exist_ok=True)
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


PAGES: Mapping[str, Callable[[], str]] = {
    "reference/api.md": api,
    "reference/cli.md": cli,
    "reference/error-codes.md": error_codes,
    "reference/packml.md": packml,
    "reference/testing.md": testing,
    "reference/units.md": units,
    **runpy.run_path(str(DOCS / "device_pages.py"))["pages"](_page, _table),
    **runpy.run_path(str(DOCS / "driver_quality.py"))["pages"](_page, _table),
}


if __name__ == "__main__":
    main()
