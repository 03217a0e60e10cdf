"""The file that says what to try: ``cellctl whatif --vary FILE``. Its shape, and what it names in the cell.

The rule kept here: it changes nothing of the cell, and every name in it is one that the cell has.
"""

# ruff: noqa: RUF012 - pydantic copies the defaults of a model

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from cellctl.core.equipment import Equipment
from cellctl.core.phase import BUILT_IN_FAULTS, PhaseDefinition
from cellctl.core.procedure import phases_of
from cellctl.model.problems import FilesInvalid, Report, Wrong, did_you_mean
from cellctl.model.quantity import Id, Name, Period, read_amount, read_bounds, read_duration
from cellctl.model.shape import Shape, Shaped, validate
from cellctl.model.shapes import Version
from cellctl.model.yaml_source import Document, read

#: An ordinary shift, if the file does not say how long it is.
SHIFT_NS = 8 * 3600 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time that is drawn evenly between two bounds, in ns; both are the same if it is always as long."""

    low_ns: int
    high_ns: int


@dataclass(frozen=True, slots=True)
class Order:
    """Parts of a recipe that are made one after another; `quantity` None: as many as the shift allows."""

    recipe: str
    quantity: int | None = None


@dataclass(frozen=True, slots=True)
class PhaseChange:
    """What is other with a phase. Its time, `takes` or as calibrated, is multiplied by `scale` and varies by `spread`.

    It ends in `fault` with the probability `fails`. A person who is asked scraps the part with the probability `scrap`,
    or has it done again, which takes `redo` (None: as long as the first time). Probabilities from 0 to 1.
    """

    scale: float = 1.0
    spread: float = 0.0
    takes: Span | None = None
    fails: float = 0.0
    fault: str = "error"
    scrap: float = 0.0
    redo: Span | None = None


@dataclass(frozen=True, slots=True)
class Outage:
    """Something is away: after `every_ns` on the average, for `lasts`."""

    every_ns: int
    lasts: Span


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What to try. `wip`: the numbers of parts in process to compare, none: as in the recipes. `orders` are made in
    turn until the shift is over. `phases`, `devices` and `interlocks` by their names in the cell."""

    shift_ns: int = SHIFT_NS
    wip: tuple[int, ...] = ()
    orders: tuple[Order, ...] = ()
    phases: Mapping[str, PhaseChange] = field(default_factory=dict)
    devices: Mapping[str, Outage] = field(default_factory=dict)
    interlocks: Mapping[str, Outage] = field(default_factory=dict)
    reaction: Span = Span(0, 0)


def read_whatif(file: Path | None, equipment: Equipment) -> WhatIf:
    """What the file says of this cell; without a file, the cell as it is. FilesInvalid with every mistake."""
    if file is None:
        return WhatIf(orders=_all_day(equipment))
    report = Report()
    document = read(file, file.absolute().parent, report)
    if document is not None:
        _check_names(document, equipment, report)
    shaped = validate(document, WhatIfFile, report) if document else None
    found = _Reader(shaped, equipment, report).read() if shaped else WhatIf()
    if report.errors:
        raise FilesInvalid(report.problems)
    return found


# --- the shape ----------------------------------------------------------------------------------------------


def read_span(value: object) -> Span:
    """A length of time or a range of them: ``4 min``, ``2..10 min``."""
    if not isinstance(value, str) or ".." not in value:
        duration = read_duration(value)
        low = high = float(duration)
    else:
        bounds = read_bounds(value)
        if not bounds.unit:
            raise Wrong("E131", f"{value} has no unit; a length of time needs one", f"write '{value} s'")
        ns = bounds.to("ns")
        low, high = ns.low, ns.high
    if low < 0:
        raise Wrong("E126", f"{value} begins before now", "write a length of time such as '2..10 min'")
    return Span(round(low), round(high))


def read_share(value: object) -> float:
    """A share of the whole, 0 to 1: ``5 %``."""
    amount = read_amount(value)
    if amount.unit != "%" or isinstance(amount.value, str | bool):
        raise Wrong("E132", f"{value} is not a share", "write it in percent, such as '5 %'")
    if not 0 <= amount.value <= 100:
        raise Wrong("E126", f"{value} is not between 0 and 100 %", "write a value inside the bounds")
    return amount.value / 100


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


SpanText = Annotated[Any, BeforeValidator(read_span)]
Share = Annotated[float, BeforeValidator(read_share)]
Count = Annotated[int, Field(ge=1)]


class JobRow(Shape):
    """So many parts of a recipe."""

    recipe: Id
    quantity: Count | None = None


class PhaseRow(Shape):
    """What is other with a phase."""

    scale: Annotated[float, Field(gt=0)] = 1.0
    spread: Share = 0.0
    takes: SpanText = None
    fails: Share = 0.0
    fault: str = ""
    scrap: Share = 0.0
    redo: SpanText = None


