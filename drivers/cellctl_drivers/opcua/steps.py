"""What a command does at an OPC UA server: nodes written in their order, then methods called.

The rule kept here: every value has exactly the type that the profile says, for a server refuses every other one; what
does not fit into it is refused before anything is sent. ``$crc16`` is the checksum of all else that is written.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cellctl.driver import AddressError, Call, Command, Outcome, Value
from cellctl_drivers.opcua.nodes import Names, Path, Place
from cellctl_drivers.wire.epoch import CRC16, Epoch, crc16
from cellctl_drivers.wire.orders import OrderError, RefusalError
from cellctl_drivers.wire.settings import Section, Where, nearest

#: The types that can be written, each with the bounds of its whole numbers (None: no whole number).
TYPES: Mapping[str, tuple[int, int] | None] = {
    "Boolean": None,
    "SByte": (-(2**7), 2**7 - 1),
    "Byte": (0, 2**8 - 1),
    "Int16": (-(2**15), 2**15 - 1),
    "UInt16": (0, 2**16 - 1),
    "Int32": (-(2**31), 2**31 - 1),
    "UInt32": (0, 2**32 - 1),
    "Int64": (-(2**63), 2**63 - 1),
    "UInt64": (0, 2**64 - 1),
    "Float": None,
    "Double": None,
    "String": None,
}

#: How many bytes a whole number has.
_BYTES: Mapping[str, int] = {
    "SByte": 1, "Byte": 1, "Int16": 2, "UInt16": 2, "Int32": 4, "UInt32": 4, "Int64": 8, "UInt64": 8,
}  # fmt: skip

#: A connection is silent while a method runs on some servers: longer ones have to answer at once and tell their end.
_WITHIN_MAX_NS = 2_000_000_000


def typed(kind: str, value: Value) -> Value:
    """`value` as one of `TYPES`; OrderError if it does not fit."""
    bounds = TYPES[kind]
    if (kind == "String") != isinstance(value, str):
        raise OrderError(Outcome.REFUSED, f"{value!r} is not of type {kind}")
    if isinstance(value, str):
        return value
    if not math.isfinite(value):
        raise OrderError(Outcome.REFUSED, f"{value} is not a number that can be written")
    if kind == "Boolean":
        return bool(value)
    if bounds is None:
        return float(value)
    if not bounds[0] <= round(value) <= bounds[1]:
        raise OrderError(Outcome.REFUSED, f"{value} does not fit into {kind}")
    return round(value)


@dataclass(frozen=True, slots=True)
class Sink:
    """A node that can be written, and the exact type it takes."""

    node: Place
    type: str

    def typed(self, value: Value) -> Value:
        """`value` as the type; OrderError if it does not fit."""
        return typed(self.type, value)


@dataclass(frozen=True, slots=True)
class Put:
    """Write a value, or what the order brings for it."""

    sink: Sink
    value: Value


@dataclass(frozen=True, slots=True)
class Invoke:
    """Call a method of an object: inputs by type and value, names for the outputs, which of these mean that it was
    done, what others mean, and how long it may take (0: as every request)."""

    method: Place
    on: Place
    inputs: tuple[tuple[str, Value], ...] = ()
    outputs: tuple[str, ...] = ()
    expect: Mapping[str, Value] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    within_ns: int = 0

    def judged(self, values: list[Value]) -> dict[str, Value]:
        """The outputs by name; RefusalError if they say no, OrderError if they do not say enough."""
        found = dict(zip(self.outputs, values, strict=False))
        for name, wanted in self.expect.items():
            if name not in found:
                raise OrderError(Outcome.UNKNOWN, f"{self.method} answers nothing as {name}", found)
            if found[name] != wanted:
                means = self.errors.get(str(found[name]), "")
                raise RefusalError(f"{self.method} answers {name} {found[name]}" + (f": {means}" if means else ""))
        return found


def sink_of(text: str, names: Names, where: Where) -> Sink:
    """The sink of a row that ends with its type; AddressError if there is none."""
    name, _, kind = text.rpartition(" ")
    if not name or kind not in TYPES:
        raise AddressError(f"{text!r} does not end with the type to write{nearest(kind, tuple(TYPES))}", where)
    return Sink(names.place(name.strip(), where), kind)


def steps_of(command: Command, names: Names) -> tuple[Put | Invoke, ...]:
    """What a command does, in its order; AddressError for what cannot be."""
    options = Section(command.options, ("commands", command.name))
    writes, calls = options.take("write"), options.take("call")
    options.close()
    if writes is None and calls is None:
        raise AddressError(
            'an OPC UA command needs `write: {"s=Name Int16": VALUE}` or `call: {method: ROW}`', options.at("write")
        )
    puts = [] if writes is None else puts_of([writes], names, options.at("write"))
    listed = calls if isinstance(calls, list) else [calls]
    invokes = [] if calls is None else [_invoke(each, names, options.at("call")) for each in listed]
    if not puts and not invokes:
        raise AddressError("there is nothing to do", options.at("write" if writes is not None else "call"))
    return (*puts, *invokes)


def puts_of(listed: Iterable[object], names: Names, where: Where) -> list[Put]:
    """What is written, in its order; AddressError for what cannot be."""
    puts: list[Put] = []
    for writes in listed:
        if not isinstance(writes, Mapping):
            raise AddressError('write each node with its type and a value: {"s=Name Int16": VALUE}', where)
        for key, value in writes.items():
            if not isinstance(value, bool | int | float | str):
                raise AddressError(f"{key!r} needs one value", where)
            puts.append(Put(sink_of(str(key), names, where), value))
    _check_crc(puts, where)
    return puts


def _check_crc(puts: Sequence[Put], where: Where) -> None:
    sums = [put for put in puts if put.value == CRC16]
    if not sums:
        return
    if len(sums) > 1 or len(puts) == 1:
        raise AddressError("one $crc16 can be written, and other nodes that it is the checksum of", where)
    for put in puts:
        if put.sink.type not in _BYTES or (put in sums and put.sink.type != "UInt16"):
            raise AddressError(f"$crc16 is a UInt16, of whole numbers: not {put.sink.node} {put.sink.type}", where)


def values_of(steps: Iterable[Put | Invoke]) -> Iterator[Value]:
    """All that the steps write or hand over."""
    for step in steps:
        if isinstance(step, Put):
            yield step.value
        else:
            yield from (value for _, value in step.inputs)


def exact(steps: Iterable[Put | Invoke], epoch: Epoch, order: Call | None = None) -> list[Value]:
    """What each step writes, typed (0 for one that calls); OrderError for what does not fit or is missing."""
    puts = [step for step in steps if isinstance(step, Put)]
    told = [0 if put.value == CRC16 else put.sink.typed(epoch.filled(put.value, order)) for put in puts]
    if any(put.value == CRC16 for put in puts):
        both = [(put, value) for put, value in zip(puts, told, strict=True) if put.value != CRC16]
        checksum = crc16(b"".join(_packed(put.sink.type, value) for put, value in both))
        told = [checksum if put.value == CRC16 else value for put, value in zip(puts, told, strict=True)]
    found = iter(told)
    return [next(found) if isinstance(step, Put) else 0 for step in steps]


def _packed(kind: str, value: Value) -> bytes:
    """A whole number as the checksum takes it: with the high byte first."""
    size = _BYTES[kind]
    return (int(value) % (1 << 8 * size)).to_bytes(size, "big")


def _invoke(call: object, names: Names, where: Where) -> Invoke:
    if not isinstance(call, Mapping):
        raise AddressError("name the method: {method: ROW, on: ROW}", where)
    section = Section(call, where)
    method = names.place(section.text("method"), section.at("method"))
    on = section.text("on", "")
    if not on and (not isinstance(method, Path) or len(method.steps) < 2):
        raise AddressError("the object of the method is missing: `on: ROW`", section.at("method"))
    parent = names.place(on, section.at("on")) if on else _parent(method)
    inputs = _inputs(section.take("inputs"), section.at("inputs"))
    outputs = section.take("outputs") or []
    if not isinstance(outputs, list) or not all(isinstance(each, str) and each for each in outputs):
        raise AddressError("`outputs` lists names for what the method answers", section.at("outputs"))
    expect, errors = section.take("expect") or {}, section.take("errors") or {}
    if not isinstance(expect, Mapping) or not isinstance(errors, Mapping):
        raise AddressError("write `expect: {OUTPUT: VALUE}` and `errors: {VALUE: TEXT}`", section.at("expect"))
    for name in expect:
        if name not in outputs:
            raise AddressError(f"{name!r} is no output{nearest(str(name), tuple(outputs))}", section.at("expect"))
    within_ns = section.duration("within", "0 s")
    if within_ns > _WITHIN_MAX_NS:
        raise AddressError("2 s at most: a longer one tells its end by a signal, see `until`", section.at("within"))
    section.close()
    texts = {str(value): str(text) for value, text in errors.items()}
    return Invoke(method, parent, inputs, tuple(outputs), dict(expect), texts, within_ns)


def _parent(method: Place) -> Path:
    assert isinstance(method, Path)
    return method.parent


def _inputs(given: object, where: Where) -> tuple[tuple[str, Value], ...]:
    if given is None:
        return ()
    if not isinstance(given, list):
        raise AddressError("`inputs` is a list of {type: TYPE, value: VALUE}", where)
    inputs = []
    for number, each in enumerate(given):
        if not isinstance(each, Mapping):
            raise AddressError("an input is {type: TYPE, value: VALUE}", (*where, number))
        section = Section(each, (*where, number))
        kind = section.text("type")
        if kind not in TYPES:
            raise AddressError(f"{kind!r} is no type{nearest(kind, tuple(TYPES))}", section.at("type"))
        value = section.take("value")
        if not isinstance(value, bool | int | float | str):
            raise AddressError("an input needs one value", section.at("value"))
        section.close()
        inputs.append((kind, value))
    return tuple(inputs)
