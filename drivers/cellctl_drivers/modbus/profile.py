"""Everything that can be known of a Modbus device before it is connected.

The rule kept here: all addresses, settings and commands are parsed and checked at once, without pymodbus or I/O.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cellctl.driver import AddressError, Command, Device, Value
from cellctl_drivers.modbus.plan import REGISTERS_MAX, Block, Hole, Item, Limits, plan
from cellctl_drivers.modbus.rows import Orders, Row, Table, check_writable, parse_row
from cellctl_drivers.modbus.steps import Steps, longest_pause_ns, parse_steps, values_of
from cellctl_drivers.modbus.targets import parse_orders, parse_targets
from cellctl_drivers.wire.endpoint import Endpoint, Tcp, Tty, parse_tcp, parse_tty, scheme_of
from cellctl_drivers.wire.epoch import check_epoch, echo_within_ns
from cellctl_drivers.wire.expectation import Expectation
from cellctl_drivers.wire.settings import Section, Where
from cellctl_drivers.wire.tls import parse_tls

_SCHEMES = ("modbus", "modbus+tls", "modbus+rtu", "modbus+rtu+tcp")
_PORT, _TLS_PORT = 502, 802
_BAUD = 19_200
_GATEWAY_SILENCE_S = 0.002
#: More requests at once than any device keeps.
_PIPELINE_MAX = 32
_HOLE = re.compile(r"(?P<table>\w+) (?P<first>0x[0-9a-fA-F]+|\d+)(?:\.\.(?P<last>0x[0-9a-fA-F]+|\d+))?")


@dataclass(frozen=True, slots=True)
class Watchdog:
    """A row written every `every_ns`: a counter for a register, an alternating coil, or always the same `value`. Where
    the device tells it back (`echo`), that must change within `within_ns`."""

    row: Row
    every_ns: int
    value: Value | None
    echo: Row | None = None
    within_ns: int = 0


class Profile:
    """One Modbus device, over TCP or a serial line; AddressError for whatever cannot be used."""

    def __init__(self, device: Device) -> None:
        settings = Section(device.settings, ("modbus",))
        self.id = device.id
        self.rtu, endpoint, self.unit = _endpoint(device.address)
        tls = parse_tls(settings, needed=device.address.startswith("modbus+tls:"))
        # What is simulated is within this machine, and has no certificate.
        self.endpoint = replace(endpoint, tls=tls) if isinstance(endpoint, Tcp) and not device.simulated else endpoint
        self.orders = parse_orders(settings, Orders())
        self.limits = Limits(
            settings.integer("max_registers", REGISTERS_MAX, (1, REGISTERS_MAX)),
            settings.integer("max_gap", 0, (0, REGISTERS_MAX)),
            _holes(settings),
        )
        pause_ns = settings.duration("min_pause", "0 ms")
        self.min_pause_s = max(pause_ns / 1e9, _silence_s(self.rtu, self.endpoint))
        self.timeout_s = settings.duration("timeout", "1 s") / 1e9
        self.pipeline = _pipeline(settings, self.rtu)
        self.busy_s = settings.duration("busy", "0 ms") / 1e9
        self.write_single = settings.choice("write_single", "yes", ("yes", "no")) == "yes"
        self.targets = parse_targets(device.points, self.orders, self.limits.max_registers)
        self._leaders = {target.after for target in self.targets.values()}
        self.identify = self._identify(device.identify)
        self.watchdog = self._watchdog(device.watchdog)
        self.commands = {name: self._command(command) for name, command in device.commands.items()}
        self.prepare = self._steps(settings.take("prepare"), settings.at("prepare")) if "prepare" in settings else ()
        self.epoch = (
            parse_row(settings.text("epoch"), settings.at("epoch"), self.orders) if "epoch" in settings else None
        )
        sent = [value for steps in self.commands.values() for value in values_of(steps)]
        at = settings.at("epoch"), settings.at("prepare" if self.prepare else "epoch")
        check_epoch(self.epoch is not None, tuple(values_of(self.prepare)), sent, at)
        settings.close()

    def blocks(self, after: str = "") -> list[Block]:
        """The read requests that cover all points, or those that are read after the point of this name."""
        if after not in self._leaders:
            return []
        items = [
            Item(name, target.read, target.reading.point.every_ns if not after else 0, target.alone)
            for name, target in self.targets.items()
            if target.read is not None and target.after == after
        ]
        return plan(items, self.limits)

    def renewals(self) -> list[tuple[str, int]]:
        """The points that are written again and again while they are on, and how often."""
        return [(name, target.renew_ns) for name, target in self.targets.items() if target.renew_ns]

    def _command(self, command: Command) -> Steps:
        options = Section(command.options, ("commands", command.name))
        writes = options.take("write")
        options.close()
        return self._steps(writes, options.at("write"))

    def _steps(self, writes: object, where: Where) -> Steps:
        steps = parse_steps(writes, where, self.orders)
        if self.watchdog is not None and longest_pause_ns(steps) >= self.watchdog.every_ns:
            raise AddressError("the pause is longer than the period of the watchdog", where)
        return steps

    def _identify(self, identify: Mapping[str, object] | None) -> tuple[Row, Expectation] | None:
        if identify is None:
            return None
        section = Section(identify, ("identify",))
        row = parse_row(section.text("read"), section.at("read"), self.orders)
        expectation = Expectation(section)
        section.close()
        return row, expectation

    def _watchdog(self, watchdog: Mapping[str, object] | None) -> Watchdog | None:
        if watchdog is None:
            return None
        section = Section(watchdog, ("watchdog",))
        row = parse_row(section.text("write"), section.at("write"), self.orders)
        check_writable(row, section.at("write"))
        every_ns = section.duration("every", "1 s")
        value = section.integer("value", 0, (0, 65_535)) if "value" in section else None
        echo = parse_row(section.text("echo"), section.at("echo"), self.orders) if "echo" in section else None
        within_ns = echo_within_ns(section, every_ns, echo is not None and value is None)
        section.close()
        if every_ns == 0:
            raise AddressError("a watchdog needs a period", section.at("every"))
        return Watchdog(row, every_ns, value, echo, within_ns)


def _endpoint(address: str) -> tuple[bool, Endpoint, int]:
    scheme = scheme_of(address, _SCHEMES)
    endpoint: Endpoint
    if scheme == "modbus+rtu":
        endpoint, query = parse_tty(address, baud=_BAUD)
    else:
        endpoint, query = parse_tcp(address, port=_TLS_PORT if scheme == "modbus+tls" else _PORT)
    unit = query.integer("unit", 1, (0, 255))
    query.close()
    return scheme in ("modbus+rtu", "modbus+rtu+tcp"), endpoint, unit


def _pipeline(settings: Section, rtu: bool) -> int:
    """How many requests may be under way at once."""
    requests = settings.integer("pipeline", 1, (1, _PIPELINE_MAX))
    if rtu and requests > 1:
        raise AddressError("RTU answers carry no number: one request at a time", settings.at("pipeline"))
    return requests


def _holes(settings: Section) -> tuple[Hole, ...]:
    """``holes: ["input 36..41"]``."""
    written = settings.take("holes") or []
    found = []
    for text in written if isinstance(written, list) else [written]:
        match = _HOLE.fullmatch(str(text))
        if match is None or match["table"].upper() not in Table.__members__:
            raise AddressError(f"{text!r} is not of the form 'input 36..41'", settings.at("holes"))
        first, last = int(match["first"], 0), int(match["last"] or match["first"], 0)
        found.append(Hole(Table[match["table"].upper()], first, last))
    return tuple(found)


def _silence_s(rtu: bool, endpoint: Endpoint) -> float:
    """The silence between two frames on a line: 3.5 characters, and 1.75 ms above 19200 baud.

    Nobody knows the line behind a gateway; without any silence an answer that comes twice is taken for the next one.
    """
    if not isinstance(endpoint, Tty):
        return _GATEWAY_SILENCE_S if rtu else 0.0
    return max(3.5 * endpoint.character_s, 0.00175) if endpoint.baud > _BAUD else 3.5 * endpoint.character_s
