"""What a drive does to its motor, whoever made it.

The rule kept here: a motor follows a ramp, never a jump; only what takes its energy away lets it stand at once.
"""

from cellctl_simulators.wire import Registers

NS_PER_S = 1_000_000_000


class Ramp:
    """A speed that follows its target; `full_s` is how long it takes from 0 to 100."""

    def __init__(self, full_s: float) -> None:
        self._per_ns = 100 / (full_s * NS_PER_S)
        self._start = self._target = 0.0
        self._start_ns = 0

    def at(self, now_ns: int) -> float:
        """The speed at `now_ns`, in %, below 0 in reverse."""
        way = self._target - self._start
        gone = self._per_ns * (now_ns - self._start_ns)
        return self._target if gone >= abs(way) else self._start + (gone if way > 0 else -gone)

    def follow(self, now_ns: int, target: float) -> int | None:
        """Go to `target` from now on; when it is reached, None if it is already."""
        if target != self._target:
            self._start, self._start_ns, self._target = self.at(now_ns), now_ns, target
        way = abs(self._target - self._start)
        arrival_ns = self._start_ns + round(way / self._per_ns)
        return arrival_ns if arrival_ns > now_ns else None

    def drop(self) -> None:
        """Let it stand: there is no energy in it any more."""
        self._start = self._target = 0.0


class Heard(Registers):
    """Registers that remember whether a client has touched one of `watched` since `taken` was last called."""

    watched: range = range(0)
    _heard = False

    def read(self, function: int, address: int, count: int) -> list[int]:
        """The values of `count` addresses; raises ModbusError."""
        self._heard |= address in self.watched
        return super().read(function, address, count)

    def taken(self) -> bool:
        """Whether there was a client; from now on it is asked anew."""
        heard, self._heard = self._heard, False
        return heard