class OutageRow(Shape):
    """How often something is away, and for how long."""

    every: Period
    lasts: SpanText


class PersonRow(Shape):
    """How soon somebody comes."""

    reacts_within: SpanText = Span(0, 0)


class WhatIfFile(Shape):
    """What to try. Every key may be left out but the version."""

    cellctl: Version
    shift: Period = SHIFT_NS
    wip: Annotated[list[Count], BeforeValidator(_listed)] = []
    jobs: list[JobRow] = []
    phases: dict[Name, PhaseRow] = {}
    devices: dict[Name, OutageRow] = {}
    interlocks: dict[Name, OutageRow] = {}
    person: PersonRow = PersonRow()


# --- what it names ------------------------------------------------------------------------------------------


def _check_names(document: Document, equipment: Equipment, report: Report) -> None:
    """Whether the cell has all that is named, whatever else is wrong with the rows."""
    for section, (code, what, names) in {
        "phases": ("E601", "phase in a recipe", _in_recipes(equipment)),
        "devices": ("E602", "device", list(equipment.devices)),
        "interlocks": ("E603", "interlock", [interlock.id for interlock in equipment.interlocks]),
    }.items():
        rows = document.data.get(section)
        for name in rows if isinstance(rows, dict) else ():
            if name not in names:
                wrong = Wrong(code, f"there is no {what} with the name {name!r}", did_you_mean(name, names))
                report.add(document.key(section, name), wrong)


def _in_recipes(equipment: Equipment) -> list[str]:
    """The phases that are made of a part, each once."""
    steps = (step.phase for recipe in equipment.recipes.values() for step in phases_of(recipe.procedure))
    return list(dict.fromkeys(steps))


class _Reader:
    def __init__(self, file: Shaped[WhatIfFile], equipment: Equipment, report: Report) -> None:
        self._document, self._file = file.document, file.shape
        self._equipment, self._report = equipment, report
        self._phases = {name: equipment.phases[name] for name in _in_recipes(equipment)}

    def read(self) -> WhatIf:
        """What the file says; what is wrong with it is in the report."""
        file, equipment = self._file, self._equipment
        reaction = file.person.reacts_within
        return WhatIf(
            shift_ns=file.shift,
            wip=tuple(dict.fromkeys(file.wip)),
            orders=self._orders() or _all_day(equipment),
            phases={name: self._phase(name, row) for name, row in file.phases.items() if name in self._phases},
            devices={name: Outage(row.every, row.lasts) for name, row in file.devices.items()},
            interlocks={name: Outage(row.every, row.lasts) for name, row in file.interlocks.items()},
            reaction=Span(0, reaction.high_ns) if reaction.low_ns == reaction.high_ns else reaction,
        )

    def _orders(self) -> tuple[Order, ...]:
        rows, recipes = self._file.jobs, self._equipment.recipes
        for number, row in enumerate(rows):
            if row.recipe not in recipes:
                wrong = Wrong("E604", f"there is no recipe {row.recipe!r}", did_you_mean(row.recipe, recipes))
                self._report.add(self._document.at("jobs", number, "recipe"), wrong)
            if row.quantity is None and number + 1 < len(rows):
                wrong = Wrong("E605", "this job has no end: those below it are never made", "give it a 'quantity:'")
                self._report.add(self._document.key("jobs", number), wrong)
        return tuple(Order(row.recipe, row.quantity) for row in rows)

    def _phase(self, name: str, row: PhaseRow) -> PhaseChange:
        definition = self._phases[name]
        for key in ("fault", "scrap", "redo"):
            if key in row.model_fields_set and "fails" not in row.model_fields_set:
                wrong = Wrong("E606", f"{key!r} says what happens when the phase fails, but it never does", _FAILS)
                self._report.add(self._document.key("phases", name, key), wrong)
        if row.fault and not definition.knows(row.fault):
            wrong = Wrong("E607", f"the phase {name} has no fault {row.fault!r}", _faults_of(definition, row.fault))
            self._report.add(self._document.at("phases", name, "fault"), wrong)
        fault = row.fault or next(iter(definition.faults), "error")
        return PhaseChange(row.scale, row.spread, row.takes, row.fails, fault, row.scrap, row.redo)


_FAILS = "add 'fails: 1 %'"


def _faults_of(definition: PhaseDefinition, fault: str) -> str:
    return did_you_mean(fault, [*definition.faults, *BUILT_IN_FAULTS])


def _all_day(equipment: Equipment) -> tuple[Order, ...]:
    """The cell's first recipe, as many parts as fit."""
    return tuple(Order(recipe) for recipe in list(equipment.recipes)[:1])
