"""Where a signal or command of a device stands on its wire, as the profile tells it.

The rule kept here: only as much of a profile's rows is read as is needed to find the place; what they mean is for the
drivers.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cellctl.driver import Device
from cellctl_simulators.world import hint

_ROW = re.compile(r"\s*(coil|discrete|holding|input)\s+(\w+)(?:\s+(\w+)(?:\s+(\d+))?)?")
_NODE = re.compile(r"(?:ns=[^;]+;)?[si]=([^\s]+)")
_WORDS = {"uint32": 2, "int32": 2, "float32": 2, "uint64": 4, "int64": 4, "float64": 4}


@dataclass(frozen=True, slots=True)
class Places:
    """What is read and what is written: register addresses (table, address), node names, or texts that a line has
    (a question as a whole, an order by its first word)."""

    read: frozenset[object]
    written: frozenset[object]


def places(device: Device, name: str) -> Places:
    """The places of a signal or command; ValueError, with what was meant, for a name that is neither."""
    if name in device.points:
        point = device.points[name]
        return Places(frozenset(_of(point.read or "")), frozenset(_of(point.write or "", order=True)))
    if name in device.commands:
        options = device.commands[name].options
        rows = [str(key) for key in write] if isinstance(write := options.get("write"), dict) else []
        told = [options[key] for key in ("ask", "send") if key in options]
        rows += [str(row) for each in told for row in (each if isinstance(each, list) else [each])]
        return Places(frozenset(), frozenset(place for row in rows for place in _of(row, order=True)))
    raise ValueError(f"{device.id} has no signal or command {name!r}{hint(name, [*device.points, *device.commands])}")


def identity(device: Device) -> Places:
    """Where the device says what it is."""
    told = device.identify or {}
    row = str(told.get("read") or told.get("ask") or "")
    return Places(frozenset(_of(row)), frozenset())


def _of(row: str, *, order: bool = False) -> Iterator[object]:
    if match := _ROW.match(row):
        count = (int(match[4]) + 1) // 2 if match[3] == "text" else _WORDS.get(match[3] or "", 1)
        start = int(match[2], 0)
        yield from ((match[1], address) for address in range(start, start + count))
    elif match := _NODE.match(row):
        yield match[1]
    elif row:
        yield row.partition("{")[0].split()[0] if order and row.partition("{")[0].split() else row
