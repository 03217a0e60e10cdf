"""The work of one connection to a device that speaks when it is spoken to: reading rounds, with orders in between.

The rule kept here: one thing at a time. What keeps the device alive goes first, then orders, then the reading that is
due longest; readings are due at absolute times, so that they neither drift nor bunch.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from cellctl.driver import DriverError, Link, Order, Outcome
from cellctl_drivers.wire.orders import Performer, SilenceError, fulfil


@dataclass(slots=True)
class Job:
    """Something to do again and again: first at once, then every `every_ns`. `urgent` goes before orders."""

    every_ns: int
    run: Callable[[], Awaitable[None]]
    urgent: bool = False
    due_ns: int = 0


class Rounds:
    """Runs `jobs` and performs the orders of `link` until the connection is lost."""

    def __init__(self, link: Link, jobs: Sequence[Job], performer: Performer, lost: asyncio.Future[str]) -> None:
        self._link = link
        self._jobs = jobs
        self._performer = performer
        self._lost = lost
        self._next_order: asyncio.Future[Order] | None = None

    async def run(self) -> None:
        """Never returns; DriverError when the connection is lost."""
        for job in self._jobs:
            await self._attempt(job)
        start = self._link.now()
        for index, job in enumerate(self._jobs):
            job.due_ns = start + job.every_ns * (index + 1) // len(self._jobs)
        try:
            while True:
                await self._turn()
        finally:
            await self._give_back()

    async def _turn(self) -> None:
        if self._next_order is None:
            self._next_order = asyncio.ensure_future(self._link.order())
        job = min(self._jobs, key=_due, default=None)
        urgent = min((job for job in self._jobs if job.urgent), key=_due, default=None)
        now = self._link.now()
        if urgent is not None and urgent.due_ns <= now:
            await self._repeat(urgent, now)
        elif self._next_order.done():
            order, self._next_order = self._next_order.result(), None
            await fulfil(self._link, order, self._performer)
        elif job is not None and job.due_ns <= now:
            await self._repeat(job, now)
        else:
            pause_s = None if job is None else (job.due_ns - now) / 1e9
            await asyncio.wait((self._next_order, self._lost), timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
        if self._lost.done():
            raise DriverError(self._lost.result())

    async def _repeat(self, job: Job, now: int) -> None:
        missed = (now - job.due_ns) // job.every_ns
        job.due_ns += (missed + 1) * job.every_ns
        await self._attempt(job)

    async def _attempt(self, job: Job) -> None:
        try:
            await job.run()
        except SilenceError:
            # The connection itself counts these and ends when they repeat; until then the samples just grow old.
            return

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
