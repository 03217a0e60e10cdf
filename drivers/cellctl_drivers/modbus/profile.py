"""Everything that can be known of a Modbus device before it is connected.

The rule kept here: all addresses, settings and commands are parsed and checked at once, without pymodbus or I/O.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cellctl.driver import AddressError, Command, Device, Point, Value
from cellctl_drivers.modbus.plan import REGISTERS_MAX, Block, Item, Limits, plan
from cellctl_drivers.modbus.rows import Row, parse_row
from cellctl_drivers.wire.endpoint import Endpoint, Tty, parse_tcp, parse_tty, scheme_of
from cellctl_drivers.wire.expectation import Expectation
from cellctl_drivers.wire.reading import Reading
from cellctl_drivers.wire.settings import Section, Where

_SCHEMES = ("modbus", "modbus+rtu", "modbus+rtu+tcp")
_PORT = 502
_BAUD = 19_200
_REGISTERS_WRITE_MAX = 123
_COILS_WRITE_MAX = 1968


@dataclass(frozen=True, slots=True)
class Target:
    """One point: how to decode it, where it is read and where it is written."""

    reading: Reading
    read: Row | None
    write: Row | None


@dataclass(frozen=True, slots=True)
class Step:
    """One write request of a command: values, or `$name` of what the order brings, one after the other from `row`."""

    row: Row
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Watchdog:
    """A row written every `every_ns`: a counter for a register, an alternating coil, or always the same `value`."""

    row: Row
    every_ns: int
    value: Value | None


class Profile:
    """One Modbus device, over TCP or a serial line; AddressError for whatever cannot be used."""

    def __init__(self, device: Device) -> None:
        settings = Section(device.settings, ("modbus",))
        self.id = device.id
        self.rtu, self.endpoint, self.unit = _endpoint(device.address)
        self.lsw = settings.choice("word_order", "msw", ("msw", "lsw")) == "lsw"
        self.limits = Limits(
            settings.integer("max_registers", REGISTERS_MAX, (1, REGISTERS_MAX)),
            settings.integer("max_gap", 0, (0, REGISTERS_MAX)),
        )
        pause_ns = settings.duration("min_pause", "0 ms")
        self.min_pause_s = max(pause_ns / 1e9, _silence_s(self.endpoint))
        self.timeout_s = settings.duration("timeout", "1 s") / 1e9
        settings.close()
        self.targets = {name: self._target(point) for name, point in device.points.items()}
        self.commands = {name: self._command(command) for name, command in device.commands.items()}
        self.identify = self._identify(device.identify)
        self.watchdog = self._watchdog(device.watchdog)

    def blocks(self) -> list[Block]:
        """The read requests that cover all points."""
        items = [
            Item(name, target.read, target.reading.point.every_ns)
            for name, target in self.targets.items()
            if target.read is not None
        ]
        return plan(items, self.limits)

    def _target(self, point: Point) -> Target:
        name = point.signal.name
        options = Section(point.options, ("signals", name))
        order = options.choice("word_order", "lsw" if self.lsw else "msw", ("msw", "lsw"))
        equals = options.integer("equals", 0, (-(2**63), 2**64)) if "equals" in options else None
        options.close()
        read = parse_row(point.read, options.at("read"), lsw=order == "lsw") if point.read else None
        write = parse_row(point.write, options.at("write"), lsw=order == "lsw") if point.write else None
        if read is not None and not read.table.bits and read.count > self.limits.max_registers:
            raise AddressError(
                f"{read.count} registers are more than max_registers ({self.limits.max_registers})", options.at("read")
            )
        if write is not None:
            _check_writable(write, options.at("write"))
        if equals is not None and point.signal.type != "bool":
            raise AddressError("`equals` makes a bool: the signal's type must be bool", options.at("equals"))
        return Target(Reading(point, equals), read, write)

    def _command(self, command: Command) -> tuple[Step, ...]:
        options = Section(command.options, ("commands", command.name))
        where = options.at("write")
        writes = options.take("write")
        options.close()
        if not isinstance(writes, Mapping) or not writes:
            raise AddressError('a Modbus command needs `write: {"holding 128": VALUE}`', where)
        return tuple(self._step(str(key), value, where) for key, value in writes.items())

    def _step(self, key: str, value: object, where: Where) -> Step:
        typed = key if len(key.split()) > 2 or key.startswith(("coil", "discrete")) else f"{key} uint16"
        row = parse_row(typed, where, lsw=self.lsw)
        _check_writable(row, where)
        given = value if isinstance(value, list | tuple) else (value,)
        values = tuple(item for item in given if isinstance(item, bool | int | float | str))
        if not values or len(values) < len(given):
            raise AddressError(f"{key!r} needs a value, or a list of values", where)
        most = _COILS_WRITE_MAX if row.table.bits else _REGISTERS_WRITE_MAX
        if row.count * len(values) > most:
            raise AddressError(f"{key!r} writes more than the {most} that one request can hold", where)
        return Step(row, values)

    def _identify(self, identify: Mapping[str, object] | None) -> tuple[Row, Expectation] | None:
        if identify is None:
            return None
        section = Section(identify, ("identify",))
        row = parse_row(section.text("read"), section.at("read"), lsw=self.lsw)
        expectation = Expectation(section)
        section.close()
        return row, expectation

    def _watchdog(self, watchdog: Mapping[str, object] | None) -> Watchdog | None:
        if watchdog is None:
            return None
        section = Section(watchdog, ("watchdog",))
        row = parse_row(section.text("write"), section.at("write"), lsw=self.lsw)
        _check_writable(row, section.at("write"))
        every_ns = section.duration("every", "1 s")
        value = section.integer("value", 0, (0, 65_535)) if "value" in section else None
        section.close()
        if every_ns == 0:
            raise AddressError("a watchdog needs a period", section.at("every"))
        return Watchdog(row, every_ns, value)


def _endpoint(address: str) -> tuple[bool, Endpoint, int]:
    scheme = scheme_of(address, _SCHEMES)
    endpoint: Endpoint
    if scheme == "modbus+rtu":
        endpoint, query = parse_tty(address, baud=_BAUD)
    else:
        endpoint, query = parse_tcp(address, port=_PORT)
    unit = query.integer("unit", 1, (0, 255))
    query.close()
    return scheme != "modbus", endpoint, unit


def _silence_s(endpoint: Endpoint) -> float:
    """The silence between two frames on a line: 3.5 characters, and 1.75 ms above 19200 baud."""
    if not isinstance(endpoint, Tty):
        return 0.0
    return max(3.5 * endpoint.character_s, 0.00175) if endpoint.baud > _BAUD else 3.5 * endpoint.character_s


def _check_writable(row: Row, where: Where) -> None:
    if not row.table.writable:
        raise AddressError(f"{row.table.name.lower()}s can only be read", where)
    if row.encode is None:
        raise AddressError("single bits of a register cannot be written without changing the others", where)
