"""Every request is answered exactly once, and never before what it led to is on disk."""

from collections import Counter
from collections.abc import Sequence

from cellctl.core.messages import Effect, Input, Receipt, Refused, Reply, Request
from cellctl.runtime.ledger import Row
from cellctl.testing.bench import Bench
from cellctl.testing.worlds.checks import Check
from cellctl.testing.worlds.plan import Plan

#: A request of a cell whose journal is well is answered within this, virtual s.
ANSWER_S = 6.0


class Answers(Check):
    """A request is answered in the turn in which it came, once for each time it came, and always the same."""

    def begin(self) -> None:
        """Answers are remembered by one life."""
        self._answers: dict[str, Receipt | Refused] = {}

    def turn(self, now: int, inputs: Sequence[Input], effects: Sequence[Effect]) -> None:
        """Compare."""
        asked = Counter(each.id for each in inputs if isinstance(each, Request))
        replies = [each.answer for each in effects if isinstance(each, Reply)]
        told = Counter(answer.id for answer in replies)
        if asked != told:
            self.find(f"asked was {dict(asked)}, answered {dict(told)}")
        for answer in replies:
            if self._answers.setdefault(answer.id, answer) != answer:
                self.find(f"{answer.id} was answered {self._answers[answer.id]}, and again {answer}")


class Kept(Check):
    """Whoever asked hears of it, and not before the entry of it is on disk."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._entries: set[str] = set()

    def begin(self) -> None:
        """Whoever waited for a control that was killed waits no more."""
        self._open: dict[str, float] = {}

    def kept(self, row: Row) -> None:
        """A request is on disk."""
        if row.entry.kind in ("request", "refused"):
            self._entries.add(str(row.entry.data["id"]))

    def asked(self, id: str) -> None:
        """Somebody asks."""
        assert self.bench is not None
        self._open.setdefault(id, self.bench.time_s())

    def heard(self, answer: Receipt | Refused) -> None:
        """Somebody has got an answer. That a disk does not write can be told at any time."""
        self._open.pop(answer.id, None)
        if isinstance(answer, Receipt) and answer.id not in self._entries:
            self.find(f"{answer.id} was answered before it was on disk")

    async def look(self, bench: Bench) -> None:
        """Look for those who wait too long; a disk that is ill may take its time."""
        if bench.alive and not bench.disk.error and bench.disk.commit_s < 0.5:
            for id, since_s in list(self._open.items()):
                if bench.time_s() - since_s > ANSWER_S + 25:
                    self.find(f"{id} has not been answered since {since_s:.3f} s")
                    del self._open[id]
