"""What the control process asks of the operating system and of Python, so that its loop is on time.

All of it is best effort: what is not permitted is left out, and told in one line of the log. The rule kept here: only
`cellctl.runtime.control.run`, which owns the process, calls this; nothing else changes the process around it.
"""

import asyncio
import ctypes
import gc
import os
import select
import selectors
import sys
from typing import Any

from cellctl.driver import driver_ends, tapped

#: Above all ordinary processes; the loop above the journal's thread, which it waits for only to share Python.
LOOP_PRIORITY = 20
JOURNAL_PRIORITY = 10

#: How long another thread may keep Python from the loop (measured: lateness p99 0.49 ms instead of 0.64 ms).
SWITCH_INTERVAL_S = 0.0002

_CLOCK_MONOTONIC = 1

#: Nearer than this, and a millisecond counts. Most timers are never reached: they guard an answer that comes.
_NEAR_S = 0.02


def freeze() -> int:
    """Collect once, then take all that is alive out of later collections; how many objects that are."""
    gc.collect()
    gc.freeze()
    return gc.get_freeze_count()


def prioritise() -> bool:
    """Quick thread switches, and real-time priority for the calling thread; whether the latter is permitted."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    return _real_time(LOOP_PRIORITY)


def follow() -> None:
    """If the main thread has real-time priority, give the calling thread the priority next to it."""
    if os.sched_getscheduler(os.getpid()) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO:
        _real_time(JOURNAL_PRIORITY)


def _real_time(priority: int) -> bool:
    """Children and new threads do not inherit it."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError:
        return False
    return True


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop whose timers are exact to microseconds; asyncio's own are rounded up to whole milliseconds."""
    try:
        return _Loop(_TimerSelector())
    except OSError:
        return _Loop()


class _Loop(asyncio.SelectorEventLoop):
    """A loop on whose connections somebody may listen in."""

    async def create_connection(self, protocol_factory: Any, *place: Any, **more: Any) -> Any:
        return driver_ends(*await super().create_connection(tapped(protocol_factory), *place, **more))


class _Interval(ctypes.Structure):
    """`struct itimerspec`: period and first expiry, each in seconds and nanoseconds."""

    _fields_ = (("period", ctypes.c_long * 2), ("first", ctypes.c_long * 2))


class _TimerSelector(selectors.EpollSelector):
    """Waits on a timerfd instead of epoll's timeout in milliseconds; for what is far, that will do until it is near."""

    def __init__(self) -> None:
        super().__init__()
        libc = ctypes.CDLL(None, use_errno=True)
        self._set = libc.timerfd_settime
        self._timer = libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._timer < 0:
            raise OSError(ctypes.get_errno(), "no timerfd")
        self._interval = _Interval()
        self._passed_by = False
        self._interval_at = ctypes.byref(self._interval)
        self.register(self._timer, selectors.EVENT_READ)
        # Each expiry is told once, so that nobody has to read it away.
        with select.epoll.fromfd(os.dup(self.fileno())) as same:
            same.modify(self._timer, select.EPOLLIN | select.EPOLLET)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout == 0 and not self._passed_by:
            self._passed_by = True  # what is ready goes first; the sockets are looked at the next time
            return []
        self._passed_by = False
        if timeout is not None and timeout > 0:
            if timeout > 2 * _NEAR_S:
                timeout -= _NEAR_S
            else:
                self._interval.first[1] = max(1, int(timeout * 1e9))
                self._set(self._timer, 0, self._interval_at, None)
                timeout = None
        ready = super().select(timeout)
        for index, (key, _) in enumerate(ready):
            if key.fd == self._timer:
                del ready[index]
                break
        return ready

    def close(self) -> None:
        os.close(self._timer)
        super().close()
