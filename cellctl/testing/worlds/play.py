"""Plays one world: the plan on a bench, the attendant, and the checks that look on.

The rule kept here: what happens is a function of the plan and the product; what is found is told, never raised.
"""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from cellctl.core.messages import Operate, Request
from cellctl.core.signal import Value
from cellctl.faults import FaultError
from cellctl.model import CellModel, simulators
from cellctl.testing import report
from cellctl.testing.bench import Bench, NotAccepted, Setup
from cellctl.testing.faults import BenchFaults
from cellctl.testing.virtual import Deadlock, VirtualLoop, wall_clock
from cellctl.testing.worlds.attendant import LOOK_S, Attendant
from cellctl.testing.worlds.checks import Check, Finding, all_checks
from cellctl.testing.worlds.checks.requests import Kept
from cellctl.testing.worlds.plan import SPAN_S, Break, Kill, Plan, Press, drawn

#: After the last that happens, everything that was to be made is made within this, virtual s.
PATIENCE_S = 1_200.0

#: An entry at which control is to die comes within this, or it is killed without.
KILL_S = 5.0

#: How long somebody needs to start a control again that has ended by itself, because its disk was ill.
ANEW_S = 3.0

#: How long a world is looked at when all is made, virtual s.
REST_S = 10.0


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a world: what was found, how long it was (virtual s), and what the cell was at when it ended."""

    plan: Plan
    findings: tuple[Finding, ...]
    virtual_s: float
    told: str


def settable(model: CellModel) -> Mapping[str, Value]:
    """The inputs of the cell's world that stay as somebody sets them; the others follow from the world itself."""
    world = simulators().simulation(model, direct=True).world
    world.advance(1)
    first = dict(world.inputs)
    kept = {}
    for name, value in first.items():
        other = not value if isinstance(value, bool) else value + 1 if isinstance(value, int | float) else "?"
        world.set(name, other)
        world.advance(world.now_ns + 1)
        if world.inputs[name] == other:
            kept[name] = value
        world.set(name, value)
    return kept


def plan_of(seed: int, model: CellModel, level: str) -> Plan:
    """The world of a seed."""
    return drawn(seed, model, "wire" if level == "wire" else "direct", settable(model))


def play(plan: Plan, model: CellModel) -> Played:
    """Play it, in a folder that is gone afterwards."""
    loop = VirtualLoop()
    with tempfile.TemporaryDirectory(prefix="cellctl-world-") as folder, ExitStack() as stack:
        if plan.level == "wire":
            stack.enter_context(wall_clock(loop))
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(_Play(plan, Setup(model, Path(folder), plan.level, plan.seed, record=True)).run())


class _Play:
    def __init__(self, plan: Plan, setup: Setup) -> None:
        self._plan, self._setup = plan, setup
        self._checks: Sequence[Check] = all_checks(plan)
        self._kept = next(check for check in self._checks if isinstance(check, Kept))
        self._happening: set[asyncio.Task[None]] = set()
        self._presses = 0
        self._acts_left = len(plan.acts)

    async def run(self) -> Played:
        bench = Bench(self._setup, self._checks)
        for check in self._checks:
            check.bench = bench
        self._attendant = Attendant(bench, self._plan.jobs, Random(f"{self._plan.seed}/attendant"))
        failed = ""
        try:
            async with bench:
                for name, value in self._plan.conditions:
                    bench.simulation.set(name, value)
                self._faults = BenchFaults(bench)
                failed = await self._live(bench)
                for check in self._checks:
                    await check.end(bench)
                told = report.told(bench)
        except Exception as error:  # a world is there to find them
            failed, told = f"{type(error).__name__}: {error}", ""
        findings = [finding for check in self._checks for finding in check.found]
        if failed:
            findings.append(Finding("Going on", bench.time_s(), failed))
        return Played(self._plan, tuple(sorted(findings, key=lambda one: one.at_s)), bench.time_s(), told)

    async def _live(self, bench: Bench) -> str:
        """Until all is made and nothing more happens; what hindered it."""
        begin_s = bench.loop.time()
        for act in self._plan.acts:
            bench.loop.call_at(begin_s + act.at_s, self._begin, act, bench)
        looking = asyncio.create_task(self._look(bench))
        try:
            async with asyncio.timeout(SPAN_S + PATIENCE_S):
                while self._acts_left or self._happening or not self._attendant.done:
                    if not bench.alive and not self._happening:
                        await self._anew(bench, ANEW_S)
                    await self._attendant.look()
                    if any(check.found for check in self._checks):
                        return ""
                    await asyncio.sleep(LOOK_S)
                await asyncio.sleep(REST_S)
                await bench.written()
        except TimeoutError:
            if not self._plan.lying:  # what a device has lost or lied about may be beyond an attendant
                return f"not all is made {PATIENCE_S:g} s after the last that happened\n{report.told(bench)}"
        except Deadlock as deadlock:
            return str(deadlock)
        finally:
            for task in (looking, *self._happening):
                task.cancel()
        return ""

    async def _look(self, bench: Bench) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            for check in self._checks:
                await check.look(bench)

    def _begin(self, act: Break | Press | Kill, bench: Bench) -> None:
        self._acts_left -= 1
        task = asyncio.ensure_future(self._happen(act, bench))
        self._happening.add(task)
        task.add_done_callback(self._happening.discard)

    async def _happen(self, act: Break | Press | Kill, bench: Bench) -> None:
        match act:
            case Break(fault=fault):
                with suppress(FaultError):  # two at once may not fit together
                    self._faults.inject(fault)
                    await asyncio.sleep((fault.for_ns or 0) / 1e9)
            case Press():
                await self._press(act, bench)
            case Kill(after=after, off_s=off_s):
                await self._kill(bench, after, off_s)

    async def _press(self, act: Press, bench: Bench) -> None:
        self._presses += 1
        request = Request(f"press-{self._presses}", Operate(act.command), "somebody", "test")
        for _ in range(2 if act.twice else 1):
            if bench.alive:
                with suppress(NotAccepted, asyncio.CancelledError):
                    self._kept.asked(request.id)
                    self._kept.heard(await bench.control.submit(request))

    async def _kill(self, bench: Bench, after: int, off_s: float) -> None:
        if not bench.alive or bench.disk.kill_at is not None:
            return
        bench.disk.kill_at = bench.disk.last + after
        for _ in range(int(KILL_S / LOOK_S)):
            if not bench.alive:
                break
            await asyncio.sleep(LOOK_S)
        await self._anew(bench, off_s)

    async def _anew(self, bench: Bench, off_s: float) -> None:
        """Clear away a control that is dead, or kill it, and start it again. The parts stay where they are."""
        await bench.kill()
        bench.disk.kill_at = None
        await asyncio.sleep(off_s)
        bench.disk.error = ""
        await bench.power_on()
        self._attendant.restarted()
