"""The points of a Modbus device: where each is read and written, and what must be known of the place.

The rule kept here: places that overlap without being the same are a mistake, unless the profile says that they are read
alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from cellctl.driver import AddressError, Point, Value
from cellctl_drivers.modbus.rows import Masks, Orders, Row, check_writable, parse_masks, parse_row
from cellctl_drivers.wire.reading import Reading
from cellctl_drivers.wire.settings import Section, Where


@dataclass(frozen=True, slots=True)
class Target:
    """One point: how to decode it, where it is read and where it is written.

    `alone`: it is read in a request of its own. `clears`: reading it clears it in the device, so that an answer that is
    lost is a value that is lost. `eeprom`: writing wears it out, so what it holds already is not written.
    """

    reading: Reading
    read: Row | None
    write: Row | Masks | None
    alone: bool = False
    clears: bool = False
    eeprom: bool = False

    def written(self, value: Value) -> tuple[Row, Value]:
        """The row to write, and what; OrderError if `value` may not be written."""
        raw = self.reading.raw(value)
        match self.write:
            case Masks(set_row, clear_row, mask):
                return (set_row if raw else clear_row), mask
            case Row() as row:
                return row, raw
            case None:
                raise AssertionError("nobody asks this of a point that is not written")


def parse_targets(points: Mapping[str, Point], orders: Orders, max_registers: int) -> dict[str, Target]:
    """The targets of all points; AddressError for what cannot be used."""
    targets = {name: _target(point, orders, max_registers) for name, point in points.items()}
    _check_overlaps(targets)
    return targets


def parse_orders(section: Section, default: Orders) -> Orders:
    """`word_order` and `byte_order` of a section."""
    words = section.choice("word_order", "lsw" if default.lsw else "msw", ("msw", "lsw"))
    octets = section.choice("byte_order", "lsb" if default.lsb else "msb", ("msb", "lsb"))
    return Orders(lsw=words == "lsw", lsb=octets == "lsb")


def _target(point: Point, default: Orders, max_registers: int) -> Target:
    options = Section(point.options, ("signals", point.signal.name))
    orders = parse_orders(options, default)
    equals = options.integer("equals", 0, (-(2**63), 2**64)) if "equals" in options else None
    clears, alone, eeprom = (options.flag(key) for key in ("clears", "alone", "eeprom"))
    options.close()
    read = parse_row(point.read, options.at("read"), orders) if point.read else None
    write = _writing(point, options.at("write"), orders) if point.write else None
    if read is not None and not read.table.bits and read.count > max_registers:
        raise AddressError(f"{read.count} registers are more than max_registers ({max_registers})", options.at("read"))
    if equals is not None and point.signal.type != "bool":
        raise AddressError("`equals` makes a bool: the signal's type must be bool", options.at("equals"))
    if eeprom and (read is None or write is None):
        raise AddressError("what is not written, or cannot be read, cannot be spared", options.at("eeprom"))
    if clears and (point.signal.verify is not None or read is None):
        raise AddressError("only what is read, and not to verify, can be cleared by it", options.at("clears"))
    return Target(Reading(point, equals), read, write, alone or clears, clears, eeprom)


def _writing(point: Point, where: Where, orders: Orders) -> Row | Masks:
    assert point.write is not None
    if (masks := parse_masks(point.write, where)) is not None:
        if point.signal.type != "bool":
            raise AddressError("a bit that is set and cleared is a bool", where)
        return masks
    row = parse_row(point.write, where, orders)
    check_writable(row, where)
    return row


def _check_overlaps(targets: Mapping[str, Target]) -> None:
    """AddressError for two points that share some of their registers, but begin at different ones."""
    read = [(target.read, name) for name, target in targets.items() if target.read and not target.alone]
    placed = sorted((row.table.value, row.start, row.start + row.count, name) for row, name in read)
    for (table, start, end, name), (other_table, other_start, _, other) in pairwise(placed):
        if table == other_table and start < other_start < end:
            raise AddressError(
                f"{other} begins at {other_start}, within {name} ({start} to {end - 1})", ("signals", other, "read")
            )
