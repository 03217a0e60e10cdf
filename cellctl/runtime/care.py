"""Care for what control stands on: the disk that its decisions go to, and the computer's clock.

The rules kept here: what is wrong is told to the cell as a trouble, so that it reacts and a person sees it; and what
was decided already is still written down, if need be in the space that was kept for it.
"""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

from cellctl.core.messages import Trouble
from cellctl.core.signal import Value
from cellctl.core.trouble import CLOCK_SET, DISK_LOW, JOURNAL_ERROR, JOURNAL_FULL, JOURNAL_SLOW
from cellctl.runtime.ballast import Ballast
from cellctl.runtime.clock import Clock
from cellctl.runtime.journal import Journal
from cellctl.runtime.logs import Log

#: A disk that needs longer than this holds the cell: what it decides cannot be kept.
SLOW_DISK_S = 1.0

#: How often disk and clock are looked at, and every how many looks the free space is.
LOOK_S = 0.5
SPACE_LOOKS = 20

#: With less free than one of these somebody should make room.
FREE_SHARE, FREE_BYTES = 0.05, 256 * 1024 * 1024

#: With less free than this, what fails fails for want of space, whatever the error says.
NOTHING_BYTES = 1024 * 1024


class Care:
    """Looks after the disk under `journal`, and after `clock`.

    `tell` takes the troubles, `stepped` by how much the clock was set (ns).
    """

    def __init__(self, journal: Journal, clock: Clock, log: Log, tell: Callable[[Trouble], object]) -> None:
        self._journal, self._clock, self._log, self._tell = journal, clock, log, tell
        self._active: set[str] = set()
        self._folder: Path | None = None
        self._ballast: Ballast | None = None
        self._thrown_off = False  # the kept space is in use
        self.stepped: Callable[[int], None] = lambda step_ns: None

    def keep_space(self, folder: Path) -> None:
        """Look after the free space of the disk under `folder`, and keep some in it for bad times."""
        self._folder, self._ballast = folder, Ballast(folder)
        self._ballast.lay()

    def failing(self, reason: str) -> None:
        """The journal was not written just now; it is tried again and again."""
        full = "full" in reason or self._free() < NOTHING_BYTES
        if full and self._ballast is not None:
            self._thrown_off = self._ballast.drop() or self._thrown_off
        name = JOURNAL_FULL if full else JOURNAL_ERROR
        if name not in self._active:
            self._log.error("the journal cannot be written", reason=reason)
        self._set(name, True, reason=reason)

    def committed(self) -> None:
        """The journal is written again. In the space that was kept for it? Then the disk is still full."""
        if not self._thrown_off:
            self._set(JOURNAL_FULL, False)
        self._set(JOURNAL_ERROR, False)

    async def run(self) -> None:
        """Look, again and again."""
        looks = 0
        while True:
            if self._folder is not None and (looks % SPACE_LOOKS == 0 or self._thrown_off):
                self._look_at_space()
            looks += 1
            await asyncio.sleep(LOOK_S)
            self._set(
                JOURNAL_SLOW, self._journal.waiting_s > SLOW_DISK_S and not self._active & {JOURNAL_FULL, JOURNAL_ERROR}
            )
            if step_ns := self._clock.step_ns():
                self._log.warning("the clock of the computer was set", step_s=step_ns / 1e9)
                self.stepped(step_ns)
                self._tell(Trouble(CLOCK_SET, True, {"step_s": step_ns / 1e9}))
                self._tell(Trouble(CLOCK_SET, False))

    def _look_at_space(self) -> None:
        assert self._folder is not None
        assert self._ballast is not None
        usage = shutil.disk_usage(self._folder)
        kept = self._ballast.lay()
        if kept and self._thrown_off:
            self._thrown_off = False
            self._set(JOURNAL_FULL, False)
        low = usage.free < min(FREE_BYTES, usage.total * FREE_SHARE) or not kept
        self._set(DISK_LOW, low, free_mb=usage.free // 1_000_000)

    def _free(self) -> int:
        return NOTHING_BYTES if self._folder is None else shutil.disk_usage(self._folder).free

    def _set(self, name: str, active: bool, **data: Value) -> None:
        """Tell of a trouble when it comes and when it goes."""
        if active is not (name in self._active):
            (self._active.add if active else self._active.remove)(name)
            self._tell(Trouble(name, active, data if active else {}))
