"""The cell as a test has it in hand: `cell`, and what belongs to it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from cellctl.core.messages import Action, Receipt, Refused
from cellctl.core.signal import Sample, Value
from cellctl.core.view import View
from cellctl.records import Records, Verdict, Written
from cellctl.testing.assertions import Assertions
from cellctl.testing.bench import Bench, Setup
from cellctl.testing.clock import BenchClock
from cellctl.testing.faults import BenchFaults
from cellctl.testing.names import known
from cellctl.testing.operator import Operator
from cellctl.testing.truth import Truth
from cellctl.testing.watch import Watcher
from cellctl.testing.work import JobHandle, Work

#: A test that fails shows its own line, not those in here.
__tracebackhide__ = True


class CellOnBench(Assertions):
    """`cell`: a running cell in virtual time. `bench` is what it runs on; `clock`, `operator`, `world`,
    `faults`, `field` and `journal` are the fixtures of the same names."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.bench = bench
        self.clock = BenchClock(bench)
        self.operator = Operator(bench)
        self.world = Truth(bench)
        self.faults = BenchFaults(bench)
        self.field = bench.field
        self.journal = BenchJournal(bench)
        self._work = Work(bench, self.operator)

    # --- what it is like --------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """The PackML state, by its name."""
        return self.bench.state

    @property
    def view(self) -> View:
        """The cell as people see it: `view.why`, `view.parts`, `view.questions`, `view.devices`, ..."""
        return self.bench.view

    @property
    def why(self) -> list[str]:
        """Why it is not producing, first cause first."""
        return [cause.text for cause in self.view.why]

    @property
    def questions(self) -> list[str]:
        """What is asked of a person, in words."""
        return [question.text for question in self.view.questions]

    @property
    def signals(self) -> list[str]:
        """The names of all signals."""
        return sorted(self.bench.setup.model.equipment.signals)

    def signal(self, name: str) -> Sample:
        """The last sample of a signal, as the controller knows it."""
        return self.bench.signal(name)

    def connected(self, device: str) -> bool:
        """Whether the controller holds a device to be connected; UnknownName if there is none of that name."""
        links = {each.id: each.link for each in self.view.devices}
        return links[known("device", device, links)] == "connected"

    # --- what is asked of it ----------------------------------------------------------------------------------

    async def submit(self, action: Action) -> Receipt | Refused:
        """Ask for something; the answer, whatever it is."""
        return await self.bench.submit(action)

    async def change_over(self, recipe: str) -> None:
        """Load a recipe, with all steps that the changeover asks for."""
        await self._work.change_over(recipe)

    async def bring(self, state: str) -> None:
        """Lead the cell to Stopped, Idle or Execute, as an operator does in the morning."""
        await self._work.bring(state)

    async def produce(
        self, recipe: str, quantity: int = 1, *, job: str | None = None, parts: Sequence[Mapping[str, Value]] = ()
    ) -> JobHandle:
        """Have so many parts of a recipe made: changeover if need be, a job, and the cell in Execute."""
        return await self._work.produce(recipe, quantity, job=job, parts=parts)


class BenchJournal:
    """`journal`: what the cell has written down."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def entries(self, kind: str | None = None) -> list[Written]:
        """All entries, oldest first; only of `kind` if it is given."""
        return self._bench.entries(kind)

    def noted(self, kind: str) -> list[Mapping[str, Any]]:
        """What the entries of a kind say, oldest first."""
        return [entry.data for entry in self._bench.entries(kind)]

    def verify(self) -> Verdict:
        """Recompute the whole chain of hashes."""
        self._bench.flush()
        return self.records.verify()

    @property
    def records(self) -> Records:
        """The journal and the history in the state folder, as every reader sees them."""
        return self._bench.records


@asynccontextmanager
async def on_bench(setup: Setup, watchers: Sequence[Watcher] = ()) -> AsyncIterator[CellOnBench]:
    """A cell on a bench for the length of the block, on a running `VirtualLoop`; `watchers` look on."""
    async with Bench(setup, watchers) as bench:
        yield CellOnBench(bench)
        await bench.answered()
        bench.check_operator()
