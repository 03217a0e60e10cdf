"""A visit to one device: connect, read, write, leave. No cell runs, no phase, no interlock.

The rule kept here: nothing is sent that nobody asked for, but what the profile repeats to keep the device alive.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cellctl.core.condition import Condition, Watch
from cellctl.core.signal import Image
from cellctl.driver import Call, CommandClass, Device, Driver, DriverError, Order, Outcome, Sample, Value, Write

#: An order that waits for the device, and its answer, take no longer.
ORDER_S = 5.0

#: What time alone may bring about is looked for this often.
LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an order."""

    outcome: Outcome
    result: Mapping[str, Value] = field(default_factory=dict)
    reason: str = ""


class Visit:
    """One connection to `device`, for the length of an ``async with``; DriverError if it cannot be made.

    `samples` has the last of each signal by its name within the device; `identity` is what the device says of itself.
    """

    def __init__(self, device: Device, driver: Driver) -> None:
        self.device = device
        self.identity = ""
        self.samples: dict[str, Sample] = {}
        self._image = Image(point.signal for point in device.points.values())
        self.heard: Callable[[Sample], None] = lambda sample: None
        self._driver = driver
        self._orders: asyncio.Queue[Order] = asyncio.Queue()
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._handed: set[int] = set()  # the orders that the driver was given
        self._common: dict[object, Any] = {}

    async def __aenter__(self) -> "Visit":
        self._up = asyncio.Event()
        self._changed = asyncio.Event()
        self._running = asyncio.create_task(self._driver.run(self), name=f"driver {self.device.id}")
        try:
            await self._until(self._up, None)
        except BaseException:
            await self.__aexit__()  # who has no time to wait leaves no connection behind
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._running.cancel()
        await asyncio.wait((self._running,))

    # --- what is asked of the device ----------------------------------------------------------------------------

    async def read(self, names: Iterable[str], limit_s: float) -> dict[str, Sample]:
        """The first sample of each signal; those that did not come within `limit_s` are missing."""
        wanted = [name for name in names if (point := self.device.points.get(name)) and point.read is not None]
        end_s = asyncio.get_running_loop().time() + limit_s
        while any(name not in self.samples for name in wanted):
            rest_s = end_s - asyncio.get_running_loop().time()
            if rest_s <= 0 or not await self._until(self._changed, rest_s):
                break
            self._changed.clear()
        return {name: self.samples[name] for name in wanted if name in self.samples}

    async def lasts(self, limit_s: float | None) -> None:
        """Stay for `limit_s` (None: until cancelled); DriverError when the device is lost."""
        await self._until(asyncio.Event(), limit_s)

    async def write(self, name: str, value: Value) -> Answer:
        """Write a signal, and have it read back as its profile says."""
        return await self._order(
            Write(next(self._numbers), f"{self.device.id}.{name}", value, self._deadline(ORDER_S), CommandClass.LEVEL)
        )

    async def call(self, name: str, arguments: Mapping[str, Value] | None = None, token: int = 0) -> Answer:
        """Send a command; its end is waited for with `until`."""
        command = self.device.commands[name]
        deadline_ns = self._deadline(max(ORDER_S, command.timeout_ns / 1e9))
        number = next(self._numbers)
        return await self._order(
            Call(number, self.device.id, name, deadline_ns, arguments or {}, token, command.command_class)
        )

    async def until(self, condition: Condition, since_ns: int, limit_s: float) -> list[str]:
        """Wait until `condition` holds on samples received since; what is missing after `limit_s`, line by line."""
        watch = Watch(condition, since_ns)
        end_s = asyncio.get_running_loop().time() + limit_s
        while not watch.update(self._image, self.now()):
            if asyncio.get_running_loop().time() >= end_s:
                return watch.why(self._image, self.now())
            await self._until(self._changed, LOOK_S)
            self._changed.clear()
        return []

    def _deadline(self, within_s: float) -> int:
        return self.now() + int(within_s * 1e9)

    async def _order(self, order: Order) -> Answer:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[order.id] = answer
        self._orders.put_nowait(order)
        await asyncio.wait((answer, self._running), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            sent = order.id in self._handed  # and may have reached the device
            return Answer(Outcome.UNKNOWN if sent else Outcome.NOT_SENT, reason=str(self._loss()))
        return answer.result()

    def _loss(self) -> DriverError:
        """Why the connection ended; the mistake of a driver is told as its own."""
        error = self._running.exception()
        if isinstance(error, DriverError):
            return error
        told = "ended by itself" if error is None else f"failed with {type(error).__name__}: {error}"
        loss = DriverError(f"the driver of {self.device.id} {told}; this is a mistake of the driver: tell its author")
        loss.__cause__ = error
        return loss

    async def _until(self, event: asyncio.Event, limit_s: float | None) -> bool:
        """Whether `event` came in time; what ended the connection is raised."""
        waiting = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait((waiting, self._running), timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if self._running.done() and not event.is_set():
            raise self._loss()
        return event.is_set()

    # --- what the driver is given -------------------------------------------------------------------------------

    def now(self) -> int:
        """The time, ns UTC."""
        return time.time_ns()

    def up(self, identity: str = "") -> None:
        """The device is there."""
        self.identity = identity
        self._up.set()

    def put(self, samples: Iterable[Sample]) -> None:
        """Keep the last of each signal."""
        for sample in samples:
            self._image.take(sample)
            self.samples[sample.signal.partition(".")[2]] = sample
            self.heard(sample)
        self._changed.set()

    def alive(self, signals: Iterable[str] | None = None) -> None:
        """What was told still holds."""
        names = None if signals is None else frozenset(signals)
        self._image.confirm(self.device.id, self.now(), names)

    async def order(self) -> Order:
        """The next order."""
        order = await self._orders.get()
        self._handed.add(order.id)
        return order

    def done(self, order: Order, outcome: Outcome, result: Mapping[str, Value] | None = None, reason: str = "") -> None:
        """The answer to an order."""
        answer = self._answers.pop(order.id, None)
        if answer is not None and not answer.done():
            answer.set_result(Answer(outcome, result or {}, reason))

    def common(self, key: object, make: Callable[[], Any]) -> Any:
        """What several devices of one control have in common: here there is but one."""
        if key not in self._common:
            self._common[key] = make()
        return self._common[key]
