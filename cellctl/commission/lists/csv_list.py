"""A list of signals as CSV: name, address, type, unit, access, description, and what else its head names.

The rule kept here: the addresses say which protocol it is; a list has one.
"""

import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from shlex import quote

from cellctl.commission.lists.kinds import Kind, kind_of
from cellctl.commission.lists.listing import ListError, Listing, Tag
from cellctl.commission.lists.places import looks_modicon, note_of, place_of, rows_at
from cellctl.commission.lists.table import Columns, Line, read_table

#: A column, and what others call it. An `offset` is the address where nothing else is.
COLUMNS: Columns = {
    "name": ("tag name", "tag", "tagname", "signal", "signal name", "variable", "variable name", "symbol", "point",
             "point name", "register name", "parameter", "parameter name"),
    "address": ("row", "register", "register address", "modbus address", "addr", "reg", "node", "nodeid", "node id",
                "register number", "start address", "offset"),
    "table": ("area", "register type", "object type", "memory area", "function", "function code", "fc", "kind"),
    "type": ("data type", "datatype", "format", "dtype", "data format"),
    "unit": ("units", "eng units", "engineering units", "engineering unit", "uom", "eu"),
    "access": ("r/w", "rw", "access rights", "client access", "mode", "permission", "read/write", "access type"),
    "description": ("comment", "comments", "text", "remark", "remarks", "notes", "note", "meaning"),
    "scale": ("factor", "multiplier", "gain", "scale factor", "resolution"),
    "offset": ("value offset", "zero offset", "bias", "addend"),
}  # fmt: skip

_ACCESS = {
    "r": ("r", "ro", "read", "read only", "readonly", "input", ""),
    "rw": ("rw", "r/w", "read/write", "readwrite", "read write", "w/r", "wr", "output"),
    "w": ("w", "wo", "write", "write only", "writeonly"),
}
#: Only a list of KEPServerEX has these columns.
_KEPWARE = frozenset({"raw low", "raw high", "scaled low", "scaled high", "respect data type"})

_NODE = re.compile(r"(?:ns=(?P<uri>[^;]*[^;\d][^;]*);)?(?:s=.+|i=\d+)\Z")
_ROW = re.compile(r"(holding|input)\s+\w+\s+\S+|(coil|discrete)\s+\w+\Z")


def read_csv(path: Path, namespace: str = "", *, modicon: bool = False) -> Listing:
    """The list in `path`; rows ``s=Name`` are of the OPC UA `namespace`. ListError if it is none.

    `modicon`: numbers beside a table are of the form 40001 too, and not those on the wire.
    """
    table = read_table(path, COLUMNS, ("name", "address"))
    if table.head >= _KEPWARE:
        raise ListError(
            f"{path} is a list of KEPServerEX, whose scaling would be lost here."
            f" Type: cellctl import kepware {quote(str(path))}"
        )
    if not table.lines:
        raise ListError(f"{path} has a head and nothing below it.")
    nodes = sum(bool(_NODE.match(line.get("address"))) for line in table.lines)
    opcua = nodes * 2 > len(table.lines)
    listing = Listing("opcua" if opcua else "modbus", remarks=list(table.remarks))
    if opcua and namespace:
        listing.sections["opcua"] = {"namespace": namespace}
    if opcua and "table" in table.columns:
        listing.remarks.append("not used: the column 'table', because nodes of OPC UA have none")
    take: Callable[[Line], dict[str, object]]
    take = partial(_node_row, namespace=namespace) if opcua else partial(_register_row, modicon=modicon)
    for line in table.lines:
        try:
            keys = take(line)
            notes = note_of(keys, access_of(line.get("access"))), _unscaled(line, keys)
            note = "; ".join(each for each in notes if each)
            listing.tags.append(Tag(_path(line), keys, line.get("unit"), line.get("description"), note))
        except ValueError as error:
            listing.wrong.append((line.number, str(error)))
    if not opcua and not modicon:
        listing.remarks += _doubts(table.lines)
    return listing


