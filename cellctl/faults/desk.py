"""Faults that run: begun, ended by themselves or by hand, each undone as a whole.

The rule kept here: ending a fault leaves nothing of it behind. What a fault does is for whoever begins it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass
from typing import Any

from cellctl.faults import Fault, FaultError, kind_of

Undo = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Running:
    """A fault that has begun: its number, and how it is undone."""

    number: int
    fault: Fault
    undo: Undo
    timer: asyncio.TimerHandle | None = None

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {"number": self.number, "text": str(self.fault), **self.fault.plain()}


class Desk:
    """All faults of one place. Belongs to the running loop."""

    def __init__(self) -> None:
        self._running: dict[int, Running] = {}
        self._number = 0
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> list[Running]:
        """Those that have begun and not ended, oldest first."""
        return list(self._running.values())

    @property
    def numbers(self) -> Set[int]:
        """The numbers of those."""
        return self._running.keys()

    async def begin(self, fault: Fault, how: Callable[[Fault], Awaitable[Undo]]) -> int:
        """Let `how` begin it; its number. It ends by itself after its time."""
        self._number += 1
        number, undo = self._number, await how(fault)
        if kind_of(fault.kind).lasts:
            running = self._running[number] = Running(number, fault, undo)
            if fault.for_ns is not None:
                loop = asyncio.get_running_loop()
                running.timer = loop.call_later(fault.for_ns / 1e9, self._end_soon, number)
        return number

    async def end(self, number: int | None = None) -> None:
        """End one fault, or all; FaultError for a number that is not running."""
        if number is not None and number not in self._running:
            raise FaultError(f"no fault {number} is running")
        for running in self.running if number is None else [self._running[number]]:
            del self._running[running.number]
            if running.timer is not None:
                running.timer.cancel()
            await running.undo()

    async def aclose(self) -> None:
        """Nothing of it goes on."""
        for running in self.running:
            if running.timer is not None:
                running.timer.cancel()
        for task in tuple(self._ending):
            task.cancel()

    def _end_soon(self, number: int) -> None:
        task = asyncio.get_running_loop().create_task(self.end(number), name=f"end of fault {number}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


async def nothing() -> None:
    """Undo what leaves nothing behind."""
