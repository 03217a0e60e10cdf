"""What stands in the registers of a Modbus device, as people write it: ``input 0: 4366 8000``, ``coil 3: 1 0``.

The rule kept here: words are hexadecimal as on the wire, bits are 0 or 1, addresses count from 0.
"""

import struct
from collections.abc import Sequence

from cellctl.driver import Order, Sample, Write
from cellctl_drivers.modbus.profile import Profile
from cellctl_drivers.modbus.rows import Row, Table
from cellctl_drivers.modbus.steps import Step
from cellctl_drivers.wire.epoch import Epoch
from cellctl_drivers.wire.orders import OrderError


def meaning(profile: Profile, signal: str, wire: Sequence[str]) -> Sample:
    """The sample that the registers or bits in `wire` mean; ValueError if they do not hold the signal."""
    target = profile.targets[signal]
    if target.read is None:
        raise ValueError(f"{signal} is not read")
    row = target.read
    for line in wire:
        table, start, data = _parsed(line)
        width = 1 if table.bits else 2
        at = (row.start - start) * width
        if table is row.table and at >= 0 and at + row.count * width <= len(data):
            bits = bytes([data[at]]) if table.bits else data
            return target.reading.sample(row.decode(bits, 0 if table.bits else at), 0)
    raise ValueError(f"{signal} is read from {row}, which is not here")


def sending(profile: Profile, order: Order) -> list[str]:
    """What would be written for `order`, request by request; ValueError if nothing would be."""
    try:
        if isinstance(order, Write):
            target = profile.targets[order.name]
            if target.write is None:
                raise ValueError(f"{order.name} cannot be written")
            row, raw = target.written(order.value)
            return [_shown(row, row.encoded(raw))]
        steps = [step for step in profile.commands[order.name] if isinstance(step, Step)]
        epoch = Epoch(1)  # nobody is connected
        return [_shown(step.row, step.encoded(lambda value: epoch.filled(value, order))) for step in steps]
    except OrderError as error:
        raise ValueError(str(error)) from None


def _parsed(line: str) -> tuple[Table, int, bytes]:
    """Table, first address, and the bytes of the registers, or a byte for each bit."""
    place, _, written = line.partition(":")
    words = written.split()
    try:
        name, address = place.split()
        table = Table[name.upper()]
        start = int(address, 0)
        if table.bits:
            return table, start, bytes(("0", "1").index(word) for word in words)
        return table, start, b"".join(int(word, 16).to_bytes(2, "big") for word in words)
    except (KeyError, ValueError, OverflowError):
        raise ValueError(f"{line!r} is not of the form 'input 0: 4366 8000' or 'coil 3: 1 0'") from None


def _shown(row: Row, data: bytes) -> str:
    if row.table.bits:
        return f"{row}: {' '.join(str(bit) for bit in data)}"
    return f"{row}: {' '.join(f'{word:04X}' for (word,) in struct.iter_unpack('>H', data))}"
