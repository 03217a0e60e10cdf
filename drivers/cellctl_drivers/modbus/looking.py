"""Looking at the registers of a simulated Modbus device, block by block, as a client reads them.

The rule kept here: what is told is what the wire would tell, so what an answer means is left to the block that is
polled on a wire too.
"""

import struct
from collections.abc import Sequence
from typing import Protocol

from cellctl.driver import Sample, Unwilling
from cellctl_drivers.modbus.polling import Polled
from cellctl_drivers.modbus.rows import Table
from cellctl_drivers.wire.orders import BusyError, RefusalError


class Registers(Protocol):
    """The tables of a simulated device, by function code; Unwilling for what it does not do."""

    def read(self, function: int, address: int, count: int) -> list[int]:
        """The values of `count` addresses."""

    def write(self, function: int, address: int, values: Sequence[int]) -> None:
        """Set addresses from `address` on."""


class BlockLook:
    """One block that is looked at again and again; `patient`: of a device that may be busy for a while."""

    def __init__(self, block: Polled, registers: Registers, *, patient: bool) -> None:
        self.every_ns, self.signals = block.every_ns, block.signals
        self.is_open = False
        self._block, self._registers, self._patient = block, registers, patient

    def forget(self) -> None:
        """Tell everything with the next answer."""
        self._block.forget()

    def differs(self) -> bool:
        """Whether the answer may be another than what was told. What reading clears is not read to find out."""
        if self._block.clears:
            return True
        try:
            return self._read(self._block) != self._block.data
        except RefusalError:
            return True

    def ask(self) -> None:
        """The tables are open."""

    def answer(self, now: int) -> Sequence[Sample]:
        """The samples of what has changed, and before them those of what follows it."""
        try:
            samples = self._told(self._block, now)
        except BusyError:  # it is as it was, until that is too old
            self.is_open = True
            return ()
        self.is_open = self._block.clears and self._block.holds()
        return samples

    def _told(self, block: Polled, now: int) -> list[Sample]:
        """The news of `block` and of what follows it; BusyError if the device is to be asked again."""
        try:
            data = block.owed = block.owed or self._read(block)
        except RefusalError as refusal:
            if self._patient and isinstance(refusal, BusyError):
                raise
            return block.refused(str(refusal), now)
        samples: list[Sample] = []
        for follower in block.followers(data):
            follower.forget()
            samples += self._told(follower, now)
        block.owed = b""
        return samples + block.news(data, now)

    def _read(self, block: Polled) -> bytes:
        place = block.block
        return bytes_of(self._registers, place.table, place.start, place.count)


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
