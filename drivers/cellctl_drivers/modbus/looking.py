"""Looking at the registers of a simulated Modbus device, block by block, as a client reads them.

The rule kept here: what is told is what the wire would tell, and what follows a point is told before it.
"""

import struct
from collections.abc import Sequence
from typing import Protocol

from cellctl.driver import Sample, Unwilling, Value
from cellctl_drivers.modbus.plan import Block
from cellctl_drivers.modbus.profile import Profile
from cellctl_drivers.modbus.rows import Table
from cellctl_drivers.wire.orders import BusyError, RefusalError


class Registers(Protocol):
    """The tables of a simulated device, by function code; Unwilling for what it does not do."""

    def read(self, function: int, address: int, count: int) -> list[int]:
        """The values of `count` addresses."""

    def write(self, function: int, address: int, values: Sequence[int]) -> None:
        """Set addresses from `address` on."""


class BlockLook:
    """One block that is looked at again and again."""

    def __init__(self, block: Block, profile: Profile, registers: Registers) -> None:
        targets = [profile.targets[item.name] for item, _ in block.items]
        self.every_ns = block.every_ns
        self.signals = [target.reading.signal.id for target in targets]
        self.is_open = False
        self._block, self._registers, self._patient = block, registers, profile.busy_s > 0
        self._readings = [target.reading for target in targets]
        self._clears = any(target.clears for target in targets)
        self._followers = [
            [BlockLook(each, profile, registers) for each in profile.blocks(item.name)] for item, _ in block.items
        ]
        self._is_first = True
        self._owed = b""  # an answer that is told when what follows it was read
        self.forget()

    def forget(self) -> None:
        """Tell everything with the next answer."""
        self._data = b""
        self._raws: Sequence[Value | None] = (None,) * len(self._readings)

    def differs(self) -> bool:
        """Whether the answer may be another than what was told. What reading clears is not read to find out."""
        if self._clears:
            return True
        try:
            return self._read() != self._data
        except RefusalError:
            return True

    def ask(self) -> None:
        """The tables are open."""

    def answer(self, now: int) -> Sequence[Sample]:
        """The samples of what has changed, and before them those of what follows it."""
        try:
            self.is_open = False
            return self.told(now)
        except BusyError:  # it is as it was, until that is too old
            self.is_open = True
            return ()

    def told(self, now: int) -> list[Sample]:
        """The same; BusyError if a device that is busy for a while is to be asked again."""
        try:
            data = self._owed = self._owed or self._read()
        except RefusalError as refusal:
            if self._patient and isinstance(refusal, BusyError):
                raise
            self.forget()
            return [reading.bad(str(refusal), now) for reading in self._readings]
        raws = [item.row.decode(data, at) for item, at in self._block.items]
        samples: list[Sample] = []
        for raw, followers in zip(raws, self._followers, strict=True):
            for look in followers if self._is_first or raw else ():
                look.forget()
                samples += look.told(now)
        self._owed, self._is_first = b"", False
        self.is_open = self._clears and any(raws)
        if data != self._data:
            both = zip(self._readings, raws, self._raws, strict=True)
            samples += [reading.sample(raw, now) for reading, raw, last in both if raw != last]
            self._data, self._raws = data, raws
        return samples

    def _read(self) -> bytes:
        return bytes_of(self._registers, self._block.table, self._block.start, self._block.count)


def bytes_of(registers: Registers, table: Table, start: int, count: int) -> bytes:
    """The bytes that an answer on the wire would hold; RefusalError if the device refuses."""
    try:
        values = registers.read(table.value, start, count)
    except Unwilling as refusal:
        raise refusal_of(refusal) from refusal
    if table.bits:
        return sum(bool(bit) << place for place, bit in enumerate(values)).to_bytes((count + 7) // 8, "little")
    return struct.pack(f">{count}H", *values)


def refusal_of(refusal: Unwilling) -> RefusalError:
    """What the driver would make of it."""
    return (BusyError if refusal.busy else RefusalError)(str(refusal))
