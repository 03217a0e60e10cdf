"""The forms of what is asked of the API, and of what is on record.

The rule kept here: strict. A field that is not known, or of another type than said, is refused with its name.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from cellctl.core.packml import Command, Mode
from cellctl.gateway.http.answers import Answer

Value = bool | int | float | str
Text = Annotated[str, Field(min_length=1, max_length=200)]


class Ask(BaseModel):
    """What all requests share. `id` makes a request safe to repeat: the same id gets the same receipt."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class AskCommand(Ask):
    """Fire a PackML command."""

    command: Annotated[str, Field(json_schema_extra={"enum": [command.name.lower() for command in Command]})]


class AskMode(Ask):
    """Change the unit mode."""

    mode: Annotated[str, Field(json_schema_extra={"enum": [mode.name.lower() for mode in Mode]})]


class AskJob(Ask):
    """Add an order. `job` is its id (one is made up if it is left out), `parts` the parts' own values, in order."""

    recipe: Text
    quantity: Annotated[int, Field(ge=1, le=1_000_000)]
    job: Text | None = None
    parts: Annotated[list[dict[str, Value]], Field(max_length=10_000)] = []


class AskChangeover(Ask):
    """Begin the change to another recipe."""

    recipe: Text


class AskConfirm(Ask):
    """A changeover step was done by a person; `evidence` is what was scanned, if the step asks for it."""

    index: Annotated[int, Field(ge=0, le=1_000)]
    evidence: Annotated[str, Field(max_length=200)] = ""


class AskRecovery(Ask):
    """Answer an open question of the cell with one of its choices."""

    question: Text
    choice: Text


class AskAcknowledge(Ask):
    """These alarms were seen."""

    alarms: Annotated[list[Text], Field(min_length=1, max_length=1_000)]


class AskShelve(Ask):
    """Hide an alarm for some time, such as ``30 min``, and say why."""

    alarm: Text
    for_: Annotated[str, Field(alias="for", min_length=1, max_length=50)]
    reason: Text


class AlarmEvent(Answer):
    """What became of an alarm: `what` is raised, returned, acknowledged, shelved, unshelved, suppressed, unsuppressed,
    first (of a stop) or removed (from the files); `text` as it was written down when it was raised."""

    time_ns: int
    alarm: str
    what: str
    priority: str
    text: str
    by: str
    reason: str
    until_ns: int


class FrequentAlarm(Answer):
    """How often an alarm was raised; `chattering`: three times or more within a minute."""

    alarm: str
    priority: str
    text: str
    raised: int
    last_ns: int
    chattering: bool


class AlarmLoad(Answer):
    """How much alarms ask of a person between two times; those of priority info are not counted."""

    since_ns: int
    until_ns: int
    raised: int
    per_10_min: float
    most_in_10_min: int
    alarms: list[FrequentAlarm]


class PartInProcess(Answer):
    """A part in the cell: where it is, what is being done with it, what that waits for."""

    serial: str
    job: str
    recipe: str
    station: str
    phases: list[str]
    progress: str
    waits: list[str]
    scrapped: bool
    started_ns: int


class RecipeOfPart(Answer):
    """The recipe that a part was made by."""

    id: str
    version: str


class Measured(Answer):
    """A value recorded of a part, by the step of its procedure."""

    time_ns: int
    step: str
    name: str
    value: Value
    unit: str
    labels: dict[str, Value]


class PartRecord(Answer):
    """A part on record; `result` is good, scrap, or null while it is in process."""

    serial: str
    job: str
    recipe: RecipeOfPart
    result: str | None
    started_ns: int
    finished_ns: int | None
    records: list[Measured]
    events: list[dict[str, Any]]


class Parts(Answer):
    """The parts of the cell."""

    in_process: list[PartInProcess]
    finished: list[PartRecord]


class JournalEntry(Answer):
    """A decision as it was written down."""

    sequence: int
    time_ns: int
    kind: str
    data: dict[str, Any]


class StoredSample(Answer):
    """A sample of the past."""

    time_ns: int
    value: Value | None
    quality: str


class History(Answer):
    """The stored samples of one signal between two times."""

    signal: str
    start_ns: int
    end_ns: int
    samples: list[StoredSample]
