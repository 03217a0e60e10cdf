"""A cell on a bench: the pure core with devices that answer every order by a rule, and time that jumps.

`Bench` is a whole cell; `Solo` is one phase alone, whose orders the test answers by hand.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from cellctl.core.cell import Cell
from cellctl.core.condition_text import parse
from cellctl.core.context import PartView, Surroundings
from cellctl.core.equipment import AlarmSpec, CommandSpec, Equipment, Interlock, Station
from cellctl.core.execution import PhaseRun
from cellctl.core.memory import Memory
from cellctl.core.memory_plain import fold, plain
from cellctl.core.messages import (
    Action,
    AddJob,
    Call,
    CommandClass,
    Done,
    Effect,
    Entry,
    Input,
    LinkChanged,
    LinkState,
    Operate,
    Outcome,
    Reply,
    Request,
    Sample,
    Samples,
    StartChangeover,
    Write,
)
from cellctl.core.outbox import Outbox
from cellctl.core.packml import Command, State
from cellctl.core.parameter import Parameter
from cellctl.core.phase import PhaseDefinition, phase
from cellctl.core.procedure import PhaseStep, Sequence
from cellctl.core.progress import Progress
from cellctl.core.recipe import MasterRecipe
from cellctl.core.signal import Image, Quality, Signal, Value
from cellctl.core.site import Site
from cellctl.core.view import View, view_of

MS = 1_000_000
S = 1_000_000_000

SIGNALS = {
    signal.id: signal
    for signal in (
        Signal("plc.guard", "bool"),
        Signal("plc.air", "float", "bar"),
        Signal("plc.infeed", "bool"),
        Signal("laser.power", "float", "W", writable=True, low=0, high=2000, verify=1),
        Signal("laser.ready", "bool"),
        Signal("laser.last", "int"),
        Signal("laser.seen", "int"),
        Signal("laser.peak", "float", "W"),
        Signal("plc.clamp", "bool", writable=True, verify=0, safe=None),
        Signal("plc.horn", "bool", writable=True, safe=False),
        Signal("plc.name", "text", writable=True, verify=0),
        Signal("plc.count", "int", writable=True, verify=0),
    )
}
COMMANDS = {
    spec.id: spec
    for spec in (
        CommandSpec("laser.on", CommandClass.LEVEL, S, until=parse("laser.ready", signals=SIGNALS)),
        CommandSpec("laser.off", CommandClass.STOP, S, safe=True),
        CommandSpec(
            "laser.fire",
            CommandClass.PULSE,
            2 * S,
            {"time": Parameter("time", "float", "ms", 10, 200)},
            probe=parse("laser.last == $token", signals=SIGNALS),
            result={"peak": "laser.peak"},
        ),
        CommandSpec(
            "laser.mark",
            CommandClass.PULSE,
            2 * S,
            until=parse("laser.last == $token", signals=SIGNALS),
            probe=parse("laser.last == $token", signals=SIGNALS),
            running=parse("laser.seen == $token and laser.ready", signals=SIGNALS),
            unsent=parse("laser.seen == $seen and laser.seen != 0", signals=SIGNALS),
            result={"peak": "laser.peak"},
        ),
        CommandSpec(
            "laser.stamp",
            CommandClass.PULSE,
            2 * S,
            probe=parse("laser.seen != $seen", signals=SIGNALS),
            result={"peak": "laser.peak"},
        ),
        CommandSpec(
            "robot.goto", CommandClass.LEVEL, S, {"point": Parameter("point", "int", choices={"a": 1, "b": 2})}
        ),
        CommandSpec("robot.punch", CommandClass.PULSE, S),
        CommandSpec(
            "robot.take",
            CommandClass.LEVEL,
            S,
            until=parse("laser.ready", signals=SIGNALS),
            result={"peak": "laser.peak", "last": "laser.last"},
        ),
        CommandSpec(
            "robot.feed",
            CommandClass.PULSE,
            3 * S,
            until=parse("laser.last == $token and laser.ready", signals=SIGNALS),
            result={"peak": "laser.peak"},
        ),
    )
}


def equipment(
    *phases: PhaseDefinition,
    procedure: Sequence | None = None,
    on_fault: Mapping[str, str] = {},
    states: Mapping[State, tuple[str, ...]] = {},
    **recipe: Any,
) -> Equipment:
    """A small cell with two stations, three devices, and one recipe `r` that runs the phases in their order."""
    steps = tuple(PhaseStep(phase.name, phase.name, on_fault=on_fault) for phase in phases if phase.station)
    made = MasterRecipe("r", "1", procedure=procedure or Sequence(steps), **recipe)
    return Equipment(
        id="c1",
        name="Cell 1",
        signals=SIGNALS,
        commands=COMMANDS,
        stations={"s1": Station("s1", frozenset({"laser", "robot"})), "s2": Station("s2", frozenset({"plc"}))},
        interlocks=(
            Interlock("guard", parse("plc.guard", signals=SIGNALS), "abort", "The guard is open", "Close it."),
            Interlock("air", parse("plc.air > 5 bar for 1 s", signals=SIGNALS), "hold", "Air is low"),
            Interlock("infeed", parse("plc.infeed", signals=SIGNALS), "suspend", "No parts"),
        ),
        alarms=(AlarmSpec("hot", parse("laser.peak > 1900 W", signals=SIGNALS), "high", "Too hot", "Wait."),),
        states=states,
        phases={phase.name: phase for phase in phases},
        recipes={"r": made, "other": MasterRecipe("other", "1")},
        devices={"plc": "The PLC", "laser": "The laser", "robot": "The robot"},
    )


class Bench:
    """Steps a cell; every order is answered after 10 ms by `answers[device.name]`, or CONFIRMED."""

    def __init__(self, made_of: Equipment, *, state: State = State.STOPPED, connected: bool = True) -> None:
        self.cell = Cell(Memory(made_of), state=state)
        self.now = 1_700_000_000 * S
        self.orders: list[Write | Call] = []
        self.entries: list[Entry] = []
        self.replies: list[Reply] = []
        self.answers: dict[str, Callable[[Write | Call], Done | None]] = {}
        self.values: dict[str, Value] = {
            "plc.guard": True, "plc.air": 6.0, "plc.infeed": True, "laser.power": 0.0, "laser.ready": True,
            "laser.last": 0, "laser.peak": 1400.0, "plc.clamp": False, "plc.horn": False, "plc.name": "x",
            "plc.count": 0,
        }  # fmt: skip
        self.silent: set[str] = set()
        self.twin = Memory(made_of)  # what a start would fold of the journal
        self._due: list[tuple[int, Done]] = []
        self._requests = 0
        if connected:
            self.connect("plc", "laser", "robot")
            self.advance(1.2)

    def connect(self, *devices: str) -> None:
        self.step(*(LinkChanged(device, LinkState.CONNECTED) for device in devices))

    def lose(self, device: str, reason: str = "cable") -> None:
        self.silent.add(device)
        self.step(LinkChanged(device, LinkState.LOST, reason))

    def back(self, device: str) -> None:
        self.silent.discard(device)
        self.connect(device)

    def step(self, *inputs: Input) -> list[Effect]:
        effects = self.cell.step(self.now, inputs)
        for effect in effects:
            match effect:
                case Write() | Call():
                    self.orders.append(effect)
                    name = effect.signal if isinstance(effect, Write) else f"{effect.device}.{effect.name}"
                    answer = self.answers.get(name, confirm)(effect)
                    if answer is not None:
                        self.later(0, answer)
                    if isinstance(effect, Write) and answer is not None and answer.outcome is Outcome.CONFIRMED:
                        self.values[effect.signal] = effect.value
                case Entry():
                    self.entries.append(effect)
                case Reply():
                    self.replies.append(effect)
        self._fold([effect for effect in effects if isinstance(effect, Entry)])
        return effects

    def _fold(self, entries: list[Entry]) -> None:
        """The memory of a cell is the fold of its journal, after every step of every test."""
        for entry in entries:
            self.twin = fold(self.twin, entry.kind, json.loads(json.dumps(entry.data)), self.now)
        assert not entries or plain(self.twin) == plain(self.cell.memory)

    def advance(self, seconds: float, tick: int = 10 * MS) -> None:
        """Let time pass in ticks; all signals of devices that are not silent are sampled at each."""
        end = self.now + round(seconds * S)
        while self.now < end:
            self.now += tick
            due = [done for at, done in self._due if at <= self.now]
            self._due = [(at, done) for at, done in self._due if at > self.now]
            self.step(self.samples(), *due)

    def later(self, ms: float, done: Done) -> None:
        """Give this answer at the first tick when `ms` have passed."""
        self._due.append((self.now + round(ms * MS), done))

    def samples(self) -> Samples:
        return Samples(
            tuple(
                Sample(name, value, Quality.GOOD, self.now, self.now)
                for name, value in self.values.items()
                if name.partition(".")[0] not in self.silent
            )
        )

    def ask(self, action: Action, request_id: str = "") -> Reply:
        self._requests += 1
        self.step(Request(request_id or f"q{self._requests}", action, "anna", "test"))
        return self.replies[-1]

    def fire(self, command: Command) -> Reply:
        return self.ask(Operate(command))

    def fire_effects(self, command: Command) -> list[Effect]:
        """Fire a command; all that the turn decided."""
        self._requests += 1
        return self.step(Request(f"q{self._requests}", Operate(command), "anna", "test"))

    def produce(self, quantity: int = 1, seconds: float = 0) -> None:
        """Load recipe `r`, order parts, set the cell going, and let `seconds` pass in Execute."""
        self.ask(StartChangeover("r"))
        self.ask(AddJob("J", "r", quantity))
        self.start()
        self.advance(seconds)

    def start(self) -> None:
        """From Stopped or Completed to Execute."""
        self.fire(Command.RESET)
        self.until(State.IDLE)
        self.fire(Command.START)
        assert State.EXECUTE.title in self.states()

    def until(self, state: State, seconds: float = 10) -> None:
        for _ in range(round(seconds * 100)):
            if self.cell.state is state:
                return
            self.advance(0.01)
        raise AssertionError(f"{self.cell.state.title}, not {state.title}: {self.view().why}")

    def view(self) -> View:
        return view_of(self.cell)

    def sent(self, name: str) -> list[Write | Call]:
        return [
            order
            for order in self.orders
            if name == (order.signal if isinstance(order, Write) else f"{order.device}.{order.name}")
        ]

    def states(self) -> list[object]:
        """The states that the cell went through, by name."""
        return [entry["state"] for entry in self.noted("state")]

    def noted(self, kind: str) -> list[Mapping[str, object]]:
        return [entry.data for entry in self.entries if entry.kind == kind]


Code = Callable[[Any], Any]


def made(code: Code, **faults: tuple[str, ...]) -> PhaseDefinition:
    """A phase `p` that runs `code`."""

    async def p(c):
        await code(c)

    return phase(faults=faults)(p)


def run(code: Code, **faults: tuple[str, ...]) -> "Solo":
    """`code` as a phase alone, begun."""
    return Solo(made(code, **faults))


class Solo:
    """One phase alone. `go` lets time pass, `done` answers the order that is on its way, `enter` begins anew."""

    def __init__(self, definition: PhaseDefinition, part: PartView | None = None, **parameters: Value) -> None:
        self.definition = definition
        self.equipment = equipment(definition)
        self.image = Image(SIGNALS.values())
        self.outbox = site_of().outbox
        self.progress = Progress()
        self.notes: list[tuple[str, Mapping[str, Any]]] = []
        self.now = 1_700_000_000 * S
        self.orders: list[Write | Call] = []
        self._part = part
        self._parameters = parameters
        self.tell({"laser.ready": False, "laser.last": 0, "laser.peak": 1400.0, "laser.power": 0.0})
        self.enter()

    def enter(self) -> "Solo":
        """Begin the phase, or enter it again with the memory that it has."""
        around = Surroundings(self.equipment, self.image, self.progress, self._note, self._part, dict(self._parameters))
        self.run = PhaseRun(self.definition, around, self.outbox)
        return self.go()

    def go(self, ms: float = 0, values: Mapping[str, Value] | None = None) -> "Solo":
        """Let time pass, have signals sampled, and let the phase go on as far as it can."""
        self.now += round(ms * MS)
        self.tell(values or {})
        self.run.advance()
        self.take()
        return self

    def tell(self, values: Mapping[str, Value], quality: Quality = Quality.GOOD) -> None:
        self.outbox.now = self.image.now_ns = self.now
        for name, value in values.items():
            self.image.take(Sample(name, value, quality, self.now, self.now))

    def done(self, outcome: Outcome = Outcome.CONFIRMED, reason: str = "", **result: Value) -> "Solo":
        """Answer the last order."""
        self.run.answer(Done(self.orders[-1].id, outcome, result, reason))
        return self.go()

    def close(self) -> list[Write | Call]:
        """Close the phase from outside; what was sent because of it."""
        before = len(self.orders)
        self.run.close()
        self.take()
        return self.orders[before:]

    def take(self) -> None:
        for effect in self.outbox.take():
            match effect:
                case Write() | Call():
                    self.orders.append(effect)
                case Entry(kind, data):
                    self.notes.append((kind, data))

    @property
    def fault(self) -> tuple[str, str]:
        """The kind and the text of the fault that ended the phase."""
        ended = self.run.ended
        assert not isinstance(ended, bool | None), ended
        return ended.kind, ended.text

    @property
    def waits(self) -> list[str]:
        return list(self.run.waits_for())

    def noted(self, kind: str) -> list[Mapping[str, Any]]:
        return [data for name, data in self.notes if name == kind]

    def _note(self, kind: str, data: Mapping[str, Any]) -> None:
        self.outbox.note(kind, **data)
        self.progress.apply(kind, data)


def site_of(*phases: PhaseDefinition, token: int = 0) -> Site:
    """What a small cell stands on; its memory knows of the tokens up to `token`."""
    memory = Memory(equipment(*phases))
    memory.token = token
    return Site(memory.equipment, Image(SIGNALS.values()), memory, Outbox(memory))


def confirm(order: Write | Call) -> Done:
    verified = isinstance(order, Write) and SIGNALS[order.signal].verify is not None
    return Done(order.id, Outcome.CONFIRMED, {"read_back": order.value} if verified else {})


def refuse(order: Write | Call) -> Done:
    return Done(order.id, Outcome.REFUSED, reason="device says no")


def never(order: Write | Call) -> None:
    return None


def unknown(order: Write | Call) -> Done:
    return Done(order.id, Outcome.UNKNOWN, reason="timeout")
