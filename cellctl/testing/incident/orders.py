"""Answers of devices in a replay: a recorded answer finds the order that it belongs to.

The rule kept here: while the cell decides as it did, numbers are equal and nothing is done. Once it decides otherwise
(its files were mended), the n-th order of a kind gets the answer that the n-th of that kind got; one for which there
is none is answered as the last of its kind was.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from cellctl.core.messages import Call, Done, Effect, Order, Outcome, Write

#: An order that the recording has no answer for is answered after this long (ns): as a quick device does.
PATIENCE_NS = 1_000_000_000


class Orders:
    """Pairs the orders of a replay with those of its recording."""

    def __init__(self) -> None:
        self._recorded: defaultdict[str, deque[int]] = defaultdict(deque)
        self._replayed: defaultdict[str, deque[Order]] = defaultdict(deque)
        self._kinds: dict[int, str] = {}
        self._live: dict[int, int] = {}
        self._results: dict[str, Done] = {}
        self._given_ns: dict[int, int] = {}

    def note(self, now: int, recorded: Iterable[Effect], replayed: Iterable[Effect]) -> None:
        """A turn gave these orders, and should have given those."""
        for effect in recorded:
            if isinstance(effect, Write | Call):
                self._kinds[effect.id] = _kind(effect)
                self._recorded[_kind(effect)].append(effect.id)
        for effect in replayed:
            if isinstance(effect, Write | Call):
                self._replayed[_kind(effect)].append(effect)
                self._given_ns[effect.id] = now
        for kind, waiting in self._recorded.items():
            while waiting and self._replayed[kind]:
                order = self._replayed[kind].popleft()
                self._live[waiting.popleft()] = order.id
                del self._given_ns[order.id]

    def answer(self, done: Done) -> Done | None:
        """A recorded answer, with the number that the order has here; None if nobody asked here."""
        if (kind := self._kinds.pop(done.id, None)) is not None:
            self._results[kind] = done
        live = self._live.pop(done.id, None)
        return None if live is None else replace(done, id=live)

    def overdue(self, now: int) -> Iterator[Done]:
        """The answers to orders that the recording knows nothing of."""
        for kind, waiting in self._replayed.items():
            while waiting and now >= self._given_ns[waiting[0].id] + PATIENCE_NS:
                order = waiting.popleft()
                del self._given_ns[order.id]
                last = self._results.get(kind)
                yield replace(last, id=order.id) if last else Done(order.id, Outcome.CONFIRMED)


def _kind(order: Order) -> str:
    name = f"{order.device}.{order.name}" if isinstance(order, Call) else order.signal
    return f"{name} {order.command_class.value}"
