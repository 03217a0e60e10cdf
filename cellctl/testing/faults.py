"""The faults of a test: whatever `cellctl.faults` names, on the line, in a device, or in the controller itself.

The rule kept here: a fault begins in the moment in which the test says so, and ends by itself or by hand. One that the
level of the test cannot show is refused, never left out.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from cellctl.faults import CONTROL, KINDS, Fault, FaultError, fault, kind_of
from cellctl.testing.bench import Bench

#: A test that fails shows its own line, not those in here.
__tracebackhide__ = True


class Injected:
    """A fault that has begun: `end()` ends it before its time."""

    def __init__(self, what: Fault, undo: Callable[[], None]) -> None:
        self.fault, self.running = what, True
        self._undo = undo

    def end(self) -> None:
        """End it, if it has not ended by itself."""
        if self.running:
            self.running = False
            self._undo()

    def ended(self) -> None:
        """It has ended by itself."""
        self.running = False


class BenchFaults:
    """`faults`: every kind of `cellctl.faults` as a method: ``faults.no_reply("laser", for_="30 s")``."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._ending: list[asyncio.Task[None]] = []

    def __call__(self, kind: str, target: str = "", for_: object = None, **options: object) -> Injected:
        """Let a fault happen now; FaultError, with what was meant, for one that there is not or that does not fit."""
        return self.inject(fault(kind, target, for_, **options))

    def __getattr__(self, kind: str) -> Callable[..., Injected]:
        """The kind of that name; FaultError, with what was meant, if there is none."""
        if kind.startswith("__"):
            raise AttributeError(kind)
        kind_of(kind)
        return partial(self.__call__, kind)

    def __dir__(self) -> list[str]:
        """All kinds."""
        return [*super().__dir__(), *KINDS]

    def inject(self, what: Fault) -> Injected:
        """Let a fault happen now."""
        kind = kind_of(what.kind)
        if kind.needs_wire and self._bench.setup.level != "wire":
            raise FaultError(f"{what.kind} needs the bytes of a wire: @pytest.mark.cell(..., wire=True)")
        injected = self._in_control(what) if kind.of == CONTROL else self._in_world(what)
        for watcher in self._bench.watchers:
            watcher.injected(what)
        return injected

    def _in_control(self, what: Fault) -> Injected:
        if what.kind == "clock_step":
            self._bench.loop.step_clock(int(what.options["by"]))
            return Injected(what, lambda: None)
        injected = Injected(what, self._bench.disk.suffer(what))
        if what.for_ns is not None:
            self._bench.will_happen(what.for_ns / 1e9, injected.end)
        return injected

    def _in_world(self, what: Fault) -> Injected:
        faults = self._bench.simulation.faults
        faults.check(what)
        for device in self._bench.field.replays:
            if device in what.devices:
                raise FaultError(f"{device} is a recording: what goes wrong with it was recorded")
        begun = asyncio.ensure_future(faults.begin(what))

        async def end() -> None:
            number = await begun
            if number in faults.numbers:
                await faults.end(number)

        injected = Injected(what, lambda: self._ending.append(asyncio.ensure_future(end())))
        if what.for_ns is not None:
            self._bench.will_happen(what.for_ns / 1e9, injected.ended)
        return injected
