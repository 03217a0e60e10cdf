"""Modbus, RTU and TCP: register tables behind the frames of pymodbus.

Only the codec of pymodbus is used. Its server answers the first of two pipelined requests only and asks its data twice
for one write; this session answers every request once, in order.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from pymodbus.constants import ExcCodes
from pymodbus.datastore import ModbusServerContext
from pymodbus.exceptions import ModbusIOException
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.framer.base import FramerBase
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU

from cellctl_simulators.wire import ModbusError, Registers

FRAME_BYTES_MAX = 260
ANY_UNIT = -1
#: Silence that ends a frame on a serial line: longer than any operating system tears one apart.
RTU_GAP_S = 0.1


class ModbusSession:
    """One connection to a device that answers to `unit` (ANY_UNIT: to every id)."""

    def __init__(
        self,
        write: Callable[[bytes], None],
        wire: Registers,
        settle: Callable[[], None],
        *,
        unit: int,
        serial: bool,
    ) -> None:
        self._write = write
        self._wire = wire
        self._tables = _Tables(wire, settle)
        self._unit = unit
        self._serial = serial
        self._framer: FramerBase = (FramerRTU if serial else FramerSocket)(DecodePDU(True))
        self._buffer = b""
        self._heard_s = 0.0

    def feed(self, data: bytes) -> None:
        """Answer every whole request; another unit's are not for us."""
        now_s = asyncio.get_running_loop().time()
        if self._serial and now_s - self._heard_s > RTU_GAP_S:
            self._buffer = b""
        self._heard_s = now_s
        self._buffer += data
        while self._buffer:
            request = self._next()
            if request is None:
                break
            if self._unit in (ANY_UNIT, request.dev_id):
                self._write(self._framer.buildFrame(self._answer(request)))
        if len(self._buffer) > FRAME_BYTES_MAX:
            self._buffer = b""

    def refresh(self) -> None:
        """A Modbus device never speaks unasked."""

    def close(self) -> None:
        """Nothing is left to be done."""

    def _next(self) -> ModbusPDU | None:
        try:
            used, request = self._framer.handleFrame(self._buffer, 0, 0)
        except ModbusIOException:
            unknown, self._buffer = self._buffer, b""
            self._refuse(unknown)
            return None
        self._buffer = self._buffer[used:]
        return request

    def _refuse(self, frame: bytes) -> None:
        """Answer a function code that pymodbus does not know; on a serial line silence is the answer."""
        if self._serial or len(frame) < 8:
            return
        answer = self._refusal(frame[7] & 0x7F, frame[6], int.from_bytes(frame[:2], "big"))
        self._write(self._framer.buildFrame(answer))

    def _refusal(self, function: int, unit: int, transaction: int) -> ModbusPDU:
        return ExceptionResponse(function, ExcCodes.ILLEGAL_FUNCTION, device_id=unit, transaction=transaction)

    def _answer(self, request: ModbusPDU) -> ModbusPDU:
        """Let the request read or write the tables; it never waits, so one step takes it to its end."""
        if request.function_code not in self._wire.functions:
            return self._refusal(request.function_code, request.dev_id, request.transaction_id)
        work = request.datastore_update(cast(ModbusServerContext, self._tables), request.dev_id)
        try:
            work.send(None)
        except StopIteration as end:
            answer = cast(ModbusPDU, end.value)
        else:
            raise RuntimeError("a request waited for its data")
        answer.dev_id, answer.transaction_id = request.dev_id, request.transaction_id
        return answer


class _Tables:
    """What pymodbus calls a context: where a request finds its data."""

    def __init__(self, wire: Registers, settle: Callable[[], None]) -> None:
        self._wire = wire
        self._settle = settle
        self._written: list[int] = []

    async def async_getValues(self, _unit: int, function: int, address: int, count: int) -> list[int] | ExcCodes:  # noqa: N802
        if function in (5, 6):
            return self._written  # the echo of a single write is what was asked, not what the device made of it
        self._settle()
        try:
            return self._wire.read(function, address, count)
        except ModbusError as error:
            return ExcCodes(error.code)

    async def async_setValues(self, _unit: int, function: int, address: int, values: list[int]) -> ExcCodes | None:  # noqa: N802
        self._settle()
        try:
            self._wire.write(function, address, values)
        except ModbusError as error:
            return ExcCodes(error.code)
        self._written = values
        self._settle()
        return None
