"""The work of one connection to a device that speaks when it is spoken to: reading rounds, with orders in between.

The rule kept here: one thing at a time. What keeps the device alive goes first, then orders, then what it is to hold,
then the reading that is due longest; readings are due at absolute times, so that they neither drift nor bunch. Where
something takes all the time that there is, what comes after it goes in between. On a line with others, what waits for
its turn there is as urgent as what waits behind it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from cellctl.driver import CommandClass, DriverError, Link, Order, Outcome
from cellctl_drivers.wire.line import Urgency
from cellctl_drivers.wire.orders import Performer, SilenceError, fulfil


@dataclass(slots=True)
class Job:
    """Something to do again and again: first at once, then every `every_ns`."""

    every_ns: int
    run: Callable[[], Awaitable[None]]
    urgency: Urgency = Urgency.READING
    due_ns: int = 0


class Rounds:
    """Runs `jobs` and performs the orders of `link` until the connection is lost; `urge` is told how urgent that is."""

    def __init__(
        self,
        link: Link,
        jobs: Sequence[Job],
        performer: Performer,
        lost: asyncio.Future[str],
        *,
        urge: Callable[[Urgency], None] = lambda _: None,
    ) -> None:
        self._link = link
        self._jobs = jobs
        self._watchdogs = [job for job in jobs if job.urgency is Urgency.WATCHDOG]
        self._readings = [job for job in jobs if job.urgency is Urgency.READING]
        self._others = [job for job in jobs if job.urgency is not Urgency.READING]
        self._in_a_row = 0  # what was done one after the other before something that waits
        self._performer = performer
        self._lost = lost
        self._urge, self._urgency = urge, Urgency.READING
        self._alarm: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._next_order: asyncio.Future[Order] | None = None
        self._resting: asyncio.Future[None] = self._loop.create_future()

    async def run(self) -> None:
        """Never returns; DriverError when the connection is lost."""
        for job in self._jobs:
            job.due_ns = self._link.now() + job.every_ns
            await self._attempt(job)
        start = self._link.now()
        for index, job in enumerate(self._jobs):
            job.due_ns = start + job.every_ns * (index + 1) // len(self._jobs)
        self._lost.add_done_callback(self._wake)
        try:
            while True:
                await self._turn()
        finally:
            self._lost.remove_done_callback(self._wake)
            if self._alarm is not None:
                self._alarm.cancel()
            await self._give_back()

    async def _turn(self) -> None:
        if self._next_order is None:
            self._next_order = asyncio.ensure_future(self._link.order())
            self._next_order.add_done_callback(self._ordered)
        now = self._link.now()
        first = self._watchdogs if self._next_order.done() else self._others
        job = min((each for each in first if each.due_ns <= now), key=_rank, default=None) if first else None
        reading = min(self._readings, key=_due, default=None)
        waits = self._next_order.done() or (reading is not None and reading.due_ns <= now)
        if job is not None and (self._in_a_row < len(first) or not waits):
            self._in_a_row += 1
            await self._repeat(job, now)
        else:
            self._in_a_row = 0  # each of them had its turn
            await self._go_on(reading, now)
        if self._lost.done():
            raise DriverError(self._lost.result())

    async def _go_on(self, reading: Job | None, now: int) -> None:
        """The order that waits, or the reading that is due, or a rest until something is."""
        assert self._next_order is not None
        if self._next_order.done():
            order, self._next_order = self._next_order.result(), None
            self._go(_urgency(order))
            await fulfil(self._link, order, self._performer)
        elif reading is not None and reading.due_ns <= now:
            await self._repeat(reading, now)
        else:
            due_ns = min((job.due_ns for job in self._jobs), default=None)
            await self._rest(None if due_ns is None else (due_ns - now) / 1e9)

    async def _rest(self, pause_s: float | None) -> None:
        """Until an order comes, the connection is lost, or the pause is over."""
        self._resting = self._loop.create_future()
        timer = None if pause_s is None else self._loop.call_later(pause_s, self._wake)
        try:
            await self._resting
        finally:
            if timer is not None:
                timer.cancel()

    def _wake(self, _: object = None) -> None:
        if not self._resting.done():
            self._resting.set_result(None)

    async def _repeat(self, job: Job, now: int) -> None:
        job.due_ns += ((now - job.due_ns) // job.every_ns + 1) * job.every_ns
        await self._attempt(job)

    async def _attempt(self, job: Job) -> None:
        self._go(job.urgency)
        try:
            await job.run()
        except SilenceError:
            # The connection itself counts these and ends when they repeat; until then the samples just grow old.
            return

    def _go(self, urgency: Urgency) -> None:
        """What is done now is so urgent; as soon as the next watchdog is due, it is as urgent as that."""
        if urgency is not self._urgency:
            self._urgency = urgency
            self._urge(urgency)
        if self._alarm is not None:
            self._alarm.cancel()
        if self._watchdogs and urgency is not Urgency.WATCHDOG:
            wait_s = (min(self._watchdogs, key=_due).due_ns - self._link.now()) / 1e9
            self._alarm = self._loop.call_later(wait_s, self._hurry, Urgency.WATCHDOG)

    def _hurry(self, urgency: Urgency) -> None:
        """Something so urgent waits until what is done now is done."""
        if urgency < self._urgency:
            self._urgency = urgency
            self._urge(urgency)

    def _ordered(self, coming: "asyncio.Future[Order]") -> None:
        if not coming.cancelled() and coming.exception() is None:
            self._hurry(_urgency(coming.result()))
        self._wake()

    async def _give_back(self) -> None:
        """An order that was taken but not begun is not lost."""
        waiting, self._next_order = self._next_order, None
        if waiting is None:
            return
        waiting.cancel()
        await asyncio.wait((waiting,))
        if not waiting.cancelled() and waiting.exception() is None:
            self._link.done(waiting.result(), Outcome.NOT_SENT, reason="the connection ended before it could be sent")


def _due(job: Job) -> int:
    return job.due_ns


def _rank(job: Job) -> tuple[Urgency, int]:
    return job.urgency, job.due_ns


def _urgency(order: Order) -> Urgency:
    return Urgency.STOP if order.command_class is CommandClass.STOP else Urgency.ORDER
