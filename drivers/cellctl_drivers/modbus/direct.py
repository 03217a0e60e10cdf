"""A Modbus device without its wire: the register tables of its model, read and written as the profile says.

The rule kept here: rows are decoded and encoded exactly as on the wire, and the model may refuse as the device would.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Protocol

from cellctl.driver import (
    Call,
    Contact,
    Device,
    DriverError,
    Link,
    Outcome,
    Sample,
    Unwilling,
    Value,
    Write,
    WrongDevice,
)
from cellctl_drivers.modbus.plan import Block
from cellctl_drivers.modbus.profile import Profile, Target
from cellctl_drivers.modbus.rows import Row, Table
from cellctl_drivers.wire.direct import Direct, Plan, reached
from cellctl_drivers.wire.orders import OrderError, RefusalError, filled
from cellctl_drivers.wire.verify import verify

_WRITES = {Table.COIL: (5, 15), Table.HOLDING: (6, 16)}  # function codes for one value, and for several


class Registers(Protocol):
    """The tables of a simulated device, by function code; Unwilling for what it does not do."""

    def read(self, function: int, address: int, count: int) -> list[int]:
        """The values of `count` addresses."""

    def write(self, function: int, address: int, values: Sequence[int]) -> None:
        """Set addresses from `address` on."""


class DirectModbus:
    """The driver of one Modbus device that is touched directly."""

    def __init__(self, device: Device, contact: Contact) -> None:
        self._device, self._profile = device, Profile(device)
        self._contact = contact
        self._registers: Registers = contact.wire
        self._looks: list[_BlockLook] = []
        self._beat = 0

    async def run(self, link: Link) -> None:
        """One connection, until it is lost (DriverError)."""
        profile, self._link, self._registers = self._profile, link, self._contact.wire
        misses = 4 if profile.rtu else 1
        await reached(self._device, self._contact, profile.timeout_s * misses)
        link.up(self._identify())
        self._looks = [_BlockLook(block, profile.targets, self._registers) for block in profile.blocks()]
        watchdog = None if profile.watchdog is None else (profile.watchdog.every_ns, self._feed)
        await Direct(
            self._device, link, self._contact, Plan(self._looks, self, profile.timeout_s, misses, watchdog)
        ).run()

    def heard(self) -> None:
        """A Modbus device never speaks unasked."""

    async def set(self, order: Write) -> Mapping[str, Value]:
        """Write a signal and read it back."""
        target = self._profile.targets.get(order.name)
        if target is None or target.write is None:
            raise OrderError(Outcome.NOT_SENT, f"{order.signal} cannot be written")
        self._write(target.write, [target.reading.raw(order.value)])

        async def read() -> Sample:
            return self._refresh(target)

        return await verify(target.reading, order.value, read)

    async def call(self, order: Call) -> Mapping[str, Value]:
        """Send a command."""
        steps = self._profile.commands.get(order.name)
        if steps is None:
            raise OrderError(Outcome.NOT_SENT, f"there is no command {order.name!r}")
        for number, step in enumerate(steps):
            try:
                self._write(step.row, [filled(value, order) for value in step.values])
            except RefusalError as refusal:
                if number == 0:
                    raise
                raise OrderError(Outcome.UNKNOWN, f"only a part was done; then, at {step.row}: {refusal}") from refusal
        return {}

    def _identify(self) -> str:
        if self._profile.identify is None:
            return ""
        row, expectation = self._profile.identify
        try:
            found = self._read(row)
        except RefusalError as refusal:
            raise WrongDevice(
                f"{self._profile.id} is another device than expected: {refusal} ({row}), wanted {expectation.text!r}"
            ) from refusal
        return expectation.check(self._profile.id, found)

    def _refresh(self, target: Target) -> Sample:
        assert target.read is not None
        sample = target.reading.sample(self._read(target.read), self._link.now())
        self._link.put([sample])
        for look in self._looks:
            look.forget()
        return sample

    def _feed(self) -> None:
        watchdog = self._profile.watchdog
        assert watchdog is not None
        self._beat = self._beat % 65_535 + 1
        bits = watchdog.row.table.bits
        value = watchdog.value if watchdog.value is not None else self._beat % 2 if bits else self._beat
        try:
            self._put(watchdog.row, [value])
        except Unwilling as refusal:
            raise DriverError(f"{self._profile.id} does not take its watchdog: {refusal}") from refusal

    def _read(self, row: Row) -> Value:
        self._contact.settle()
        return row.decode(_read(self._registers, row.table, row.start, row.count), 0)

    def _write(self, row: Row, values: list[Value]) -> None:
        if self._contact.busy:  # else it is at the present as it is
            self._contact.settle()
        self._put(row, values)
        self._contact.settle()

    def _put(self, row: Row, values: list[Value]) -> None:
        assert row.encode is not None
        data = b"".join(row.encode(value) for value in values)
        words = list(data) if row.table.bits else [word for (word,) in struct.iter_unpack(">H", data)]
        try:
            self._registers.write(_WRITES[row.table][len(words) > 1], row.start, words)
        except Unwilling as refusal:
            raise RefusalError(str(refusal)) from refusal


class _BlockLook:
    """One block that is looked at again and again."""

    def __init__(self, block: Block, targets: Mapping[str, Target], registers: Registers) -> None:
        self.every_ns = block.every_ns
        self._block, self._registers = block, registers
        self._readings = [targets[item.name].reading for item, _ in block.items]
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
        raise RefusalError(str(refusal)) from refusal
    if table.bits:
        return sum(bool(bit) << place for place, bit in enumerate(values)).to_bytes((count + 7) // 8, "little")
    return struct.pack(f">{count}H", *values)
