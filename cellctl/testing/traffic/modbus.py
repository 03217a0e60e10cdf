"""Modbus as a person reads it: function, address, values.

The rule kept here: this only reads. What cannot be read is told as "", never guessed.
"""

from collections.abc import Mapping

_TABLES: Mapping[int, str] = {
    1: "coil", 2: "discrete", 3: "holding", 4: "input", 5: "coil", 6: "holding", 15: "coil", 16: "holding",
}  # fmt: skip
_READS, _BITS, _WRITES_ONE, _WRITES_MANY = (1, 2, 3, 4), (1, 2, 5, 15), (5, 6), (15, 16)

#: Bytes of a request before the number of its data bytes, and with the number, by function.
_COUNTED: Mapping[int, int] = {15: 6, 16: 6, 23: 10}
#: Requests of 8 bytes with unit and checksum, 5 without; the mask write has two more.
_FIXED: Mapping[int, int] = {1: 5, 2: 5, 3: 5, 4: 5, 5: 5, 6: 5, 22: 7}

_REFUSALS: Mapping[int, str] = {
    1: "the function is not known", 2: "there is no such address", 3: "the value is not accepted", 4: "it failed",
    5: "still working", 6: "busy", 8: "memory error", 10: "no path", 11: "no answer from behind the gateway",
}  # fmt: skip

#: So many values are told; the rest is in the bytes.
_VALUES_TOLD = 8


def request_size(pdu: bytes) -> int:
    """How long the request is that begins here, without unit and checksum; 0 while that is not known.

    A function that is not known is taken to be all that came.
    """
    if not pdu:
        return 0
    function = pdu[0]
    if (counted := _COUNTED.get(function)) is not None:
        return counted + pdu[counted - 1] if len(pdu) >= counted else 0
    return _FIXED.get(function, max(1, len(pdu) - 2))


def pdu_told(pdu: bytes, request: bytes | None) -> str:
    """A request, or the answer to `request`, in words."""
    if len(pdu) < 2:
        return ""
    if request is None:
        return _request_told(pdu)
    if pdu[0] & 0x80:
        return f"refused, {_REFUSALS.get(pdu[1], 'for no reason that is known')} (exception {pdu[1]})"
    if not request or pdu[0] != request[0]:
        return ""
    if pdu[0] in _READS:
        return f"= {_values_told(pdu[0], pdu[2:], _number(request, 3))}"
    return "done" if pdu[0] in _TABLES else ""


def _request_told(pdu: bytes) -> str:
    function, table = pdu[0], _TABLES.get(pdu[0], "")
    if not table or len(pdu) < 5:
        return f"function {function}"
    first, second = _number(pdu, 1), _number(pdu, 3)
    if function in _READS:
        return f"read {table} {first}" + (f"..{first + second - 1}" if second > 1 else "")
    if function in _WRITES_ONE:
        value = {0xFF00: 1, 0: 0}.get(second, second) if function in _BITS else second
        return f"write {table} {first} = {value}"
    return f"write {table} {first}..{first + second - 1} = {_values_told(function, pdu[6:], second)}"


def _values_told(function: int, data: bytes, count: int) -> str:
    if function in _BITS:
        values = [data[at // 8] >> at % 8 & 1 for at in range(min(count, 8 * len(data)))]
    else:
        values = [_number(data, at) for at in range(0, len(data) - 1, 2)]
    told = " ".join(map(str, values[:_VALUES_TOLD]))
    return told + (f" and {len(values) - _VALUES_TOLD} more" if len(values) > _VALUES_TOLD else "")


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")
