"""Types of values as lists name them.

The rule kept here: a name means one type, whoever uses it; what is not in the table is told.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A type: that of the signal, and its names in the rows of Modbus and OPC UA ("": there is none)."""

    signal: str
    modbus: str
    opcua: str
    length: int = 0


_KINDS: Mapping[str, Kind] = {
    "bool": Kind("bool", "", "Boolean"),
    "int8": Kind("int", "", "SByte"),
    "uint8": Kind("int", "bits 0..7", "Byte"),
    "int16": Kind("int", "int16", "Int16"),
    "uint16": Kind("int", "uint16", "UInt16"),
    "int32": Kind("int", "int32", "Int32"),
    "uint32": Kind("int", "uint32", "UInt32"),
    "int64": Kind("int", "int64", "Int64"),
    "uint64": Kind("int", "uint64", "UInt64"),
    "float32": Kind("float", "float32", "Float"),
    "float64": Kind("float", "float64", "Double"),
    "text": Kind("text", "text", "String"),
}

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "bool": ("bool", "boolean", "bit", "binary", "digital", "coil", "flag"),
    "int8": ("int8", "sint", "sbyte", "char", "i8", "s8"),
    "uint8": ("uint8", "usint", "byte", "u8"),
    "int16": ("int16", "int", "short", "integer", "i16", "s16", "signed16", "sint16", "signed int16", "signed short"),
    "uint16": ("uint16", "uint", "word", "ushort", "u16", "unsigned16", "unsigned int16", "unsigned short",
               "unsigned integer", "unsigned int"),
    "int32": ("int32", "dint", "long", "i32", "s32", "signed32", "sint32", "signed long", "signed int32"),
    "uint32": ("uint32", "udint", "dword", "ulong", "u32", "unsigned32", "unsigned long", "unsigned int32"),
    "int64": ("int64", "lint", "llong", "i64", "s64"),
    "uint64": ("uint64", "ulint", "lword", "qword", "ullong", "u64"),
    "float32": ("float32", "float", "real", "single", "f32", "float 32", "ieee754", "ieee 754", "real32"),
    "float64": ("float64", "double", "lreal", "f64", "real64"),
    "text": ("text", "string", "str", "wstring", "ascii"),
}  # fmt: skip

_NAMED = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}
_LENGTH = re.compile(r"(?P<name>[a-z]+)\s*[(\[]?\s*(?P<length>\d+)\s*[)\]]?\Z")


def kind_of(text: str) -> Kind | None:
    """The type that `text` means; None for one that is not known."""
    small = " ".join(text.lower().replace("_", " ").split())
    if small in _NAMED:
        return _KINDS[_NAMED[small]]
    sized = _LENGTH.match(small)
    if sized and _NAMED.get(sized["name"]) == "text":
        return Kind("text", "text", "String", int(sized["length"]))
    return None
