"""Rounds in turn: how a figure comes about.

The rule kept here: machines differ and drift, so nothing is measured alone. Each round runs ours, the floor and the
peer one after another, in an order that turns; a figure is the median of all rounds, and a ratio is the median of the
ratios within the rounds.
"""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

#: As many rounds as give a median that a single disturbed one does not move.
ROUNDS = 7

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured in the rounds, in the unit of its row."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The value to quote."""
        return statistics.median(self.rounds)

    @property
    def low(self) -> float:
        """The lowest."""
        return min(self.rounds)

    @property
    def high(self) -> float:
        """The highest."""
        return max(self.rounds)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `bound` limits `ratio` if `against` names a figure, else it limits ours itself."""

    goal: str
    metric: str
    unit: str
    figures: Mapping[str, Figure]  # ours, floor, peer: whichever there are
    told: str  # the goal in words
    bound: float
    against: str = ""  # "floor", "peer" or ""
    at_least: bool = False
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours over the figure that it is held against, or ours itself."""
        ours = self.figures["ours"]
        if not self.against:
            return ours.median
        other = self.figures[self.against]
        return statistics.median(mine / its for mine, its in zip(ours.rounds, other.rounds, strict=True))

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.ratio >= self.bound if self.at_least else self.ratio <= self.bound


def figures(measures: Mapping[str, Callable[[], float]]) -> dict[str, Figure]:
    """Measure each in every round."""
    return {name: Figure(tuple(values)) for name, values in in_turn(measures).items()}


def in_turn(measures: Mapping[str, Callable[[], T]], rounds: int = ROUNDS) -> dict[str, list[T]]:
    """Call each in every round, beginning with another one each time; what they gave, round by round."""
    names = list(measures)
    found: dict[str, list[T]] = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            found[name].append(measures[name]())
    return found
