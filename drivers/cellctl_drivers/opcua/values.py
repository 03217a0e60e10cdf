"""OPC UA data values to raw values with their quality, and wanted values to variants of exactly the type asked for.

The rule kept here: the status code is read before the value; only the top two bits decide between good and not good.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeGuard

from asyncua import ua

from cellctl.driver import Quality, Sample, Value
from cellctl_drivers.opcua.steps import Sink, typed
from cellctl_drivers.wire.reading import Reading

_UNCERTAIN = 0x4000_0000
_BAD = 0x8000_0000

#: Info type "data value" with the overflow bit: values were lost between this one and the one before.
_OVERFLOW = 0x0000_0480


def sample(reading: Reading, data: ua.DataValue, now: int, element: int | None = None) -> Sample:
    """The sample that `data`, or this element of it, means for the point of `reading`."""
    status = data.StatusCode if data.StatusCode is not None else ua.StatusCode()
    if status.value & _BAD:
        return reading.bad(f"the server says {status.name}", now)
    raw = data.Value.Value if data.Value is not None else None
    if element is not None and isinstance(raw, list):
        if element >= len(raw):
            return reading.bad(f"the server tells {len(raw)} elements, there is no element {element}", now)
        raw = raw[element]
    elif element is not None:
        raw = None
    raw = _plain(raw)
    if not _fits(raw, reading.signal.type):
        return reading.bad(f"the server tells {_named(raw)}, which is not of type {reading.signal.type}", now)
    taken = reading.sample(raw, now, time_ns=_ns(data.SourceTimestamp))
    if taken.quality is Quality.GOOD and status.value & _UNCERTAIN:
        return replace(taken, quality=Quality.UNCERTAIN, reason=f"the server says {status.name}")
    if taken.quality is Quality.GOOD and status.value & _OVERFLOW == _OVERFLOW:
        return replace(taken, quality=Quality.UNCERTAIN, reason="values were lost before this one")
    return taken


def data_value(sink: Sink, value: Value) -> ua.DataValue:
    """`value` as the sink's type, without status and times (servers refuse them); OrderError if it does not fit."""
    return ua.DataValue(variant(sink.type, value), StatusCode=None)


def variant(kind: str, value: Value) -> ua.Variant:
    """`value` as the type `kind`; OrderError if it does not fit."""
    return ua.Variant(typed(kind, value), ua.VariantType[kind])


def outputs(variants: Iterable[ua.Variant]) -> list[Value]:
    """What a method answers: what is no single value is told as text."""
    told = [_plain(each.Value) for each in variants]
    return [raw if isinstance(raw, bool | int | float | str) else str(raw) for raw in told]


def _plain(raw: object) -> object:
    """A text without its language."""
    return (raw.Text or "") if isinstance(raw, ua.LocalizedText) else raw


def _fits(raw: object, kind: str) -> TypeGuard[Value]:
    if isinstance(raw, bool) or kind == "bool":
        return kind == "bool" and isinstance(raw, bool | int)
    return isinstance(raw, {"int": int, "float": int | float, "text": str}[kind])


def _named(raw: object) -> str:
    return "no value" if raw is None else f"a value of type {type(raw).__name__}"


def _ns(time: datetime | None) -> int:
    if time is None:
        return 0
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1e6) * 1000
