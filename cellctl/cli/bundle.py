"""What somebody who helps you needs, in one file: `cellctl bundle FILE`."""

from pathlib import Path
from typing import Any

import click

from cellctl.cli.terminal import Failure, document, say

SCHEMA = "cellctl.bundle/1"


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("cell", required=False)
@click.option("--state", type=click.Path(path_type=Path), help="The state folder  [default: .cellctl beside the cell]")
@click.option("--entries", type=click.IntRange(0, 100_000), default=2_000, show_default=True, help="Of the journal.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def bundle(file: Path, cell: str | None, state: Path | None, entries: int, as_json: bool) -> None:
    """Write into FILE what somebody needs who helps you with CELL: its files, journal, log, and a look at the computer.

    Secrets, private keys, passwords, names of people and e-mail addresses are taken out. The cell may run, or be
    broken.
    """
    from cellctl.cli.doctor import place_of
    from cellctl.upkeep.bundle import About, make

    place = place_of(cell, state, "off")
    try:
        names = make(file, About(place, _live(place.state), entries))
    except FileExistsError as error:
        raise Failure(f"{file} exists already.") from error
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror or error}.") from error
    if as_json:
        document(SCHEMA, {"file": str(file), "files": names})
        return
    click.echo(f"{file}: {len(names)} files, {file.stat().st_size / 1e6:,.1f} MB.")
    say("Look through it before it leaves the house: it is a ZIP. README.txt in it says what was taken out.")


def _live(state: Path) -> dict[str, Any] | str:
    """What the cell says of itself, with its devices and links; or why it does not."""
    from cellctl.cli.reach import Local

    try:
        return Local(state).cell()
    except Failure as failure:
        return str(failure)
