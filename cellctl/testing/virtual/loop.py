"""An event loop whose time jumps: when nothing is left to do now, it is at once the time of the next timer.

The rules kept here. The loop never waits: a run is a function of what runs on it, whatever the machine does meanwhile.
All clocks are one: `time()`, `monotonic_ns()` and `utc_ns()` move together, and only when nothing is ready. A wait that
nothing can end is an error, at once: `Deadlock`, raised where the waiting is. Sockets, files of sockets and serial
lines are those of its `net`, in memory; what runs in an executor is done before the next callback.
"""

import asyncio
import threading
from asyncio import AbstractServer
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from typing import Any

from cellctl.driver import driver_ends, tapped
from cellctl.testing.virtual.handles import Call
from cellctl.testing.virtual.net import Net
from cellctl.testing.virtual.waits import told, where_it_waits

Factory = Callable[[], asyncio.BaseProtocol]

#: Virtual time begins on a Monday at the beginning of the early shift: 2026-01-05 06:00 UTC.
EPOCH_NS = 1_767_592_800_000_000_000

#: The monotonic clock of a machine that has been on for a second: no time is ever 0, which many take for "never".
_BEGIN_NS = 1_000_000_000

#: What is due within this is due now.
_RESOLUTION_S = 1e-9

#: How long (real time) a real file descriptor, or a thread that works for the loop, may take before time goes on.
_GRACE_S = 0.002
_OUTSIDE_S = 10.0


