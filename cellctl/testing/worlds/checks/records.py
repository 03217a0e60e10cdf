"""What is on record: whole, in order, and the same as what is live."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cellctl.core.messages import Effect, Entry, Input
from cellctl.runtime.ledger import Row
from cellctl.testing.bench import Bench
from cellctl.testing.worlds.checks import Check
from cellctl.testing.worlds.plan import Break, Plan

#: What control may say of itself at the level of an error when its disk is ill.
_ILL = ("the journal cannot be written", "the cell failed")


class Chain(Check):
    """The journal on disk is whole: no entry is lost, doubled or changed, and each is what was decided, in order."""

    def begin(self) -> None:
        """What the life before decided and did not get to the disk is lost, as it should be."""
        self._decided: list[Entry] = []

    def turn(self, now: int, inputs: Sequence[Input], effects: Sequence[Effect]) -> None:
        """Decided in this order."""
        self._decided += [effect for effect in effects if isinstance(effect, Entry)]

    def kept(self, row: Row) -> None:
        """On disk in this order; what control notes of itself is between."""
        if row.entry.kind in ("start", "end", "clock"):
            return
        if not self._decided or self._decided[0] != row.entry:
            self.find(f"entry {row.sequence} ({row.entry.kind}) is not the next that was decided")
            self._decided.clear()
        else:
            del self._decided[0]

    async def end(self, bench: Bench) -> None:
        """Recompute all."""
        bench.flush()
        if (broken := bench.records.verify().broken_at) is not None:
            self.find(f"the chain of the journal is broken at entry {broken}")


class Records(Check):
    """What is recorded of a part is told once for each time that it came about: a phase that comes by again tells
    nothing again."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._told: dict[tuple[str, ...], object] = {}

    def kept(self, row: Row) -> None:
        """Compare with what was told of the same place before, by the life before too."""
        if row.entry.kind == "record":
            data = row.entry.data
            place = tuple(str(data[name]) for name in ("part", "step", "key"))
            if place in self._told and self._told[place] == data["value"]:
                self.find(f"{place} = {data['value']!r} is recorded again")
            self._told[place] = data["value"]


class Parts(Check):
    """Two parts are never in one station, and every part that was begun ends good or scrap, or is still shown."""

    async def look(self, bench: Bench) -> None:
        """Where the controller believes the parts to be."""
        if bench.alive:
            where = [part.station for part in bench.view.parts if part.station]
            for station in {each for each in where if where.count(each) > 1}:
                self.find(f"two parts are in station {station}")

    async def end(self, bench: Bench) -> None:
        """What became of each, whichever life began it."""
        shown = [part.serial for part in bench.view.parts] if bench.alive else []
        begun, ended = ([str(entry.data["part"]) for entry in bench.entries(kind)] for kind in ("part", "part.done"))
        for serial in begun:
            if bench.alive and (times := [*ended, *shown].count(serial)) != 1:
                self.find(f"part {serial} was begun, and is told {times} times how it ended or where it is")
        for serial in {each for each in begun if begun.count(each) > 1}:
            self.find(f"part {serial} was begun twice")


@dataclass(slots=True)
class _Fold:
    """What the journal alone says."""

    state: str = ""
    mode: str = "Production"
    recipe: str | None = None
    jobs: dict[str, list[int]] = field(default_factory=dict)  # good and reject of those that are open
    good: int = 0
    reject: int = 0

    def take(self, kind: str, data: Mapping[str, Any]) -> None:
        """One entry."""
        match kind:
            case "start" | "state":
                self.state = data["state"]
            case "mode":
                self.mode = data["mode"]
            case "recipe":
                self.recipe = data["recipe"]
            case "changeover":
                self.recipe = None
            case "job":
                self.jobs[data["job"]] = [0, 0]
            case "part.done":
                good = data["result"] == "good"
                self.good, self.reject = self.good + good, self.reject + (not good)
                if data["job"] in self.jobs:
                    self.jobs[data["job"]][not good] += 1
            case "job.done":
                self.jobs.pop(data["job"], None)


class Replay(Check):
    """The journal, read from its beginning, tells the same as the live cell shows."""

    async def end(self, bench: Bench) -> None:
        """Fold and compare."""
        if not bench.alive:
            return
        await bench.written()
        fold = _Fold()
        for entry in bench.entries():
            fold.take(entry.kind, entry.data)
        view = bench.view
        live: dict[str, object] = {
            "state": view.state, "mode": view.mode, "recipe": view.recipe.id if view.recipe else None,
            "good": view.good, "reject": view.reject, "jobs": {job.id: [job.good, job.reject] for job in view.jobs},
        }  # fmt: skip
        for name, value in live.items():
            if (told := getattr(fold, name)) != value:
                self.find(f"{name} is {value!r} live, and {told!r} by the journal")


class Beginning(Check):
    """After an orderly end a cell comes up Stopped, after any other Aborted: somebody has to look first."""

    async def end(self, bench: Bench) -> None:
        """Compare each beginning with the end before it."""
        before = None
        for entry in bench.entries():
            if entry.kind == "start":
                wanted = "Stopped" if before is None or (before.kind, before.data.get("state")) == _CLEAN else "Aborted"
                if entry.data["state"] != wanted:
                    self.find(f"control came up {entry.data['state']}, not {wanted}")
            before = entry


_CLEAN = ("end", "Stopped")


class Log(Check):
    """Control never fails, and no task dies unseen."""

    async def end(self, bench: Bench) -> None:
        """Read the log."""
        kinds = {act.fault.kind for act in self.plan.acts if isinstance(act, Break)}
        ill = not kinds.isdisjoint(("disk_full", "fsync_error", "slow_disk"))
        for at_s, level, event, said in bench.log.lines:
            if level == "error" and not (ill and event in _ILL):
                self.find(f"at {at_s:.3f} s: {event} {said}")
