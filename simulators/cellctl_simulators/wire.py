"""What a device shows on its wire: register tables, text lines or nodes.

The rule kept here: a wire holds what came in and what may be read, and knows no socket and no clock. A server puts
bytes on it, a model reads and fills it in `update`.
"""

import re
import struct
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

from cellctl.driver import Unwilling, Value
from cellctl_simulators.faults.mask import Mask

#: Which table a Modbus function code works on.
TABLES: Mapping[int, str] = {
    1: "coil", 2: "discrete", 3: "holding", 4: "input", 5: "coil", 6: "holding", 15: "coil", 16: "holding",
    22: "holding", 23: "holding",
}  # fmt: skip

#: Lines that came in and were never taken by a model; older ones are dropped, as in the buffer of a real device.
ASKS_MAX = 64

#: Lines that nobody asked for are remembered until everybody was told, but no more than these.
SAID_MAX = 64

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")

#: Exception codes of Modbus.
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, FAILURE, BUSY = 1, 2, 3, 4, 6


class ModbusError(Unwilling):
    """The exception code that the device answers with."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the device answers with exception {code}")
        self.code = code
        self.busy = code == BUSY


class Registers:
    """The tables of a Modbus device, by 0-based address as on the wire.

    An address that is not in a table does not exist. `writable` lists the addresses that a client may write,
    `functions` the function codes that the device knows, `count_max` the most registers of one request. Two tables
    may be the same dict.
    """

    def __init__(
        self,
        *,
        writable: Collection[int] = (),
        functions: Collection[int] = (3, 4, 6, 16),
        count_max: int = 125,
    ) -> None:
        self.coil: dict[int, int] = {}
        self.discrete: dict[int, int] = {}
        self.holding: dict[int, int] = {}
        self.input: dict[int, int] = {}
        self.writable = writable
        self.functions = functions
        self.count_max = count_max
        self.mask: Mask | None = None

    def read(self, function: int, address: int, count: int) -> list[int]:
        """The values of `count` addresses; raises ModbusError."""
        table = self._table(function, count)
        try:
            values = [table[each] for each in range(address, address + count)]
        except KeyError:
            raise ModbusError(ILLEGAL_ADDRESS) from None
        if (mask := self.mask) is None:
            return values
        name = TABLES[function]
        return [int(mask.shown((name, each), value)) & 0xFFFF for each, value in enumerate(values, address)]

    def write(self, function: int, address: int, values: Iterable[int]) -> None:
        """Set addresses from `address` on, all or none; raises ModbusError."""
        new = dict(enumerate(values, start=address))
        table = self._table(function, len(new))
        if any(each not in table or each not in self.writable for each in new):
            raise ModbusError(ILLEGAL_ADDRESS)
        if self.mask is not None:
            heard = {each: self.mask.taken((TABLES[function], each), value) for each, value in new.items()}
            new = {each: int(value) for each, value in heard.items() if value is not None}
        table.update(new)

    def _table(self, function: int, count: int) -> dict[int, int]:
        if function not in self.functions:
            raise ModbusError(ILLEGAL_FUNCTION)
        if not 1 <= count <= self.count_max:
            raise ModbusError(ILLEGAL_VALUE)
        table: dict[int, int] = getattr(self, TABLES[function])
        return table


@dataclass(slots=True)
class Ask:
    """One line that came in; `replies` are the lines that go back to the one who asked, each through `shown`."""

    text: str
    replies: list[str] = field(default_factory=list)
    shown: Callable[[str], str] = str

    def reply(self, text: str) -> None:
        """Send a line back, now or in a later update."""
        self.replies.append(self.shown(text))


class Lines:
    """The text lines of a device: `start` and `end` stand around each line that it sends, `takes` closes each line that
    it is sent, `greeting` is what it says to a new connection ("": nothing). With `digits`, each line begins, either
    way, with its length, itself included, in so many digits; a model knows the lines without them."""

    def __init__(
        self, *, end: str = "\r\n", start: str = "", takes: str = "\n", greeting: str = "", digits: int = 0
    ) -> None:
        self.start, self.end, self.takes, self._greeting, self.digits = start, end, takes, greeting, digits
        self.said_count = 0
        self._said: deque[str] = deque(maxlen=SAID_MAX)
        self.mask: Mask | None = None
        self.double: Callable[[Ask], None] = lambda ask: None  # answers in place of a device that is stuck
        self._asks: deque[Ask] = deque(maxlen=ASKS_MAX)

    def ask(self, text: str) -> Ask:
        """Let a line come in."""
        ask = Ask(text)
        if self.mask is None or self._heard(ask, self.mask):
            self._asks.append(ask)
        return ask

    @property
    def greeting(self) -> str:
        """What a new connection hears."""
        return "STRANGER,0" if self._greeting and self.mask is not None and self.mask.strange else self._greeting

    def say(self, text: str) -> None:
        """Send a line that nobody asked for, to everybody who is connected."""
        self._said.append(text)
        self.said_count += 1

    def said_since(self, count: int) -> list[str]:
        """What was said after so many lines, as far as it is remembered."""
        new = min(self.said_count - count, len(self._said))
        return list(self._said)[-new:] if new > 0 else []

    def _heard(self, ask: Ask, mask: Mask) -> bool:
        """Whether the device hears anything of a line, which then is as it hears it."""
        ask.shown = partial(self._shown, mask, ask.text)
        word, _, value = ask.text.partition(" ")
        if word in mask.stuck:
            self.double(ask)
            return False
        if word in mask.clamped and (number := _NUMBER.search(value)):
            taken = mask.taken(word, float(number[0]))
            ask.text = f"{word} {value.replace(number[0], f'{taken:g}', 1)}"
        return True

    @staticmethod
    def _shown(mask: Mask, question: str, reply: str) -> str:
        return str(mask.shown(question, reply))

    def take(self) -> tuple[Ask, ...]:
        """All lines that came in since the last take, oldest first."""
        asks = tuple(self._asks)
        self._asks.clear()
        return asks


#: The namespace of the OPC UA standard itself.
STANDARD_URI = "http://opcfoundation.org/UA/"

#: A browse name: the URI of its namespace ("": the device's own), and the name.
Step = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Node:
    """A variable of an OPC UA server: its built-in type by name, its first value, whether a client may write it, and
    the way to it from the folder Objects on (none: it lies there under its own name)."""

    type: str
    value: Value
    writable: bool = False
    at: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Method:
    """A method of an OPC UA server: the built-in types of its inputs and outputs by name, and the way to it."""

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    at: tuple[Step, ...] = ()


class Nodes:
    """The variables and methods of an OPC UA device: string identifiers in one namespace.

    Calls of its methods go to `answer`, which tells the outputs, or raises Unwilling.
    """

    def __init__(
        self, namespace: str, nodes: Mapping[str, Node], methods: Mapping[str, Method] = MappingProxyType({})
    ) -> None:
        self.own_namespace = namespace
        self.nodes = nodes
        self.methods = methods
        self.values: dict[str, Value] = {name: node.value for name, node in nodes.items()}
        self.mask: Mask | None = None
        self.answer: Callable[[str, Sequence[Value]], Sequence[Value]] = _unanswered
        self._ways = {self._way(name, each): name for name, each in nodes.items()}
        self._ways |= {self._way(name, each): name for name, each in methods.items()}
        steps = [uri for way in self._ways for uri, _ in way if uri != STANDARD_URI]
        self._own_namespaces = tuple(dict.fromkeys((namespace, *steps)))

    def _way(self, name: str, each: Node | Method) -> tuple[Step, ...]:
        return tuple((uri or self.own_namespace, step) for uri, step in each.at or (("", name),))

    def find(self, way: tuple[Step, ...]) -> str:
        """The name of what is at the end of a way; Unwilling if nothing is."""
        if way not in self._ways:
            raise Unwilling("BadNoMatch")
        return self._ways[way]

    def call(self, name: str, inputs: Sequence[tuple[str, Value]]) -> Sequence[Value]:
        """What a client gets that calls a method with these types and values; Unwilling for what a server refuses."""
        if name not in self.methods:
            raise Unwilling("BadMethodInvalid")
        method = self.methods[name]
        if len(inputs) != len(method.inputs):
            raise Unwilling("BadArgumentsMissing" if len(inputs) < len(method.inputs) else "BadTooManyArguments")
        if tuple(kind for kind, _ in inputs) != method.inputs:
            raise Unwilling("BadInvalidArgument")
        if self.mask is not None and name in self.mask.stuck:
            return [_FIRST.get(kind, 0) for kind in method.outputs]  # it says yes, and does nothing
        return self.answer(name, [value for _, value in inputs])

    @property
    def namespace(self) -> str:
        """The namespace as a client sees it."""
        return "urn:stranger" if self.mask is not None and self.mask.strange else self.own_namespace

    @property
    def namespaces(self) -> tuple[str, ...]:
        """All its namespaces but that of the standard, as a client sees them; its own is the first."""
        own = self._own_namespaces
        if self.mask is None or not self.mask.strange:
            return own
        return (self.namespace, *(f"{self.namespace}:{number}" for number in range(1, len(own))))

    def read(self, name: str) -> Value:
        """What a client reads; Unwilling if there is no such node."""
        if name not in self.nodes:
            raise Unwilling("BadNodeIdUnknown")
        return self.values[name] if self.mask is None else self.mask.shown(name, self.values[name])

    def write(self, name: str, value: Value, type: str) -> None:
        """What a client writes, as a value of the built-in type `type`; Unwilling for what a server refuses."""
        if name not in self.nodes:
            raise Unwilling("BadNodeIdUnknown")
        if not self.nodes[name].writable:
            raise Unwilling("BadUserAccessDenied")
        if self.nodes[name].type != type:
            raise Unwilling("BadTypeMismatch")
        heard = value if self.mask is None else self.mask.taken(name, value)
        if heard is not None:
            self.values[name] = heard

    def __getitem__(self, name: str) -> Value:
        return self.values[name]

    def __setitem__(self, name: str, value: Value) -> None:
        if name not in self.nodes:
            raise KeyError(name)
        self.values[name] = value


def _unanswered(name: str, inputs: Sequence[Value]) -> Sequence[Value]:
    raise Unwilling("BadNotImplemented")


#: What a method answers that says nothing; of all other types 0.
_FIRST: Mapping[str, Value] = {"Boolean": False, "String": ""}

Wire = Registers | Lines | Nodes


def float32(value: float) -> tuple[int, int]:
    """The two registers of a 32-bit float, high word first."""
    high, low = struct.unpack(">HH", struct.pack(">f", value))
    return high, low


def float_of(high: int, low: int) -> float:
    """The 32-bit float of two registers, high word first."""
    value: float = struct.unpack(">f", struct.pack(">HH", high, low))[0]
    return value


def word(value: float) -> int:
    """The register of a signed 16-bit number."""
    return round(value) & 0xFFFF
