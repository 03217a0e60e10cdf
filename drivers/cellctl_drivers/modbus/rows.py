"""The rows of a Modbus profile: ``holding 128 uint16``, ``coil 12``, ``input 20 bits 14..15``, ``input 9 word 2 of 4``.

The rule kept here: addresses are those on the wire, from 0; a row says all that is needed to decode it.
"""

import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from cellctl.driver import AddressError, Outcome, Value
from cellctl_drivers.wire.orders import OrderError
from cellctl_drivers.wire.settings import Where, nearest


class Table(Enum):
    """The four tables of a Modbus device and the function code that reads each."""

    COIL = 1
    DISCRETE = 2
    HOLDING = 3
    INPUT = 4

    @property
    def bits(self) -> bool:
        """Whether the table holds single bits, not registers."""
        return self in (Table.COIL, Table.DISCRETE)

    @property
    def writable(self) -> bool:
        """Whether the protocol can write to the table."""
        return self in (Table.COIL, Table.HOLDING)


_TABLES = {table.name.lower(): table for table in Table}
_NUMBERS = {
    "uint16": "H",
    "int16": "h",
    "uint32": "I",
    "int32": "i",
    "float32": "f",
    "uint64": "Q",
    "int64": "q",
    "float64": "d",
}
_ROW = re.compile(
    r"\s*(?P<table>\w+)\s+(?P<start>\w+)(?:\s+(?P<type>\w+)(?:\s+(?P<a>\d+)(?:\s*(?:\.\.|of)\s*(?P<b>\d+))?)?)?\s*\Z"
)
_MASKS = re.compile(r"\s*holding\s+(?P<set>\w+)\s*/\s*(?P<clear>\w+)\s+bit\s+(?P<bit>\d+)\s*\Z")
_WORDS_MAX = 125
_FORM = "holding|input ADDRESS TYPE, or coil|discrete ADDRESS"

Decode = Callable[[bytes, int], Value]
Encode = Callable[[Value], bytes]


@dataclass(frozen=True, slots=True)
class Row:
    """`count` registers or bits from `start`; how to decode them out of a block's bytes, and to encode them."""

    table: Table
    start: int
    count: int
    decode: Decode
    encode: Encode | None

    def encoded(self, *values: Value) -> bytes:
        """What is written for `values`, one after the other; OrderError (refused) if one does not fit."""
        assert self.encode is not None
        return b"".join(self.encode(value) for value in values)

    def __str__(self) -> str:
        return f"{self.table.name.lower()} {self.start}"


@dataclass(frozen=True, slots=True)
class Masks:
    """Two registers that act on the bits written as 1: one sets them, the other clears them."""

    set_row: Row
    clear_row: Row
    mask: int


@dataclass(frozen=True, slots=True)
class Orders:
    """What comes first: of a longer number the low word (`lsw`), of a word the low byte (`lsb`)."""

    lsw: bool = False
    lsb: bool = False


def parse_row(text: str, where: Where, orders: Orders = Orders()) -> Row:
    """The row `text`, whose words and bytes come in these `orders`."""
    match = _ROW.match(text)
    if match is None:
        raise AddressError(f"{text!r} is not of the form {_FORM}", where)
    table = _TABLES.get(match["table"])
    if table is None:
        raise AddressError(f"{match['table']!r} is no table{nearest(match['table'], tuple(_TABLES))}", where)
    try:
        start = int(match["start"], 0)
    except ValueError:
        raise AddressError(f"{match['start']!r} is not an address: write 128 or 0x80", where) from None
    row = _bit_row(table, start, match, where) if table.bits else _register_row(table, start, match, where, orders.lsw)
    if start + row.count > 65_536:
        raise AddressError(f"{text!r} reaches beyond address 65535", where)
    return _low_first(row) if orders.lsb and not table.bits else row


def parse_masks(text: str, where: Where) -> "Masks | None":
    """``holding 2/3 bit 5``; None if `text` is a row."""
    match = _MASKS.match(text)
    if match is None:
        return None
    bit = int(match["bit"])
    if bit > 15:
        raise AddressError(f"bit {bit}: a register has the bits 0 to 15", where)
    set_row, clear_row = (parse_row(f"holding {match[name]} uint16", where) for name in ("set", "clear"))
    return Masks(set_row, clear_row, 1 << bit)


def check_writable(row: Row, where: Where) -> None:
    """AddressError for a row that no request can write."""
    if not row.table.writable:
        raise AddressError(f"{row.table.name.lower()}s can only be read", where)
    if row.encode is None:
        raise AddressError("a part of a place cannot be written without changing the rest of it", where)


def _bit_row(table: Table, start: int, match: re.Match[str], where: Where) -> Row:
    if match["type"]:
        raise AddressError(f"a {match['table']} is one bit and has no type {match['type']!r}", where)
    return Row(table, start, 1, _one_bit, _encode_bit)


