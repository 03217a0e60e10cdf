"""How requests look on a wire: where one ends, by what it is known again, and what it means to a person.

The rule kept here: only what a protocol counts up by itself may differ between a request and the recorded one: the
transaction number of Modbus TCP, and the number that a watchdog writes.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Protocol

from cellctl.testing.traffic.modbus import pdu_told, request_size
from cellctl.testing.traffic.recording import is_text

#: Bytes before the function code in Modbus TCP: transaction, protocol, length, unit.
_TCP_HEAD_BYTES = 7
_CHECKSUM_BYTES = 2

#: So many values of a register in a row, each one more than the one before, are those of a watchdog.
_BEATS_MIN = 3

_WRITE_REGISTER = 6


class Wire(Protocol):
    """The requests of one kind of address."""

    def size(self, received: bytes) -> int:
        """How long the request at the beginning is; 0 while it is not complete."""

    def key(self, request: bytes) -> bytes:
        """The request without what counts up."""

    def fitted(self, chunk: bytes, recorded: bytes, request: bytes) -> bytes:
        """A chunk of the answer to the `recorded` request as the answer to `request`."""

    def shown(self, data: bytes, answers: bytes | None = None) -> str:
        """The bytes and what they mean; `answers` is the request that they answer, None if they are a request."""


class Lines:
    """Requests that are lines, or else what was sent at once."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        ends = {request[-1:] for request in requests}
        self._end = ends.pop() if len(ends) == 1 else b""

    def size(self, received: bytes) -> int:
        """See `Wire`."""
        return received.find(self._end) + 1 if self._end else len(received)

    def key(self, request: bytes) -> bytes:
        """See `Wire`."""
        return request

    def fitted(self, chunk: bytes, recorded: bytes, request: bytes) -> bytes:
        """See `Wire`."""
        return chunk

    def shown(self, data: bytes, answers: bytes | None = None) -> str:
        """See `Wire`."""
        return repr(data.decode("ascii")) if is_text(data) else data.hex(" ")


class ModbusRtu:
    """Modbus with a checksum: unit, function, data, CRC."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self._beats = _beats([self._core(request) for request in requests])

    def size(self, received: bytes) -> int:
        """See `Wire`."""
        inner = request_size(received[1:])
        size = 1 + inner + _CHECKSUM_BYTES
        return size if inner and len(received) >= size else 0

    def key(self, request: bytes) -> bytes:
        """See `Wire`."""
        core = self._core(request)
        return core[:4] if core[:4] in self._beats else request

    def fitted(self, chunk: bytes, recorded: bytes, request: bytes) -> bytes:
        """See `Wire`."""
        return request if chunk == recorded else chunk

    def shown(self, data: bytes, answers: bytes | None = None) -> str:
        """See `Wire`."""
        return data.hex(" ") + _meaning(self._core(data), None if answers is None else self._core(answers))

    def _core(self, frame: bytes) -> bytes:
        return frame[:-_CHECKSUM_BYTES]


class ModbusTcp:
    """Modbus with a head: transaction, protocol, length, unit."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self._beats = _beats([request[_TCP_HEAD_BYTES - 1 :] for request in requests])

    def size(self, received: bytes) -> int:
        """See `Wire`."""
        if len(received) < _TCP_HEAD_BYTES - 1:
            return 0
        size = _TCP_HEAD_BYTES - 1 + int.from_bytes(received[4:6], "big")
        return size if len(received) >= size else 0

    def key(self, request: bytes) -> bytes:
        """See `Wire`."""
        core = request[_TCP_HEAD_BYTES - 1 :]
        return core[:4] if core[:4] in self._beats else request[2:]

    def fitted(self, chunk: bytes, recorded: bytes, request: bytes) -> bytes:
        """See `Wire`."""
        if chunk == recorded:
            return request
        # A device that answered with another number than it was asked with does so here too.
        wrong_by = int.from_bytes(chunk[:2], "big") - int.from_bytes(recorded[:2], "big")
        number = (int.from_bytes(request[:2], "big") + wrong_by) % 65_536
        return number.to_bytes(2, "big") + chunk[2:] if len(chunk) > _TCP_HEAD_BYTES else chunk

    def shown(self, data: bytes, answers: bytes | None = None) -> str:
        """See `Wire`."""
        first = _TCP_HEAD_BYTES - 1
        return data.hex(" ") + _meaning(data[first:], None if answers is None else answers[first:])


#: By the kind of address. Others are text lines, or bytes that are compared as they are.
_WIRES: Mapping[str, type[ModbusTcp] | type[ModbusRtu]] = {
    "modbus": ModbusTcp, "modbus+tls": ModbusTcp, "modbus+rtu": ModbusRtu, "modbus+rtu+tcp": ModbusRtu,
}  # fmt: skip


def wire_of(address: str, requests: Sequence[bytes]) -> Wire:
    """The wire of a kind of address, on which a driver made these requests by itself, without an order."""
    return _WIRES.get(address, Lines)(requests)


def _meaning(core: bytes, answers: bytes | None) -> str:
    told = pdu_told(core[1:], None if answers is None else answers[1:])
    return f"  unit {core[0]}: {told}" if told else ""


def _beats(cores: Sequence[bytes]) -> set[bytes]:
    """The registers (unit, function, address) into which numbers were written that count up."""
    values: dict[bytes, list[int]] = {}
    for core in cores:
        if len(core) == 6 and core[1] == _WRITE_REGISTER:
            values.setdefault(core[:4], []).append(int.from_bytes(core[4:], "big"))
    return {place for place, beats in values.items() if len(beats) >= _BEATS_MIN and _counts_up(beats)}


def _counts_up(beats: Sequence[int]) -> bool:
    """Whether each is one more than the one before, or the first of a new connection."""
    return all(beat in (1, before + 1) for before, beat in pairwise(beats)) and len(set(beats)) > 1
