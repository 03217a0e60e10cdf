"""The inbox: everything that happened and that the cell has not seen yet, in order.

The rule kept here: bounded without losing what counts. When too many samples wait, the newest of each signal stays
(of a latched one its edge too), never moved across a change of a link; of signs of life only the newest counts;
requests, answers and link changes all stay: their number is bounded where they come from.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import assert_never

from cellctl.core.messages import Alive, Done, Input, LinkChanged, Request, Samples, Tick, Trouble
from cellctl.core.signal import Sample, Signal, Value

#: Samples that may wait before they are thinned out: 100 ms of 100,000 changes a second.
SAMPLES_MAX = 10_000

#: What the value of a latched signal is at its edge.
_EDGES: Mapping[str, bool] = {"rising": True, "falling": False}


class Inbox:
    """Filled from the loop by links and server, emptied by the turn. `ring` is called with the first thing that is put
    into the empty inbox, and with each that follows until `ring` says that it has been heard."""

    def __init__(
        self,
        signals: Mapping[str, Signal],
        samples_max: int = SAMPLES_MAX,
        *,
        ring: Callable[[Input], bool] = lambda item: True,
    ) -> None:
        self._ring = ring
        self._rung = False
        self._edges = {name: _EDGES[signal.latch] for name, signal in signals.items() if signal.latch in _EDGES}
        self._samples_max = samples_max
        self._items: list[Input | list[Sample]] = []
        self._waiting = 0
        self._room = samples_max
        self._alive: dict[tuple[str, frozenset[str] | None], Alive] = {}
        self.thinned = 0

    def put(self, item: Input) -> None:
        """Add what happened; never waits."""
        match item:
            case Samples(samples):
                self._put_samples(samples)
            case Alive(device, _, signals):
                self._alive[device, signals] = item
            case LinkChanged(device):
                self._alive = {of: one for of, one in self._alive.items() if one.device != device}
                self._items.append(item)
            case Done() | Request() | Trouble() | Tick():
                self._items.append(item)
            case _:
                assert_never(item)
        if not self._rung:
            self._rung = self._ring(item)

    def take(self) -> list[Input]:
        """All that waits, oldest first; signs of life, which tell their own time, last."""
        items, self._items = self._items, []
        alive, self._alive = self._alive, {}
        self._waiting, self._room = 0, self._samples_max
        self._rung = False
        return [*(Samples(tuple(item)) if isinstance(item, list) else item for item in items), *alive.values()]

    def _put_samples(self, samples: Iterable[Sample]) -> None:
        if not self._items or not isinstance(self._items[-1], list):
            self._items.append([])
        run = self._items[-1]
        assert isinstance(run, list)
        before = len(run)
        run += samples
        self._waiting += len(run) - before
        if self._waiting > self._room:
            self._thin()

    def _thin(self) -> None:
        """Leave the newest of each signal in every unbroken run of samples."""
        left = 0
        for run in self._items:
            if isinstance(run, list):
                run[:] = self._newest(run)
                left += len(run)
        self.thinned += self._waiting - left
        self._waiting = left
        self._room = max(self._samples_max, 2 * left)

    def _newest(self, run: list[Sample]) -> Iterable[Sample]:
        newest: dict[str, Sample] = {}
        edges: dict[str, Sample] = {}
        for sample in run:
            if sample.good and _is_edge(sample.value, self._edges.get(sample.signal)):
                edges[sample.signal] = sample
            newest.pop(sample.signal, None)
            newest[sample.signal] = sample
        kept = [edge for name, edge in edges.items() if newest[name] is not edge]
        return [*kept, *newest.values()]


def _is_edge(value: Value | None, edge: bool | None) -> bool:
    return edge is not None and value is not None and bool(value) is edge
