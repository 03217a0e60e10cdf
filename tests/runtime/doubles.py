"""A small cell around which the runtime is tested: two devices, and a core and drivers that do what a test says."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cellctl.core.equipment import Equipment
from cellctl.core.memory import Memory
from cellctl.core.messages import Call, CommandClass, Effect, Input, Operate, Receipt, Reply, Request, Samples, Write
from cellctl.core.packml import Command, State
from cellctl.core.signal import Image, Signal
from cellctl.driver import Device, Link, Order, Outcome, Point
from cellctl.runtime.control import Control
from cellctl.runtime.journal import Journal
from cellctl.runtime.ledger import Disk

FAR_NS = 4_000_000_000_000_000_000

SIGNALS = {
    signal.id: signal
    for signal in (
        Signal("oven.temp", "float", "degC", low=0, high=200),
        Signal("oven.door", "bool", latch="falling"),
        Signal("press.ready", "bool"),
    )
}


def write(
    number: int, *, signal: str = "oven.temp", kind: CommandClass = CommandClass.LEVEL, until: int = FAR_NS
) -> Write:
    return Write(number, signal, number, until, kind)


def call(number: int, *, device: str = "oven", name: str = "fire", kind: CommandClass = CommandClass.PULSE) -> Call:
    return Call(number, device, name, FAR_NS, command_class=kind)


@dataclass(frozen=True)
class View:
    """What clients see of the test cell."""

    state: str
    turns: int


class ScriptedCell:
    """A core that keeps every input and decides what `decide` says. A Stop brings it to Stopped."""

    def __init__(self, memory: Memory, *, state: State) -> None:
        self.image = Image(memory.equipment.signals.values())
        self.state, self.memory = state, memory
        self.outbox = SimpleNamespace(noted=0)
        self.operation = SimpleNamespace(causes=[], make_safe=lambda: None)
        self.inputs: list[Input] = []
        self.turns = 0
        self.wake_at = FAR_NS
        self.decide: Callable[[Input], Sequence[Effect]] = lambda item: ()

    def step(self, now: int, inputs: Sequence[Input]) -> list[Effect]:
        self.turns += 1
        effects: list[Effect] = []
        for item in inputs:
            self.inputs.append(item)
            match item:
                case Samples(samples):
                    for sample in samples:
                        self.image.take(sample)
                case Request(action=Operate(command=Command.STOP)):
                    self.state = State.STOPPED
                case Request(action=Operate(command=Command.ABORT)):
                    self.state = State.ABORTED
            effects += self.decide(item)
        return effects

    def awaits(self, happened: Input) -> bool:
        return True

    def view(self) -> View:
        return View(self.state.title, self.turns)

    def seen(self, kind: type) -> list[Any]:
        return [item for item in self.inputs if isinstance(item, kind)]


@dataclass
class ObedientDriver:
    """Connects at once, keeps and confirms every order."""

    device: Device
    orders: list[Order] = field(default_factory=list)
    link: Link | None = None

    async def run(self, link: Link) -> None:
        self.link = link
        link.up(self.device.id)
        while True:
            order = await link.order()
            self.orders.append(order)
            link.done(order, Outcome.CONFIRMED)


class HeldDisk(Disk):
    """Can be held, or fail."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.error = ""

    def before(self, last: int) -> None:
        self.free.wait(10)
        if self.error:
            raise sqlite3.OperationalError(self.error)


@dataclass(frozen=True)
class Model:
    equipment: Equipment
    devices: Mapping[str, Device]
    folder: Path = Path(__file__).parent


def model() -> Model:
    names = ("oven", "press")
    return Model(
        Equipment("test", "Test cell", SIGNALS, devices={name: name for name in names}),
        {
            name: Device(name, "test", "", {one.name: Point(one) for one in SIGNALS.values() if one.device == name})
            for name in names
        },
    )


def receipt(item: Input) -> Sequence[Effect]:
    return (Reply(Receipt(item.id, "done")),) if isinstance(item, Request) else ()


async def until(fulfilled: Callable[[], object], limit_s: float = 5.0) -> None:
    async with asyncio.timeout(limit_s):
        while not fulfilled():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.002)


@dataclass
class Running:
    """A control that runs with scripted core and obedient drivers."""

    control: Control
    folder: Path
    journal: Journal
    drivers: dict[str, ObedientDriver]
    task: asyncio.Task[None]

    @property
    def cell(self) -> ScriptedCell:
        return self.control.cell  # type: ignore[return-value]

    async def end(self) -> None:
        self.control.stop()
        await self.task
