"""The leases of devices: tried at the end of `cellctl io test`, and listed by `cellctl io leases`."""

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cellctl.cli.asking import agreed
from cellctl.cli.places import state_beside
from cellctl.cli.terminal import UNREACHABLE, Failure, say, sentence, table

if TYPE_CHECKING:
    from cellctl.commission.found import Found
    from cellctl.commission.lease import Trial
    from cellctl.model import CellModel


@click.command()
@click.option("--cell", type=click.Path(path_type=Path), default=Path(), help="The cell, if it is not here.")
def leases(cell: Path) -> int:
    """Show which devices stop by themselves when this computer is gone, and when that was tested.

    A lease that was never tested, or with another profile, counts as none. Exit 1 if one of them counts as none that
    could be tested.
    """
    from cellctl.cli.run import checked
    from cellctl.commission.found import in_cell
    from cellctl.commission.lease import standing

    _, model = checked(str(cell))
    found = [standing(in_cell(model, name), state_beside(cell)) for name in model.devices]
    table(("device", "counts", "lease"), [(one.device, "yes" if one.counts else "no", one.text) for one in found])
    return int(any(one.watched and not one.counts for one in found))


def doubtful_leases(model: "CellModel", state: Path, watched: Collection[str]) -> list[str]:
    """Sentences about those devices, which have a watchdog, of which nobody knows whether it works."""
    from cellctl.commission.found import in_cell
    from cellctl.commission.lease import standing

    known = {name: standing(in_cell(model, name), state) for name in watched}
    return [
        f"Warning: {name}: {one.text}. Try it: cellctl io test {name}" for name, one in known.items() if not one.counts
    ]


async def lease_tried(found: "Found") -> "Trial | None":
    """Try the lease of a device, if a person agrees; None if not. Failure if the device cannot be reached."""
    from cellctl.commission.lease import TrippedError, expected, reset, tried
    from cellctl.driver import DriverError
    from cellctl.model import driver_for

    device, lease = found.device.id, found.lease
    assert lease is not None
    connect = driver_for(found.device.protocol)
    question = f"Stop the signs of life of {device} once? It {expected(found)}, and its outputs go to their safe values"
    if not await agreed(question):
        return None
    try:
        for _ in range(2):
            try:
                return await tried(found, connect)
            except TrippedError:
                if not lease.reset:
                    say(f"{device} is tripped. Reset it at the machine.")
                if not await agreed(f"{device} is tripped. Send {lease.reset}?" if lease.reset else "Is it reset?"):
                    return None
                if lease.reset and (problem := await reset(found, connect)):
                    raise Failure(f"{device} stays tripped: {problem}.", UNREACHABLE) from None
    except DriverError as error:
        raise Failure(sentence(str(error)), UNREACHABLE, str(error.__cause__ or "")) from error
    raise Failure(f"{device} is tripped again: does anything else stop its signs of life?", UNREACHABLE)


def try_lease(found: "Found") -> "Trial | None":
    """The same, as long as no loop runs; None, too, if the person goes away."""
    try:
        return asyncio.run(lease_tried(found))
    except click.Abort:
        return None
