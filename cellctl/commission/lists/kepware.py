"""The tags of a Modbus device as KEPServerEX exports them to CSV.

The rule kept here: only Modbus addresses are taken; those of other devices are told with what to do instead.
"""

import re
from fractions import Fraction
from pathlib import Path

from cellctl.commission.lists.csv_list import number_of
from cellctl.commission.lists.kinds import Kind, kind_of
from cellctl.commission.lists.listing import ListError, Listing, Tag
from cellctl.commission.lists.places import Place, note_of, place_of, rows_at
from cellctl.commission.lists.table import Columns, Line, read_table

COLUMNS: Columns = {
    name: ()
    for name in (
        "tag name", "address", "data type", "client access", "scan rate", "scaling", "raw low", "raw high",
        "scaled low", "scaled high", "scaled data type", "eng units", "description", "negate value",
        "respect data type",
    )
}  # fmt: skip

#: Its names of types that mean something else in an IEC language.
_TYPES = {
    "byte": "uint8", "short": "int16", "word": "uint16", "long": "int32", "dword": "uint32", "llong": "int64",
    "qword": "uint64", "float": "float32", "double": "float64", "boolean": "bool", "default": "uint16",
}  # fmt: skip
_ACCESS = {"ro": "r", "r": "r", "read only": "r", "r/w": "rw", "rw": "rw", "read/write": "rw", "wo": "w", "": "rw"}

#: ``400001.20H``: a text of 20 characters, the high byte first.
_TEXT = re.compile(r"(?P<place>[34]\d{4,5})\.(?P<length>\d+)(?P<order>[HL])?\Z", re.IGNORECASE)
_LIST = re.compile(r".*\[\s*\d+\s*\]")

_WORD_ORDER = (
    "Kepware keeps the word order of long numbers in the settings of the device ('First Word Low'), not in this file: "
    "if numbers of 32 bits are nonsense, write 'modbus: {word_order: lsw}'"
)


def read_kepware(path: Path) -> Listing:
    """The list in `path`; ListError if it is none."""
    table = read_table(path, COLUMNS, ("tag name", "address", "data type"))
    if not table.lines:
        raise ListError(f"{path} has a head and nothing below it.")
    listing = Listing("modbus", remarks=list(table.remarks))
    for line in table.lines:
        try:
            path_of_tag = tuple(part for part in line.get("tag name").split(".") if part)
            if not path_of_tag:
                raise ValueError("it has no name")
            keys = _row(line)
            note = note_of(keys, _access(line))
            listing.tags.append(Tag(path_of_tag, keys, line.get("eng units"), line.get("description"), note))
        except ValueError as error:
            listing.wrong.append((line.number, str(error)))
    if any("32" in str(tag.keys.get("read", "")) or "64" in str(tag.keys.get("read", "")) for tag in listing.tags):
        listing.remarks.append(_WORD_ORDER)
    return listing


def _row(line: Line) -> dict[str, object]:
    address, access = line.get("address"), _access(line)
    data_type = line.get("data type").lower()
    if _LIST.match(address) or data_type.endswith("array"):
        raise ValueError(f"{address!r} is a list of values: make a tag of each one that is needed")
    if data_type in ("bcd", "lbcd", "date"):
        raise ValueError(f"the type {line.get('data type')!r} cannot be read: use the plain number beside it")
    if data_type == "string":
        row = rows_at(*_text(address), access)
    else:
        kind = kind_of(_TYPES.get(data_type, data_type or "word"))
        if kind is None:
            raise ValueError(f"{line.get('data type')!r} is no type of Kepware")
        row = rows_at(place_of(address), kind, access)
    return row | _scaled(line, row) | _every(line)


def _access(line: Line) -> str:
    access = _ACCESS.get(line.get("client access").lower())
    if access is None:
        raise ValueError(f"{line.get('client access')!r} says nothing about access: RO or R/W")
    return access


def _text(address: str) -> tuple[Place, Kind]:
    match = _TEXT.match(address)
    if match is None:
        raise ValueError(f"{address!r} is no text: 400001.20H would be one of 20 characters")
    if (match["order"] or "H").upper() == "L":
        raise ValueError(f"{address!r} has the low byte first: write it by hand, with 'byte_order: lsb'")
    return place_of(match["place"]), Kind("text", "text", "String", int(match["length"]))


def _scaled(line: Line, row: dict[str, object]) -> dict[str, object]:
    scaling = line.get("scaling").lower()
    if scaling in ("", "none"):
        return {}
    if scaling != "linear" or row["type"] not in ("int", "float"):
        raise ValueError(f"the scaling {line.get('scaling')!r} cannot be taken over: only Linear can, of a number")
    raw_low, raw_high, low, high = (
        Fraction(repr(number_of(line.get(name)))) for name in ("raw low", "raw high", "scaled low", "scaled high")
    )
    if raw_low == raw_high or low == high:
        raise ValueError("the scaling has a range of nothing")
    scale = (high - low) / (raw_high - raw_low)
    if line.get("negate value").lower() in ("1", "true", "yes"):
        scale, low = -scale, -low
    offset = low - raw_low * scale
    return {"type": "float", "scale": float(scale)} | ({"offset": float(offset)} if offset else {})


def _every(line: Line) -> dict[str, object]:
    text = line.get("scan rate")
    if not text or text in ("0", "1000"):
        return {}
    if not text.isdigit():
        raise ValueError(f"the scan rate {text!r} is not a number of milliseconds")
    return {"every": f"{int(text)} ms"}
