"""Where the files of a cell are that a command works on: its folder and its state folder.

The rule kept here: a folder that is not there is a sentence, and nothing is made in its place.
"""

from pathlib import Path

from cellctl.cli.terminal import INVALID, UNREACHABLE, Failure
from cellctl.records import JOURNAL_FILE, STATE_FOLDER


def state_folder(named: Path | None) -> Path:
    """The state folder named, else a `.cellctl` folder here or above; Failure if no cell ever ran on it."""
    if named is None:
        around = (folder / STATE_FOLDER for folder in (Path.cwd(), *Path.cwd().parents))
        named = next((folder for folder in around if (folder / JOURNAL_FILE).exists()), None)
    if named is None:
        raise Failure("There is no state folder here. Name it with --state.", UNREACHABLE)
    if not (named / JOURNAL_FILE).exists():
        raise Failure(f"No cell ever ran on the state folder {named}.", UNREACHABLE)
    return named


def state_beside(cell: str | Path) -> Path:
    """Where the state of a cell is if nobody says: beside its files, or here for a bundled one."""
    return (Path(cell) if Path(cell).exists() else Path.cwd()) / STATE_FOLDER


def cell_folder(named: str) -> Path:
    """The folder of the cell that is meant; Failure INVALID if there is none."""
    from cellctl.cli.files import tell
    from cellctl.model import FilesInvalid
    from cellctl.model.check import find_cell

    try:
        return find_cell(named)
    except FilesInvalid as invalid:
        tell(invalid.problems)
        raise Failure("There is no cell. Name it with --cell.", INVALID) from invalid
