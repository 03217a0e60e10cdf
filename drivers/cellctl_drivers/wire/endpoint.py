"""Where a device is: the `at:` of the cell as a TCP address or a serial port.

The rule kept here: parsed once, completely, without touching the network.
"""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from cellctl.driver import AddressError
from cellctl_drivers.wire.settings import Section, nearest

AT = ("at",)


@dataclass(frozen=True, slots=True)
class Tls:
    """The files (PEM) by which two ends of a connection know each other.

    The device is known by its own certificate, or by the authority that signed it and its host name; we, where it wants
    to know, by a certificate and its key.
    """

    server_certificate: str
    authority: str
    certificate: str
    key: str


@dataclass(frozen=True, slots=True)
class Tcp:
    """A host and a port; `tls`: the connection is encrypted."""

    host: str
    port: int
    tls: Tls | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Tty:
    """A serial port and its line settings."""

    path: str
    baud: int
    parity: str
    data_bits: int
    stop_bits: int

    def __str__(self) -> str:
        return self.path

    @property
    def character_s(self) -> float:
        """How long one character takes on the line, in seconds."""
        return (1 + self.data_bits + (self.parity != "N") + self.stop_bits) / self.baud


Endpoint = Tcp | Tty


def parse_tcp(address: str, *, port: int | None = None) -> tuple[Tcp, Section]:
    """``scheme://host:port?query`` (the slashes may be left out); `port` is taken when none is given."""
    scheme, _, rest = address.partition(":")
    parts = urlsplit(f"{scheme}:{rest}" if rest.startswith("//") else f"{scheme}://{rest}")
    try:
        number = parts.port or port
    except ValueError:
        raise AddressError(f"the port of {address!r} is not a number from 1 to 65535", AT) from None
    if not parts.hostname:
        raise AddressError(f"{address!r} names no host: {scheme}://HOST:PORT", AT)
    if number is None:
        raise AddressError(f"{address!r} names no port: {scheme}://{parts.hostname}:PORT", AT)
    return Tcp(parts.hostname, number), _query(parts.query)


def parse_tty(address: str, *, baud: int) -> tuple[Tty, Section]:
    """``scheme:/dev/path?baud=&parity=&bits=&stop=``; `baud` is taken when none is given."""
    scheme, _, rest = address.partition(":")
    path, _, query = rest.partition("?")
    if not path.startswith("/"):
        raise AddressError(f"{address!r} names no serial port: {scheme}:/dev/serial/by-id/NAME?baud={baud}", AT)
    section = _query(query)
    tty = Tty(
        path.replace("//", "/"),
        section.integer("baud", baud, (50, 4_000_000)),
        section.choice("parity", "N", ("N", "E", "O")),
        section.integer("bits", 8, (7, 8)),
        section.integer("stop", 1, (1, 2)),
    )
    return tty, section


def scheme_of(address: str, schemes: tuple[str, ...]) -> str:
    """The scheme of `address`, one of `schemes`."""
    scheme = address.partition(":")[0]
    if scheme not in schemes:
        raise AddressError(f"{scheme!r} begins no address of this protocol{nearest(scheme, schemes)}", AT)
    return scheme


def _query(text: str) -> Section:
    return Section(dict(parse_qsl(text, keep_blank_values=True)), AT)