def _register_row(table: Table, start: int, match: re.Match[str], where: Where, lsw: bool) -> Row:
    kind, a, b = match["type"], match["a"], match["b"]
    kinds = (*_NUMBERS, "bit", "bits", "text", "word")
    if kind is None:
        raise AddressError(f"a register needs a type: {match['table']} {start} uint16, for example", where)
    if kind not in kinds:
        raise AddressError(f"{kind!r} is no type{nearest(kind, kinds)}", where)
    if kind in _NUMBERS:
        if a is not None:
            raise AddressError(f"{kind} takes no number behind it", where)
        words = struct.calcsize(_NUMBERS[kind]) // 2
        return Row(table, start, words, *_number(_NUMBERS[kind], lsw))
    if a is None or (kind in ("bits", "word")) != (b is not None) or (kind == "word") != (" of " in match[0]):
        raise AddressError("write `bit 3`, `bits 4..7`, `text 16` or `word 2 of 9`", where)
    if kind == "text":
        return Row(table, start, (int(a) + 1) // 2, *_text(int(a), where))
    low, high = int(a), int(b or a)
    if kind == "word":
        if not low < high <= _WORDS_MAX:
            raise AddressError(f"word {low} of {high}: words count from 0, and one request has 125 at most", where)
        return Row(table, start, high, _word(low), None)
    if not low <= high <= 15:
        raise AddressError(f"bits {low}..{high}: a register has the bits 0 to 15, the lower one first", where)
    return Row(table, start, 1, _some_bits(low, high), None)


def _number(code: str, lsw: bool) -> tuple[Decode, Encode]:
    form = struct.Struct(">" + code)

    def decode(data: bytes, offset: int) -> Value:
        value: Value = form.unpack_from(data, offset)[0]
        return value

    def decode_swapped(data: bytes, offset: int) -> Value:
        value: Value = form.unpack(_swap(data[offset : offset + form.size]))[0]
        return value

    def encode(value: Value) -> bytes:
        data = _packed(form, value)
        return _swap(data) if lsw else data

    return (decode_swapped if lsw and form.size > 2 else decode), encode


def _low_first(row: Row) -> Row:
    """The same row where the low byte of each word comes first."""
    decode, encode, size = row.decode, row.encode, 2 * row.count

    def decode_low_first(data: bytes, offset: int) -> Value:
        return decode(_turn(data[offset : offset + size]), 0)

    return replace(row, decode=decode_low_first, encode=encode and (lambda value: _turn(encode(value))))


def _turn(data: bytes) -> bytes:
    turned = bytearray(data)
    turned[::2], turned[1::2] = data[1::2], data[::2]
    return bytes(turned)


def _packed(form: struct.Struct, value: Value) -> bytes:
    if isinstance(value, str) or (isinstance(value, float) and not math.isfinite(value)):
        raise OrderError(Outcome.REFUSED, f"{value!r} is not a number")
    try:
        return form.pack(value if form.format[-1] in "fd" else round(value))
    except (struct.error, OverflowError):
        raise OrderError(Outcome.REFUSED, f"{value} does not fit into {8 * form.size} bits of the device") from None


def _swap(data: bytes) -> bytes:
    """The same with its 16-bit words in the opposite order."""
    return b"".join(data[i : i + 2] for i in range(len(data) - 2, -1, -2))


def _text(length: int, where: Where) -> tuple[Decode, Encode]:
    if not 1 <= length <= 240:
        raise AddressError(f"a text of {length} characters: 1 to 240 are possible", where)
    size = length + length % 2

    def decode(data: bytes, offset: int) -> Value:
        return data[offset : offset + length].partition(b"\0")[0].decode("latin-1").rstrip()

    def encode(value: Value) -> bytes:
        data = str(value).encode("latin-1", "replace")
        if len(data) > length:
            raise OrderError(Outcome.REFUSED, f"{value!r} is longer than {length} characters")
        return data.ljust(size, b"\0")

    return decode, encode


def _word(index: int) -> Decode:
    def decode(data: bytes, offset: int) -> Value:
        return int.from_bytes(data[offset + 2 * index : offset + 2 * index + 2], "big")

    return decode


def _some_bits(low: int, high: int) -> Decode:
    mask = (1 << (high - low + 1)) - 1

    def decode(data: bytes, offset: int) -> Value:
        return (int.from_bytes(data[offset : offset + 2], "big") >> low) & mask

    return decode


def _one_bit(data: bytes, offset: int) -> Value:
    return bool(data[offset >> 3] >> (offset & 7) & 1)


def _encode_bit(value: Value) -> bytes:
    if isinstance(value, str) or value not in (0, 1):
        raise OrderError(Outcome.REFUSED, f"{value!r} is neither on nor off")
    return b"\1" if value else b"\0"
