"""Who looks after the cell in a random world: leads it to work, answers what is asked, and never gives up.

The rule kept here: a person of good will and no genius. What is pressed is what the cell itself says is possible.
"""

import asyncio
from contextlib import suppress
from random import Random

from cellctl.core.messages import AddJob, CancelChangeover, ConfirmStep, Operate, Recover, Refused, StartChangeover
from cellctl.core.packml import Command, State
from cellctl.core.recipe import Prepare
from cellctl.testing.bench import Bench, NotAccepted

#: How often the attendant looks at the cell.
LOOK_S = 0.5

#: A question is answered with `retry` so often at most.
RETRIES = 3

S = State


class Attendant:
    """Works through `jobs` (recipe, quantity). `ordered` tells the ids of the jobs that were accepted."""

    def __init__(self, bench: Bench, jobs: tuple[tuple[str, int], ...], random: Random) -> None:
        self._bench, self._random = bench, random
        self._open = list(jobs)
        self._job: tuple[str, str, int] | None = None  # id, recipe, quantity
        self._jobs = 0
        self._retries = 0
        self.ordered: list[str] = []

    @property
    def done(self) -> bool:
        """Whether all is made that was to be made."""
        return not self._open and self._job is None

    async def look(self) -> None:
        """Do the next thing that has to be done, if the cell runs."""
        bench = self._bench
        if not bench.alive:
            return
        with suppress(NotAccepted, asyncio.CancelledError):  # it was killed meanwhile
            self._take_stock()
            if self.done:
                return
            if not await self._answer():
                await self._lead()

    def restarted(self) -> None:
        """Control runs anew: an order that it had not written down, it does not know, and is given again."""
        if self._job is not None:
            id, recipe, quantity = self._job
            if id not in self._bench.control.cell.memory.job_ids:
                self._job = None
                self._open.insert(0, (recipe, quantity))

    def _take_stock(self) -> None:
        if self._job is not None and self._bench.seen.tallies[self._job[0]].done:
            self._job = None

    async def _answer(self) -> bool:
        """Answer the first open question; whether there was one."""
        questions = self._bench.control.cell.memory.questions
        if not questions:
            return False
        question = questions[0]
        choices = list(question.choices)
        if "retry" in choices and self._retries < RETRIES and self._random.random() < 0.7:
            choice, self._retries = "retry", self._retries + 1
        else:
            last = [choice for choice in choices if choice != "retry"] or choices
            choice, self._retries = self._random.choice(last), 0
        await self._bench.submit(Recover(question.id, choice))
        return True

    async def _lead(self) -> None:
        cell = self._bench.control.cell
        if cell.changing_over is not None:
            await self._confirm()
        elif cell.state in (S.STOPPED, S.IDLE, S.COMPLETED) and self._job is None:
            await self._order()
        elif (command := self._command(cell.state)) and cell.refusal(command) is None:
            await self._bench.submit(Operate(command))

    @staticmethod
    def _command(state: State) -> Command | None:
        return {
            S.ABORTED: Command.CLEAR,
            S.STOPPED: Command.RESET,
            S.COMPLETED: Command.RESET,
            S.IDLE: Command.START,
            S.HELD: Command.UNHOLD,
            S.SUSPENDED: Command.UNSUSPEND,
        }.get(state)

    async def _order(self) -> None:
        """Change over if need be, and give the next job."""
        recipe, quantity = self._open[0]
        cell = self._bench.control.cell
        if cell.memory.parts:  # of a job that is over: they are finished first
            if command := self._command(cell.state):
                await self._bench.submit(Operate(command))
        elif cell.memory.loaded != recipe:
            await self._bench.submit(StartChangeover(recipe))
        else:
            self._jobs += 1
            id = f"job-{self._jobs}"
            if not isinstance(await self._bench.submit(AddJob(id, recipe, quantity)), Refused):
                self._job = (id, recipe, quantity)
                self._open.pop(0)
                self.ordered.append(id)

    async def _confirm(self) -> None:
        changeover = self._bench.control.cell.changing_over
        assert changeover is not None
        step = changeover.steps[changeover.index]
        if changeover.failed and self._random.random() < 0.2:
            await self._bench.submit(CancelChangeover())
        elif changeover.failed or (isinstance(step, Prepare) and step.signal is None):
            await self._bench.submit(ConfirmStep(changeover.index, step.scan if isinstance(step, Prepare) else ""))
