"""The closed unions that cross the border of the pure core: what happened (Input) and what to do (Effect).

The rule kept here: everything is a frozen value. A refusal is a value too, not an exception.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from cellctl.core.packml import Command, Mode
from cellctl.core.signal import Sample, Value

JSON = None | bool | int | float | str | list["JSON"] | dict[str, "JSON"]


# --- what happened ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Samples:
    """Readings from devices, oldest first."""

    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Alive:
    """At `time_ns` the device confirmed that `signals` (None: all it has) still have the values last told."""

    device: str
    time_ns: int
    signals: frozenset[str] | None = None


class LinkState(Enum):
    """The state of the connection to a device."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    LOST = "lost"
    WRONG_DEVICE = "wrong device"


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """A connection came or went; `reason` in words for a person, `identity` as the device told it."""

    device: str
    state: LinkState
    reason: str = ""
    identity: str = ""


class Outcome(Enum):
    """What became of a write or call. A timeout is UNKNOWN, never "failed"."""

    CONFIRMED = "confirmed"
    REFUSED = "refused"
    NOT_SENT = "not sent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Done:
    """The answer to the Write or Call with the same `id`; `result` as the device answered, by name.

    The result of a Write holds `read_back`, the value that the device then told, if the signal is to be verified.
    """

    id: int
    outcome: Outcome
    result: Mapping[str, Value] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """The runtime tells of a trouble of its own: that it is there, or over. `id` is a name in `core.trouble`."""

    id: str
    active: bool
    data: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tick:
    """Nothing but the passing of time."""


# --- what somebody asks for ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Operate:
    """Fire a PackML command."""

    command: Command


@dataclass(frozen=True, slots=True)
class SetMode:
    """Change the unit mode."""

    mode: Mode


@dataclass(frozen=True, slots=True)
class AddJob:
    """Put an order at the end of the queue. `parts` holds the parts' own values, one mapping a part, in order."""

    job: str
    recipe: str
    quantity: int
    parts: tuple[Mapping[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class CancelJob:
    """Take an order out of the queue; parts already in process are finished."""

    job: str


@dataclass(frozen=True, slots=True)
class StartChangeover:
    """Begin the change to another recipe."""

    recipe: str


@dataclass(frozen=True, slots=True)
class ConfirmStep:
    """A person did the changeover step `index`; `evidence` is what was scanned or read, if the step asks for it."""

    index: int
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class CancelChangeover:
    """Give the changeover up; no recipe is loaded afterwards."""


@dataclass(frozen=True, slots=True)
class Recover:
    """Choose a recovery for the open question `question` (a fault, an effect in doubt, a prompt)."""

    question: str
    choice: str


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """A person has seen these alarms."""

    alarms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shelve:
    """A person does not want to be disturbed by an alarm for some time, and says why."""

    alarm: str
    for_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class Unshelve:
    """A shelved alarm is to be shown again."""

    alarm: str


OfAlarms = Acknowledge | Shelve | Unshelve
Action = Operate | SetMode | AddJob | CancelJob | StartChangeover | ConfirmStep | CancelChangeover | Recover | OfAlarms


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody asks for something. The same `id` gets the same answer, however often it comes."""

    id: str
    action: Action
    by: str = ""
    via: str = ""


Input = Samples | Alive | LinkChanged | Done | Request | Trouble | Tick


# --- what to do ---------------------------------------------------------------------------------------------


class CommandClass(Enum):
    """How often a command may reach the device: the guarantee and the right to repeat follow from it."""

    LEVEL = "level"  # idempotent: may be sent again while still wanted
    PULSE = "pulse"  # one-shot: at most once, its intent on disk before it leaves
    BLOCK = "block"  # a set that is switched atomically: restarted from zero
    STOP = "stop"  # to the safe side: its own lane, never behind a queue or the disk
    JOG = "jog"  # hold-to-run: lives on a lease of the device


@dataclass(frozen=True, slots=True)
class Write:
    """Set a signal; confirmed by reading back within the signal's `verify`. `deadline_ns` is absolute."""

    id: int
    signal: str
    value: Value
    deadline_ns: int
    command_class: CommandClass = CommandClass.LEVEL

    @property
    def device(self) -> str:
        """The id of the device that the write goes to."""
        return self.signal.partition(".")[0]

    @property
    def name(self) -> str:
        """The signal's name within its device."""
        return self.signal.partition(".")[2]


@dataclass(frozen=True, slots=True)
class Call:
    """Execute a command of a device. `token` names this one execution (1 to 65,535; 0 for none)."""

    id: int
    device: str
    name: str
    deadline_ns: int
    arguments: Mapping[str, Value] = field(default_factory=dict)
    token: int = 0
    command_class: CommandClass = CommandClass.PULSE


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision to be written down."""

    kind: str
    data: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Receipt:
    """The request `id` was accepted; `text` says what happens now."""

    id: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The request `id` was not accepted: why, and what would be possible instead."""

    id: str
    reason: str
    possible: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request."""

    answer: Receipt | Refused


Order = Write | Call
Effect = Write | Call | Entry | Reply
