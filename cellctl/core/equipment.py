"""What the core is told about a cell, once, before it starts: the checked content of the cell's files as pure data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cellctl.core.condition import Condition
from cellctl.core.messages import CommandClass
from cellctl.core.packml import DEFAULT_MODES, Mode, ModeRule, State
from cellctl.core.parameter import Parameter
from cellctl.core.phase import PhaseDefinition
from cellctl.core.recipe import MasterRecipe
from cellctl.core.signal import Signal, Value


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A command of a device as the core sees it: `id` is ``device.name``.

    It is sent, then `until` must become true within `timeout_ns` on samples newer than the sending; `result` names
    the signals that are read then, in addition to what the device answered. Three conditions tell, once the device is
    back, what became of an execution with an unknown end: it took place (`probe`), it goes on (`running`), it never
    arrived (`unsent`; without it: whenever the others are false). `$token` and the arguments may stand in all of them,
    and in the last three ``$signal``, what that signal was when it was sent.
    """

    id: str
    command_class: CommandClass
    timeout_ns: int
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    until: Condition | None = None
    probe: Condition | None = None
    running: Condition | None = None
    unsent: Condition | None = None
    result: Mapping[str, str] = field(default_factory=dict)
    safe: bool = False  # sent by the core itself whenever the cell holds, stops or aborts

    def sent(self, arguments: Mapping[str, Value]) -> dict[str, Value]:
        """The arguments as they go to the device: names of choices replaced by what they stand for."""
        return {name: self.parameters[name].sent(value) for name, value in arguments.items()}


@dataclass(frozen=True, slots=True)
class Station:
    """A place that holds one part, and the devices that only one phase at a time may use there."""

    id: str
    uses: frozenset[str] = frozenset()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Interlock:
    """A condition that must hold; else the cell is held, suspended, stopped or aborted. Not a safety function."""

    id: str
    need: Condition
    reaction: str  # hold | suspend | stop | abort
    text: str
    do: str = ""


@dataclass(frozen=True, slots=True)
class AlarmSpec:
    """Something that needs a person: when, how urgent, and what to do. Nobody is told of it while `suppress` is known
    to be true. `words`: language -> what happened and what to do, if the files have several.
    """

    id: str
    when: Condition
    priority: str  # high | medium | low | info
    text: str
    do: str
    shelve_ns: int = 0
    suppress: Condition | None = None
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Equipment:
    """One cell: signals and commands by id, stations, interlocks, alarms, state procedures, phases, recipes."""

    id: str
    name: str
    signals: Mapping[str, Signal]
    commands: Mapping[str, CommandSpec] = field(default_factory=dict)
    stations: Mapping[str, Station] = field(default_factory=dict)
    interlocks: tuple[Interlock, ...] = ()
    alarms: tuple[AlarmSpec, ...] = ()
    states: Mapping[State, tuple[str, ...]] = field(default_factory=dict)  # phases that an acting state runs
    phases: Mapping[str, PhaseDefinition] = field(default_factory=dict)
    recipes: Mapping[str, MasterRecipe] = field(default_factory=dict)
    modes: Mapping[Mode, ModeRule] = field(default_factory=lambda: DEFAULT_MODES)
    devices: Mapping[str, str] = field(default_factory=dict)  # id -> name for people
    simulated: frozenset[str] = frozenset()

    def uses(self, phase: PhaseDefinition) -> frozenset[str]:
        """The devices that a phase needs for itself alone."""
        if phase.uses is not None:
            return phase.uses
        return self.stations[phase.station].uses if phase.station else frozenset()
