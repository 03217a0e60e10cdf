"""What a cell must not forget: its orders, the parts in process and how far they are, what is loaded, what it answered.

The rule kept here: memory changes by `apply` alone, and what is applied is what goes into the journal (`Outbox.note`).
So the memory of a cell is the fold of its journal, and a cell that lost its power goes on from there.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from cellctl.core.alarm_book import OF_ALARMS, AlarmBook
from cellctl.core.equipment import Equipment
from cellctl.core.fault import Question
from cellctl.core.job import JOB_IDS_KEPT, Job
from cellctl.core.messages import Receipt, Refused
from cellctl.core.packml import Mode
from cellctl.core.part import Part
from cellctl.core.procedure import resolve
from cellctl.core.progress import OF_A_STEP
from cellctl.core.recipe import MasterRecipe

#: The form of the entries that are folded here. What an older cellctl wrote cannot be folded: it forgot at each start.
FORMAT = 2

#: So many answers are kept to be given again to a repeated request.
ANSWERS_KEPT = 1_000

Data = Mapping[str, Any]

_MODES = {mode.title: mode for mode in Mode}


@dataclass(slots=True)
class Walk:
    """A changeover as far as it is remembered: to which recipe, and the step in work."""

    recipe: str
    index: int = 0


class Memory:
    """The fold of a journal. `stations` tells which part each of them holds; `walk` is the changeover in work."""

    def __init__(self, equipment: Equipment) -> None:
        self.equipment = equipment
        self.forget()

    def forget(self) -> None:
        """Be as new."""
        self.mode = Mode.PRODUCTION
        self.token = 0  # this one and all before it may have been used
        self.jobs: list[Job] = []
        self.job_ids: OrderedDict[str, None] = OrderedDict()
        self.parts: list[Part] = []
        self.stations: dict[str, Part] = {}
        self.loaded: str | None = None
        self.loaded_hash = ""  # of the very version that was downloaded
        self.walk: Walk | None = None
        self.articles = 0  # so many first articles are still to be approved
        self.approval: Question | None = None
        self.good = 0
        self.reject = 0
        self.ended_jobs = 0  # since the last Start
        self.answers: OrderedDict[str, Receipt | Refused] = OrderedDict()
        self.alarms = AlarmBook()

    def apply(self, kind: str, data: Data, time_ns: int) -> None:
        """Take an entry of the journal. KeyError, TypeError or ValueError if it is not of this form."""
        if (fold := self._folds.get(kind)) is not None:
            fold(self, data, time_ns)
        elif kind in OF_A_STEP:
            self._note(kind, data)
        elif kind in OF_ALARMS:
            self.alarms.apply(kind, data, time_ns)

    @property
    def job(self) -> Job | None:
        """The order in work: the first of the queue."""
        return self.jobs[0] if self.jobs else None

    @property
    def questions(self) -> list[Question]:
        """What waits for a person."""
        asked = [question for part in self.parts for question in part.questions.values()]
        return asked if self.approval is None else [self.approval, *asked]

    @property
    def outdated(self) -> bool:
        """Whether what was downloaded is not what the recipe says now, or there is no such recipe any more."""
        known = None if self.loaded is None else self.equipment.recipes.get(self.loaded)
        return self.loaded is not None and (known is None or known.hash != self.loaded_hash)

    @property
    def misfits(self) -> Iterator[str]:
        """Why parts in process cannot go on with the present equipment, a sentence each."""
        for part in self.parts:
            recipe = part.recipe
            if self.equipment.recipes.get(recipe.id) is not recipe:
                yield (
                    f"Part {part.serial} was begun with version {recipe.version} of the recipe {recipe.id},"
                    " and the cell's files do not have just that now."
                )
            for station in part.stations:
                if station not in self.equipment.stations:
                    yield f"Part {part.serial} is in station {station}, which the cell's files do not have any more."

    def recipe(self, identity: str, version: str, digest: str) -> MasterRecipe:
        """The recipe with this content; one with nothing to do if the equipment has it no more."""
        known = self.equipment.recipes.get(identity)
        return known if known and known.hash == digest else MasterRecipe(identity, version, hash=digest)

    def part(self, serial: str) -> Part | None:
        """The part in process with this serial."""
        return next((part for part in self.parts if part.serial == serial), None)

    # --- orders -------------------------------------------------------------------------------------------------

    def _add(self, data: Data, _: int) -> None:
        self.jobs.append(Job(data["job"], data["recipe"], data["quantity"], tuple(data["parts"])))
        self.job_ids[data["job"]] = None
        if len(self.job_ids) > JOB_IDS_KEPT:
            self.job_ids.popitem(last=False)

    def _cancel(self, data: Data, _: int) -> None:
        self._job(data).cancelled = True

    def _retire(self, data: Data, _: int) -> None:
        self.jobs.remove(self._job(data))
        self.ended_jobs += 1

    def _job(self, data: Data) -> Job:
        try:
            return next(job for job in self.jobs if job.id == data["job"])
        except StopIteration:
            raise ValueError(f"there is no job {data['job']!r}") from None

    # --- parts --------------------------------------------------------------------------------------------------

    def _begin(self, data: Data, time_ns: int) -> None:
        job, values = self._job(data), data["values"]
        recipe = self.recipe(data["recipe"], data["version"], data["hash"])
        job.started += 1
        self.parts.append(Part(data["part"], job, recipe, resolve(recipe.procedure, values), values, time_ns))

    def _enter(self, data: Data, _: int) -> None:
        part, station = self._of(data), data["station"]
        part.enter(data["step"])
        if station and station not in part.stations:
            part.stations.append(station)
            self.stations[station] = part

    def _finish(self, data: Data, _: int) -> None:
        part = self._of(data)
        part.finish(data["step"])
        self._free(part, data.get("freed", ()))

    def _note(self, kind: str, data: Data) -> None:
        """Something that a phase did, if it worked on a part and the part still has its step to do."""
        part = self.part(data.get("part", ""))
        if part is not None and (progress := part.progress.get(data["step"])) is not None:
            progress.apply(kind, data)

    def _scrap(self, data: Data, _: int) -> None:
        part = self._of(data)
        part.scrapped = True
        part.questions.clear()

    def _end(self, data: Data, _: int) -> None:
        part = self._of(data)
        self._free(part, list(part.stations))
        self.parts.remove(part)
        if data["result"] == "good":
            part.job.good += 1
            self.good += 1
        else:
            part.job.reject += 1
            self.reject += 1

    def _ask(self, data: Data, _: int) -> None:
        asked = Question(
            data["question"], data["about"], data["text"], tuple(data["choices"]), data["part"], data["station"],
            data["data"],
            data.get("seen", {}),
        )  # fmt: skip
        if data["step"]:
            self._of(data).questions[data["step"]] = asked
        else:
            self.approval = asked

    def _answer(self, data: Data, _: int) -> None:
        if self.approval is not None and self.approval.id == data["question"]:
            self.articles -= data["choice"] == "approve"
            self.approval = None
        elif (part := self.part(data["part"])) is not None:
            part.questions = {step: one for step, one in part.questions.items() if one.id != data["question"]}

    def _free(self, part: Part, stations: Iterable[str]) -> None:
        for station in stations:
            part.stations.remove(station)
            del self.stations[station]

    def _of(self, data: Data) -> Part:
        part = self.part(data["part"])
        if part is None:
            raise ValueError(f"there is no part {data['part']!r} in process")
        return part

    # --- changeover, state and requests -------------------------------------------------------------------------

    def _change_over(self, data: Data, _: int) -> None:
        self._load(None, 0)
        self.walk = Walk(data["recipe"])

    def _pass(self, data: Data, _: int) -> None:
        self.walk = Walk(data["recipe"], data["index"] + 1)

    def _give_up(self, _: Data, __: int) -> None:
        self.walk = None

    def _loaded(self, data: Data, _: int) -> None:
        self._load(data["recipe"], data["articles"])
        self.loaded_hash = data["hash"]
        self.walk = None

    def _unload(self, _: Data, __: int) -> None:
        self._load(None, 0)

    def _load(self, recipe: str | None, articles: int) -> None:
        self.loaded, self.articles, self.approval = recipe, articles, None

    def _change_mode(self, data: Data, _: int) -> None:
        self.mode = _MODES[data["mode"]]

    def _command(self, data: Data, _: int) -> None:
        if data["command"] == "Start":
            self.ended_jobs = 0

    def _reserve(self, data: Data, _: int) -> None:
        self.token = data["reserved"]

    def _accept(self, data: Data, _: int) -> None:
        self._reply(Receipt(data["id"], data["state"]))

    def _refuse(self, data: Data, _: int) -> None:
        self._reply(Refused(data["id"], data["reason"], tuple(data["possible"])))

    def _reply(self, answer: Receipt | Refused) -> None:
        self.answers[answer.id] = answer
        if len(self.answers) > ANSWERS_KEPT:
            self.answers.popitem(last=False)

    def _start(self, data: Data, _: int) -> None:
        if data.get("format") != FORMAT:
            self.forget()

    _folds: ClassVar[Mapping[str, Callable[["Memory", Data, int], None]]] = {
        "job": _add,
        "job.cancelled": _cancel,
        "job.done": _retire,
        "part": _begin,
        "part.scrap": _scrap,
        "part.done": _end,
        "phase": _enter,
        "phase.done": _finish,
        "phase.skipped": _finish,
        "question": _ask,
        "answer": _answer,
        "changeover": _change_over,
        "changeover.step": _pass,
        "changeover.cancelled": _give_up,
        "recipe": _loaded,
        "recipe.unloaded": _unload,
        "mode": _change_mode,
        "command": _command,
        "tokens": _reserve,
        "request": _accept,
        "refused": _refuse,
        "start": _start,
    }
