"""The gate: what a turn decided leaves through it, some of it not before the journal is on disk.

The rules kept here. Journal before effect: a pulse, a block and an answer leave when the entries of their turn are on
disk, and whatever was decided after them waits behind them, so that order never changes. Stop wins: a stop leaves at
once, whatever the disk does, and withdraws what waits here for the same device.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import assert_never

from cellctl.core.messages import (
    Call,
    CommandClass,
    Done,
    Effect,
    Entry,
    Order,
    Outcome,
    Receipt,
    Refused,
    Reply,
    Write,
)

#: Classes whose intent must be on disk first; all others may be sent again or end by themselves.
_JOURNALED = frozenset({CommandClass.PULSE, CommandClass.BLOCK})


@dataclass(frozen=True, slots=True)
class Ways:
    """Where things go: orders to the links, answers to the clients, and what was withdrawn back to the inbox."""

    order: Callable[[Order], None]
    answer: Callable[[Receipt | Refused], None]
    done: Callable[[Done], None]


class Gate:
    """Everything decided and not yet sent, in order."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self._committed = 0
        self._held: deque[tuple[int, Order | Reply]] = deque()

    def put(self, effects: Iterable[Effect], sequence: int) -> None:
        """Send `effects` of one turn, or hold them until the entry `sequence`, the last of that turn, is on disk."""
        for effect in effects:
            match effect:
                case Entry():
                    pass
                case Reply():
                    self._put(effect, sequence)
                case Write() | Call():
                    if effect.command_class is CommandClass.STOP:
                        self._withdraw(effect.device)
                        self._ways.order(effect)
                    else:
                        self._put(effect, sequence if effect.command_class in _JOURNALED else 0)
                case _:
                    assert_never(effect)

    def committed(self, sequence: int) -> None:
        """All entries up to `sequence` are on disk."""
        self._committed = sequence
        while self._held and self._held[0][0] <= sequence:
            self._send(self._held.popleft()[1])

    def _put(self, effect: Order | Reply, sequence: int) -> None:
        if self._held or sequence > self._committed:
            self._held.append((sequence, effect))
        else:
            self._send(effect)

    def _send(self, effect: Order | Reply) -> None:
        if isinstance(effect, Reply):
            self._ways.answer(effect.answer)
        else:
            self._ways.order(effect)

    def _withdraw(self, device: str) -> None:
        kept: deque[tuple[int, Order | Reply]] = deque()
        for sequence, effect in self._held:
            if isinstance(effect, Reply) or effect.device != device:
                kept.append((sequence, effect))
            else:
                self._ways.done(Done(effect.id, Outcome.NOT_SENT, reason="a stop came first"))
        self._held = kept
