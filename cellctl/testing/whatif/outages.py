"""What is away from time to time: devices that are lost, and interlocks that are not fulfilled.

The rule kept here: the cell is told what it is told on a real line, a link that is lost or a signal that changes, and
what comes of it is its own decision.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from cellctl.core.messages import Input, LinkChanged, LinkState, Samples
from cellctl.core.signal import Sample
from cellctl.model.whatif import Outage, WhatIf
from cellctl.testing.whatif.chance import Chance, drawn
from cellctl.testing.whatif.timed import signal_of

_Told = Callable[[int, bool], Input]


@dataclass(slots=True)
class _Source:
    """One thing: when it goes or comes back, and how that is told."""

    outage: Outage
    random: Random
    told: _Told
    due_ns: int
    away: bool = False

    def turn(self) -> Input:
        """It goes, or comes back."""
        now, self.away = self.due_ns, not self.away
        self.due_ns += self.lasts() if self.away else self.holds()
        return self.told(now, not self.away)

    def lasts(self) -> int:
        return drawn(self.outage.lasts, self.random)

    def holds(self) -> int:
        """Exponentially distributed: what has held for long is as likely to fail as what has just come back."""
        return round(self.random.expovariate(1.0) * self.outage.every_ns)


class Outages:
    """All of one shift, beginning at `begin_ns` with everything there."""

    def __init__(self, whatif: WhatIf, chance: Chance, begin_ns: int) -> None:
        self._sources: list[_Source] = []
        for kind, outages, told in (
            ("device", whatif.devices, _link_of),
            ("interlock", whatif.interlocks, _sample_of),
        ):
            for name, outage in outages.items():
                source = _Source(outage, chance.of(f"{kind}/{name}"), told(name), begin_ns)
                source.due_ns += source.holds()
                self._sources.append(source)

    @property
    def due_ns(self) -> int | None:
        """When something goes or comes back next."""
        return min((source.due_ns for source in self._sources), default=None)

    def until(self, now: int) -> Iterator[Input]:
        """What has happened up to `now`."""
        for source in self._sources:
            while source.due_ns <= now:
                yield source.turn()


def all_there(devices: Iterator[str], whatif: WhatIf, now: int) -> Iterator[Input]:
    """What the cell is told before the shift."""
    for device in devices:
        yield _link_of(device)(now, True)
    for interlock in whatif.interlocks:
        yield _sample_of(interlock)(now, True)


def _link_of(device: str) -> _Told:
    def told(now: int, there: bool) -> Input:
        return LinkChanged(device, LinkState.CONNECTED if there else LinkState.LOST, "" if there else "away")

    return told


def _sample_of(interlock: str) -> _Told:
    def told(now: int, there: bool) -> Input:
        return Samples((Sample(signal_of(interlock), there, time_ns=now, received_ns=now),))

    return told
