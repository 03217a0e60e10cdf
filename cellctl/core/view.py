"""The cell as people and other systems see it: one frozen snapshot, and the ordered answer to "why is it not running?".

The rule kept here: everything is plain data with the field's names, ready to be shown; nothing here decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellctl.core.alarm import Alarm
from cellctl.core.changeover import Changeover
from cellctl.core.fault import Cause, Question
from cellctl.core.messages import LinkChanged, LinkState
from cellctl.core.operation import possible
from cellctl.core.packml import STATE_COMPLETE, Mode, State
from cellctl.core.part import Part
from cellctl.core.production import Production
from cellctl.core.recipe import FirstArticle, Prepare, RunPhase
from cellctl.core.signal import Value

if TYPE_CHECKING:
    from cellctl.core.cell import Cell


@dataclass(frozen=True, slots=True)
class RecipeView:
    """A recipe that the cell knows."""

    id: str
    version: str
    product: str


@dataclass(frozen=True, slots=True)
class JobView:
    """An order."""

    id: str
    recipe: str
    quantity: int
    started: int
    done: int
    good: int
    reject: int


@dataclass(frozen=True, slots=True)
class PartView:
    """A part in process: the phases that run for it, and what they wait for."""

    serial: str
    job: str
    recipe: str
    station: str
    phases: tuple[str, ...]
    progress: str
    waits: tuple[str, ...]
    scrapped: bool
    started_ns: int


@dataclass(frozen=True, slots=True)
class StationView:
    """A station, and the part that is in it."""

    id: str
    text: str
    part: str


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device and its connection."""

    id: str
    link: str
    reason: str
    identity: str
    needed: bool
    simulated: bool


@dataclass(frozen=True, slots=True)
class DownloadView:
    """A value that changeover downloads: wanted, read back, and whether they are equal."""

    parameter: str
    signal: str
    wanted: Value
    found: Value | None
    unit: str
    state: str


@dataclass(frozen=True, slots=True)
class StepView:
    """A step of the changeover. `confirm`: what it needs from a person ("" nothing, tick, or scan TEXT)."""

    kind: str
    text: str
    confirm: str
    external: bool
    state: str  # open | active | failed | done


@dataclass(frozen=True, slots=True)
class ChangeoverView:
    """The changeover in work, or the last one."""

    recipe: str
    index: int
    done: bool
    failed: str
    steps: tuple[StepView, ...]
    downloads: tuple[DownloadView, ...]


@dataclass(frozen=True, slots=True)
class View:
    """One moment of the cell."""

    id: str
    name: str
    time_ns: int
    state: str
    state_number: int
    state_since_ns: int
    mode: str
    mode_number: int
    simulated: bool
    recipe: RecipeView | None  # the loaded one
    recipes: tuple[RecipeView, ...]
    job: JobView | None
    jobs: tuple[JobView, ...]
    good: int
    reject: int
    commands: tuple[str, ...]
    refusals: dict[str, str]
    why: tuple[Cause, ...]
    parts: tuple[PartView, ...]
    stations: tuple[StationView, ...]
    devices: tuple[DeviceView, ...]
    alarms: tuple[Alarm, ...]
    questions: tuple[Question, ...]
    changeover: ChangeoverView | None


def view_of(cell: Cell) -> View:
    """Take the snapshot."""
    operation, production = cell.operation, cell.production
    recipes = {one.id: RecipeView(one.id, one.version, one.product) for one in cell.equipment.recipes.values()}
    jobs = tuple(
        JobView(job.id, job.recipe, job.quantity, job.started, job.done, job.good, job.reject)
        for job in production.jobs
    )
    legal = operation.packml.legal()
    refusals = {command: reason for command in legal if (reason := cell.refusal(command))}
    return View(
        id=cell.equipment.id,
        name=cell.equipment.name,
        time_ns=cell.outbox.now,
        state=cell.state.title,
        state_number=int(cell.state),
        state_since_ns=operation.since_ns,
        mode=operation.packml.mode.title,
        mode_number=int(operation.packml.mode),
        simulated=bool(cell.equipment.simulated),
        recipe=recipes.get(production.loaded or ""),
        recipes=tuple(recipes.values()),
        job=jobs[0] if jobs else None,
        jobs=jobs,
        good=production.good,
        reject=production.reject,
        commands=tuple(name for name in possible(operation.packml) if name.upper() not in {c.name for c in refusals}),
        refusals={command.name.lower(): reason for command, reason in refusals.items()},
        why=tuple(why(cell)),
        parts=tuple(_part(part, production) for part in production.parts),
        stations=tuple(
            StationView(one.id, one.text, production.stations[one.id].serial if one.id in production.stations else "")
            for one in cell.equipment.stations.values()
        ),
        devices=tuple(
            DeviceView(
                id=link.device,
                link=link.state.value,
                reason=link.reason,
                identity=link.identity,
                needed=link.device in cell.needed,
                simulated=link.device in cell.equipment.simulated,
            )
            for link in cell.links.values()
        ),
        alarms=tuple(cell.alarms.in_order()),
        questions=tuple(production.questions),
        changeover=None if cell.changeover is None else _changeover(cell.changeover, production.articles),
    )


