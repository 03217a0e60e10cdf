"""Where the devices are, compared with each other: two that cannot be in one place.

The rule kept here: one serial port has one device, but for a modbus+rtu bus on which each has its own unit and all have
the same settings; one port of a host speaks one protocol.
"""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from cellctl.model.problems import Report, Wrong
from cellctl.model.shape import Shaped
from cellctl.model.shapes import CellFile

#: The one scheme by which several devices share a serial port.
_BUS = "modbus+rtu"
_PORTS = f"only {_BUS} devices share a serial port, each with its own '&unit='"
_SETTINGS = "the devices of one line have one speed and parity: write the same '?baud=' and so on at each"
_PROTOCOLS = "one port of a host speaks one protocol: correct one of the two"


@dataclass(frozen=True, slots=True)
class _Seat:
    """What an address occupies: `port` is a serial port or host:port, `unit` the place on a bus, and `settings` what
    all on that bus must agree on."""

    scheme: str
    port: str
    serial: bool
    unit: str = ""
    settings: frozenset[tuple[str, str]] = frozenset()

    def disputed(self, other: "_Seat") -> str:
        """Why both cannot be; empty if they can."""
        if not self.serial:
            return _PROTOCOLS if self.scheme != other.scheme else ""
        if not self.scheme == other.scheme == _BUS or self.unit == other.unit:
            return _PORTS
        return _SETTINGS if self.settings != other.settings else ""


def check_addresses(cell: Shaped[CellFile], report: Report) -> None:
    """Report each device that has the place of one before it."""
    taken: dict[str, list[tuple[str, _Seat]]] = {}
    for name, row in cell.shape.devices.items():
        seat = _seat(row.at)
        if seat is None:
            continue
        for other, before in taken.setdefault(seat.port, []):
            if hint := seat.disputed(before):
                line = cell.document.at("devices", other, "at").line
                wrong = Wrong("E214", f"{seat.port} is the address of {other!r} in line {line} too", hint)
                report.add(cell.document.at("devices", name, "at"), wrong)
                break
        taken[seat.port].append((name, seat))


def _seat(address: str) -> _Seat | None:
    """None if the address names no port, or cannot be read: that is told by its driver."""
    scheme, _, rest = address.partition(":")
    path, _, query = rest.partition("?")
    if path.startswith("/") and not path.startswith("//"):
        options = dict(parse_qsl(query))
        unit = _number(options.pop("unit", "1"))
        return _Seat(scheme, path, True, unit, frozenset((key, _number(text)) for key, text in options.items()))
    try:
        parts = urlsplit(rest if rest.startswith("//") else f"//{rest}")
        port = parts.port
    except ValueError:
        return None
    return _Seat(scheme, f"{parts.hostname}:{port}", False) if parts.hostname and port else None


def _number(written: str) -> str:
    """A number in one form, so that 9 and 0x9 are the same; a word as it is."""
    try:
        return str(int(written, 0))
    except ValueError:
        return written