class Deadlock(RuntimeError):  # noqa: N818 - what is the case
    """Everything waits, and nothing is left that could end it: what each task waits for, in words."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop with a clock of its own, which begins at `utc_ns`, and a network of its own, `net`."""

    def __init__(self, *, utc_ns: int = EPOCH_NS) -> None:
        self._now_ns = _BEGIN_NS
        self._offset_ns = utc_ns - _BEGIN_NS
        self._outside = 0
        self._rung = False
        self._awaited: asyncio.Future[Any] | None = None
        self._timers: list[tuple[float, int, Call]] = []
        self._number = 0  # of timers so far: of those due at the same time the older one is first
        self.net = Net(self)
        super().__init__()

    # --- the clock --------------------------------------------------------------------------------------------

    def time(self) -> float:
        """The monotonic time, seconds."""
        return self._now_ns / 1e9

    def monotonic_ns(self) -> int:
        """The monotonic time, ns."""
        return self._now_ns

    def utc_ns(self) -> int:
        """The wall clock, ns UTC."""
        return self._now_ns + self._offset_ns

    def step_clock(self, by_ns: int) -> None:
        """Set the wall clock, as a person or a time server does; the monotonic clock does not notice."""
        self._offset_ns += by_ns

    # --- calls ------------------------------------------------------------------------------------------------

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:  # type: ignore[override]
        """As every loop does."""
        call = Call(self, 0.0, callback, args, context)
        self._ready.append(call)  # type: ignore[attr-defined]
        return call

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        """As every loop does."""
        call = Call(self, when, callback, args, context)
        self._number += 1
        heappush(self._timers, (when, self._number, call))
        return call

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        """As every loop does; what is to come later comes a nanosecond later at least."""
        later = self._now_ns / 1e9 + (delay if delay > 1e-9 else 1e-9 if delay > 0 else 0.0)
        return self.call_at(later, callback, *args, context=context)

    def _run_once(self) -> None:
        """Call what is ready; if nothing is, it is the time of the next timer."""
        ready = self._ready  # type: ignore[attr-defined]
        idle = not ready and not self._stopping  # type: ignore[attr-defined]
        if self._rung or self._outside or (idle and len(self._selector.get_map()) > 1):  # type: ignore[attr-defined]
            self._look_outside(idle)
            idle = idle and not ready
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heappop(timers)
        if idle:
            if not timers:
                self._deadlock()
                return
            self._now_ns = max(self._now_ns, round(timers[0][0] * 1e9))
        due_s = self._now_ns / 1e9 + _RESOLUTION_S
        while timers and timers[0][0] < due_s:
            ready.append(heappop(timers)[2])
        for _ in range(len(ready)):
            call = ready.popleft()
            if not call._cancelled:  # noqa: SLF001 - asyncio's own handles may be among them
                call._run()  # noqa: SLF001

    def _look_outside(self, idle: bool) -> None:
        """Take what other threads and real descriptors bring; before time goes on they get a moment, or theirs."""
        self._rung = False
        patience_s = _OUTSIDE_S if self._outside else _GRACE_S
        self._process_events(self._selector.select(patience_s if idle else 0.0))  # type: ignore[attr-defined]

    # --- waiting ----------------------------------------------------------------------------------------------

    def run_until_complete(self, future: Any) -> Any:
        """As every loop does; a `Deadlock` is raised where `future` waits."""
        outer, self._awaited = self._awaited, asyncio.ensure_future(future, loop=self)
        try:
            return super().run_until_complete(self._awaited)
        finally:
            self._awaited = outer

    def fail(self, error: Exception) -> None:
        """Raise `error` where the future waits that the loop runs for; out of the loop if it waits for nothing."""
        waiter = None if self._awaited is None else where_it_waits(self._awaited)
        if waiter is None or waiter.done():
            raise error
        waiter.set_exception(error)

    def _deadlock(self) -> None:
        """Nothing is ready, no timer is set: tell it."""
        self.fail(Deadlock(f"nothing will ever happen here: {told(asyncio.all_tasks(self))}"))

    @contextmanager
    def outside(self) -> Iterator[None]:
        """While this lasts a thread works for the loop: time stands still until it has called back."""
        self._outside += 1
        try:
            yield
        finally:
            self._outside -= 1

    def _write_to_self(self) -> None:
        if threading.get_ident() != self._thread_id:  # type: ignore[attr-defined]
            self._rung = True
            super()._write_to_self()  # type: ignore[misc]

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        """Call `func` now: no time passes meanwhile, and the order of things stays the same in every run."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            future.set_exception(error)
        return future

    # --- the network ------------------------------------------------------------------------------------------

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **more: Any) -> Any:
        """A connection to a port in memory."""
        _check_plain(more)
        if more.get("sock") is not None:
            return await super().create_connection(protocol_factory, host, port, **more)
        return driver_ends(*await self.net.connect(tapped(protocol_factory), (host, port)))

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **more: Any) -> Any:
        """A listening port in memory: `port` None or 0 is one that is free; a `sock` of the net tells its own."""
        _check_plain(more)
        sock = more.get("sock")
        return self.net.listen(protocol_factory, (host, port or 0) if sock is None else sock.getsockname())

    async def create_unix_connection(self, protocol_factory: Any, path: Any = None, **more: Any) -> Any:
        """A connection to a socket in a file, in memory."""
        _check_plain(more)
        return await self.net.connect(protocol_factory, str(path))

    async def create_unix_server(self, protocol_factory: Any, path: Any = None, **more: Any) -> Any:
        """A socket in a file, in memory; the file stands there empty, so that it can be seen and removed."""
        _check_plain(more)
        return self.net.listen(protocol_factory, str(path))

    async def create_serial_connection(
        self, protocol_factory: Factory, path: str, *, character_s: float
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Open a serial line in memory, for this user alone; each character takes `character_s`. OSError if not."""
        return driver_ends(*await self.net.open_line(tapped(protocol_factory), path, character_s))

    def free_port(self) -> int:
        """A port that nobody has had."""
        return self.net.free_port()

    async def create_serial_server(self, protocol_factory: Factory, path: str) -> AbstractServer:
        """Put a device to the far end of the serial line `path`; every opening of the line makes a new protocol."""
        return self.net.plug_line(protocol_factory, path)

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        """Every name is the address of itself."""
        return self.net.resolve(host, port)


def _check_plain(options: dict[str, Any]) -> None:
    if options.get("ssl"):
        raise ValueError("the network in memory carries no TLS")
