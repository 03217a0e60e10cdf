"""A cell on a bench: the pure core with devices that answer every order by a rule, and time that jumps."""

from collections.abc import Callable, Mapping

from cellctl.core.cell import Cell
from cellctl.core.condition_text import parse
from cellctl.core.equipment import AlarmSpec, CommandSpec, Equipment, Interlock, Station
from cellctl.core.messages import (
    Action,
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
    Write,
)
from cellctl.core.packml import Command, State
from cellctl.core.parameter import Parameter
from cellctl.core.phase import PhaseDefinition
from cellctl.core.procedure import PhaseStep, Sequence
from cellctl.core.recipe import MasterRecipe
from cellctl.core.signal import Quality, Signal, Value

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
        Signal("laser.peak", "float", "W"),
        Signal("plc.clamp", "bool", writable=True, verify=0, safe=None),
        Signal("plc.horn", "bool", writable=True, safe=False),
        Signal("plc.name", "text", writable=True),
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
            "robot.goto", CommandClass.LEVEL, S, {"point": Parameter("point", "int", choices={"a": 1, "b": 2})}
        ),
        CommandSpec("robot.punch", CommandClass.PULSE, S),
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
    wip: int = 1,
    states: Mapping[State, tuple[str, ...]] = {},
) -> Equipment:
    """A small cell with two stations, three devices, and one recipe `r` that runs the phases in their order."""
    steps = procedure or Sequence(tuple(PhaseStep(phase.name, phase.name) for phase in phases if phase.station))
    recipe = MasterRecipe("r", "1", wip=wip, procedure=steps)
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
        recipes={"r": recipe, "other": MasterRecipe("other", "1")},
        devices={"plc": "The PLC", "laser": "The laser", "robot": "The robot"},
    )


class Bench:
    """Steps a cell; every order is answered after 10 ms by `answers[device.name]`, or CONFIRMED."""

    def __init__(self, made_of: Equipment, *, state: State = State.STOPPED, connected: bool = True) -> None:
        self.cell = Cell(made_of, state=state)
        self.now = 1_700_000_000 * S
        self.orders: list[Write | Call] = []
        self.entries: list[Entry] = []
        self.replies: list[Reply] = []
        self.answers: dict[str, Callable[[Write | Call], Done | None]] = {}
        self.values: dict[str, Value] = {
            "plc.guard": True, "plc.air": 6.0, "plc.infeed": True, "laser.power": 0.0, "laser.ready": True,
            "laser.last": 0, "laser.peak": 1400.0, "plc.clamp": False, "plc.horn": False, "plc.name": "x",
        }  # fmt: skip
        self.silent: set[str] = set()
        self._due: list[Done] = []
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
                        self._due.append(answer)
                    if isinstance(effect, Write) and answer is not None and answer.outcome is Outcome.CONFIRMED:
                        self.values[effect.signal] = effect.value
                case Entry():
                    self.entries.append(effect)
                case Reply():
                    self.replies.append(effect)
        return effects

    def advance(self, seconds: float, tick: int = 10 * MS) -> None:
        """Let time pass in ticks; all signals of devices that are not silent are sampled at each."""
        end = self.now + round(seconds * S)
        while self.now < end:
            self.now += tick
            due, self._due = self._due, []
            self.step(self.samples(), *due)

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

    def until(self, state: State, seconds: float = 10) -> None:
        for _ in range(round(seconds * 100)):
            if self.cell.state is state:
                return
            self.advance(0.01)
        raise AssertionError(f"{self.cell.state.title}, not {state.title}: {self.cell.view().why}")

    def sent(self, name: str) -> list[Write | Call]:
        return [
            order
            for order in self.orders
            if name == (order.signal if isinstance(order, Write) else f"{order.device}.{order.name}")
        ]

    def noted(self, kind: str) -> list[Mapping[str, object]]:
        return [entry.data for entry in self.entries if entry.kind == kind]


def confirm(order: Write | Call) -> Done:
    return Done(order.id, Outcome.CONFIRMED)


def refuse(order: Write | Call) -> Done:
    return Done(order.id, Outcome.REFUSED, reason="device says no")


def never(order: Write | Call) -> None:
    return None


def unknown(order: Write | Call) -> Done:
    return Done(order.id, Outcome.UNKNOWN, reason="timeout")
