"""Alarms: conditions that need a person. An alarm is raised when its condition is known to be true, and returns when
it is known to be false; while it is unknown nothing changes."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from cellctl.core.equipment import AlarmSpec
from cellctl.core.signal import Image
from cellctl.core.watchlist import Watchlist

#: Most urgent first.
PRIORITIES = ("high", "medium", "low", "info")


@dataclass(frozen=True, slots=True)
class Alarm:
    """An active alarm, and since when (ns UTC)."""

    id: str
    priority: str
    text: str
    do: str
    since_ns: int


class Alarms:
    """The alarms of a cell. `active` holds those that are raised, by id."""

    def __init__(self, image: Image, alarms: Iterable[AlarmSpec]) -> None:
        self.active: dict[str, Alarm] = {}
        self._specs = {alarm.id: alarm for alarm in alarms}
        self._list = Watchlist(image, {name: spec.when for name, spec in self._specs.items()})

    @property
    def signals(self) -> Collection[str]:
        """The signals that they look at."""
        return self._list.signals

    @property
    def wake_at(self) -> int | None:
        """When time alone may change one of them."""
        return self._list.wake_at

    def refresh(self, changed: Collection[str], now: int) -> list[tuple[str, bool]]:
        """Evaluate; the alarms that were raised (True) or returned (False)."""
        moved = []
        for name in self._list.refresh(changed, now):
            value = self._list.watches[name].value
            if value is True and name not in self.active:
                spec = self._specs[name]
                self.active[name] = Alarm(name, spec.priority, spec.text, spec.do, now)
                moved.append((name, True))
            elif value is False and name in self.active:
                del self.active[name]
                moved.append((name, False))
        return moved

    def in_order(self) -> list[Alarm]:
        """The active alarms, most urgent first, then oldest first."""
        return sorted(self.active.values(), key=lambda alarm: (PRIORITIES.index(alarm.priority), alarm.since_ns))
