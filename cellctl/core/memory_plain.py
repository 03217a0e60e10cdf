"""A memory as plain JSON data, and back: what a `snapshot` entry holds.

The rule kept here: a memory that was written and read again is equal, and what is no memory is refused with a
ValueError before anything of it is taken.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from cellctl.core.alarm_book import AlarmBook
from cellctl.core.equipment import Equipment
from cellctl.core.fault import Question
from cellctl.core.job import Job
from cellctl.core.memory import FORMAT, Memory, Walk
from cellctl.core.messages import Receipt, Refused
from cellctl.core.outbox import SNAPSHOT
from cellctl.core.packml import Mode
from cellctl.core.part import Part
from cellctl.core.procedure import resolve
from cellctl.core.progress import Progress, Pulse

#: What is a plain value already, by its name in `Memory`.
_VALUES = ("token", "loaded", "loaded_hash", "articles", "good", "reject", "ended_jobs")


def plain(memory: Memory) -> dict[str, Any]:
    """All of `memory`, without its equipment."""
    return {
        "format": FORMAT,
        "mode": int(memory.mode),
        "jobs": [asdict(job) for job in memory.jobs],
        "job_ids": list(memory.job_ids),
        "parts": [_part(part) for part in memory.parts],
        "walk": memory.walk and asdict(memory.walk),
        "approval": memory.approval and asdict(memory.approval),
        "answers": [_answer(answer) for answer in memory.answers.values()],
        "alarms": memory.alarms.plain(),
        **{name: getattr(memory, name) for name in _VALUES},
    }


def remembered(data: Mapping[str, Any], equipment: Equipment) -> Memory:
    """The memory that `data` is of. ValueError if it is none, or of another format."""
    if data.get("format") != FORMAT:
        raise ValueError(f"the snapshot has format {data.get('format')}; this cellctl reads {FORMAT}")
    memory = Memory(equipment)
    try:
        memory.mode = Mode(data["mode"])
        memory.jobs = [Job(**{**job, "parts": tuple(job["parts"])}) for job in data["jobs"]]
        memory.job_ids = OrderedDict.fromkeys(data["job_ids"])
        memory.parts = [_part_of(part, memory) for part in data["parts"]]
        memory.stations = {station: part for part in memory.parts for station in part.stations}
        memory.walk = None if data["walk"] is None else Walk(**data["walk"])
        memory.approval = None if data["approval"] is None else _question_of(data["approval"])
        memory.answers = OrderedDict((answer["id"], _answer_of(answer)) for answer in data["answers"])
        if "alarms" in data:
            memory.alarms = AlarmBook.of(data["alarms"])
        for name in _VALUES:
            setattr(memory, name, data[name])
    except (KeyError, TypeError) as error:
        raise ValueError(f"the snapshot cannot be read: {error!r}") from error
    return memory


def fold(memory: Memory, kind: str, data: Mapping[str, Any], time_ns: int) -> Memory:
    """The memory after an entry of the journal. ValueError if the entry is not of the form that is folded."""
    try:
        if kind == SNAPSHOT:
            return remembered(data["memory"], memory.equipment)
        memory.apply(kind, data, time_ns)
    except (KeyError, TypeError) as error:
        raise ValueError(f"an entry {kind!r} cannot be read: {error!r}") from error
    return memory


def _part(part: Part) -> dict[str, Any]:
    return {
        "serial": part.serial,
        "job": part.job.id,
        "recipe": part.recipe.id,
        "version": part.recipe.version,
        "hash": part.recipe.hash,
        "values": dict(part.values),
        "started_ns": part.started_ns,
        "scrapped": part.scrapped,
        "stations": list(part.stations),
        "finished": sorted(part.finished),
        "progress": {path: _progress(one) for path, one in part.progress.items()},
        "questions": {path: asdict(one) for path, one in part.questions.items()},
    }


def _part_of(data: Mapping[str, Any], memory: Memory) -> Part:
    recipe = memory.recipe(data["recipe"], data["version"], data["hash"])
    return Part(
        data["serial"],
        next(job for job in memory.jobs if job.id == data["job"]),
        recipe,
        resolve(recipe.procedure, data["values"]),
        data["values"],
        data["started_ns"],
        scrapped=data["scrapped"],
        stations=data["stations"],
        finished=set(data["finished"]),
        progress={path: _progress_of(one) for path, one in data["progress"].items()},
        questions={path: _question_of(one) for path, one in data["questions"].items()},
    )


def _progress(progress: Progress) -> dict[str, Any]:
    return {**asdict(progress), "items": sorted(progress.items)}


def _progress_of(data: Mapping[str, Any]) -> Progress:
    return Progress(
        set(data["items"]),
        data["kept"],
        data["records"],
        {key: Pulse(**pulse) for key, pulse in data["pulses"].items()},
        data["answers"],
        Counter(data["retries"]),
    )


def _question_of(data: Mapping[str, Any]) -> Question:
    return Question(**{**data, "choices": tuple(data["choices"])})


def _answer(answer: Receipt | Refused) -> dict[str, Any]:
    return asdict(answer)


def _answer_of(data: Mapping[str, Any]) -> Receipt | Refused:
    if "reason" in data:
        return Refused(data["id"], data["reason"], tuple(data["possible"]))
    return Receipt(data["id"], data["text"])
