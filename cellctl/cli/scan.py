"""Find devices: `cellctl scan net|serial`."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import click

from cellctl.cli.terminal import FAILED, Failure, document, say, visible

if TYPE_CHECKING:
    from cellctl.commission.scan import Seen

SCHEMA = "cellctl.scan/1"

_NUMBERS = re.compile(r"(?P<first>\d{1,5})(\s*(-|\.\.)\s*(?P<last>\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is counted: the option, one of them, how some are written, and the highest."""

    option: str
    one: str
    example: str
    most: int


_PORTS = _Kind("--ports", "port", "502,4840-4850", 65_535)
#: 255 is what many devices answer to that have no unit number.
_UNITS = _Kind("--units", "unit", "1..10", 255)


@click.group()
def scan() -> None:
    """Find devices in a network or at the serial ports. Nothing is written to any of them."""


@scan.command()
@click.argument("network")
@click.option("--ports", default="", help="Which, such as 502,4840-4850.  [those of the bundled device types]")
@click.option("--units", default="", help="Modbus unit numbers to look for behind each port, such as 1..10 or 1,3,9.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def net(network: str, ports: str, units: str, as_json: bool) -> int:
    """Look which ports of NETWORK listen, and which bundled profile knows what is there.

    NETWORK is such as 10.20.1.0/28, or one host by its address or name. Behind one address a Modbus gateway may have
    several devices, each with a unit number of its own: --units looks for them. A number that nobody has takes 0.7 s.

    Scan only networks that are yours: to others it looks like an attack.
    """
    from cellctl.commission.scan import PLACES_MAX, candidates, hosts_of, scan_net

    try:
        hosts, wanted, behind = hosts_of(network), _numbers(ports, _PORTS), _numbers(units, _UNITS)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    known = candidates()
    wanted = wanted or sorted({4840, *(each.port for each in known if each.port)})
    if len(hosts) * len(wanted) > PLACES_MAX:
        raise click.UsageError(f"{len(hosts)} addresses with {len(wanted)} ports each are too many to scan at once")
    say(f"{len(hosts)} {'address' if len(hosts) == 1 else 'addresses'}, ports {_ranges(wanted)}")
    found = scan_net(hosts, wanted, known, units=behind)
    return _tell(asyncio.run(_collected(found, as_json)), as_json)


@scan.command()
@click.argument("ports", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def serial(ports: Sequence[str], as_json: bool) -> int:
    """Look at the serial ports, all or those named, and which bundled profile knows what is there.

    Each is asked with the settings that a device is delivered with; what was set otherwise is not found.
    """
    from cellctl.commission.scan import candidates, scan_serial, serial_ports

    wanted = list(ports) or serial_ports()
    if not wanted:
        raise Failure("This computer has no serial port under /dev/serial/by-id.", FAILED)
    return _tell(asyncio.run(_collected(scan_serial(wanted, candidates()), as_json)), as_json)


def _numbers(text: str, kind: _Kind) -> list[int]:
    """The numbers of ``502,4840-4850``, each once, in order."""
    numbers: set[int] = set()
    for part in text.split(",") if text else ():
        match = _NUMBERS.fullmatch(part.strip())
        if match is None:
            raise click.UsageError(f"{kind.option}: {text!r} is not of the form {kind.example}")
        first, last = int(match["first"]), int(match["last"] or match["first"])
        if not 0 < first <= last <= kind.most:
            wrong = f"{part.strip()!r} names no {kind.one} from 1 to {kind.most}, the lower one first"
            raise click.UsageError(f"{kind.option}: {wrong}")
        numbers |= {*range(first, last + 1)}
    return sorted(numbers)


def _ranges(ports: Sequence[int]) -> str:
    """Ports as a person says them, in order: 502, 4840-4850."""
    runs = groupby(enumerate(ports), key=lambda pair: pair[1] - pair[0])
    ends = [(run[0][1], run[-1][1]) for run in (list(pairs) for _, pairs in runs)]
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in ends)


async def _collected(found: "AsyncIterator[Seen]", as_json: bool) -> "list[Seen]":
    """All that is found, each shown as it comes."""
    seen = []
    async for each in found:
        seen.append(each)
        if not as_json:
            _show(each)
    return seen


def _show(seen: "Seen") -> None:
    said = f"; {seen.speech.said}" if seen.speech is not None else ""
    click.echo(seen.place if seen.known else f"{seen.place}  something that no bundled profile knows{said}")
    for at in seen.tries:
        click.echo(f'  try cellctl browse --at "{at}"')
    for profile, at, identity in seen.known:
        told = f"  # says of itself: {visible(identity)}" if identity else ""
        click.echo(f'  NAME: {{profile: {profile}, at: "{at}"}}{told}')


def _tell(seen: "list[Seen]", as_json: bool) -> int:
    if as_json:
        document(SCHEMA, {"found": [_plain(each) for each in seen]})
    elif not seen:
        say("Nothing was found.")
    return 0


def _plain(seen: "Seen") -> dict[str, object]:
    known = [{"profile": profile, "at": at, "identity": identity} for profile, at, identity in seen.known]
    speech = {} if seen.speech is None else {"said": seen.speech.said, "at": seen.speech.at}
    return {"place": seen.place, "known": known, "speech": speech, "try": list(seen.tries)}
