"""A cell on a bench: the real control, its real journal and drivers, and simulated devices, all in virtual time.

Two levels. *wire*: the drivers speak their real protocols, through the real stacks of both ends, over a network in
memory. *direct*: the drivers touch the devices; everything else is the same, and it is much quicker. The rule kept
here: the cell that is tested is the cell that runs; only the far end of the wire and the clock are others.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cellctl.core.messages import Action, Effect, Input, Operate, Receipt, Refused, Request
from cellctl.core.packml import Command
from cellctl.core.signal import Sample
from cellctl.core.view import View, view_of
from cellctl.driver import Device, Driver, DriverFactory
from cellctl.model import CellModel, Simulation, direct_driver_for, driver_for, simulators
from cellctl.records import Records, Written
from cellctl.runtime.clock import Clock
from cellctl.runtime.control import Control, Outside
from cellctl.runtime.journal import Journal
from cellctl.runtime.ledger import Row
from cellctl.runtime.recorder import Recorder
from cellctl.testing import report
from cellctl.testing.disk import COMMIT_S, BadDisk, LoopWriter, opened
from cellctl.testing.log import Lines
from cellctl.testing.lookout import Lookout
from cellctl.testing.names import command_of, known
from cellctl.testing.traffic.field import Field
from cellctl.testing.traffic.tap import TappedDriver
from cellctl.testing.virtual import VirtualLoop
from cellctl.testing.virtual.net import HOST
from cellctl.testing.watch import Seen, WatchedDriver, Watcher

#: A test that fails shows its own line, not those in here.
__tracebackhide__ = True

Level = Literal["direct", "wire"]

#: The name of the control process in the network in memory.
CONTROL = "control"

#: So many commits are waited for before somebody looks at the journal.
_COMMITS_MAX = 5

#: How long (virtual time) an answer of the cell may take, which waits for the disk.
ANSWER_S = 5.0

#: How long (virtual time) the devices may take until all of them are connected.
CONNECT_S = 60.0


class NotAccepted(AssertionError):  # noqa: N818 - what is the case
    """The cell refused what the operator of a test did, and the test did not expect it."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a bench is made of: the cell, the level, the seed of all that is random, and the state folder. With wires,
    somebody may listen in on them (`tapped`), and recordings stand in the place of devices (`replays`, by device).
    `record`: the flight recorder runs."""

    model: CellModel
    folder: Path
    level: Level = "direct"
    seed: int = 0
    tapped: bool = False
    replays: Mapping[str, Path | str] = field(default_factory=dict)
    record: bool = False


class Bench:
    """One cell under test, and all that a test asks of it. Belongs to a running `VirtualLoop`.

    `watchers` look on, besides `seen`, which every bench has.
    """

    def __init__(self, setup: Setup, watchers: Sequence[Watcher] = ()) -> None:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, VirtualLoop):
            raise TypeError("a bench belongs to a VirtualLoop")
        self.setup, self.loop = setup, loop
        self.disk = BadDisk(self._die, COMMIT_S)
        self.log = Lines(self.time_s)
        self.records = Records(setup.folder)
        self.seen = Seen(self.time_s)
        self.field = Field(self)
        self.watchers = tuple(watchers)
        self.by = "operator"
        self._begin_s = loop.time()
        self._simulation: Simulation | None = None
        self._control: Control | None = None
        self._running: asyncio.Task[None] | None = None
        self._writer: LoopWriter | None = None
        self.recorder: Recorder | None = None
        self.due = 0  # so much is still to happen
        self.answers: list[Any] = []  # what the cell says to the operator
        self._requests = 0
        self._lookouts: list[Lookout] = []
        self._stack = AsyncExitStack()

    # --- the run ----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> "Bench":
        setup, direct = self.setup, self.setup.level == "direct"
        simulation = simulators().simulation(setup.model, seed=setup.seed, direct=direct)
        self._simulation = await self._stack.enter_async_context(simulation)
        try:
            for device, recording in setup.replays.items():
                await self.field.replay(device, recording)
            await self.power_on()
            await self.wait_until(lambda: not self.control.cell.missing, CONNECT_S, "all devices are connected")
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.shut_down()
        finally:
            await self._stack.aclose()

    async def power_on(self) -> None:
        """Start control, as after a boot."""
        setup = self.setup
        self.log.muted, self.field.strict = False, True
        for watcher in self.watchers:
            watcher.begin()
        ledger = opened(setup.folder)
        journal = Journal(ledger, self._make_writer, monotonic_ns=self.loop.monotonic_ns)
        clock = Clock(self.loop.monotonic_ns, self.loop.utc_ns)
        self.recorder = Recorder(setup.folder, setup.model.folder) if setup.record else None
        outside = Outside(setup.folder, self.log.log, self._factory, clock, self._witness, self.recorder)
        self._control = Control(setup.model.simulated(self.simulation.addresses), journal, outside)
        ready = asyncio.Event()
        HOST.set(CONTROL)
        try:
            self._running = asyncio.create_task(self._control.run((), ready.set), name=CONTROL)
        finally:
            HOST.set("")
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait((waiting, self._running), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._running.done():
            self._running.result()
        await self.written()

    async def shut_down(self) -> None:
        """End control in order, as SIGTERM does; what failed in it is raised."""
        control, running = self._control, self._running
        if control is None or running is None:
            return
        for watcher in self.watchers:
            watcher.ending(control.journal.sequence)
        self.field.strict = False  # what the end asks of a recorded device need not have been recorded
        control.stop()
        await asyncio.wait((running,))
        assert self._writer is not None
        await self._writer.close(5.0)
        self._control = self._running = None
        if not running.cancelled():
            running.result()

    async def kill(self) -> None:
        """End control as `kill -9` does: nothing more is written, nothing more leaves, nothing is told."""
        self._die()
        running, self._control, self._running = self._running, None, None
        if running is not None:
            await asyncio.wait((running,))

    @property
    def alive(self) -> bool:
        """Whether control runs: it was not killed, and has not ended because its disk is ill."""
        ended = self._running is None or self._running.done()
        return not ended and self._control is not None and self._writer is not None and self._writer.alive

    def _die(self) -> None:
        """The process is gone, in this moment."""
        self.log.muted = True
        if self._writer is not None:
            self._writer.die()
        if self.recorder is not None:
            self.recorder.close()
        if self._control is not None:
            self._control.let_go()
        self.loop.net.power_off(CONTROL)
        if self._running is not None:
            self._running.cancel()

    def _make_writer(self, ledger: Any) -> LoopWriter:
        self._writer = LoopWriter(ledger, self.disk, self._keep)
        return self._writer

    def _factory(self, protocol: str) -> DriverFactory:
        def made(device: Device) -> Driver:
            if self.setup.level == "direct":
                driver = direct_driver_for(protocol)(device, self.simulation.contact(device.id))
            else:
                driver = driver_for(protocol)(device)
                if self.setup.tapped:
                    driver = TappedDriver(driver, self.field.tap(device.id))
            return WatchedDriver(driver, self.watchers) if self.watchers else driver

        return made

    def will_happen(self, in_s: float, what: Callable[[], None]) -> None:
        """Do something later; until then the cell does not stand still for good."""
        self.due += 1

        def happen() -> None:
            self.due -= 1
            what()

        self.loop.call_later(in_s, happen)

    # --- what it is like --------------------------------------------------------------------------------------

    @property
    def control(self) -> Control:
        """The running control; NotAccepted if it was killed."""
        if self._control is None:
            raise NotAccepted("control does not run: it was killed, or shut down")
        return self._control

    @property
    def simulation(self) -> Simulation:
        """The simulated devices."""
        assert self._simulation is not None
        return self._simulation

    def time_s(self) -> float:
        """Virtual seconds since the bench was set up."""
        return self.loop.time() - self._begin_s

    @property
    def state(self) -> str:
        """The PackML state, by its name."""
        return self.control.cell.state.title

    @property
    def view(self) -> View:
        """The cell as people see it."""
        return view_of(self.control.cell)

    def signal(self, name: str) -> Sample:
        """The last sample of a signal; UnknownName if there is none of that name."""
        return self.control.cell.image.read(known("signal", name, self.setup.model.equipment.signals))

    def entries(self, kind: str | None = None) -> list[Written]:
        """The entries of the journal, oldest first; only of `kind` if it is given."""
        self.flush()
        return self.records.entries(kind=kind, limit=10_000_000)

    def told(self, entries: int = 5) -> str:
        """What a person needs to know to see why it does not go on: state, causes, waits, and the last entries."""
        return report.told(self, entries)

    def flush(self) -> None:
        """Bring the journal's file up to date, before somebody reads it."""
        if self._writer is not None and self._writer.alive:
            self._writer.flush()

    # --- what is asked of it ----------------------------------------------------------------------------------

    async def submit(self, action: Action) -> Receipt | Refused:
        """Ask for something; the answer of the cell."""
        self._requests += 1
        return await self.control.submit(Request(f"test-{self._requests}", action, self.by, "test"))

    async def do(self, action: Action) -> Receipt:
        """Ask for something that must be accepted; NotAccepted if it is not."""
        answer = await self.submit(action)
        if isinstance(answer, Refused):
            raise NotAccepted(f"{_told(action)} was refused: {answer.reason}")
        return answer

    async def fire(self, command: Command | str) -> Receipt:
        """A PackML command that must be accepted."""
        return await self.do(Operate(command if isinstance(command, Command) else command_of(command)))

    def check_operator(self) -> None:
        """NotAccepted if something that the operator did was refused, and the test has not looked at it."""
        answers, self.answers = self.answers, []
        for answer in answers:
            if answer.refusal and not answer.seen:
                raise NotAccepted(answer.refusal)
            if not answer.seen and not answer.done:
                self.answers.append(answer)

    async def answered(self) -> None:
        """Until the cell has answered what the operator did last, if it still can."""
        await self.looked(lambda: not self.alive or all(answer.done for answer in self.answers), ANSWER_S)

    # --- waiting ----------------------------------------------------------------------------------------------

    async def wait_until(self, fulfilled: Callable[[], object], limit_s: float, what: str) -> None:
        """Wait, turn by turn, until `fulfilled()`; AssertionError after `limit_s`."""
        if not await self.looked(fulfilled, limit_s):
            raise AssertionError(f"not within {limit_s:g} s: {what}")

    async def looked(self, fulfilled: Callable[[], object], limit_s: float) -> bool:
        """Wait, turn by turn, until `fulfilled()`; False if it was not after `limit_s`."""
        lookout = Lookout(fulfilled, limit_s)
        self._lookouts.append(lookout)
        try:
            return await lookout.seen
        finally:
            lookout.close()
            self._lookouts.remove(lookout)

    async def written(self) -> None:
        """Until all that was decided so far is on disk, or the disk has had its time for it."""
        sequence, tries = self.control.journal.sequence, 0
        while self.alive and self.control.journal.committed < sequence and tries < _COMMITS_MAX:
            await asyncio.sleep(self.disk.commit_s)
            tries += 1

    def _witness(self, now: int, inputs: Sequence[Input], effects: Sequence[Effect]) -> None:
        if self._writer is not None and self._writer.alive:
            for watcher in (self.seen, *self.watchers):
                watcher.turn(now, inputs, effects)
        for lookout in self._lookouts:
            lookout.turned()

    def _keep(self, row: Row) -> None:
        for watcher in (self.seen, *self.watchers):
            watcher.kept(row)


def _told(action: Action) -> str:
    return action.command.title if isinstance(action, Operate) else type(action).__name__
