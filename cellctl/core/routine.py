"""A routine: phases without a part, one after another, such as those that an acting state runs."""

from collections.abc import Iterable, Iterator, Mapping

from cellctl.core.execution import PhaseRun
from cellctl.core.messages import Done
from cellctl.core.phase import PhaseFault
from cellctl.core.signal import Value
from cellctl.core.site import Site
from cellctl.core.wait import ForAnswer


class Routine:
    """Runs the phases in order. `done` when all have ended; `fault` is what ended it before."""

    def __init__(self, site: Site, phases: Iterable[tuple[str, Mapping[str, Value]]]) -> None:
        self.fault: PhaseFault | None = None
        self._site = site
        self._left = list(phases)
        self._run: PhaseRun | None = None

    @property
    def done(self) -> bool:
        """Whether every phase has come to its end."""
        return self._run is None and not self._left and self.fault is None

    @property
    def runs(self) -> tuple[PhaseRun, ...]:
        """The phase that is running, if any."""
        return () if self._run is None else (self._run,)

    def advance(self) -> None:
        """Go on as far as possible."""
        while self.fault is None and (self._run is not None or self._left):
            if self._run is None:
                name, parameters = self._left.pop(0)
                try:
                    self._run = self._site.enter(name, parameters)
                except PhaseFault as fault:
                    self.fault = fault
                    return
            self._run.advance()
            if isinstance(self._run.wait, ForAnswer):
                self.fault = PhaseFault("error", f"{self._run.definition.name} asks, but nobody can answer it here")
                self._run.close()
            if self._run.ended is None:
                return
            if isinstance(self._run.ended, PhaseFault):
                self.fault = self._run.ended
                self._run.close()
            self._run = None

    def answer(self, done: Done) -> None:
        """Take the answer to an order."""
        for run in self.runs:
            run.answer(done)

    def lose(self, device: str, reason: str) -> None:
        """A device is gone."""
        for run in self.runs:
            run.lose(device, reason)

    def close(self) -> None:
        """End it now."""
        for run in self.runs:
            run.close()
        self._run = None
        self._left.clear()

    def waits_for(self) -> Iterator[str]:
        """What it waits for, in words."""
        for run in self.runs:
            yield from run.waits_for()
