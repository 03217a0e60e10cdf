"""What the HTTP API answers: the forms of version 1, and how each is made from what the cell tells.

The rule kept here: a field that was once published keeps its name and its meaning; new ones may come. Every error has
one form, `Problem`: a sentence, and what would be possible instead.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse

from cellctl.core.signal import Sample
from cellctl.gateway.told import cell_told


class Answer(BaseModel):
    """What all forms share: made from the link's snapshot, of which they tell a part."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Problem(Answer):
    """Why a request was not done. `possible`: what would be; `fields`: which of its fields are wrong."""

    status: int
    reason: str
    possible: list[str] = []
    fields: list[dict[str, str]] = []


class Receipt(Answer):
    """The cell took the request `id`; the same id always gets the same receipt."""

    id: str
    text: str


class Recipe(Answer):
    """A recipe of the cell."""

    id: str
    version: str
    product: str


class Job(Answer):
    """An order; `done` counts finished parts, good or not."""

    id: str
    recipe: str
    quantity: int
    started: int
    done: int
    good: int
    reject: int


class Counts(Answer):
    """Parts finished since the cell was loaded."""

    good: int
    reject: int


class Sensor(Answer):
    """What a sensor told when a command was sent whose end nobody knows, and what it tells now (null: not known)."""

    signal: str
    then: bool | int | float | str
    now: bool | int | float | str | None
    unit: str


class Reason(Answer):
    """Why the cell is not producing, what to do, and what may be chosen if it is a question (its `id` names it)."""

    kind: str
    id: str
    text: str
    do: str
    choices: list[str] = []
    sensors: list[Sensor] = []


class CommandRule(Answer):
    """A PackML command: whether it is possible now, else why not. `in_state`: the state alone would take it."""

    command: str
    title: str
    in_state: bool
    legal: bool
    reason: str


class Station(Answer):
    """A station, the part in it, and what is being done there or waited for."""

    id: str
    text: str
    part: str
    doing: str
    waits: list[str]


class Words(Answer):
    """What happened and what to do, in one language."""

    text: str
    do: str


class Alarm(Answer):
    """An alarm. `state`: unacknowledged, acknowledged, returned (and not acknowledged), shelved or suppressed; normal
    only while it is `first_out`, the first of the present stop. `since_ns`: when it was raised; `returned_ns`: when it
    returned, 0 if it is active. `until_ns`, `by`, `reason`: of a shelved one. `shelve_ns`: the longest that it may be
    shelved, 0 for not at all. `words`: by language."""

    id: str
    priority: str
    text: str
    do: str
    since_ns: int
    state: str
    active: bool
    first_out: bool
    returned_ns: int
    until_ns: int
    by: str
    reason: str
    shelve_ns: int
    words: dict[str, Words]


class Download(Answer):
    """A value that changeover writes to a device, and what was read back."""

    parameter: str
    signal: str
    wanted: bool | int | float | str
    found: bool | int | float | str | None
    unit: str
    state: str


class Step(Answer):
    """A step of the changeover; `confirm` is empty, ``tick`` or ``scan TEXT``; `state` open, active, failed or done."""

    kind: str
    text: str
    confirm: str
    external: bool
    state: str


class Changeover(Answer):
    """The changeover in work, or the last one."""

    recipe: str
    index: int
    done: bool
    failed: str
    steps: list[Step]
    downloads: list[Download]


class Device(Answer):
    """A device and its connection; `needed`: the cell cannot produce without it."""

    id: str
    link: str
    reason: str
    identity: str
    needed: bool
    simulated: bool


class Signal(Answer):
    """The last sample of a signal: never a value without its quality and age."""

    value: bool | int | float | str | None
    quality: str
    reason: str
    time_ns: int
    received_ns: int

    @classmethod
    def of(cls, sample: Sample) -> Self:
        """The form of a sample."""
        return cls(
            value=sample.value,
            quality=sample.quality.name.lower(),
            reason=sample.reason,
            time_ns=sample.time_ns,
            received_ns=sample.received_ns,
        )


class Cell(Answer):
    """The cell at one moment."""

    id: str
    name: str
    state: str
    state_number: int
    state_since_ns: int
    mode: str
    simulated: bool
    recipe: Recipe | None
    job: Job | None
    jobs_waiting: int
    counts: Counts
    waiting: list[str]
    why: list[Reason]
    commands: list[CommandRule]
    stations: list[Station]
    alarms: list[Alarm]
    hidden_alarms: list[Alarm]
    flood: bool
    changeover: Changeover | None

    @classmethod
    def of(cls, view: Mapping[str, Any]) -> Self:
        """The form of a view as the link tells it."""
        return cls.model_validate(cell_told(view))


def problem_response(status: int, reason: str, possible: Iterable[str] = (), **more: Any) -> JSONResponse:
    """An error in its one form."""
    problem = Problem(status=status, reason=reason, possible=list(possible), **more)
    return JSONResponse(problem.model_dump(), status_code=status)
