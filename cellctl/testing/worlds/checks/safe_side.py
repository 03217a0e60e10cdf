"""The stop lane: what is to be safe is ordered so in time, and again until the device has done it."""

from collections.abc import Sequence

from cellctl.core.messages import (
    Call,
    CommandClass,
    Done,
    Effect,
    Entry,
    Input,
    LinkChanged,
    LinkState,
    Order,
    Outcome,
    Write,
)
from cellctl.core.packml import State
from cellctl.testing.bench import Bench
from cellctl.testing.worlds.checks import Check, target

#: On the way there every safe output is ordered, in the first two in the very turn.
_AT_ONCE = frozenset({State.STOPPING.title, State.ABORTING.title})
_WAYS = _AT_ONCE | {State.HOLDING.title}
_MADE_SAFE = frozenset({State.STOPPED.title, State.ABORTED.title, State.HELD.title})

#: What a device has not confirmed is ordered again after this, if the device is there, virtual s.
_AGAIN_S = 1.5


class MadeSafe(Check):
    """No cell is Held, Stopped or Aborted whose safe outputs were not all ordered on the way."""

    def begin(self) -> None:
        """On no way yet."""
        self._left: set[str] = set()

    def turn(self, now: int, inputs: Sequence[Input], effects: Sequence[Effect]) -> None:
        """Follow the orders from state to state."""
        state = ""
        for effect in effects:
            match effect:
                case Entry("state", data):
                    state = str(data["state"])
                    if state in _MADE_SAFE and self._left:
                        self.find(f"the cell is {state}, and {_words(self._left)} was never ordered")
                    self._left = self._safe_outputs() if state in _WAYS else set()
                case Write() | Call():
                    if effect.command_class is CommandClass.STOP:
                        self._left.discard(target(effect))
                case _:
                    pass
        if state in _AT_ONCE and self._left:
            self.find(f"the cell is {state}, and {_words(self._left)} was not ordered at once")

    def _safe_outputs(self) -> set[str]:
        assert self.bench is not None
        equipment = self.bench.setup.model.equipment
        signals = {signal.id for signal in equipment.signals.values() if signal.safe is not None}
        return signals | {spec.id for spec in equipment.commands.values() if spec.safe}


class Owed(Check):
    """What a device was told in the stop lane and has not confirmed is told again, as soon as the device is there;
    unless something newer was asked of it."""

    def begin(self) -> None:
        """Nothing is owed by another life."""
        self._last: dict[str, Order] = {}
        self._owed_s: dict[str, float] = {}
        self._connected_s: dict[str, float] = {}

    def turn(self, now: int, inputs: Sequence[Input], effects: Sequence[Effect]) -> None:
        """What came of the last order to each output, and which devices are there."""
        assert self.bench is not None
        at_s = self.bench.time_s()
        for each in inputs:
            match each:
                case LinkChanged(device, state):
                    self._connected_s.pop(device, None)
                    if state is LinkState.CONNECTED:
                        self._connected_s[device] = at_s
                case Done(id, outcome):
                    for output in [output for output, order in self._last.items() if order.id == id]:
                        if outcome is Outcome.CONFIRMED:
                            del self._last[output]
                        else:
                            self._owed_s[output] = at_s
                case _:
                    pass
        for effect in effects:
            if isinstance(effect, Write | Call):
                self._ordered(effect)

    def _ordered(self, order: Order) -> None:
        if order.command_class is CommandClass.STOP:
            self._last[target(order)] = order
            self._owed_s.pop(target(order), None)
        else:
            for output in [output for output, last in self._last.items() if last.device == order.device]:
                del self._last[output]
                self._owed_s.pop(output, None)

    async def look(self, bench: Bench) -> None:
        """Look for those that nobody orders again."""
        if not bench.alive:
            return
        for output, since_s in list(self._owed_s.items()):
            connected_s = self._connected_s.get(self._last[output].device)
            if connected_s is not None and bench.time_s() - max(since_s, connected_s) > _AGAIN_S:
                self.find(f"{output} was not confirmed, and is not ordered again")
                del self._owed_s[output]


def _words(outputs: set[str]) -> str:
    return ", ".join(sorted(outputs))
