"""Jobs: orders for parts of one recipe, in their queue."""

from collections.abc import Mapping
from dataclasses import dataclass

from cellctl.core.signal import Value

#: More open orders than this is a mistake of the sender.
JOBS_MAX = 1_000
#: So many ids are remembered, of jobs that have ended too: an id that comes again would repeat the serials of parts.
JOB_IDS_KEPT = 10_000


@dataclass(slots=True)
class Job:
    """An order: so many parts of a recipe. `done` counts finished parts, good or not."""

    id: str
    recipe: str
    quantity: int
    parts: tuple[Mapping[str, Value], ...] = ()
    started: int = 0
    good: int = 0
    reject: int = 0
    cancelled: bool = False

    @property
    def done(self) -> int:
        """How many parts are finished."""
        return self.good + self.reject

    @property
    def all_started(self) -> bool:
        """Whether no further part of the order is to be begun."""
        return self.cancelled or self.started >= self.quantity

    @property
    def finished(self) -> bool:
        """Whether the order is worked off."""
        return self.all_started and self.done >= self.started

    def values_of(self, number: int) -> Mapping[str, Value]:
        """The own values of part `number` (from 1)."""
        return self.parts[number - 1] if number <= len(self.parts) else {}
