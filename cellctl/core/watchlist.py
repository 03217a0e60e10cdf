"""Many conditions watched at once: only those are evaluated whose signals changed or whose time has come."""

from collections.abc import Collection, Mapping

from cellctl.core.condition import Condition, Watch
from cellctl.core.signal import Image


class Watchlist:
    """Named conditions over one image. `values` holds the last truth of each: True, False, or None for unknown."""

    def __init__(self, image: Image, conditions: Mapping[str, Condition]) -> None:
        self._image = image
        self.watches = {name: Watch(condition) for name, condition in conditions.items()}
        self._of_signal: dict[str, list[str]] = {}
        for name, watch in self.watches.items():
            for signal in watch.signals:
                self._of_signal.setdefault(signal, []).append(name)
        self._timed: set[str] = set()

    @property
    def signals(self) -> Collection[str]:
        """The signals that any of them names."""
        return self._of_signal.keys()

    @property
    def wake_at(self) -> int | None:
        """When time alone may change one of them."""
        if not self._timed:
            return None
        due = (self.watches[name].wake_at for name in self._timed)
        return min((at for at in due if at is not None), default=None)

    def remember(self, other: "Watchlist") -> None:
        """Go on where `other`, which may hold other conditions, has been."""
        for name in self.watches.keys() & other.watches.keys():
            self.watches[name].remember(other.watches[name])

    def refresh(self, changed: Collection[str], now: int) -> list[str]:
        """Evaluate what the changed signals and the time may have moved; the names whose truth is another now."""
        if not changed and not self._timed:
            return []
        names = {name for signal in changed for name in self._of_signal.get(signal, ())}
        names.update(name for name in self._timed if (self.watches[name].wake_at or 0) <= now)
        moved = []
        for name in sorted(names):
            watch = self.watches[name]
            before = watch.value
            if watch.update(self._image, now) is not before:
                moved.append(name)
            if watch.wake_at is None:
                self._timed.discard(name)
            else:
                self._timed.add(name)
        return moved
