"""Chance: what is drawn, and from which stream.

The rule kept here: a draw belongs to a seed, a shift, and a thing that it is drawn for. So a shift is the same whoever
plays it, and two cells that differ in one thing meet the same luck in all others.
"""

import math
from collections.abc import Sequence
from random import Random

from cellctl.model.whatif import PhaseChange, Span

#: No phase is over at once: time has to pass, even where a file says that something takes none.
SHORTEST_NS = 1_000_000


class Chance:
    """All streams of one shift."""

    def __init__(self, seed: int, shift: int) -> None:
        self._name = f"{seed}/{shift}"

    def of(self, thing: str) -> Random:
        """The stream of one thing, from its beginning."""
        return Random(f"{self._name}/{thing}")


class Durations:
    """How long a phase takes, each time: one of the durations that were seen, as the file changes it."""

    def __init__(self, seen: Sequence[int], change: PhaseChange, random: Random) -> None:
        self._seen, self._change, self._random = seen, change, random
        self._sigma = math.sqrt(math.log1p(change.spread**2))

    def first(self) -> int:
        """For a part that comes new, in ns."""
        takes = self._change.takes
        return self._varied(self._random.choice(self._seen) if takes is None else drawn(takes, self._random))

    def again(self) -> int:
        """For what is done again after a failure, in ns."""
        redo = self._change.redo
        return self.first() if redo is None else max(SHORTEST_NS, drawn(redo, self._random))

    def _varied(self, duration_ns: int) -> int:
        """Scaled, and varied: lognormally, so that it is never negative and the mean stays what it is."""
        factor = self._change.scale
        if self._sigma:
            factor *= self._random.lognormvariate(-(self._sigma**2) / 2, self._sigma)
        return max(SHORTEST_NS, round(duration_ns * factor))


def drawn(span: Span, random: Random) -> int:
    """A length of time between the bounds, in ns."""
    return span.low_ns if span.low_ns == span.high_ns else random.randint(span.low_ns, span.high_ns)
