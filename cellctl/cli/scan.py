"""Find devices: `cellctl scan net|serial`."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

import click

from cellctl.cli.terminal import FAILED, Failure, document, say, visible

if TYPE_CHECKING:
    from cellctl.commission.scan import Seen

SCHEMA = "cellctl.scan/1"


@click.group()
def scan() -> None:
    """Find devices in a network or at the serial ports. Nothing is written to any of them."""


@scan.command()
@click.argument("network")
@click.option("--ports", default="", help="Which, such as 502,4840.  [those of the bundled device types]")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def net(network: str, ports: str, as_json: bool) -> int:
    """Look which ports of NETWORK listen, such as 10.20.1.0/28, and which bundled profile knows what is there.

    Scan only networks that are yours: to others it looks like an attack.
    """
    from cellctl.commission.scan import candidates, hosts_of, scan_net

    known = candidates()
    try:
        hosts = hosts_of(network)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    wanted = _ports(ports) or sorted({4840, *(each.port for each in known if each.port)})
    say(f"{len(hosts)} {'address' if len(hosts) == 1 else 'addresses'}, ports {', '.join(map(str, wanted))}")
    return _tell(asyncio.run(_collected(scan_net(hosts, wanted, known), as_json)), as_json)


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


def _ports(text: str) -> list[int]:
    try:
        ports = [int(part) for part in text.split(",")] if text else []
    except ValueError:
        raise click.UsageError(f"--ports: {text!r} is not of the form 502,4840") from None
    if not all(0 < port < 65_536 for port in ports):
        raise click.UsageError(f"--ports: {text!r} names no port from 1 to 65535")
    return ports


async def _collected(found: "AsyncIterator[Seen]", as_json: bool) -> "list[Seen]":
    """All that is found, each shown as it comes."""
    seen = []
    async for each in found:
        seen.append(each)
        if not as_json:
            _show(each)
    return seen


def _show(seen: "Seen") -> None:
    click.echo(seen.place if seen.known else f"{seen.place}  something that no bundled profile knows")
    for profile, at, identity in seen.known:
        click.echo(f'  NAME: {{profile: {profile}, at: "{at}"}}' + (f"  # {visible(identity)}" if identity else ""))


def _tell(seen: "list[Seen]", as_json: bool) -> int:
    if as_json:
        document(SCHEMA, {"found": [_plain(each) for each in seen]})
    elif not seen:
        say("Nothing was found.")
    return 0


def _plain(seen: "Seen") -> dict[str, object]:
    known = [{"profile": profile, "at": at, "identity": identity} for profile, at, identity in seen.known]
    return {"place": seen.place, "known": known}
