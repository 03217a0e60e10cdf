"""What the present turn has decided so far: entries, orders and answers, in the order in which they were decided.

The rule kept here: the order of effects is the order of decisions, and every order has a number and a deadline.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from cellctl.core.equipment import CommandSpec
from cellctl.core.messages import Call, CommandClass, Effect, Entry, Order, Receipt, Refused, Reply, Write
from cellctl.core.signal import Value

#: Tokens name executions on devices that keep them in one 16-bit register; 0 means none.
TOKENS = 65_535
#: Tokens are reserved in the journal in blocks of this size, so that a restart never uses one again soon.
TOKENS_RESERVED = 256


#: The kind of the entry that holds a whole memory: the fold of a journal may begin with it.
SNAPSHOT = "snapshot"


class Remembering(Protocol):
    """What remembers the decisions: `token` and all before it may have been used."""

    token: int

    def apply(self, kind: str, data: Mapping[str, Any], time_ns: int) -> None:
        """Take an entry of the journal."""


class Outbox:
    """Collects the effects of a turn, and has each entry remembered; `now` is the turn's time."""

    def __init__(self, memory: Remembering) -> None:
        self.now = 0
        self.stops: dict[int, Order] = {}  # in the stop lane, not answered yet
        self.ordered: dict[str, int] = {}  # the last order to each device that was not in the stop lane
        self._effects: list[Effect] = []
        self._order_id = 0
        self.noted = 0  # since the last snapshot of the memory
        self._memory = memory
        self._token = memory.token % TOKENS
        self._reserved = 0

    @property
    def orders(self) -> int:
        """How many orders were ever given."""
        return self._order_id

    def take(self) -> list[Effect]:
        """All effects since the last call, oldest first."""
        effects, self._effects = self._effects, []
        return effects

    def note(self, kind: str, **data: Any) -> None:
        """Write a decision down, and remember it."""
        self._effects.append(Entry(kind, data))
        self._memory.apply(kind, data, self.now)
        self.noted = 0 if kind == SNAPSHOT else self.noted + 1

    def reply(self, answer: Receipt | Refused) -> None:
        """Answer a request."""
        self._effects.append(Reply(answer))

    def write(
        self, signal: str, value: Value, timeout_ns: int, command_class: CommandClass = CommandClass.LEVEL
    ) -> int:
        """Order a write; the number under which its answer comes."""
        self._order_id += 1
        return self._put(Write(self._order_id, signal, value, self.now + timeout_ns, command_class))

    def call(self, spec: CommandSpec, arguments: Mapping[str, Value], timeout_ns: int, *, token: int) -> int:
        """Order the execution of a command; the number under which its answer comes."""
        return self._call(spec.id, spec.command_class, timeout_ns, spec.sent(arguments), token)

    def stop(self, spec: CommandSpec, arguments: Mapping[str, Value]) -> int:
        """Order a command that leads to the safe side: in the stop lane, whatever its own class; its number."""
        return self._call(spec.id, CommandClass.STOP, spec.timeout_ns, spec.sent(arguments), 0)

    def token(self) -> int:
        """A fresh token. The next block is reserved while half of the last one is still free."""
        self._token = self._token % TOKENS + 1
        self._reserved -= 1
        if self._reserved < TOKENS_RESERVED // 2:
            self._reserved = TOKENS_RESERVED
            self.note("tokens", reserved=(self._token + TOKENS_RESERVED) % TOKENS)
        return self._token

    def again(self, order: Order, timeout_ns: int) -> Order:
        """Give an order once more, as it was but for its number and its time; the new one."""
        self._order_id += 1
        renewed = replace(order, id=self._order_id, deadline_ns=self.now + timeout_ns)
        self._put(renewed)
        return renewed

    def _call(self, command: str, kind: CommandClass, timeout_ns: int, sent: dict[str, Value], token: int) -> int:
        device, _, name = command.partition(".")
        self._order_id += 1
        return self._put(Call(self._order_id, device, name, self.now + timeout_ns, sent, token, kind))

    def _put(self, order: Order) -> int:
        self._effects.append(order)
        if order.command_class is CommandClass.STOP:
            self.stops[order.id] = order
        else:
            self.ordered[order.device] = order.id
        return order.id
