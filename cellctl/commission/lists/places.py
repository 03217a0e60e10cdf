"""Places in a Modbus device as lists write them: ``40001``, ``400001.3``, ``holding 0``, or a number beside a table.

The rule kept here: numbers of the form 40001 count from 1 and are turned into those on the wire, which count from 0; a
number beside a table is the one on the wire. Whatever is not surely a Modbus address is told, with what to do.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from cellctl.commission.lists.kinds import Kind

_TABLES: Mapping[str, str] = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}

_TABLE_NAMES: Mapping[str, tuple[str, ...]] = {
    "coil": ("coil", "coils", "0x", "fc1", "fc01", "1", "01", "output coil", "do", "digital output"),
    "discrete": ("discrete", "discrete input", "discrete inputs", "1x", "fc2", "fc02", "2", "02", "input status", "di"),
    "holding": ("holding", "holding register", "holding registers", "4x", "fc3", "fc03", "3", "03", "hr", "read/write"),
    "input": ("input", "input register", "input registers", "3x", "fc4", "fc04", "4", "04", "ir"),
}
_NAMED = {alias: name for name, aliases in _TABLE_NAMES.items() for alias in aliases}

_MODICON = re.compile(r"(?P<table>[0134])(?P<number>\d{5}|\d{4})(?:\.(?P<bit>\d{1,2}))?\Z")
_WORDS = re.compile(r"(?P<table>[a-z]+)\s+(?P<number>0x[0-9a-f]+|\d+)(?:\s+bit\s+(?P<bit>\d{1,2}))?\Z")
_NUMBER = re.compile(r"(?P<number>0x[0-9a-f]+|\d+)(?:\.(?P<bit>\d{1,2}))?\Z")

#: What an address is, and what to do: the first that matches.
_FOREIGN = (
    (r"(nsu|ns|s|i)=", "is a node of an OPC UA server, not a Modbus address: 'cellctl browse --yaml' writes a profile"),
    (r"(DB\d+[.,]|[MIQEA][BWDX]?\d+(\.\d)?\Z|%?DB)", "is an address of a Siemens S7: use the OPC UA server of the PLC"),
    (r"%[MIQ]", "is an address inside a PLC: its symbols are imported with 'cellctl import codesys'"),
    (r"[NFBTCRLS]\d+:\d+", "is an address of an Allen-Bradley PLC: use an OPC UA server for it"),
    (r"[DMXYRW]\d+\Z", "is an address of a Mitsubishi or Omron PLC: use its OPC UA server, or its Modbus addresses"),
)


class Place(NamedTuple):
    """A table, the address on the wire, and the bit of a register if it is one (-1: it is all of it)."""

    table: str
    number: int
    bit: int = -1


def place_of(text: str, table: str = "", *, modicon: bool = False) -> Place:
    """The place that is meant; `table` is what else the list says of it. ValueError with the reason.

    `modicon`: a number beside a table is of the form 40001 too.
    """
    place = _place(text.strip(), named := _named(table), modicon)
    if named and place.table != named:
        raise ValueError(f"{text!r} is in the table {place.table!r}, and the column 'table' says {table!r}")
    return place


def looks_modicon(text: str, table: str) -> bool:
    """Whether a number beside a table may be meant to be of the form 40001."""
    match = _MODICON.match(text.strip())
    return match is not None and int(match["number"]) > 0 and _NAMED.get(table.strip().lower()) == _TABLES[match[1]]


def _named(table: str) -> str:
    named = _NAMED.get(table.strip().lower(), "")
    if table.strip() and not named:
        raise ValueError(f"{table!r} is no table: holding, input, coil or discrete")
    return named


def _place(text: str, named: str, modicon: bool) -> Place:
    if named and (match := _NUMBER.match(text.lower())):
        if not modicon:
            return _checked(_on_wire(text, named, match), text)
        if not _MODICON.match(text):
            raise ValueError(f"{text!r} is not of the form 40001, as --addresses modicon says")
    if match := _MODICON.match(text):
        number = int(match["number"])
        if number == 0:
            raise ValueError(f"{text} is no address: they begin with {match['table']}{'1':0>{len(match['number'])}}")
        return _checked(Place(_TABLES[match["table"]], number - 1, int(match["bit"] or -1)), text)
    if (match := _WORDS.match(text.lower())) and match["table"] in _NAMED:
        return _checked(Place(_NAMED[match["table"]], _number(match["number"]), int(match["bit"] or -1)), text)
    for pattern, told in _FOREIGN:
        if re.match(pattern, text, re.IGNORECASE):
            raise ValueError(f"{text!r} {told}")
    if _NUMBER.match(text.lower()):
        raise ValueError(f"{text!r} names no table: write 'holding {text}' or 4xxxx, or add a column 'table'")
    raise ValueError(f"{text!r} is no Modbus address: 40001, 400001.3 or 'holding 0' would be")


def rows_at(place: Place, kind: Kind, access: str) -> dict[str, object]:
    """The row of a signal at `place`; ValueError if there can be none."""
    bits = place.table in ("coil", "discrete")
    if bits or place.bit >= 0:
        kind = Kind("bool", "", "")
    address = f"{place.table} {place.number}"
    if place.bit >= 0:
        address += f" bit {place.bit}"
    elif not bits:
        if kind.signal == "bool":
            raise ValueError("a register has 16 bits: 40001.0 is the lowest of the first one")
        if kind.signal == "text":
            if not 1 <= kind.length <= 240:
                raise ValueError("a text needs a length of 1 to 240 characters, such as string(16)")
            address += f" text {kind.length}"
        elif not kind.modbus:
            raise ValueError("a register holds no number of 8 bits with a sign: write int16")
        else:
            address += f" {kind.modbus}"
    row: dict[str, object] = {"type": kind.signal, "read": address}
    if "w" in access and place.table in ("coil", "holding") and "bit" not in address:
        row["write"] = address
        if "r" not in access:
            del row["read"]
    return row


def note_of(row: Mapping[str, object], access: str) -> str:
    """What is to be told beside a row: that it is not written, though the list says it can be."""
    is_lost = "w" in access and "write" not in row
    return "writable, says the list; a part of a register, or an input, is not" if is_lost else ""


def _on_wire(text: str, named: str, match: re.Match[str]) -> Place:
    number = _number(match["number"])
    if number > 65_535 and _MODICON.match(text):
        raise ValueError(
            f"{text!r} beside a table is the address on the wire, at most 65535: if it counts from 400001, give "
            "--addresses modicon"
        )
    return Place(named, number, int(match["bit"] or -1))


def _number(text: str) -> int:
    return int(text, 16) if text.startswith("0x") else int(text)


def _checked(place: Place, text: str) -> Place:
    if place.number > 65_535:
        raise ValueError(f"{text!r}: the last address is 65535")
    if place.bit > 15 or (place.bit >= 0 and place.table in ("coil", "discrete")):
        raise ValueError(f"{text!r}: only a register has bits, 0 to 15")
    return place
