"""A Modbus device without its wire: the register tables of its model, read and written as the profile says.

The rule kept here: rows are decoded and encoded exactly as on the wire, and the model may refuse as the device would.
"""

import struct
from collections.abc import Sequence
from typing import Protocol

from cellctl.driver import (
    Contact,
    Device,
    DriverError,
    Link,
    Sample,
    Unwilling,
    Value,
)
from cellctl_drivers.modbus.conversation import Conversation
from cellctl_drivers.modbus.plan import Block
from cellctl_drivers.modbus.profile import Profile
from cellctl_drivers.modbus.rows import Row, Table
from cellctl_drivers.wire.direct import Direct, Plan, reached
from cellctl_drivers.wire.orders import BusyError, RefusalError

_WRITES = {Table.COIL: (5, 15), Table.HOLDING: (6, 16)}  # function codes for one value, and for several


class Registers(Protocol):
    """The tables of a simulated device, by function code; Unwilling for what it does not do."""

    def read(self, function: int, address: int, count: int) -> list[int]:
        """The values of `count` addresses."""

    def write(self, function: int, address: int, values: Sequence[int]) -> None:
        """Set addresses from `address` on."""


class DirectModbus(Conversation):
    """The driver of one Modbus device that is touched directly."""

    def __init__(self, device: Device, contact: Contact) -> None:
        self._device, self._profile = device, Profile(device)
        self._contact = contact
        self._registers: Registers = contact.wire
        self._looks: list[_BlockLook] = []

    async def run(self, link: Link) -> None:
        """One connection, until it is lost (DriverError)."""
        profile, self._link, self._registers = self._profile, link, self._contact.wire
        misses = 4 if profile.rtu else 1
        await reached(self._device, self._contact, profile.timeout_s * misses)
        link.up(await self._begin())
        self._looks = [_BlockLook(block, profile, self._registers) for block in profile.blocks()]
        watchdog = None if profile.watchdog is None else (profile.watchdog.every_ns, self._feed)
        await Direct(
            self._device, link, self._contact, Plan(self._looks, self, profile.timeout_s, misses, watchdog)
        ).run()

    def heard(self) -> None:
        """A Modbus device never speaks unasked."""

    async def _hear(self) -> None:
        """It is there: it was reached."""

    def _forget(self) -> None:
        for look in self._looks:
            look.forget()

    def _feed(self) -> None:
        watchdog = self._profile.watchdog
        assert watchdog is not None
        try:
            self._put(watchdog.row, self._sign(watchdog))
        except RefusalError as refusal:
            raise DriverError(f"{self._profile.id} does not take its watchdog: {refusal}") from refusal

    async def _read(self, row: Row) -> Value:
        self._contact.settle()
        return row.decode(_read(self._registers, row.table, row.start, row.count), 0)

    async def _write(self, row: Row, data: bytes) -> None:
        if self._contact.busy:  # else it is at the present as it is
            self._contact.settle()
        self._put(row, data)
        self._contact.settle()

    def _put(self, row: Row, data: bytes) -> None:
        words = list(data) if row.table.bits else [word for (word,) in struct.iter_unpack(">H", data)]
        try:
            several = len(words) > 1 or not self._profile.write_single
            self._registers.write(_WRITES[row.table][several], row.start, words)
        except Unwilling as refusal:
            raise _refusal(refusal) from refusal


class _BlockLook:
    """One block that is looked at again and again."""

    def __init__(self, block: Block, profile: Profile, registers: Registers) -> None:
        self.every_ns = block.every_ns
        self._block, self._registers, self._patient = block, registers, profile.busy_s > 0
        self._readings = [profile.targets[item.name].reading for item, _ in block.items]
        self.signals = [reading.signal.id for reading in self._readings]
        self.forget()

    def forget(self) -> None:
        """Tell everything with the next answer."""
        self._data = b""
        self._raws: Sequence[Value | None] = (None,) * len(self._readings)

    def differs(self) -> bool:
        """Whether the answer may be another than what was told."""
        block = self._block
        try:
            return _read(self._registers, block.table, block.start, block.count) != self._data
        except RefusalError:
            return True

    def ask(self) -> None:
        """The tables are open."""

    def answer(self, now: int) -> Sequence[Sample]:
        """The samples of what has changed."""
        block = self._block
        try:
            data = _read(self._registers, block.table, block.start, block.count)
        except RefusalError as refusal:
            if self._patient and isinstance(refusal, BusyError):
                return ()
            self.forget()
            return [reading.bad(str(refusal), now) for reading in self._readings]
        if data == self._data:
            return ()
        raws = [item.row.decode(data, at) for item, at in block.items]
        both = zip(self._readings, raws, self._raws, strict=True)
        told = [reading.sample(raw, now) for reading, raw, last in both if raw != last]
        self._data, self._raws = data, raws
        return told


def _read(registers: Registers, table: Table, start: int, count: int) -> bytes:
    """The bytes that an answer on the wire would hold."""
    try:
        values = registers.read(table.value, start, count)
    except Unwilling as refusal:
        raise _refusal(refusal) from refusal
    if table.bits:
        return sum(bool(bit) << place for place, bit in enumerate(values)).to_bytes((count + 7) // 8, "little")
    return struct.pack(f">{count}H", *values)


def _refusal(refusal: Unwilling) -> RefusalError:
    return (BusyError if refusal.busy else RefusalError)(str(refusal))
