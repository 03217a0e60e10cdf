"""The cell as people and other systems see it: one frozen snapshot.

The rule kept here: everything is plain data with the field's names, ready to be shown; nothing here decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cellctl.core.alarm import Alarm
from cellctl.core.cell import Cell
from cellctl.core.changeover import Changeover
from cellctl.core.fault import Cause, Question
from cellctl.core.part import Part
from cellctl.core.production import Production
from cellctl.core.progress import command_of
from cellctl.core.recipe import FirstArticle, Prepare, RunPhase
from cellctl.core.signal import Image, Value
from cellctl.core.why import why


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
    """A part in process: the phases that run for it, what they wait for, and of which commands nobody knows the end."""

    serial: str
    job: str
    recipe: str
    station: str
    phases: tuple[str, ...]
    progress: str
    waits: tuple[str, ...]
    doubts: tuple[str, ...]
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
class SensorView:
    """What a sensor told when a pulse was sent whose end nobody knows, and what it tells now (None: not known)."""

    signal: str
    then: Value
    now: Value | None
    unit: str


@dataclass(frozen=True, slots=True)
class QuestionView:
    """Something that a person must decide, with what the sensors say about it."""

    id: str
    kind: str
    text: str
    choices: tuple[str, ...]
    part: str
    station: str
    data: Mapping[str, Value]
    sensors: tuple[SensorView, ...]


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
    hidden_alarms: tuple[Alarm, ...]  # shelved or suppressed
    flood: bool  # more alarms than a person can follow
    questions: tuple[QuestionView, ...]
    changeover: ChangeoverView | None


def view_of(cell: Cell) -> View:
    """Take the snapshot."""
    operation, production, memory = cell.operation, cell.production, cell.memory
    recipes = {one.id: RecipeView(one.id, one.version, one.product) for one in cell.equipment.recipes.values()}
    jobs = tuple(
        JobView(job.id, job.recipe, job.quantity, job.started, job.done, job.good, job.reject) for job in memory.jobs
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
        simulated=bool(cell.links) and cell.links.keys() <= cell.equipment.simulated,
        recipe=recipes.get(memory.loaded or ""),
        recipes=tuple(recipes.values()),
        job=jobs[0] if jobs else None,
        jobs=jobs,
        good=memory.good,
        reject=memory.reject,
        commands=cell.possible(),
        refusals={command.name.lower(): reason for command, reason in refusals.items()},
        why=tuple(why(cell)),
        parts=tuple(_part(part, production) for part in memory.parts),
        stations=tuple(
            StationView(one.id, one.text, memory.stations[one.id].serial if one.id in memory.stations else "")
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
        alarms=tuple(cell.alarms.shown),
        hidden_alarms=tuple(cell.alarms.hidden),
        flood=memory.alarms.flood,
        questions=tuple(_question(one, cell.image) for one in memory.questions),
        changeover=None if cell.changeover is None else _changeover(cell.changeover, memory.articles),
    )


def _part(part: Part, production: Production) -> PartView:
    return PartView(
        serial=part.serial,
        job=part.job.id,
        recipe=part.recipe.id,
        station=part.stations[-1] if part.stations else "",
        phases=tuple(run.definition.name for run in part.runs.values()),
        progress="; ".join(run.context.progress_text for run in part.runs.values() if run.context.progress_text),
        waits=tuple(production.waits_for(part)),
        doubts=tuple(f"{command_of(key)} ({path})" for path, key in part.doubts),
        scrapped=part.scrapped,
        started_ns=part.started_ns,
    )


def _question(asked: Question, image: Image) -> QuestionView:
    now = {name: image.read(name) for name in asked.seen if name in image.signals}
    sensors = (
        SensorView(name, then, now[name].value if now[name].good else None, image.signals[name].unit)
        for name, then in asked.seen.items()
        if name in now
    )
    return QuestionView(
        asked.id, asked.kind, asked.text, asked.choices, asked.part, asked.station, asked.data, tuple(sensors)
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