def _doubts(lines: Sequence[Line]) -> list[str]:
    """What a person should look at: numbers that were taken as those on the wire, and may be of the form 40001."""
    doubted = [each for line in lines if looks_modicon(each := line.get("address"), line.get("table"))]
    if not doubted:
        return []
    return [
        f"{doubted[0]} beside a 'table' is taken as the address on the wire, as are all numbers there ({len(doubted)} "
        "look alike): if they count from 40001, give --addresses modicon"
    ]


def access_of(text: str) -> str:
    """ "r", "rw" or "w"; ValueError for another word."""
    small = " ".join(text.lower().replace("-", " ").replace("_", " ").split())
    for access, words in _ACCESS.items():
        if small in words:
            return access
    raise ValueError(f"{text!r} says nothing about access: r, rw or w")


def number_of(text: str) -> float:
    """A number, with a point or a comma; ValueError if it is none."""
    try:
        number = float(text.replace(",", ".") if "." not in text else text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not a number")
    return number


def _path(line: Line) -> tuple[str, ...]:
    name = line.get("name")
    if not name:
        raise ValueError("it has no name")
    return tuple(part for part in re.split(r"[./\\]", name) if part) or (name,)


def _kind(line: Line, default: str) -> Kind:
    text = line.get("type") or default
    kind = kind_of(text)
    if kind is None:
        raise ValueError(f"{text!r} is no type: bool, int16, uint16, int32, uint32, float32, float64, string(16)")
    return kind


def _register_row(line: Line, modicon: bool) -> dict[str, object]:
    """A row of Modbus."""
    address, access = line.get("address"), access_of(line.get("access"))
    if not address:
        raise ValueError("it has no address")
    if _ROW.match(address) and " bit " not in address:
        name, number, *kind = address.split()
        row = rows_at(place_of(f"{name} {number}", line.get("table")), _kind(line, " ".join(kind) or "bool"), access)
        if kind:
            row |= {key: address for key in ("read", "write") if key in row}
    else:
        place = place_of(address, line.get("table"), modicon=modicon)
        row = rows_at(place, _kind(line, "uint16" if place.table in ("holding", "input") else "bool"), access)
    return row | _scaled(line, row)


def _scaled(line: Line, row: dict[str, object]) -> dict[str, object]:
    """What a number is multiplied with, and what is added; a whole number with a fraction is one no more."""
    if row["type"] not in ("int", "float"):
        return {}
    scale, offset = number_of(line.get("scale") or "1"), number_of(line.get("offset") or "0")
    if scale == 0:
        raise ValueError("a scale of 0 makes everything 0")
    found: dict[str, object] = {"scale": scale} if scale != 1 else {}
    if offset:
        found["offset"] = offset
    is_whole = row["type"] == "int" and scale.is_integer() and offset.is_integer()
    return found | {"type": "int" if is_whole else "float"} if found else {}


def _unscaled(line: Line, row: dict[str, object]) -> str:
    """What is told beside a bit or a text that the list scales."""
    told = [
        f"{key} {line.get(key)}" for key, plain in (("scale", "1"), ("offset", "0")) if line.get(key) not in ("", plain)
    ]
    return (
        f"{' and '.join(told)}, says the list; it is no number" if told and row["type"] not in ("int", "float") else ""
    )


def _node_row(line: Line, namespace: str) -> dict[str, object]:
    """A row of OPC UA."""
    node, access = line.get("address"), access_of(line.get("access"))
    match = _NODE.match(node)
    if match is None:
        raise ValueError(f"{node!r} is no node: ns=URI;s=NAME, or s=NAME with --namespace")
    if not match["uri"] and not namespace:
        raise ValueError(f"{node!r} has no namespace: write ns=URI;{node}, or give --namespace URI")
    kind = _kind(line, "")
    row: dict[str, object] = {"type": kind.signal}
    if match["uri"] == namespace:
        node = node.partition(";")[2]
    if "r" in access:
        row["read"] = node
    if "w" in access:
        row["write"] = f"{node} {kind.opcua}"
    return row | _scaled(line, row)
