"""Process interlocks: conditions that must hold, and the reaction of the cell when one does not. NOT a safety function.

The rule kept here: an interlock that is unknown is not fulfilled, and one that is not fulfilled refuses every
command that would set the cell going.
"""

from collections.abc import Collection, Iterable
from itertools import chain

from cellctl.core.equipment import Interlock
from cellctl.core.fault import Cause
from cellctl.core.packml import Command, State
from cellctl.core.signal import Image
from cellctl.core.watchlist import Watchlist

S = State

#: Something moves, or may begin to by itself: here an interlock may have to stop it.
MOVING = frozenset(
    {
        S.RESETTING,
        S.STARTING,
        S.EXECUTE,
        S.HOLDING,
        S.UNHOLDING,
        S.SUSPENDING,
        S.SUSPENDED,
        S.UNSUSPENDING,
        S.COMPLETING,
    }
)

#: Parts are being made, or will be by themselves.
PRODUCING = frozenset({S.EXECUTE, S.SUSPENDED, S.COMPLETING})

#: reaction -> (the command, the states in which it is given because of an interlock). What cannot be held is stopped.
REACTIONS: dict[str, tuple[Command, frozenset[State]]] = {
    "abort": (Command.ABORT, MOVING),
    "stop": (Command.STOP, MOVING),
    "hold": (Command.HOLD, PRODUCING),
    "suspend": (Command.SUSPEND, frozenset({S.EXECUTE})),
}

#: Commands that set the cell going, and the reactions whose interlocks must be fulfilled for them.
GOING = {
    Command.RESET: ("abort", "stop"),
    Command.START: ("abort", "stop", "hold"),
    Command.UNHOLD: ("abort", "stop", "hold"),
}


class Interlocks:
    """The interlocks of a cell, in the order of the file: that is the order of their rank among equals.

    `before` knows since when their conditions have held.
    """

    def __init__(self, image: Image, interlocks: Iterable[Interlock], before: "Interlocks | None" = None) -> None:
        self._image = image
        self._interlocks = {interlock.id: interlock for interlock in interlocks}
        self.watchlist = Watchlist(image, {name: interlock.need for name, interlock in self._interlocks.items()})
        self._unfulfilled = list(self._interlocks.values())
        if before is not None:
            self.watchlist.remember(before.watchlist)
        self.refresh(image.signals, image.now_ns)

    @property
    def signals(self) -> Collection[str]:
        """The signals that they look at."""
        return self.watchlist.signals

    @property
    def wake_at(self) -> int | None:
        """When time alone may change one of them."""
        return self.watchlist.wake_at

    def refresh(self, changed: Collection[str], now: int) -> list[tuple[str, bool]]:
        """Evaluate; the interlocks that changed, with whether each is fulfilled."""
        moved = self.watchlist.refresh(changed, now)
        if moved:
            self._unfulfilled = [one for name, one in self._interlocks.items() if not self.fulfilled(name)]
        return [(name, self.fulfilled(name)) for name in moved]

    def fulfilled(self, name: str) -> bool:
        """Whether the need is known to be met."""
        return self.watchlist.watches[name].value is True

    def broken(self, *reactions: str) -> list[Interlock]:
        """The interlocks with one of the reactions that are not fulfilled."""
        return [one for one in self._unfulfilled if one.reaction in reactions]

    def reaction(self, state: State) -> tuple[Command, Interlock] | None:
        """What the interlocks ask of the cell in `state`: the most severe command, with its cause."""
        if not self._unfulfilled:
            return None
        for reaction, (command, states) in REACTIONS.items():
            if state in states and (broken := self.broken(reaction)):
                return command, broken[0]
        return None

    def refusal(self, command: Command) -> str | None:
        """Why the interlocks do not let `command` through, or None."""
        broken = list(chain.from_iterable(self.broken(reaction) for reaction in GOING.get(command, ())))
        return f"{command.title} is not possible: {broken[0].text}" if broken else None

    def unknown(self, name: str) -> bool:
        """Whether it cannot be told if the need is met."""
        return self.watchlist.watches[name].value is None

    def devices(self, name: str) -> set[str]:
        """The devices whose signals the interlock needs."""
        return {self._image.signals[signal].device for signal in self.watchlist.watches[name].signals}

    def cause(self, interlock: Interlock, now: int) -> Cause:
        """The interlock as a cause: its text with the part of the condition that is missing."""
        missing = "; ".join(self.watchlist.watches[interlock.id].why(self._image, now))
        if self.unknown(interlock.id):
            return Cause("interlock", interlock.id, f"The interlock {interlock.id} cannot be judged: {missing}")
        text = f"{interlock.text} ({missing})" if missing else interlock.text
        return Cause("interlock", interlock.id, text, interlock.do)
