"""The clock of a test: it lets virtual time pass, or waits in it until something is so."""

import asyncio
from collections.abc import Callable
from difflib import get_close_matches

from cellctl.core.condition import Watch
from cellctl.core.condition_text import ConditionError, parse
from cellctl.core.packml import State
from cellctl.core.units import duration_ns
from cellctl.testing.bench import Bench
from cellctl.testing.standstill import Standstill

#: A test that fails shows its own line, not those in here.
__tracebackhide__ = True

#: A duration in words ("40 s", "5 min") or in seconds.
Duration = str | float

#: What a test may wait for: a state by its name, a condition in the words of the files, or what a function says.
Wanted = str | Callable[[], object]


class BenchClock:
    """`clock`: virtual time, from the beginning of the test on."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    @property
    def now(self) -> float:
        """Seconds since the beginning of the test."""
        return self._bench.time_s()

    @property
    def now_ns(self) -> int:
        """The wall clock, ns UTC."""
        return self._bench.loop.utc_ns()

    async def advance(self, duration: Duration) -> None:
        """Let so much time pass; whatever is due meanwhile happens."""
        self._bench.check_operator()
        await asyncio.sleep(seconds(duration))
        self._bench.check_operator()

    async def until(self, wanted: Wanted, limit: Duration = "1 h") -> float:
        """Wait until `wanted` is so; the seconds that it took.

        AssertionError after `limit`, and at once when nothing is left that could ever make it so (`Deadlock`).
        """
        fulfilled, what = self._reading(wanted)
        standstill = Standstill(self._bench)
        start_s, limit_s = self._bench.loop.time(), seconds(limit)

        def look() -> bool:
            self._bench.check_operator()
            if fulfilled():
                return True
            standstill.check(what)
            return False

        if not await self._bench.looked(look, limit_s):
            raise AssertionError(f"not within {_told(limit)}: {what}\n{self._bench.told()}")
        took_s = self._bench.loop.time() - start_s
        await self._bench.written() if self._bench.alive else None
        return took_s

    def _reading(self, wanted: Wanted) -> tuple[Callable[[], object], str]:
        if callable(wanted):
            return wanted, f"what {getattr(wanted, '__qualname__', wanted)!s} asks for"
        if wanted.strip().title() in {state.title for state in State}:
            title = wanted.strip().title()
            return lambda: self._bench.state == title, f"the state {title}"
        signals = self._bench.setup.model.equipment.signals
        try:
            watch = Watch(parse(wanted, signals=signals))
        except ConditionError as error:
            states = get_close_matches(wanted.strip().title(), [state.title for state in State], n=1)
            hint = f"did you mean {states[0]!r}?" if states else error.hint
            hint = f" ({hint})" if hint else ""
            raise ValueError(f"until({wanted!r}): neither a state nor a condition: {error.message}{hint}") from error
        return lambda: watch.update(self._bench.control.cell.image, self.now_ns), wanted


def seconds(duration: Duration) -> float:
    """A duration as seconds; UnitError for a text that is none."""
    return duration_ns(duration) / 1e9 if isinstance(duration, str) else float(duration)


def _told(duration: Duration) -> str:
    return duration if isinstance(duration, str) else f"{duration:g} s"
