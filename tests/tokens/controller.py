"""A controller in small: one phase of the real core, its journal, supervisor and driver; it can be killed at any step.

The rule kept here: what a controller knows when it begins is what the journal of the one before says, and no more.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cellctl.commission.found import ALONE, Found
from cellctl.commission.found import alone as looked_up
from cellctl.core.context import Surroundings
from cellctl.core.equipment import Equipment
from cellctl.core.execution import PhaseRun
from cellctl.core.memory import Memory
from cellctl.core.messages import Alive, Call, Done, Entry, LinkChanged, LinkState, Samples, Write
from cellctl.core.outbox import Outbox
from cellctl.core.phase import PhaseFault, phase
from cellctl.core.progress import OF_A_STEP, Progress
from cellctl.core.signal import Image
from cellctl.core.wait import ForAnswer
from cellctl.faults import Fault
from cellctl.model import driver_for
from cellctl.runtime.clock import Clock
from cellctl.runtime.inbox import Inbox
from cellctl.runtime.link import Shared
from cellctl.runtime.supervisor import Supervisor
from cellctl.testing.log import Lines
from cellctl_simulators.simulation import Pace, Simulated, Simulation
from cellctl_simulators.token_block import Retained

PROFILES = ("cellctl.token-block", "cellctl.token-block-opcua")
WORK_MS = 40

#: A profile is read once for all controllers.
alone: Callable[..., Found] = cache(looked_up)
FAULTS_MAX = 10


@phase()
async def work(c):
    """One thing that must not happen twice."""
    done = await c.device.execute(cmd=7, param=WORK_MS)
    c.record("result", done.result)


@phase()
async def reset(c):
    """A person has looked, and resets the trip."""
    await c.device.reset_trip()


PHASES = {"work": work, "reset": reset}


class Killed(Exception):  # noqa: N818 - what happens
    """The controller is no more."""


class Site:
    """The device, simulated behind its protocol, and the journal, which outlives every controller."""

    def __init__(self, profile: str, folder: Path) -> None:
        self.profile = profile
        self.journal: list[tuple[str, Any]] = []
        found = alone(profile)
        self.simulation = Simulation(
            folder, {ALONE: Simulated(profile, found.device.address, found.device)}, pace=Pace()
        )

    async def __aenter__(self) -> "Site":
        await self.simulation.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.simulation.__aexit__(*error)

    @property
    def retained(self) -> Retained:
        """What the device keeps, and what it really did."""
        return self.simulation.world.models[ALONE].retained  # type: ignore[attr-defined,no-any-return]

    def noted(self, kind: str) -> list[Any]:
        """What the entries of a kind say."""
        return [data for name, data in self.journal if name == kind]

    async def suffer(self, fault: Fault) -> int:
        """Let something go wrong."""
        return await self.simulation.faults.begin(fault)

    def reboot(self) -> None:
        """Switch the device off and on: its connections are gone."""
        self.simulation.restart(ALONE)

    async def cut(self) -> None:
        """Cut its connections."""
        await self.simulation.reset(ALONE)


class Controller:
    """Lives for an `async with`; `die_at`: the step at which it is killed (0: it is not). Each turn has three: before
    what was decided is written down, after that, and when everything is sent."""

    def __init__(self, site: Site, die_at: int = 0) -> None:
        loop = asyncio.get_running_loop()
        virtual = hasattr(loop, "utc_ns")
        self._clock = Clock(loop.monotonic_ns, loop.utc_ns) if virtual else Clock()  # type: ignore[attr-defined]
        self._site, self._die_at, self.steps = site, die_at, 0
        found = alone(site.profile, site.simulation.addresses[ALONE])
        signals = {signal.id: signal for signal in found.signals.values()}
        commands = {spec.id: spec for spec in found.commands.values()}
        self.equipment = Equipment("site", "Site", signals, commands, phases=PHASES, devices={ALONE: ALONE})
        self.image = Image(signals.values())
        self.progress, token = remembered(site.journal)
        memory = Memory(self.equipment)
        memory.token = token
        self.outbox = Outbox(memory)
        self.run: PhaseRun | None = None
        self.connected = False
        self.reasons: list[str] = []
        self.faults: list[PhaseFault] = []
        self.dead = asyncio.Event()
        self.moved = asyncio.Event()
        self._inbox = Inbox(signals, ring=self._ring)
        self._timer: asyncio.TimerHandle | None = None
        self.log = Lines(loop.time)
        device = found.device
        self._supervisor = Supervisor(
            device, driver_for(device.protocol)(device), Shared(self._clock, self._inbox), self.log.log
        )

    async def __aenter__(self) -> "Controller":
        self._task = asyncio.create_task(self._supervisor.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._task.cancel()
        await asyncio.wait((self._task,))
        assert [line for line in self.log.lines if line[1] == "error"] == []

    # --- what is asked of it

    def enter(self, name: str = "work") -> None:
        """Begin a phase, or enter it again."""
        definition = self.equipment.phases[name]
        progress = self.progress if name == "work" else Progress()

        def note(kind: str, data: Mapping[str, Any]) -> None:
            self.outbox.note(kind, **data)
            progress.apply(kind, data)

        self.run = PhaseRun(definition, Surroundings(self.equipment, self.image, progress, note), self.outbox)
        self._soon()

    async def until(self, what: Any, limit_s: float = 20.0) -> bool:
        """Whether `what()` came to be true while it lived; it must, or die, within `limit_s`."""
        async with asyncio.timeout(limit_s):
            while not self.dead.is_set():
                if what():
                    return True
                self.moved.clear()
                await self.moved.wait()
        return False

    async def through(self, name: str = "work") -> str:
        """Work until the phase has ended; how: done, a person is asked, or dead. A fault is entered again."""
        if not await self.until(lambda: self.connected and self.image.read("device.comm_trip").good):
            return "dead"
        if name == "work" and self.image.read("device.comm_trip").value and await self.through("reset") == "dead":
            return "dead"
        self.enter(name)
        if not await self.until(self._over):
            return "dead"
        assert self.run is not None
        if self.run.ended is True:
            return "done"
        if isinstance(self.run.wait, ForAnswer):
            return "asked"
        assert isinstance(self.run.ended, PhaseFault)
        self.faults.append(self.run.ended)
        assert len(self.faults) < FAULTS_MAX, self.faults
        self.run.close()
        await asyncio.sleep(0.05)
        return await self.through(name)

    def _over(self) -> bool:
        return self.run is not None and (self.run.ended is not None or isinstance(self.run.wait, ForAnswer))

    # --- its turns

    def _ring(self, _: object) -> bool:
        self._soon()
        return True

    def _soon(self) -> None:
        asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        if self.dead.is_set():
            return
        try:
            self._work()
        except Killed:
            self.dead.set()
            self._task.cancel()
        self.moved.set()

    def _work(self) -> None:
        now = self.outbox.now = self.image.now_ns = self._clock.now()
        items = self._inbox.take()
        for item in items:
            match item:
                case Samples(samples):
                    for sample in samples:
                        self.image.take(sample)
                case Alive(device, time_ns, names):
                    self.image.confirm(device, time_ns, names)
                case LinkChanged(device, state, reason):
                    self.connected = state is LinkState.CONNECTED
                    self.reasons.append(reason)
                    if not self.connected:
                        self.image.lose(device, now, reason)
                        if self.run is not None:
                            self.run.lose(device, reason)
        self.image.expire(now)
        for item in items:
            if isinstance(item, Done) and self.run is not None:
                self.run.answer(item)
        if self.run is not None and self.run.ended is None:
            self.run.advance()
            self._wake(self.run.wake_at)
        effects = self.outbox.take()
        if effects:
            self._point()
        self._site.journal += [
            json.loads(json.dumps((one.kind, one.data))) for one in effects if isinstance(one, Entry)
        ]
        orders = [one for one in effects if isinstance(one, Write | Call)]
        if effects:
            self._point()
        for order in orders:
            self._supervisor.send(order)
        if items and self.run is not None:
            self._point()

    def _wake(self, at_ns: int | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if at_ns is not None:
            loop = asyncio.get_running_loop()
            delay_s = max(0.0, (at_ns - self._clock.now()) / 1e9)
            self._timer = loop.call_later(delay_s + 0.001, self._turn)

    def _point(self) -> None:
        self.steps += 1
        if self.steps == self._die_at:
            raise Killed


def remembered(journal: list[Any]) -> tuple[Progress, int]:
    """What the journal says of the phase, and the last token that may have been used."""
    progress, token = Progress(), 0
    for kind, data in journal:
        if kind == "tokens":
            token = data["reserved"]
        elif kind in OF_A_STEP:
            progress.apply(kind, data)
    return progress, token
