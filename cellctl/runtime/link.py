"""One connection of one device, as its driver sees it: samples and answers in, orders out.

A link lives as long as one call of `Driver.run`; afterwards it is closed and whatever a late callback says to it is
ignored. The rule kept here: an order is answered exactly once, and never sent when it is stale. What was not handed to
the driver is NOT_SENT; what was handed over and not answered is UNKNOWN. A stop passes everything.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cellctl.core.messages import (
    Alive,
    Call,
    CommandClass,
    Done,
    LinkChanged,
    LinkState,
    Order,
    Outcome,
    Samples,
    Write,
)
from cellctl.core.signal import Sample, Value
from cellctl.runtime.clock import Clock
from cellctl.runtime.inbox import Inbox

#: Orders that may wait for one device. A phase waits for each answer, so more than a few mean that something is wrong.
QUEUE_MAX = 64

#: A driver answers by the deadline of an order; this much later it has forgotten it.
OVERDUE_NS = 1_000_000_000


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shared:
    """What the links of one control share: the clock, the inbox, and what their devices have in common."""

    clock: Clock
    inbox: Inbox
    common: dict[Hashable, Any] = field(default_factory=dict)


class DeviceLink:
    """The `Link` of one run of a driver; `send` and `close` belong to the supervisor."""

    def __init__(self, device: str, signals: Iterable[str], shared: Shared) -> None:
        self._device = device
        self._signals = frozenset(signals)
        self._clock, self._inbox, self._common = shared.clock, shared.inbox, shared.common
        self._queue: deque[Order] = deque()
        self._stops: dict[str, Order] = {}
        self._spoken_for: dict[int, list[Order]] = {}
        self._handed: dict[int, Order] = {}
        self._waiting = asyncio.Event()
        self._closed = False
        self.is_up = False

    # --- for the driver ---------------------------------------------------------------------------------------

    def now(self) -> int:
        """The time, ns UTC."""
        return self._clock.now()

    def up(self, identity: str = "") -> None:
        """The device is connected and is the right one."""
        if not self._closed and not self.is_up:
            self.is_up = True
            self._inbox.put(LinkChanged(self._device, LinkState.CONNECTED, identity=identity))

    def put(self, samples: Iterable[Sample]) -> None:
        """Hand readings over; those of signals that are not this device's are ignored."""
        if not self._closed and (own := tuple(one for one in samples if one.signal in self._signals)):
            self._inbox.put(Samples(own))

    def alive(self, signals: Iterable[str] | None = None) -> None:
        """These signals, or all, still have the values last put; those that are not this device's are ignored."""
        if not self._closed:
            own = None if signals is None else self._signals.intersection(signals)
            self._inbox.put(Alive(self._device, self._clock.now(), own))

    async def order(self) -> Order:
        """The next order, stop class first."""
        while True:
            while order := self._next():
                if order.deadline_ns > self._clock.now():
                    self._handed[order.id] = order
                    return order
                self._answer(order, Outcome.NOT_SENT, reason="it waited until its deadline")
            self._waiting.clear()
            await self._waiting.wait()

    def done(self, order: Order, outcome: Outcome, result: Mapping[str, Value] | None = None, reason: str = "") -> None:
        """Answer `order`; what this link did not hand out, or has answered already, is ignored."""
        if self._handed.pop(order.id, None) is not None:
            self._answer(order, outcome, result, reason)

    def common(self, key: Hashable, make: Callable[[], T]) -> T:
        """What devices of this control have in common under `key`; whoever asks first has it made."""
        if key not in self._common:
            self._common[key] = make()
        common: T = self._common[key]
        return common

    # --- for the supervisor -----------------------------------------------------------------------------------

    def send(self, order: Order) -> None:
        """Take `order` for the driver, or answer it NOT_SENT at once. A stop withdraws all that still waits."""
        if self._closed or not self.is_up:
            self._answer(order, Outcome.NOT_SENT, reason=f"{self._device} is not connected")
        elif order.command_class is CommandClass.STOP:
            self._withdraw_queue("a stop came first")
            self._put_stop(order)
        elif len(self._queue) >= QUEUE_MAX:
            self._answer(order, Outcome.NOT_SENT, reason=f"{QUEUE_MAX} orders wait for {self._device} already")
        else:
            self._queue.append(order)
        self._waiting.set()

    def answer_overdue(self) -> None:
        """Answer UNKNOWN what the driver was given and has not answered long after its deadline."""
        overdue = self._clock.now() - OVERDUE_NS
        for order in [one for one in self._handed.values() if one.deadline_ns < overdue]:
            self.done(order, Outcome.UNKNOWN, reason="the driver did not answer")

    def close(self, reason: str) -> None:
        """End this connection: answer everything that is open. Nothing said to the link afterwards counts."""
        self._closed = True
        for order in self._handed.values():
            self._answer(order, Outcome.UNKNOWN, reason=reason)
        self._handed.clear()
        for order in self._stops.values():
            self._answer(order, Outcome.NOT_SENT, reason=reason)
        self._stops.clear()
        self._withdraw_queue(reason)

    def _put_stop(self, order: Order) -> None:
        """The latest of a kind wins; one that says the same as the older speaks for both."""
        older = self._stops.pop(_target(order), None)
        self._stops[_target(order)] = order
        if older and _content(older) == _content(order):
            self._spoken_for[order.id] = [*self._spoken_for.pop(older.id, ()), older]
        elif older:
            self._answer(older, Outcome.NOT_SENT, reason="a newer one took its place")

    def _next(self) -> Order | None:
        if self._stops:
            return self._stops.pop(next(iter(self._stops)))
        return self._queue.popleft() if self._queue else None

    def _withdraw_queue(self, reason: str) -> None:
        while self._queue:
            self._answer(self._queue.popleft(), Outcome.NOT_SENT, reason=reason)

    def _answer(
        self, order: Order, outcome: Outcome, result: Mapping[str, Value] | None = None, reason: str = ""
    ) -> None:
        for each in (*self._spoken_for.pop(order.id, ()), order):
            self._inbox.put(Done(each.id, outcome, result or {}, reason))


def _target(order: Order) -> str:
    match order:
        case Write(signal=signal):
            return signal
        case Call(device=device, name=name):
            return f"{device}.{name}()"


def _content(order: Order) -> object:
    return order.value if isinstance(order, Write) else order.arguments
