"""What came of all shifts: quantiles, OEE, and what limits the cell.

The rule kept here: a figure is that of a shift that was played. Nothing is smoothed, and no value is clamped: a
performance above 1 says that the ideal cycle is set too long.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter

from cellctl.core.packml import State
from cellctl.model.whatif import WhatIf
from cellctl.testing.whatif.tally import Shift

#: How much faster each phase is tried, as a share of its time: what somebody may bring about without a new machine.
FASTER = 0.1

#: OEE, and what it is made of.
FACTORS = ("oee", "availability", "performance", "quality")

#: States in which a shift is for less than this share of its time are told as one, if they come to as much together.
SHARE_TOLD = 0.001


@dataclass(frozen=True, slots=True)
class Quantiles:
    """In one of ten shifts it was less than `p10`, in half of them less than `p50`, in one of ten more than `p90`."""

    p10: float
    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class Variant:
    """The shifts with one number of parts in process; `wip` are several if the recipes differ. `gains`: for each phase
    how much more is made if it is faster by `FASTER`, as a share."""

    wip: tuple[int, ...]
    shifts: tuple[Shift, ...]
    gains: Mapping[str, float]

    @property
    def name(self) -> str:
        """The number of parts in process, in words: ``2``, or ``1/2`` if the recipes differ."""
        return "/".join(str(wip) for wip in self.wip)

    @property
    def parts_per_hour(self) -> Quantiles:
        """Good parts by the hour."""
        return quantiles([shift.parts_per_hour for shift in self.shifts])

    def median(self, factor: str) -> float | None:
        """The median of one of `FACTORS`; None if no shift has it."""
        values = [value for value in map(attrgetter(factor), self.shifts) if value is not None]
        return quantiles(values).p50 if values else None

    @property
    def busy(self) -> dict[str, float]:
        """The share of the time for which phases work at each station and device that is used, busiest first."""
        shares = self._shares(shift.busy for shift in self.shifts)
        return {name: share for name, share in shares.items() if share > 0}

    @property
    def work_s(self) -> dict[str, float]:
        """For how long each phase works for each part that is made, in s, longest first; nothing if none is made."""
        made = sum(shift.good + shift.scrap for shift in self.shifts)
        planned_s = sum(shift.planned_ns for shift in self.shifts) / 1e9
        shares = self._shares(shift.phases for shift in self.shifts)
        return {phase: share * planned_s / made for phase, share in shares.items()} if made else {}

    @property
    def states(self) -> dict[str, float]:
        """The share of the time in each PackML state, longest first; those that hardly occur as `other`."""
        shares = self._shares(shift.states for shift in self.shifts)
        told = {state: share for state, share in shares.items() if share >= SHARE_TOLD or state == State.EXECUTE.title}
        rest = sum(shares.values()) - sum(told.values())
        return told | ({"other": rest} if rest >= SHARE_TOLD else {})

    @property
    def limit(self) -> tuple[str, float]:
        """The busiest station or device, and its share of the time."""
        return next(iter(self.busy.items()), ("", 0.0))

    @property
    def stood(self) -> list[Shift]:
        """The shifts that came to a standstill for good."""
        return [shift for shift in self.shifts if shift.stood]

    def _shares(self, each: Iterable[Mapping[str, int]]) -> dict[str, float]:
        planned_ns = sum(shift.planned_ns for shift in self.shifts)
        totals: dict[str, int] = {}
        for times in each:
            for name, time_ns in times.items():
                totals[name] = totals.get(name, 0) + time_ns
        ordered = sorted(totals.items(), key=lambda one: (-one[1], one[0]))
        return {name: total / planned_ns for name, total in ordered}


@dataclass(frozen=True, slots=True)
class Outcome:
    """All variants of one question."""

    whatif: WhatIf
    seed: int
    variants: tuple[Variant, ...]

    @property
    def best(self) -> Variant:
        """The one that makes most in half of its shifts; the one with fewer parts in process if they are equal."""
        return max(self.variants, key=lambda one: (one.parts_per_hour.p50, [-wip for wip in one.wip]))


def quantiles(values: Iterable[float]) -> Quantiles:
    """The quantiles of some values, between two of them by their distance; ValueError if there are none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values, no quantiles")

    def at(share: float) -> float:
        place = share * (len(ordered) - 1)
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (ordered[high] - ordered[low]) * (place - low)

    return Quantiles(at(0.1), at(0.5), at(0.9))
