"""Modbus requests and the check of their answers.

The rule kept here: an answer counts only if unit, transaction, function code, length and echo are those of the request;
everything else is no answer.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteMultipleCoilsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from cellctl.driver import Outcome
from cellctl_drivers.modbus.rows import Table
from cellctl_drivers.wire.exchange import Take
from cellctl_drivers.wire.orders import BusyError, OrderError, RefusalError, SilenceError

_READS: dict[Table, type[ModbusPDU]] = {
    Table.COIL: ReadCoilsRequest,
    Table.DISCRETE: ReadDiscreteInputsRequest,
    Table.HOLDING: ReadHoldingRegistersRequest,
    Table.INPUT: ReadInputRegistersRequest,
}

_REFUSALS = {
    1: "the device does not know this function",
    2: "the device has no such address",
    3: "the device does not accept this value or length",
    4: "the device failed to do it",
    6: "the device is busy",
    8: "the device has a memory error",
    10: "the gateway has no path to the device",
}
#: Not begun, and to be asked again.
_BUSY = 6
_UNKNOWN = 1
#: The device has begun, or the gateway does not know: nobody can say that nothing happened.
_IN_DOUBT = {5: "the device has accepted it and is still working", 11: "the device behind the gateway does not answer"}

#: Transaction, protocol, length of what follows, unit.
_TCP_HEAD = struct.Struct(">HHHB")


class UnknownFunctionError(RefusalError):
    """The device does not know the function at all, whatever the address."""


@dataclass(frozen=True, slots=True)
class Request:
    """The request's bytes without framing; the size of its answer (0: the answer is `echo`)."""

    pdu: bytes
    answer_size: int
    echo: bytes = b""

    def check(self, pdu: bytes) -> bytes:
        """The data of the answer `pdu`; SilenceError if it is not the answer, RefusalError if it says no."""
        if len(pdu) == 2 and pdu[0] == self.pdu[0] | 0x80:
            code = pdu[1]
            if code in _IN_DOUBT:
                raise OrderError(Outcome.UNKNOWN, _IN_DOUBT[code])
            if code == _BUSY:
                raise BusyError(_REFUSALS[code])
            if code == _UNKNOWN:
                raise UnknownFunctionError(_REFUSALS[code])
            raise RefusalError(_REFUSALS.get(code, f"the device refuses with the code {code}"))
        if self.echo:
            if pdu != self.echo:
                raise SilenceError("the device confirmed something else than was written")
            return b""
        if len(pdu) != self.answer_size or pdu[0] != self.pdu[0] or pdu[1] != self.answer_size - 2:
            raise SilenceError("the device answered something else than was asked")
        return pdu[2:]


#: The data of an answer, or why there is none.
Reply = bytes | RefusalError | OrderError


class Framing(Protocol):
    """How requests travel: `frame` makes the bytes to send, and what takes the answer out of the bytes received."""

    def frame(self, request: Request) -> tuple[bytes, Take[bytes]]:
        """The bytes to send and the taker of the answer's data."""


class TcpFraming:
    """Modbus TCP: each request has its own transaction number."""

    def __init__(self, unit: int) -> None:
        self._unit = unit
        self._transaction = 0

    def frame(self, request: Request) -> tuple[bytes, Take[bytes]]:
        """The bytes to send and the taker of the answer's data."""
        transaction = self._transaction = self._transaction % 65_535 + 1
        head = (transaction, 0, self._unit)
        frame = _TCP_HEAD.pack(transaction, 0, 1 + len(request.pdu), self._unit) + request.pdu

        def take(received: bytearray) -> bytes | None:
            if len(received) < 9:
                return None
            number, protocol, length, unit = _TCP_HEAD.unpack_from(received)
            if (number, protocol, unit) != head or not 3 <= length <= 254 or len(received) > 6 + length:
                raise SilenceError("the device answered something else than was asked")
            return request.check(bytes(received[7:])) if len(received) == 6 + length else None

        return frame, take

    def together(self, requests: Sequence[Request]) -> tuple[bytes, Take[list[Reply]]]:
        """The same for several requests at once: the answers, in whatever order, are told apart by their numbers."""
        framed = [(self.frame(request), self._transaction) for request in requests]
        asked = {number: take for (_, take), number in framed}
        replies: dict[int, Reply] = {}

        def take_all(received: bytearray) -> list[Reply] | None:
            at = 0
            while len(received) - at >= _TCP_HEAD.size:
                number, _, length, _ = _TCP_HEAD.unpack_from(received, at)
                reply = _reply(asked.get(number, _foreign), received[at : at + 6 + length])
                if reply is None:
                    break
                replies[number] = reply
                del asked[number]
                at += 6 + length
            del received[:at]
            return None if asked else [replies[number] for _, number in framed]

        return b"".join(frame for (frame, _), _ in framed), take_all


class RtuFraming:
    """Modbus RTU: a checksum, and the answer's length follows from the request."""

    def __init__(self, unit: int) -> None:
        self._unit = unit
        self._framer = FramerRTU(DecodePDU(is_server=False))

    def frame(self, request: Request) -> tuple[bytes, Take[bytes]]:
        """The bytes to send and the taker of the answer's data."""
        whole = 3 + (request.answer_size or len(request.echo))

        def take(received: bytearray) -> bytes | None:
            if len(received) < 5:
                return None
            size = 5 if received[1] & 0x80 else whole
            if len(received) < size:
                return None
            body = bytes(received[: size - 2])
            checksum = self._framer.compute_CRC(body).to_bytes(2, "big")
            if received[0] != self._unit or len(received) > size or received[-2:] != checksum:
                raise SilenceError("what came from the line is no answer: noise, or another device")
            return request.check(body[1:])

        return self._framer.encode(request.pdu, self._unit, 0), take


def _reply(take: Take[bytes], received: bytearray) -> Reply | None:
    """What `take` makes of an answer; that the device says no is one too."""
    try:
        return take(received)
    except (RefusalError, OrderError) as refusal:
        return refusal


def _foreign(_: bytearray) -> bytes:
    raise SilenceError("the device answered something else than was asked")


def read(table: Table, start: int, count: int) -> Request:
    """Read `count` registers or bits from `start`."""
    data_size = (count + 7) // 8 if table.bits else 2 * count
    return Request(_pdu(_READS[table](address=start, count=count)), 2 + data_size)


def write(table: Table, start: int, data: bytes, *, single: bool = True) -> Request:
    """Write `data`, as rows encode it, from `start`: FC5 or FC6 for a `single` value, else FC15 or FC16."""
    if table is Table.COIL:
        bits = [bool(byte) for byte in data]
        if len(bits) == 1 and single:
            return _echoed(WriteSingleCoilRequest(address=start, bits=bits))
        return _acknowledged(WriteMultipleCoilsRequest(address=start, bits=bits))
    registers = [value for (value,) in struct.iter_unpack(">H", data)]
    if len(registers) == 1 and single:
        return _echoed(WriteSingleRegisterRequest(address=start, registers=registers))
    return _acknowledged(WriteMultipleRegistersRequest(address=start, registers=registers))


def _echoed(message: ModbusPDU) -> Request:
    pdu = _pdu(message)
    return Request(pdu, 0, pdu)


def _acknowledged(message: ModbusPDU) -> Request:
    pdu = _pdu(message)
    return Request(pdu, 0, pdu[:5])


def _pdu(message: ModbusPDU) -> bytes:
    return bytes([message.function_code]) + message.encode()
