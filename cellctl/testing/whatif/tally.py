"""What comes of a shift: parts, the time in each state, and how long everything works.

The rule kept here: everything is counted inside the shift. What begins before its end and ends after it counts up to
the end.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cellctl.core.equipment import Equipment
from cellctl.core.messages import Effect, Entry
from cellctl.core.packml import State
from cellctl.testing.whatif.places import Place, uses_of


@dataclass(frozen=True, slots=True)
class Shift:
    """One shift. Times in ns: `states` by PackML state, `busy` by station and device, `phases` by phase, for how long
    it worked. `ideal_ns` is what its parts would have taken at the ideal cycle of their recipes, None if one of them
    has none. `stood` says why it could not go on at all, "" if it could."""

    number: int
    planned_ns: int
    good: int
    scrap: int
    ideal_ns: int | None
    states: Mapping[str, int]
    busy: Mapping[str, int]
    phases: Mapping[str, int]
    stood: str = ""

    @property
    def parts_per_hour(self) -> float:
        """Good parts by the hour."""
        return self.good / (self.planned_ns / 3.6e12)

    @property
    def availability(self) -> float:
        """The share of the shift in Execute."""
        return self.states.get(State.EXECUTE.title, 0) / self.planned_ns

    @property
    def performance(self) -> float | None:
        """What was made over what could have been made in Execute at the ideal cycle; above 1 if that is set too long.
        None without an ideal cycle, or without Execute."""
        run_ns = self.states.get(State.EXECUTE.title, 0)
        return None if self.ideal_ns is None or run_ns == 0 else self.ideal_ns / run_ns

    @property
    def quality(self) -> float | None:
        """Good parts of all; None if none was made."""
        made = self.good + self.scrap
        return self.good / made if made else None

    @property
    def oee(self) -> float | None:
        """Availability, performance and quality; None if one of them has no value."""
        performance, quality = self.performance, self.quality
        return None if performance is None or quality is None else self.availability * performance * quality


@dataclass(slots=True)
class _Meter:
    """How long something works; several phases at once count once."""

    at_work: int = 0
    since_ns: int = 0
    total_ns: int = 0

    def begin(self, now: int) -> None:
        if self.at_work == 0:
            self.since_ns = now
        self.at_work += 1

    def end(self, now: int) -> None:
        self.at_work -= 1
        if self.at_work == 0:
            self.total_ns += now - self.since_ns

    def until(self, now: int) -> int:
        return self.total_ns + (now - self.since_ns if self.at_work else 0)


@dataclass(slots=True)
class Tally:
    """Counts while a shift is played, from `begin_ns` on."""

    equipment: Equipment
    places: Mapping[str, Place]
    begin_ns: int
    good: int = 0
    scrap: int = 0
    _ideal_ns: int | None = 0
    _states: Counter[str] = field(default_factory=Counter)
    _state: tuple[str, int] = ("", 0)
    _recipes: dict[str, str] = field(default_factory=dict)  # of the parts in process
    _meters: dict[str, _Meter] = field(default_factory=dict)
    _phases: dict[str, _Meter] = field(default_factory=dict)
    _at: dict[str, tuple[_Meter, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        equipment = self.equipment
        self._state = (State.STOPPED.title, self.begin_ns)
        stations = {name: f"{name} station" for name in equipment.stations}
        self._meters = {name: _Meter() for name in (*stations.values(), *sorted(equipment.devices))}
        for name, place in self.places.items():
            definition = equipment.phases[name]
            used = [*uses_of(equipment, definition)] + ([stations[definition.station]] if definition.station else [])
            phase = self._phases.setdefault(place.phase, _Meter())
            self._at[name] = (phase, *(self._meters[one] for one in used))

    def begin(self, place: str, now: int) -> None:
        """A phase works."""
        for meter in self._at[place]:
            meter.begin(now)

    def end(self, place: str, now: int) -> None:
        """It does not any more."""
        for meter in self._at[place]:
            meter.end(now)

    def take(self, effects: Iterable[Effect], now: int) -> None:
        """Count what the cell has decided."""
        for effect in effects:
            match effect:
                case Entry("state", data):
                    self._enter(str(data["state"]), now)
                case Entry("part", data):
                    self._recipes[str(data["part"])] = str(data["recipe"])
                case Entry("part.done", data):
                    self._made(self._recipes.pop(str(data["part"])), data["result"] == "good")

    def shift(self, number: int, end_ns: int, stood: str) -> Shift:
        """What came of it."""
        self._enter("", end_ns)
        return Shift(
            number=number,
            planned_ns=end_ns - self.begin_ns,
            good=self.good,
            scrap=self.scrap,
            ideal_ns=self._ideal_ns,
            states=dict(self._states),
            busy={name: meter.until(end_ns) for name, meter in self._meters.items()},
            phases={name: meter.until(end_ns) for name, meter in self._phases.items()},
            stood=stood,
        )

    def _enter(self, state: str, now: int) -> None:
        before, since_ns = self._state
        self._states[before] += now - since_ns
        self._state = state, now

    def _made(self, recipe: str, good: bool) -> None:
        self.good += good
        self.scrap += not good
        ideal_ns = self.equipment.recipes[recipe].ideal_cycle_ns
        self._ideal_ns = None if not ideal_ns or self._ideal_ns is None else self._ideal_ns + ideal_ns
