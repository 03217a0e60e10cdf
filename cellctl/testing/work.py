"""What a cell under test is set to do: changeovers, jobs, and the states on the way to them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from cellctl.core.messages import AddJob, StartChangeover
from cellctl.core.packml import Command, State
from cellctl.core.signal import Value
from cellctl.testing.bench import Bench
from cellctl.testing.names import known, state_of
from cellctl.testing.operator import Operator

#: A test that fails shows its own line, not those in here.
__tracebackhide__ = True

#: How long (virtual seconds) an acting state may take on the way.
STATE_S = 600.0

#: From a state the next command on the way to production, with the state in which it ends.
_ONWARD = {
    State.ABORTED: (Command.CLEAR, State.STOPPED),
    State.STOPPED: (Command.RESET, State.IDLE),
    State.COMPLETED: (Command.RESET, State.IDLE),
    State.IDLE: (Command.START, State.EXECUTE),
}
_ORDER = (State.ABORTED, State.STOPPED, State.IDLE, State.EXECUTE)


@dataclass(frozen=True, slots=True)
class JobHandle:
    """A job that a test has given: what has become of it."""

    bench: Bench
    id: str
    quantity: int

    def done(self) -> bool:
        """Whether it is worked off."""
        return self.bench.seen.tallies[self.id].done

    @property
    def good(self) -> int:
        """How many of its parts were finished as good ones."""
        return self.bench.seen.tallies[self.id].results["good"]

    @property
    def reject(self) -> int:
        """How many of its parts were scrapped."""
        return self.bench.seen.tallies[self.id].results["scrap"]

    @property
    def parts(self) -> list[str]:
        """The serials of its parts that were begun, oldest first."""
        return list(self.bench.seen.tallies[self.id].parts)


class Work:
    """Sets a bench to work; everything must be accepted, or it is NotAccepted."""

    def __init__(self, bench: Bench, operator: Operator) -> None:
        self._bench, self._operator = bench, operator
        self._jobs = 0

    async def change_over(self, recipe: str) -> None:
        """Load `recipe`, with all steps that the changeover asks for."""
        known("recipe", recipe, self._bench.setup.model.equipment.recipes)
        await self._bench.do(StartChangeover(recipe))
        await self._operator.confirm_steps()
        await self._bench.wait_until(
            lambda: self._bench.control.cell.memory.loaded == recipe, STATE_S, f"{recipe} is loaded"
        )

    async def bring(self, state: str) -> None:
        """Lead the cell to Stopped, Idle or Execute, as an operator does in the morning."""
        wanted = state_of(state)
        if wanted not in _ORDER:
            raise ValueError(f"nobody can be asked to bring a cell to {state}: Stopped, Idle or Execute")
        bench = self._bench
        while (now := bench.control.cell.state) is not wanted:
            if now not in _ONWARD:
                raise AssertionError(f"the cell is {now.title}: it cannot be brought to {wanted.title} from there")
            command, reached = _ONWARD[now]
            await bench.fire(command)
            await bench.wait_until(partial(self._is, reached), STATE_S, reached.title)
            if reached is State.EXECUTE:
                return

    def _is(self, state: State) -> bool:
        return self._bench.control.cell.state in (state, State.COMPLETED)

    async def produce(
        self,
        recipe: str,
        quantity: int = 1,
        *,
        job: str | None = None,
        parts: Sequence[Mapping[str, Value]] = (),
    ) -> JobHandle:
        """Have so many parts of a recipe made: changeover if need be, a job, and the cell in Execute.

        `parts` are the parts' own values. What is returned tells when the job is done, and what was made.
        """
        bench = self._bench
        if bench.control.cell.memory.loaded != recipe:
            if bench.control.cell.state is State.ABORTED:
                await self.bring("Stopped")
            await self.change_over(recipe)
        self._jobs += 1
        name = job or f"job-{self._jobs}"
        await bench.do(AddJob(name, recipe, quantity, tuple(parts)))
        await self.bring("Execute")
        await asyncio.sleep(0)
        return JobHandle(bench, name, quantity)
