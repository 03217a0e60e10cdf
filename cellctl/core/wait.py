"""What a running phase waits for: an answer to an order, a condition, time, or a decision.

The rule kept here: a wait knows what may end it, so that nobody looks at it in vain: the signals, and the time.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from cellctl.core.condition import Watch
from cellctl.core.context import AskPerson, Invoke, RaiseFault, SetSignal, Until
from cellctl.core.probing import Probe
from cellctl.core.progress import Pulse
from cellctl.core.signal import Value


@dataclass(slots=True)
class ForOrder:
    """Waits for the answer to an order."""

    awaited: ClassVar[Collection[str]] = ()
    wish: SetSignal | Invoke
    order: int
    token: int
    deadline_ns: int

    @property
    def wake_at(self) -> int | None:
        """When the answer is given up."""
        return self.deadline_ns


@dataclass(slots=True)
class ForCondition:
    """Waits for a condition: the phase's own, or the end of a command.

    `true_ns`: of a command, how new its signals were when they told its end; `probing`: that was told by a probe.
    """

    wish: Until | Invoke
    watch: Watch
    deadline_ns: int | None
    token: int = 0
    answered: Mapping[str, Value] | None = None
    probing: bool = False
    true_ns: int | None = None

    @property
    def awaited(self) -> Collection[str]:
        """The signals of the condition, and those that are read at the end of the command."""
        if isinstance(self.wish, Invoke):
            return self.watch.signals.union(self.wish.spec.result.values())
        return self.watch.signals

    @property
    def wake_at(self) -> int | None:
        """When it is given up, or has held for long enough."""
        held_ns = self.watch.wake_at
        if held_ns is None or self.deadline_ns is None:
            return self.deadline_ns if held_ns is None else held_ns
        return min(held_ns, self.deadline_ns)


@dataclass(slots=True)
class ForProbe:
    """Waits for what a device that is back tells of a pulse."""

    wish: Invoke
    probe: Probe
    deadline_ns: int
    pulse: Pulse

    @property
    def awaited(self) -> Collection[str]:
        """The signals that tell it."""
        return self.probe.signals

    @property
    def wake_at(self) -> int | None:
        """When it is given up, or has been in doubt for long enough."""
        return self.deadline_ns if self.probe.wake_at is None else min(self.probe.wake_at, self.deadline_ns)


@dataclass(slots=True)
class ForTime:
    """Waits for time to pass."""

    awaited: ClassVar[Collection[str]] = ()
    deadline_ns: int

    @property
    def wake_at(self) -> int | None:
        """When it has passed."""
        return self.deadline_ns


@dataclass(slots=True)
class ForAnswer:
    """Waits for the decision on a fault, a prompt, or a pulse in doubt: as long as the person does."""

    awaited: ClassVar[Collection[str]] = ()
    wake_at: ClassVar[int | None] = None
    wish: RaiseFault | AskPerson | Invoke
    key: str


Wait = ForOrder | ForCondition | ForProbe | ForTime | ForAnswer
