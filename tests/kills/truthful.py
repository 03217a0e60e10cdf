"""A person who looks before answering: whoever is asked what became of a pulse goes and sees.

The rule kept here: the answer is the truth, where it can be seen; where it cannot, it is the one that loses nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Any

from cellctl.core.messages import AddJob, Receipt, Recover, Request
from cellctl.records import Written
from cellctl.testing.bench import Bench, NotAccepted
from cellctl.testing.worlds.attendant import Attendant

#: What is seen has to be at rest for so many looks: the longest pulse takes 0.8 s.
_LOOKS = 3


class Truthful(Attendant):
    """Leads the cell as an attendant does, and answers by the truth. `asked`: so many questions."""

    asked = 0
    _looked = 0
    _repeats = False

    def __init__(self, bench: Bench, jobs: tuple[tuple[str, int], ...], random: Random) -> None:
        super().__init__(bench, jobs, random)
        self.wrong: list[str] = []

    async def look(self) -> None:
        """First, in each life, what was asked last is asked again: it is answered as before, and not done again."""
        if self._repeats and self._bench.alive:
            self._repeats = False
            with suppress(NotAccepted, asyncio.CancelledError):
                await self._repeat()
        await super().look()

    async def _repeat(self) -> None:
        requests, jobs = self._bench.entries("request"), self._bench.entries("job")
        if jobs:
            id = next(str(one.data["id"]) for one in reversed(requests) if one.data["action"] == "AddJob")
            job = jobs[-1].data
            order = AddJob(str(job["job"]), str(job["recipe"]), int(str(job["quantity"])))
            told = await self._bench.control.submit(Request(id, order, "operator", "test"))
            if not isinstance(told, Receipt):
                self.wrong.append(f"{id} was accepted, and asked again it is told: {told}")

    def restarted(self) -> None:
        """Whoever had no answer to an order looks whether it was taken, and gives it again only if it was not."""
        super().restarted()
        self._repeats = True
        id = f"job-{self._jobs}"
        if self._job is None and id in self._bench.control.cell.memory.job_ids and id not in self.ordered:
            self._job = (id, *self._open.pop(0))
            self.ordered.append(id)

    async def _answer(self) -> bool:
        questions = self._bench.control.cell.memory.questions
        if not questions:
            return False
        self._looked += 1
        if self._looked >= _LOOKS:
            self._looked = 0
            self.asked += 1
            question = questions[0]
            entries, truth = self._bench.entries(), self._bench.simulation.truth()
            choice = answer(question.part, question.kind, question.choices, seen=(entries, truth))
            await self._bench.submit(Recover(question.id, choice))
        return True


def answer(part: str, kind: str, choices: Sequence[str], seen: tuple[Sequence[Written], Mapping[str, Any]]) -> str:
    """What a person says who has seen what is written down and what is true of `part`."""
    return ("done" if executed(part, *seen) else "redo") if kind == "in_doubt" else choices[0]


def executed(part: str, entries: Sequence[Written], truth: Mapping[str, Any]) -> bool:
    """Whether the pulse that is in doubt at `part` was executed: the world has one more than is written down."""
    last = next(entry for entry in reversed(entries) if entry.kind == "intent" and entry.data.get("part") == part)
    command = last.data["command"]
    done = [entry.data for entry in entries if entry.kind == "done" and entry.data["command"] == command]
    if command == "plc.feed":
        return int(truth["fed"]) > len(done)
    code = next(
        str(entry.data["value"])
        for entry in reversed(entries)
        if entry.kind == "record" and entry.data["part"] == part and entry.data["name"] == "code"
    )
    return len(truth["parts"][code]["welds"]) > sum(data["part"] == part for data in done)
