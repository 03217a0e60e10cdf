"""What is there: ports that listen in a network, serial ports of this computer, and which bundled profile knows them.

The rule kept here: a scan reads and never writes. A device is asked only for its identity, as its profile says it.
"""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from cellctl.commission.found import alone
from cellctl.commission.greet import Speech, greet, units_at
from cellctl.commission.visit import Visit
from cellctl.driver import AddressError, Device, DriverError
from cellctl.model import FilesInvalid, driver_for
from cellctl.model.profile import bundled

#: So many connections are tried at once, and each for so long.
AT_ONCE = 64
CONNECT_S = 1.0

#: How long one profile may take to know a device or not.
KNOW_S = 3.0

#: A network of more addresses is a mistake.
HOSTS_MAX = 4096

#: More ports than this, over all hosts, are one too.
PLACES_MAX = 262_144

#: A host by its name: it has a letter.
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?")

#: What a profile has written to a device at each connect.
_WRITE = ("prepare",)

#: How something at a serial port may be looked at that no profile knows.
_LINES = ("modbus+rtu:{}?baud=9600&unit=1", "serial:{}?baud=9600")

#: Serial ports under names that stay.
BY_ID = Path("/dev/serial/by-id")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A profile that can be asked for, with a device as it is asked: it has an identity, and nothing is written."""

    profile: str
    device: Device

    @property
    def port(self) -> int | None:
        """The port that it usually listens on; None if it is at a serial line."""
        at = self.device.address
        return urlsplit(at).port if "://" in at else None

    @property
    def has_unit(self) -> bool:
        """Whether it has a unit number, and so may be behind a gateway, with others."""
        return self.device.protocol == "modbus"

    def over_net(self, host: str, port: int) -> "Candidate":
        """The same, if it is there."""
        return self._at(urlsplit(self.device.address)._replace(netloc=f"{host}:{port}").geturl())

    def behind(self, host: str, port: int, unit: int) -> "Candidate":
        """The same, if it has that number there; whether it is at a line of its own or not."""
        return self._at(f"modbus://{host}:{port}?unit={unit}")

    def over_line(self, port: str) -> "Candidate":
        """The same, if it is at that serial port."""
        at = self.device.address
        return self._at(f"{at.partition(':')[0]}:{port}?{at.partition('?')[2]}")

    def _at(self, address: str) -> "Candidate":
        return replace(self, device=replace(self.device, address=address))


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that is there. `known`: the profiles that know it, each with the address and what the device says. If
    none does: what it speaks, if that is known, and the addresses to try to browse it by."""

    place: str
    known: tuple[tuple[str, str, str], ...] = ()
    speech: Speech | None = None
    tries: tuple[str, ...] = ()


def candidates() -> list[Candidate]:
    """The bundled profiles that a device can be asked for."""
    found = []
    for name in sorted(bundled()):
        try:
            device = alone(name).device
        except (AddressError, FilesInvalid):
            continue  # one without an example of its address
        if device.identify is not None:
            found.append(Candidate(name, _bare(device)))
    return found


def hosts_of(network: str) -> list[str]:
    """The hosts of ``10.20.1.0/28``, or the one of ``10.20.1.7`` or ``press.local``; ValueError if it is none, or too
    large, or nobody knows the name."""
    if _NAME.fullmatch(network):
        try:
            socket.getaddrinfo(network, None)
        except OSError:
            raise ValueError(f"no host is known by the name {network!r}") from None
        return [network]
    parsed = ip_network(network, strict=False)
    if parsed.num_addresses > HOSTS_MAX:
        raise ValueError(f"{network} has {parsed.num_addresses} addresses; at most {HOSTS_MAX} are scanned at once")
    return [str(host) for host in parsed.hosts()] or [str(parsed.network_address)]


