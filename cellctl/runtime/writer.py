"""The one thread that writes: the journal first, and when it has nothing to commit, the history.

Entries that arrive while a commit is under way go into the next one together (group commit), so a decision waits for
two commits at most. The rule kept here: what cannot be written is tried again, in the same order, until it can be.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Protocol

from cellctl.runtime import process
from cellctl.runtime.ledger import Ledger, Row

#: Entries in one commit: enough for full throughput, few enough that the next decision waits some ms.
GROUP_MAX = 1_000

#: Pause before a failed commit is tried again: short, so that all goes on as soon as there is space.
RETRY_S = 0.2


@dataclass(frozen=True, slots=True)
class Tell:
    """What a writer calls. On the loop: `committed` with the last number on disk, `failing` with the reason why nothing
    can be written. Where it writes: `idle` when nothing waits (it returns after how many seconds it wants to be called
    again), and `end`, the last of all."""

    committed: Callable[[int], None]
    failing: Callable[[str], None]
    idle: Callable[[], float]
    end: Callable[[], None]


class Writer(Protocol):
    """Writes rows in their order. All calls belong to the running loop."""

    @property
    def alive(self) -> bool:
        """Whether it writes."""

    def start(self, tell: Tell) -> None:
        """Begin."""

    def put(self, rows: Sequence[Row]) -> None:
        """Write `rows` after all that were put before; never waits."""

    async def close(self, timeout_s: float) -> bool:
        """Write what waits and give the file back; False if the disk took longer than `timeout_s`."""


class WriterThread:
    """A thread of its own, so that no disk delays the loop."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._queue: SimpleQueue[Sequence[Row] | None] = SimpleQueue()
        self._given_up = threading.Event()
        self._ended = asyncio.Event()
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether it writes."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, tell: Tell) -> None:
        """Begin."""
        self._loop, self._tell = asyncio.get_running_loop(), tell
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def put(self, rows: Sequence[Row]) -> None:
        """Write `rows` after all that were put before; never waits."""
        self._queue.put(rows)

    async def close(self, timeout_s: float) -> bool:
        """Write what waits and give the file back; False if the disk took longer than `timeout_s`."""
        if self._thread is None:
            self._ledger.close()
            return True
        self._queue.put(None)
        try:
            async with asyncio.timeout(timeout_s):
                await self._ended.wait()
        except TimeoutError:
            self._given_up.set()
            return False
        self._thread.join()
        return True

    def _run(self) -> None:
        process.follow()
        pause_s, open_ = 0.0, True
        try:
            while open_:
                rows, open_ = self._next(pause_s)
                if rows and not self._commit(rows):
                    return
                pause_s = self._tell.idle() if self._queue.empty() else 0.0
        finally:
            self._tell.end()
            self._ledger.close()
            self._call(self._ended.set)

    def _next(self, pause_s: float) -> tuple[list[Row], bool]:
        """What waits, up to `GROUP_MAX` rows, and whether more may come; waits up to `pause_s` for the first."""
        group: list[Row] = []
        with suppress(Empty):
            rows = self._queue.get(timeout=pause_s) if pause_s > 0 else self._queue.get_nowait()
            while rows is not None:
                group += rows
                if len(group) >= GROUP_MAX:
                    return group, True
                rows = self._queue.get_nowait()
            return group, False
        return group, True

    def _commit(self, rows: list[Row]) -> bool:
        """Write `rows`, however often it must be tried; False if the end came first."""
        while True:
            try:
                self._ledger.write(rows)
            except sqlite3.Error as error:
                self._call(self._tell.failing, str(error))
                if self._given_up.wait(RETRY_S):
                    return False
                self._ledger.reopen()
            else:
                self._call(self._tell.committed, self._ledger.tail.sequence)
                return True

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits for the news
            self._loop.call_soon_threadsafe(function, *arguments)
