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
from cellctl_drivers.wire.settings import Section, Where, nearest

#: A device that lets go by itself within less could not be held over any line.
_RENEW_MIN_NS, _RENEW_MAX_NS = 10_000_000, 10_000_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """One point: how to decode it, where it is read and where it is written.

    `alone`: it is read in a request of its own. `clears`: reading it clears it in the device, so that an answer that is
    lost is a value that is lost. `eeprom`: writing wears it out, so what it holds already is not written. `after`: it
    is read when the point of this name was read as something else than 0. `renew_ns`: while it is on, it is written
    again and again, because the device lets go by itself.
    """

    reading: Reading
    read: Row | None
    write: Row | Masks | None
    alone: bool = False
    clears: bool = False
    eeprom: bool = False
    after: str = ""
    renew_ns: int = 0

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
    for name, target in targets.items():
        if target.after:
            _check_after(targets, name, target.after)
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
    after, renew_ns = options.text("after", ""), _renewal(point, options)
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
    return Target(Reading(point, equals), read, write, alone or clears, clears, eeprom, after, renew_ns)


def _renewal(point: Point, options: Section) -> int:
    """How often the point is written again while it is on; 0: never."""
    if "renew" not in options:
        return 0
    every_ns = options.duration("renew", "")
    if point.write is None or point.signal.type != "bool" or "eeprom" in options:
        raise AddressError("only a bool that is written, and not to an EEPROM, can be renewed", options.at("renew"))
    if not _RENEW_MIN_NS <= every_ns <= _RENEW_MAX_NS:
        raise AddressError("what is on is renewed every 10 ms to 10 s", options.at("renew"))
    return every_ns


def _writing(point: Point, where: Where, orders: Orders) -> Row | Masks:
    assert point.write is not None
    if (masks := parse_masks(point.write, where)) is not None:
        if point.signal.type != "bool":
            raise AddressError("a bit that is set and cleared is a bool", where)
        return masks
    row = parse_row(point.write, where, orders)
    check_writable(row, where)
    return row


def _check_after(targets: Mapping[str, Target], name: str, first: str) -> None:
    """AddressError if nobody could say when the point is to be read."""
    where = ("signals", name, "after")
    if first not in targets:
        raise AddressError(f"there is no signal {first!r}{nearest(first, tuple(targets))}", where)
    if targets[name].read is None:
        raise AddressError("what is not read cannot be read after something", where)
    if targets[first].read is None or targets[first].after or targets[first].reading.signal.type == "text":
        raise AddressError(f"{first!r} must be a number or a bool that is read by itself", where)


def _check_overlaps(targets: Mapping[str, Target]) -> None:
    """AddressError for two points that share some of their registers, but begin at different ones."""
    read = [(target.read, name) for name, target in targets.items() if target.read and not target.alone]
    placed = sorted((row.table.value, row.start, row.start + row.count, name) for row, name in read)
    for (table, start, end, name), (other_table, other_start, _, other) in pairwise(placed):
        if table == other_table and start < other_start < end:
            raise AddressError(
                f"{other} begins at {other_start}, within {name} ({start} to {end - 1})", ("signals", other, "read")
            )
