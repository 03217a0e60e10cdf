"""Control: the process that runs one cell.

One inbox, one turn, one writer. A turn reads the time once, takes what waits, lets `Cell.step` decide, hands the
entries to the journal and the effects to the gate. The rules kept here: everything runs in one TaskGroup and ends in
order, each stage by a deadline; the loop and the journal live or die together; drivers and children may die alone.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TextIO

from cellctl.core.equipment import Equipment
from cellctl.core.messages import (
    Done,
    Effect,
    Entry,
    Input,
    Operate,
    Order,
    Outcome,
    Receipt,
    Refused,
    Request,
    Samples,
    Trouble,
)
from cellctl.core.packml import COMMANDS, Command, State
from cellctl.core.trouble import RESTART
from cellctl.core.view import view_of
from cellctl.driver import Device, DriverFactory
from cellctl.model.drivers import driver_for
from cellctl.records import Records
from cellctl.runtime import process
from cellctl.runtime.archive import KEEP_NS, Archiver
from cellctl.runtime.beginning import END, beginning
from cellctl.runtime.care import Care
from cellctl.runtime.children import Child, keep_running
from cellctl.runtime.clock import Clock
from cellctl.runtime.folder import claimed
from cellctl.runtime.gate import Gate, Ways
from cellctl.runtime.history import History
from cellctl.runtime.inbox import Inbox
from cellctl.runtime.journal import Journal, JournalError
from cellctl.runtime.ledger import Disk, Ledger
from cellctl.runtime.link import Shared
from cellctl.runtime.logs import Log, Logs
from cellctl.runtime.notify import Notify
from cellctl.runtime.recorder import Recorder
from cellctl.runtime.server import LinkServer, Published
from cellctl.runtime.supervisor import Supervisor
from cellctl.runtime.turns import Turns

#: The kind of the entry that says that the computer's time was set.
CLOCK = "clock"

#: Deadlines of the end: safe outputs, and the last entries on disk. Drivers and children have their own.
STOP_S = 5.0
FLUSH_S = 5.0

#: A reading that nobody waits for is taken at the latest after this long: screens are shown what is that old.
LOOK_NS = 100_000_000

#: A sequence number that no disk confirms.
NEVER = sys.maxsize

_AT_REST = frozenset({State.STOPPED, State.ABORTED})


#: What runs beside a cell for as long as it does: its name, and the coroutine.
Beside = tuple[str, Callable[[], Coroutine[Any, Any, None]]]


class Trial(Protocol):
    """A run in which things may go wrong on purpose: a disk and a clock that can, and what runs beside to say when."""

    @property
    def disk(self) -> Disk:
        """What stands between the journal and the disk."""

    @property
    def clock(self) -> Clock:
        """The clock of the process."""

    async def run(self, state: Path, log: Log) -> None:
        """Until cancelled."""


class Model(Protocol):
    """What control needs of a checked cell."""

    @property
    def folder(self) -> Path:
        """Where its files are."""

    @property
    def equipment(self) -> Equipment:
        """What the core is told."""

    @property
    def devices(self) -> Mapping[str, Device]:
        """What the drivers are told, by device."""


@dataclass(frozen=True, slots=True)
class Run:
    """How a cell is run: its state folder, the children kept running beside, what makes things go wrong, what else
    runs beside, the driver of each protocol, what is gone that was there (`beginning.PARTS`, `RECIPE`),
    and how long its journal keeps entries."""

    state: Path
    children: Sequence[Child] = ()
    trial: Trial | None = None
    beside: Sequence[Beside] = ()
    drivers: Callable[[str], DriverFactory] = driver_for
    gone: Collection[str] = ()
    keep_ns: int = KEEP_NS


def run(model: Model, how: Run, *, ready: Callable[[], None] = lambda: None, log: TextIO | None = None) -> None:
    """Run the cell of `model` in this process until SIGINT or SIGTERM; a second signal hurries.

    `ready` is called once when the link is served, `log` takes the lines of JSON (standard error if it is not given).
    StateError (StateInUse among them), JournalError and MisfitError are sentences for a person; AddressError comes
    from a driver.
    """
    real_time = process.prioritise()
    logs, notify = Logs(log or sys.stderr), Notify()

    def steady() -> None:
        logs.log.info("control is ready", real_time=real_time, frozen=process.freeze())
        notify.ready()
        ready()

    try:
        with asyncio.Runner(loop_factory=process.new_loop) as runner:
            runner.run(run_cell(model, how, logs.log, ready=steady, notify=notify))
            if late := asyncio.all_tasks(runner.get_loop()):
                logs.log.error("tasks do not end", names=[task.get_name() for task in late])
                logs.close()
                os._exit(1)
    finally:
        logs.close()


async def run_cell(
    model: Model, how: Run, log: Log, *, ready: Callable[[], None] = lambda: None, notify: Notify | None = None
) -> None:
    """As `run`, on the running loop, without touching the process but for its handlers of SIGINT and SIGTERM."""
    state, trial = how.state, how.trial
    beside: list[Beside] = [(child.name, partial(keep_running, child, log)) for child in how.children]
    beside += how.beside
    if trial is not None:
        beside.append(("trial", partial(trial.run, state, log)))
    with claimed(state):
        journal = Journal(Ledger(state, disk=trial.disk if trial else None))
        try:
            clock = trial.clock if trial else Clock()
            recorder = Recorder(state, model.folder, trouble=log.warning)
            outside = Outside(
                state, log, how.drivers, clock, recorder=recorder, gone=how.gone, keep_ns=how.keep_ns, space=True
            )
            control = Control(model, journal, outside)
            if notify is not None and notify.every_s is not None:
                beside.append(("watchdog", partial(control.told_alive, notify.alive, notify.every_s)))
            with _signals(control.stop):
                await control.run(beside, ready)
        finally:
            if not await journal.close(FLUSH_S):
                raise JournalError(f"The last entries of the journal in {state} could not be written.")


@dataclass(frozen=True, slots=True)
class Outside:
    """What control finds around it: the state folder, the log, the driver for each protocol, the clock, who is shown
    every turn (its time, what happened, what was decided), what records them all, what is gone that was there,
    how long entries are kept, and whether the free space of the disk is looked after."""

    state: Path
    log: Log
    drivers: Callable[[str], DriverFactory]
    clock: Clock = field(default_factory=Clock)
    witness: Callable[[int, Sequence[Input], Sequence[Effect]], None] = lambda now, inputs, effects: None
    recorder: Recorder | None = None
    gone: Collection[str] = ()
    keep_ns: int = KEEP_NS
    space: bool = False


class Control:
    """One run of one cell on a state folder that is claimed already. Belongs to the running loop."""

    def __init__(self, model: Model, journal: Journal, outside: Outside) -> None:
        equipment, state, log = model.equipment, outside.state, outside.log
        self.journal = journal
        self._log, self._clock, self._witness = log, outside.clock, outside.witness
        self._begin = beginning(Records(state), equipment)
        self.cell = self._begin.cell(self._clock.now(), outside.gone)
        self._recorder = outside.recorder
        self._turns = Turns(self._clock, self._turn, self._fail)
        self._inbox = Inbox(equipment.signals, ring=self._ring)
        self._history = History(state, equipment.signals, self._clock, trouble=lambda reason: log.warning(reason))
        self._archiver = Archiver(state, outside.keep_ns, self._clock, trouble=lambda reason: log.warning(reason))
        self._aside: list[History | Recorder | Archiver] = [self._history, self._archiver]
        if self._recorder is not None:
            self._aside.append(self._recorder)
        self._server = LinkServer(state, Published(partial(view_of, self.cell), self.cell.image), self._inbox.put, log)
        shared = Shared(self._clock, self._inbox)
        self._supervisors = {
            device.id: Supervisor(device, outside.drivers(device.protocol)(device), shared, log)
            for device in model.devices.values()
        }
        self._gate = Gate(Ways(self._send, self._server.answer, self._inbox.put))
        self._outside: list[asyncio.Task[None]] = []
        self._stopping, self._rest = asyncio.Event(), asyncio.Event()
        self._failure: Exception | None = None
        self._care = Care(journal, self._clock, log, self._inbox.put)
        self._care.stepped = lambda step_ns: self._write(Entry(CLOCK, {"step_ns": step_ns}))
        if outside.space:
            self._care.keep_space(state)

    def stop(self) -> None:
        """End in order; said again: at once."""
        if self._stopping.is_set():
            self._rest.set()
            for task in self._outside:
                task.cancel()
        self._stopping.set()

    def let_go(self) -> None:
        """What the kernel does with the files of a process that is gone."""
        self._history.let_go()
        self._archiver.close()

    async def submit(self, request: Request) -> Receipt | Refused:
        """The answer of the cell to a request from within this process."""
        return await self._server.ask(request)

    async def run(self, beside: Sequence[Beside], ready: Callable[[], None]) -> None:
        """Until `stop`, or until the cell or its journal fails: then what failed is raised. `beside` is ended first."""
        asyncio.get_running_loop().set_exception_handler(self._unexpected)
        if self._recorder is not None:
            self._recorder.begin(self.cell, self._clock.now())
        self.journal.start(committed=self._committed, failing=self._care.failing, idle=self._tidy, end=self._put_away)
        self._write(self._begin.entry)
        await self._server.open()
        try:
            async with asyncio.TaskGroup() as group:
                self._turns.start()
                if not self._begin.clean:
                    self._inbox.put(Trouble(RESTART, True))
                    self._inbox.put(Trouble(RESTART, False))
                looking = group.create_task(self._care.run(), name="care")
                self._outside += [group.create_task(one.run(), name="device") for one in self._supervisors.values()]
                self._outside += [group.create_task(one(), name=name) for name, one in beside]
                ready()
                await self._stopping.wait()
                await self._stop_cell()
                await _cancelled(self._outside)
                await _cancelled([looking])
        finally:
            self._turns.stop()
            await self._server.close()
        if self._failure:
            raise self._failure
        self._turn()
        self._write(Entry(END, {"state": self.cell.state.title}))

    async def told_alive(self, tell: Callable[[], None], every_s: float) -> None:
        """Tell, again and again, that the cell takes its turns: only when it has taken one since it was told last."""
        while True:
            before = self._turns.taken
            self._turns.ring()
            await asyncio.sleep(every_s)
            if self._turns.taken > before:
                tell()

    # --- the turn ---------------------------------------------------------------------------------------------

    def _ring(self, item: Input) -> bool:
        """Something came: a turn at once, if something may come of it; whether it is so."""
        if self.cell.awaits(item):
            self._turns.ring()
            return True
        self._turns.within(LOOK_NS)
        return False

    def _turn(self) -> int:
        """One turn; when the cell wants the next."""
        now = self._clock.now()
        inputs = self._inbox.take()
        effects = self.cell.step(now, inputs)
        self._witness(now, inputs, effects)
        if self._recorder is not None:
            self._recorder.turn(now, inputs, effects)
        entries = [effect for effect in effects if isinstance(effect, Entry)]
        try:
            sequence = self.journal.append(now, entries)
        except JournalError:
            self._gate.put(effects, NEVER)
            raise
        self._gate.put(effects, sequence)
        for item in inputs:
            if isinstance(item, Samples):
                self._history.put(item.samples)
        if self._stopping.is_set() and self.cell.state in _AT_REST:
            self._rest.set()
        return self.cell.wake_at

    def _fail(self, error: Exception) -> None:
        self._log.error("the cell failed", exc_info=error)
        self._failure = error
        self._rest.set()
        self._stopping.set()

    def _send(self, order: Order) -> None:
        if supervisor := self._supervisors.get(order.device):
            supervisor.send(order)
        else:
            self._inbox.put(Done(order.id, Outcome.NOT_SENT, reason=f"there is no device {order.device}"))

    # --- in the journal's thread ------------------------------------------------------------------------------

    def _tidy(self) -> float:
        """What is written when no decision waits for the disk."""
        return min([each.work() for each in self._aside])

    def _put_away(self) -> None:
        for each in self._aside:
            each.close()

    # --- journal and clock ------------------------------------------------------------------------------------

    def _write(self, entry: Entry) -> None:
        self.journal.append(self._clock.now(), [entry])

    def _committed(self, sequence: int) -> None:
        self._care.committed()
        self._gate.committed(sequence)

    # --- the end ----------------------------------------------------------------------------------------------

    async def _stop_cell(self) -> None:
        """No more requests; bring the cell to Stopped, with safe outputs."""
        self._log.info("control ends")
        self._server.refuse("the cell is being shut down")
        if self.cell.state in COMMANDS[Command.STOP][0]:
            request = f"control-stop-{self._clock.now()}"  # never one of a run before
            self._inbox.put(Request(request, Operate(Command.STOP), by="control", via="shut down"))
        self._turns.ring()
        try:
            async with asyncio.timeout(STOP_S):
                await self._rest.wait()
        except TimeoutError:
            self._log.error("the cell does not stop in time", state=self.cell.state.title)

    def _unexpected(self, _: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        self._log.error(str(context.get("message")), exc_info=context.get("exception"))


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
