"""A person who looks before answering: whoever is asked what became of a pulse goes and sees.

The rule kept here: the answer is the truth, where it can be seen; where it cannot, it is the one that loses nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cellctl.core.messages import Recover
from cellctl.records import Written
from cellctl.testing.worlds.attendant import Attendant

#: What is seen has to be at rest for so many looks: the longest pulse takes 0.8 s.
_LOOKS = 3


class Truthful(Attendant):
    """Leads the cell as an attendant does, and answers by the truth. `asked`: so many questions."""

    asked = 0
    _looked = 0

    def restarted(self) -> None:
        """Whoever had no answer to an order looks whether it was taken, and gives it again only if it was not."""
        super().restarted()
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
