"""What is wrong with this computer and this folder for running a cell: `cellctl doctor`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cellctl.cli.terminal import FAILED, document, paint, visible

if TYPE_CHECKING:
    from cellctl.upkeep.doctor import Place

SCHEMA = "cellctl.doctor/1"

_COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


@click.command()
@click.argument("cell", required=False)
@click.option("--state", type=click.Path(path_type=Path), help="The state folder  [default: .cellctl beside the cell]")
@click.option("--sim", metavar="all|DEV,..", help="These devices are to be simulated: what they need is not missed.")
@click.option("--http", default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT|off", help="Page and API.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def doctor(cell: str | None, state: Path | None, sim: str | None, http: str, as_json: bool) -> int:
    """Look at this computer, the state folder and the ports of CELL (the one here, if left out), and say what to do.

    Nothing is changed, and no device is spoken to; the cell may run. Exit 1 if anything is an error.
    """
    from cellctl.upkeep.doctor import examined

    found = []
    for finding in examined(place_of(cell, state, http, sim)):
        found.append(finding)
        if not as_json:
            level = paint(f"{finding.level:<7}", _COLOURS[finding.level])
            click.echo(f"{level}  {finding.about}: {visible(finding.text)}")
            if finding.do:
                click.echo(f"         {visible(finding.do)}")
    if as_json:
        plain = [{"level": f.level, "about": f.about, "text": f.text, "do": f.do} for f in found]
        document(SCHEMA, {"findings": plain})
    return FAILED if any(finding.level == "error" for finding in found) else 0


def place_of(cell: str | None, state: Path | None, http: str, sim: str | None = None) -> "Place":
    """Where the cell is to run; without one, this folder."""
    from cellctl.cli.places import cell_folder, state_beside
    from cellctl.cli.run import chosen_devices
    from cellctl.model import check
    from cellctl.records import STATE_FOLDER
    from cellctl.upkeep.doctor import Place

    if cell is None and not Path("cell.yaml").exists():
        return Place(state or Path(STATE_FOLDER), http)
    folder = cell_folder(cell or ".")
    checked = check(folder)
    model = checked.model
    if model is not None and sim is not None:
        model = model.simulated({id: model.devices[id].address for id in chosen_devices(sim, model)})
    return Place(state or state_beside(cell or "."), http, folder, model, checked.problems)
