"""Those who look on while a cell runs, at three places: its turns, its disk, and the port of its drivers.

The rule kept here: who looks on changes nothing.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cellctl.core.messages import Effect, Entry, Input, Order, Outcome
from cellctl.core.signal import Sample, Value
from cellctl.driver import Driver
from cellctl.faults import Fault
from cellctl.runtime.ledger import Row

#: Orders kept for assertions.
ORDERS_KEPT = 100_000


class Watcher:
    """Sees nothing; what it wants to see it overrides. Times are ns UTC."""

    def begin(self) -> None:
        """Control begins to run: once more, if it was killed."""

    def ending(self, last: int) -> None:
        """Control is told to end in order: what it writes after the entry `last` is its end."""

    def turn(self, now: int, inputs: Sequence[Input], effects: Sequence[Effect]) -> None:
        """The cell took a turn."""

    def kept(self, row: Row) -> None:
        """An entry is on disk."""

    def sent(self, now: int, order: Order) -> None:
        """A driver has been given an order."""

    def answered(self, now: int, order: Order, outcome: Outcome) -> None:
        """A driver has answered an order."""

    def read(self, samples: Sequence[Sample]) -> None:
        """A driver hands over what it has read."""

    def injected(self, fault: Fault) -> None:
        """The test lets something go wrong."""


@dataclass(slots=True)
class Tally:
    """What the journal says has become of a job: its parts, how they ended, and whether it is worked off."""

    parts: list[str] = field(default_factory=list)
    results: Counter[str] = field(default_factory=Counter)
    done: bool = False


class Seen(Watcher):
    """What every bench keeps: the `orders` decided so far, with their virtual times, and the `tallies` by job."""

    def __init__(self, time_s: Callable[[], float]) -> None:
        self._time_s = time_s
        self.orders: deque[tuple[float, Order]] = deque(maxlen=ORDERS_KEPT)
        self.tallies: defaultdict[str, Tally] = defaultdict(Tally)

    def turn(self, now: int, inputs: Sequence[Input], effects: Sequence[Effect]) -> None:
        """Keep the orders."""
        at_s = self._time_s()
        for effect in effects:
            if isinstance(effect, Order):
                self.orders.append((at_s, effect))

    def kept(self, row: Row) -> None:
        """Count."""
        match row.entry:
            case Entry("part", data):
                self.tallies[str(data["job"])].parts.append(str(data["part"]))
            case Entry("part.done", data):
                self.tallies[str(data["job"])].results[str(data["result"])] += 1
            case Entry("job.done", data):
                self.tallies[str(data["job"])].done = True


class WatchedDriver:
    """A driver whose orders and answers are shown to `watchers`."""

    def __init__(self, driver: Driver, watchers: Sequence[Watcher]) -> None:
        self._driver, self._watchers = driver, watchers

    async def run(self, link: Any) -> None:
        """As the driver does."""
        await self._driver.run(_WatchedLink(link, self._watchers))


class _WatchedLink:
    def __init__(self, link: Any, watchers: Sequence[Watcher]) -> None:
        self.now, self.up, self.alive, self.common = link.now, link.up, link.alive, link.common
        self._link, self._watchers = link, watchers

    def put(self, samples: Iterable[Sample]) -> None:
        read = tuple(samples)
        self._link.put(read)
        for watcher in self._watchers:
            watcher.read(read)

    async def order(self) -> Order:
        order: Order = await self._link.order()
        for watcher in self._watchers:
            watcher.sent(self.now(), order)
        return order

    def done(self, order: Order, outcome: Outcome, result: Mapping[str, Value] | None = None, reason: str = "") -> None:
        self._link.done(order, outcome, result, reason)
        for watcher in self._watchers:
            watcher.answered(self.now(), order, outcome)