async def scan_net(
    hosts: Sequence[str], ports: Sequence[int], known: Sequence[Candidate], *, units: Sequence[int] = ()
) -> AsyncIterator[Seen]:
    """The ports that listen, in order, and who knows what is there: those that usually are at the port, or else all.

    Where Modbus may be spoken, each of the `units` that answers is a device of its own.
    """
    gate = asyncio.Semaphore(AT_ONCE)
    places = [(host, port) for host in hosts for port in ports]
    listening = await asyncio.gather(*(_listens(host, port, gate) for host, port in places))
    listed = [each for each in known if each.port is not None]
    modbus = [each for each in known if each.has_unit]
    for (host, port), listens in zip(places, listening, strict=True):
        if not listens:
            continue
        asked = [each for each in listed if each.port == port] or listed
        if units and (not asked or any(each.has_unit for each in asked)):
            behind = await _behind(host, port, units, modbus)
            if behind:
                for seen in behind:
                    yield seen
                continue
        seen = await _seen(f"{host}:{port}", [each.over_net(host, port) for each in asked])
        if not seen.known and (speech := await greet(host, port)) is not None:
            seen = replace(seen, speech=speech, tries=(speech.at,))
        yield seen


async def scan_serial(ports: Iterable[str], known: Sequence[Candidate]) -> AsyncIterator[Seen]:
    """What is at each serial port, asked with the settings that each device is delivered with."""
    for port in ports:
        seen = await _seen(port, [each.over_line(port) for each in known if each.port is None])
        yield seen if seen.known else replace(seen, tries=tuple(each.format(port) for each in _LINES))


async def _behind(host: str, port: int, units: Sequence[int], known: Sequence[Candidate]) -> list[Seen]:
    """The units that answer. Neighbours that say the same of themselves are told together: often it is one device, that
    does not look at the number."""
    found = []
    for unit in await units_at(host, port, units):
        seen = await _seen("", [each.behind(host, port, unit) for each in known])
        found.append((unit, seen))
    runs: list[list[tuple[int, Seen]]] = []
    for unit, seen in found:
        last = runs[-1][-1] if runs else None
        if last is not None and unit == last[0] + 1 and _told(seen) == _told(last[1]):
            runs[-1].append((unit, seen))
        else:
            runs.append([(unit, seen)])
    return [_together(f"{host}:{port}", run) for run in runs]


def _together(place: str, run: Sequence[tuple[int, Seen]]) -> Seen:
    """Units in a row that say the same."""
    (first, seen), (last, _) = run[0], run[-1]
    seen = replace(seen, place=f"{place} unit {first}" if first == last else f"{place} units {first}-{last}")
    if seen.known:
        return seen
    speech = Speech("it speaks Modbus", f"modbus://{place}?unit={first}")
    return replace(seen, speech=speech, tries=(speech.at,))


def _told(seen: Seen) -> list[tuple[str, str]]:
    return [(profile, identity) for profile, _, identity in seen.known]


def serial_ports() -> list[str]:
    """The serial ports of this computer, by names that stay."""
    return sorted(str(path) for path in BY_ID.glob("*"))


async def _seen(place: str, asked: Iterable[Candidate]) -> Seen:
    """Ask as each profile would, one after the other: there may be one device only."""
    known = []
    for each in asked:
        if (identity := await _identity(each.device)) is not None:
            known.append((each.profile, each.device.address, identity))
    return Seen(place, tuple(known))


def _bare(device: Device) -> Device:
    """The device of which nothing is known but how to ask for its identity: nothing can be written to it."""
    settings = {key: value for key, value in device.settings.items() if key not in _WRITE}
    return replace(device, points={}, commands={}, watchdog=None, settings=settings)


async def _identity(device: Device) -> str | None:
    """What the device says of itself; None if it is another one, or says nothing."""
    try:
        async with asyncio.timeout(KNOW_S), Visit(device, driver_for(device.protocol)(device)) as visit:
            return visit.identity
    except (DriverError, TimeoutError):
        return None


async def _listens(host: str, port: int, gate: asyncio.Semaphore) -> bool:
    async with gate:
        try:
            async with asyncio.timeout(CONNECT_S):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True
