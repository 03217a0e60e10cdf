"""The ground truth of a test: the simulated world, which knows where every part really is."""

from typing import Any

from cellctl.core.signal import Value
from cellctl.testing.bench import Bench


class Truth:
    """`world`: what really is. Besides what stands here, whatever the cell's own world offers, such as ``welds``."""

    def __init__(self, bench: Bench) -> None:
        self._simulation = bench.simulation

    def truth(self) -> dict[str, Any]:
        """All of it, as JSON."""
        return self._simulation.truth()

    def get(self, name: str) -> Value:
        """An input or output, such as ``laser.shots``; ValueError, with what was meant, for another name."""
        return self._simulation.get(name)

    def set(self, name: str, value: Value) -> None:
        """Set an input, such as ``plc.guard_closed``; ValueError, with what was meant, for another name."""
        self._simulation.set(name, value)

    def __getattr__(self, name: str) -> Any:
        """What the cell's own world offers."""
        self._simulation.settle()
        try:
            return getattr(self._simulation.world, name)
        except AttributeError:
            own = sorted(each for each in vars(type(self._simulation.world)) if not each.startswith("_"))
            raise AttributeError(
                f"the world of this cell has no {name!r}; it has {', '.join(own) or 'nothing'}"
            ) from None
