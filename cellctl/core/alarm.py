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
    """The alarms of a cell. `active` holds those that are raised, by id; `before` knows what was, and since when."""

    def __init__(self, image: Image, alarms: Iterable[AlarmSpec], before: "Alarms | None" = None) -> None:
        self.active: dict[str, Alarm] = {}
        self._specs = {alarm.id: alarm for alarm in alarms}
        self.watchlist = Watchlist(image, {name: spec.when for name, spec in self._specs.items()})
        if before is not None:
            self.active = {name: alarm for name, alarm in before.active.items() if name in self._specs}
            self.watchlist.remember(before.watchlist)
            self.refresh(image.signals, image.now_ns)

    @property
    def signals(self) -> Collection[str]:
        """The signals that they look at."""
        return self.watchlist.signals

    @property
    def wake_at(self) -> int | None:
        """When time alone may change one of them."""
        return self.watchlist.wake_at

    def refresh(self, changed: Collection[str], now: int) -> list[tuple[str, bool]]:
        """Evaluate; the alarms that were raised (True) or returned (False)."""
        moved = []
        for name in self.watchlist.refresh(changed, now):
            value = self.watchlist.watches[name].value
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
