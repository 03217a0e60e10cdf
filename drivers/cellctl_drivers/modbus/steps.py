"""What is written in steps: by a command, and to every device once it is connected.

The language: ``{"holding 128": [$point, $token], "coil 3": true}`` in the order given, a list of values into
neighbouring places at once; or a list of such mappings, in which one place may come again and ``wait: 300 ms`` may
stand between. ``$crc16`` is the checksum of all else in its request. The rule kept here: a step is one request.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from cellctl.driver import AddressError, Value
from cellctl_drivers.modbus.rows import Orders, Row, check_writable, parse_row
from cellctl_drivers.wire.epoch import CRC16, crc16
from cellctl_drivers.wire.orders import OrderError
from cellctl_drivers.wire.settings import Section, Where

_REGISTERS_WRITE_MAX = 123
_COILS_WRITE_MAX = 1968
#: Nothing else is asked of the device meanwhile.
_WAIT_MAX_NS = 10_000_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """One write request: values, or `$name` of what an order brings, one after the other from `row`."""

    row: Row
    values: tuple[Value, ...]

    def encoded(self, fill: Callable[[Value], Value]) -> bytes:
        """What is sent, with what `fill` gives for each value; OrderError (refused) for what does not fit."""
        parts = [b"" if value == CRC16 else self.row.encoded(fill(value)) for value in self.values]
        return b"".join(part or self.row.encoded(crc16(b"".join(parts))) for part in parts)


@dataclass(frozen=True, slots=True)
class Pause:
    """Time that the device needs before the next step."""

    ns: int


Steps = tuple[Step | Pause, ...]


def parse_steps(writes: object, where: Where, orders: Orders) -> Steps:
    """The steps of `writes`; AddressError for what cannot be written."""
    listed = writes if isinstance(writes, list | tuple) else [writes or {}]
    steps = tuple(step for each in listed for step in _parsed(each, where, orders))
    if not any(isinstance(step, Step) for step in steps):
        raise AddressError('write `{"holding 128": VALUE}`, or a list of such', where)
    return steps


def values_of(steps: Steps) -> Iterator[Value]:
    """All that the steps write."""
    for step in steps:
        if isinstance(step, Step):
            yield from step.values


def longest_pause_ns(steps: Steps) -> int:
    """For so long nothing else is asked of the device."""
    return max((step.ns for step in steps if isinstance(step, Pause)), default=0)


def _parsed(writes: object, where: Where, orders: Orders) -> Iterator[Step | Pause]:
    if not isinstance(writes, Mapping):
        raise AddressError(f'{writes!r} is no step: write `{{"holding 128": VALUE}}`', where)
    for key, value in writes.items():
        if key == "wait":
            yield _pause(writes, where)
        else:
            yield _step(str(key), value, where, orders)


def _pause(writes: Mapping[str, object], where: Where) -> Pause:
    ns = Section(writes, where).duration("wait", "")
    if ns > _WAIT_MAX_NS:
        raise AddressError("a pause between two steps is 10 s at most", where)
    return Pause(ns)


def _step(key: str, value: object, where: Where, orders: Orders) -> Step:
    typed = key if len(key.split()) > 2 or key.startswith(("coil", "discrete")) else f"{key} uint16"
    row = parse_row(typed, where, orders)
    check_writable(row, where)
    given = value if isinstance(value, list | tuple) else (value,)
    values = tuple(item for item in given if isinstance(item, bool | int | float | str))
    if not values or len(values) < len(given):
        raise AddressError(f"{key!r} needs a value, or a list of values", where)
    _check_crc(row, values, where)
    most = _COILS_WRITE_MAX if row.table.bits else _REGISTERS_WRITE_MAX
    if row.count * len(values) > most:
        raise AddressError(f"{key!r} writes more than the {most} that one request can hold", where)
    return Step(row, values)


def _check_crc(row: Row, values: tuple[Value, ...], where: Where) -> None:
    if CRC16 not in values:
        return
    if values.count(CRC16) > 1 or len(values) == 1:
        raise AddressError("a request has one $crc16, and other words that it is the checksum of", where)
    try:
        fits = not row.table.bits and len(row.encoded(0xFFFF)) == 2
    except OrderError:
        fits = False
    if not fits:
        raise AddressError("$crc16 is a word: the row must be of type uint16", where)
