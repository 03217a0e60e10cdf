"""The PackML state machine of ISA-TR88.00.02-2022 as tables, driven by a synchronous `transitions.Machine`.

Everything that decides which state follows which lives here: the states, the commands, the table, the modes with
their disabled states, and the rule of the mode change. The diagram in the docs is drawn from these tables. The
numbers are those that PackTags and OPC 30050 publish.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from transitions import Machine


class State(IntEnum):
    """The seventeen states of the base state model."""

    CLEARING = 1
    STOPPED = 2
    STARTING = 3
    IDLE = 4
    SUSPENDED = 5
    EXECUTE = 6
    STOPPING = 7
    ABORTING = 8
    ABORTED = 9
    HOLDING = 10
    HELD = 11
    UNHOLDING = 12
    SUSPENDING = 13
    UNSUSPENDING = 14
    RESETTING = 15
    COMPLETING = 16
    COMPLETED = 17

    @property
    def title(self) -> str:
        """The published name, such as ``Execute``."""
        return self.name.capitalize()


class Command(IntEnum):
    """The ten commands."""

    RESET = 1
    START = 2
    STOP = 3
    HOLD = 4
    UNHOLD = 5
    SUSPEND = 6
    UNSUSPEND = 7
    ABORT = 8
    CLEAR = 9
    COMPLETE = 10

    @property
    def title(self) -> str:
        """The published name, such as ``Unhold``."""
        return self.name.capitalize()


class Mode(IntEnum):
    """The unit modes that every cell knows; 4 to 7 follow OMAC practice (as OPC 30060 numbers them)."""

    PRODUCTION = 1
    MAINTENANCE = 2
    MANUAL = 3
    CHANGEOVER = 4
    CLEAN = 5
    SET_UP = 6
    EMPTY_OUT = 7

    @property
    def title(self) -> str:
        """The name as people read it, such as ``Set up``."""
        return self.name.replace("_", " ").capitalize()


S, C = State, Command

#: Where an acting state ends by itself ("state complete").
STATE_COMPLETE: Mapping[State, State] = {
    S.CLEARING: S.STOPPED,
    S.STARTING: S.EXECUTE,
    S.STOPPING: S.STOPPED,
    S.ABORTING: S.ABORTED,
    S.HOLDING: S.HELD,
    S.UNHOLDING: S.EXECUTE,
    S.SUSPENDING: S.SUSPENDED,
    S.UNSUSPENDING: S.EXECUTE,
    S.RESETTING: S.IDLE,
    S.COMPLETING: S.COMPLETED,
}

#: command -> (states in which it is legal, the state it leads to).
COMMANDS: Mapping[Command, tuple[frozenset[State], State]] = {
    C.RESET: (frozenset({S.STOPPED, S.COMPLETED}), S.RESETTING),
    C.START: (frozenset({S.IDLE}), S.STARTING),
    C.STOP: (frozenset(S) - {S.CLEARING, S.STOPPED, S.STOPPING, S.ABORTING, S.ABORTED}, S.STOPPING),
    C.HOLD: (frozenset({S.EXECUTE, S.SUSPENDED}), S.HOLDING),
    C.UNHOLD: (frozenset({S.HELD}), S.UNHOLDING),
    C.SUSPEND: (frozenset({S.EXECUTE}), S.SUSPENDING),
    C.UNSUSPEND: (frozenset({S.SUSPENDED}), S.UNSUSPENDING),
    C.ABORT: (frozenset(S) - {S.ABORTING, S.ABORTED}, S.ABORTING),
    C.CLEAR: (frozenset({S.ABORTED}), S.CLEARING),
    C.COMPLETE: (frozenset({S.EXECUTE, S.SUSPENDED, S.HELD}), S.COMPLETING),
}

#: States that no mode may disable.
MANDATORY = frozenset({S.STOPPED, S.IDLE, S.EXECUTE, S.ABORTED})

#: States in which the mode may be changed unless the cell says otherwise.
MODE_CHANGE = frozenset({S.STOPPED, S.IDLE, S.ABORTED})

_SUSPEND = frozenset({S.SUSPENDING, S.SUSPENDED, S.UNSUSPENDING})
_COMPLETE = frozenset({S.COMPLETING, S.COMPLETED})
_HOLD = frozenset({S.HOLDING, S.HELD, S.UNHOLDING})

#: A wait state that must exist if any of the acting states around it does.
_NEEDED_BY: Mapping[State, frozenset[State]] = {
    S.HELD: frozenset({S.HOLDING, S.UNHOLDING}),
    S.SUSPENDED: frozenset({S.SUSPENDING, S.UNSUSPENDING}),
    S.COMPLETED: frozenset({S.COMPLETING}),
}


@dataclass(frozen=True, slots=True)
class ModeRule:
    """What a mode leaves out, and in which states it may be entered or left."""

    disabled: frozenset[State] = frozenset()
    change_in: frozenset[State] = MODE_CHANGE

    def __post_init__(self) -> None:
        if wrong := sorted(self.disabled & MANDATORY):
            raise ValueError(f"{wrong[0].title} cannot be disabled")
        for wait, acting in _NEEDED_BY.items():
            if wait in self.disabled and (left := sorted(acting - self.disabled)):
                raise ValueError(f"{wait.title} cannot be disabled while {left[0].title} is enabled")


#: The usual reductions: nothing is suspended or completed by hand, and nothing is held in manual mode.
DEFAULT_MODES: Mapping[Mode, ModeRule] = {
    Mode.PRODUCTION: ModeRule(),
    Mode.MAINTENANCE: ModeRule(_SUSPEND | _COMPLETE),
    Mode.MANUAL: ModeRule(_SUSPEND | _COMPLETE | _HOLD),
}


class _Model:
    """What `transitions` keeps the state in; its triggers are dynamic, so `PackML` alone speaks to it."""

    state: State


class PackML:
    """One state machine in one mode. Commands that are not legal change nothing and say why."""

    def __init__(
        self,
        state: State = State.STOPPED,
        modes: Mapping[Mode, ModeRule] = DEFAULT_MODES,
        mode: Mode = Mode.PRODUCTION,
    ) -> None:
        self.mode = mode
        self._modes = modes
        self._model = _Model()
        self._machine = Machine(
            self._model,
            states=State,
            transitions=[*_by_command(), *_by_completion()],
            initial=state,
            auto_transitions=False,
            send_event=False,
        )

    def __reduce__(self) -> tuple[type["PackML"], tuple[State, Mapping[Mode, ModeRule], Mode]]:
        """A copy needs no more: the machine itself is made of the tables."""
        return PackML, (self.state, self._modes, self.mode)

    @property
    def state(self) -> State:
        """The current state."""
        return self._model.state

    @property
    def disabled(self) -> frozenset[State]:
        """The states that the current mode leaves out."""
        return self._modes[self.mode].disabled

    def legal(self) -> tuple[Command, ...]:
        """The commands that the current state and mode accept, in their published order."""
        return tuple(command for command in Command if self.refusal(command) is None)

    def refusal(self, command: Command) -> str | None:
        """Why `command` would be refused now, or None if it is legal."""
        sources, target = COMMANDS[command]
        if self.state not in sources:
            return f"{command.title} is not possible in state {self.state.title}"
        if self._destination(target) in self.disabled:
            return f"{command.title} is not possible in mode {self.mode.title}: it has no state {target.title}"
        return None

    def fire(self, command: Command) -> str | None:
        """Perform `command`; None if it was done, else why it was refused."""
        reason = self.refusal(command)
        if reason is None:
            self._trigger(command.name.lower())
            self._pass_disabled()
        return reason

    def complete_state(self, state: State) -> bool:
        """State complete: leave the acting state `state`; False if the machine is no longer in it."""
        if self.state is not state or state not in STATE_COMPLETE:
            return False
        self._trigger("state_complete")
        return True

    def mode_refusal(self, mode: Mode) -> str | None:
        """Why a change to `mode` would be refused now, or None."""
        if mode is self.mode:
            return f"the mode is {mode.title} already"
        if mode not in self._modes:
            return f"this cell has no mode {mode.title}"
        here, there = self._modes[self.mode], self._modes[mode]
        if self.state not in here.change_in & there.change_in:
            allowed = ", ".join(state.title for state in sorted(here.change_in & there.change_in)) or "no state"
            return f"the mode cannot be changed in state {self.state.title}; it can in {allowed}"
        if self.state in there.disabled:
            return f"mode {mode.title} has no state {self.state.title}"
        return None

    def change_mode(self, mode: Mode) -> str | None:
        """Change the mode, keeping the state; None if it was done, else why it was refused."""
        reason = self.mode_refusal(mode)
        if reason is None:
            self.mode = mode
        return reason

    def _destination(self, target: State) -> State:
        return STATE_COMPLETE[target] if target in self.disabled else target

    def _pass_disabled(self) -> None:
        """A disabled acting state is passed through at once to its wait state."""
        if self.state in self.disabled:
            self._trigger("state_complete")

    def _trigger(self, name: str) -> None:
        self._machine.events[name].trigger(self._model)


def _by_command() -> list[dict[str, object]]:
    return [
        {"trigger": command.name.lower(), "source": sorted(sources), "dest": target}
        for command, (sources, target) in COMMANDS.items()
    ]


def _by_completion() -> list[dict[str, object]]:
    return [{"trigger": "state_complete", "source": here, "dest": there} for here, there in STATE_COMPLETE.items()]