#: What takes the cell on from a wait state.
_NEXT = {
    State.ABORTED: "Clear",
    State.STOPPED: "Reset",
    State.IDLE: "Start",
    State.HELD: "Unhold",
    State.SUSPENDED: "Unsuspend",
    State.COMPLETED: "Reset",
}


def why(cell: Cell) -> Iterator[Cause]:
    """Why the cell is not producing, first cause first; empty while parts are being made."""
    now = cell.outbox.now
    seen: set[tuple[str, str]] = set()
    for cause in (
        *cell.operation.causes,
        *(cell.interlocks.cause(one, now) for one in cell.interlocks.broken("abort", "stop", "hold", "suspend")),
        *_lost(cell),
        *(
            Cause("question", one.id, one.text, f"Choose: {', '.join(one.choices)}")
            for one in cell.production.questions
        ),
        *_changeover_waits(cell),
        *_state(cell),
    ):
        if (cause.kind, cause.id) not in seen:
            seen.add((cause.kind, cause.id))
            yield cause


def not_connected(name: str, link: LinkChanged) -> Cause:
    """A device that is not there, as a cause; `name` as people call it."""
    reason = link.reason or link.state.value
    return Cause("link", link.device, f"{name} is not connected: {reason}", "Check its power and its cable.")


def _lost(cell: Cell) -> Iterator[Cause]:
    for link in cell.links.values():
        if link.state is not LinkState.CONNECTED:
            yield not_connected(cell.name_of(link.device), link)


def _changeover_waits(cell: Cell) -> Iterator[Cause]:
    if cell.changeover is not None and not cell.changeover.done:
        for line in cell.changeover.waits_for():
            yield Cause("changeover", cell.changeover.recipe.id, f"Changeover to {cell.changeover.recipe.id}: {line}")


def _state(cell: Cell) -> Iterator[Cause]:
    state = cell.state
    mode = cell.operation.packml.mode
    if state in _NEXT:
        yield Cause("state", state.title, f"The cell is {state.title}", f"{_NEXT[state]}.")
    if state is State.EXECUTE and mode is not Mode.PRODUCTION:
        yield Cause("mode", mode.title, f"The mode is {mode.title}: no parts are made")
    if state in STATE_COMPLETE:
        waits = "; ".join(line for run in (*cell.operation.runs, *cell.production.runs) for line in run.waits_for())
        yield Cause("state", state.title, f"The cell is {state.title}" + (f": {waits}" if waits else ""))
    elif not cell.production.parts:
        yield from cell.production.why_no_part()


def _part(part: Part, production: Production) -> PartView:
    return PartView(
        serial=part.serial,
        job=part.job.id,
        recipe=part.recipe.id,
        station=part.stations[-1] if part.stations else "",
        phases=tuple(run.definition.name for run in part.runs.values()),
        progress="; ".join(run.context.progress_text for run in part.runs.values() if run.context.progress_text),
        waits=tuple(production.waits_for(part)),
        scrapped=part.scrapped,
        started_ns=part.started_ns,
    )


def _changeover(changeover: Changeover, articles: int) -> ChangeoverView:
    steps = []
    for index, step in enumerate(changeover.steps):
        state = "done" if index < changeover.index else "open"
        if index == changeover.index:
            state = "failed" if changeover.failed else "active"
        match step:
            case Prepare(text, external, scan=scan, signal=signal):
                confirm = "" if signal is not None else f"scan {scan}" if scan else "tick"
                steps.append(StepView("do", text, confirm, external, state))
            case RunPhase(phase):
                steps.append(StepView("run", phase, "", False, state))
            case FirstArticle(parts, approve):
                text = f"Make {parts} and have it approved" + (f" by {approve}" if approve else "")
                state = "active" if articles and changeover.done else state
                steps.append(StepView("first_article", text, "", False, state))
            case _:
                steps.append(StepView("download", "Download and read back every value", "", False, state))
    return ChangeoverView(
        recipe=changeover.recipe.id,
        index=changeover.index,
        done=changeover.done,
        failed=changeover.failed,
        steps=tuple(steps),
        downloads=tuple(
            DownloadView(one.parameter, one.signal, one.wanted, one.found, one.unit, one.state)
            for one in changeover.downloads
        ),
    )
