"""A link that writes down what a driver tells, and hands it the orders of a test."""

import asyncio
import itertools
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cellctl.driver import Call, CommandClass, Driver, Order, Outcome, Sample, Value, Write

WAIT_S = 3.0


@dataclass(frozen=True)
class Answer:
    """What became of an order."""

    outcome: Outcome
    result: Mapping[str, Value]
    reason: str


@dataclass
class RecordingLink:
    """The link of one device."""

    device: str = "dev"
    ups: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    last: dict[str, Sample] = field(default_factory=dict)
    confirmed: list[frozenset[str] | None] = field(default_factory=list)
    answers: dict[int, Answer] = field(default_factory=dict)
    shared: dict[Hashable, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._orders: asyncio.Queue[Order] = asyncio.Queue()
        self._ids = itertools.count(1)

    # --- what the driver calls

    def now(self) -> int:
        return int(getattr(asyncio.get_running_loop(), "utc_ns", time.time_ns)())

    def up(self, identity: str = "") -> None:
        self.ups.append(identity)

    def put(self, samples: Iterable[Sample]) -> None:
        for sample in samples:
            assert self.ups, "a sample before the device was identified"
            self.samples.append(sample)
            self.last[sample.signal.partition(".")[2]] = sample

    def alive(self, signals: Iterable[str] | None = None) -> None:
        self.confirmed.append(None if signals is None else frozenset(signals))

    async def order(self) -> Order:
        return await self._orders.get()

    def done(self, order: Order, outcome: Outcome, result: Mapping[str, Value] | None = None, reason: str = "") -> None:
        assert order.id not in self.answers, "an order is answered once"
        self.answers[order.id] = Answer(outcome, dict(result or {}), reason)

    def common(self, key: Hashable, make: Callable[[], Any]) -> Any:
        return self.shared[key] if key in self.shared else self.shared.setdefault(key, make())

    # --- what a test calls

    def write(self, name: str, value: Value, within_s: float = 2.0) -> int:
        """Order a write; the id to wait for."""
        number = next(self._ids)
        self._orders.put_nowait(Write(number, f"{self.device}.{name}", value, self.now() + int(within_s * 1e9)))
        return number

    def call(self, name: str, token: int = 0, within_s: float = 2.0, **arguments: Value) -> int:
        """Order a command; the id to wait for."""
        return self._call(name, CommandClass.PULSE, token, within_s, arguments)

    def stop(self, name: str) -> int:
        """Order a command that stops; the id to wait for."""
        return self._call(name, CommandClass.STOP, 0, 2.0, {})

    def _call(self, name: str, kind: CommandClass, token: int, within_s: float, arguments: Mapping[str, Value]) -> int:
        number = next(self._ids)
        deadline = self.now() + int(within_s * 1e9)
        self._orders.put_nowait(Call(number, self.device, name, deadline, arguments, token, kind))
        return number

    async def answer(self, number: int) -> Answer:
        """What became of the order `number`."""
        await until(lambda: number in self.answers)
        return self.answers[number]

    async def set(self, name: str, value: Value) -> Answer:
        """Write and wait for the answer."""
        return await self.answer(self.write(name, value))

    async def value(self, name: str, value: Value) -> Sample:
        """Wait until the signal has `value`, good or not."""
        await until(lambda: name in self.last and self.last[name].value == value)
        return self.last[name]


async def until(condition: Callable[[], bool], within_s: float = WAIT_S) -> float:
    """Wait until `condition` holds and return how long it took; fails after `within_s`."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < within_s, "it did not happen in time"
        await asyncio.sleep(0.005)
    return time.monotonic() - start


class Running:
    """A driver that runs, for the length of an `async with`."""

    def __init__(self, driver: Driver, link: RecordingLink) -> None:
        self.link = link
        self._driver = driver

    async def __aenter__(self) -> "Running":
        self.task = asyncio.create_task(self._driver.run(self.link))  # type: ignore[arg-type]
        waiting = asyncio.create_task(until(lambda: bool(self.link.ups) or self.task.done(), 6.0))
        await waiting
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.wait((self.task,))

    async def ended(self, within_s: float = WAIT_S) -> BaseException:
        """Wait for the end of the connection; why it ended."""
        await asyncio.wait((self.task,), timeout=within_s)
        assert self.task.done(), "the connection was not given up"
        error = self.task.exception()
        assert error is not None
        return error
