"""The cell whose devices `cellctl io` speaks to."""

from pathlib import Path
from typing import TYPE_CHECKING

from cellctl.cli.terminal import INVALID, Failure

if TYPE_CHECKING:
    from cellctl.model import CellModel


def state_of(cell: Path) -> Path:
    """The state folder beside the cell."""
    from cellctl.model import find_cell
    from cellctl.records import STATE_FOLDER

    return find_cell(cell) / STATE_FOLDER


def model_of(cell: Path) -> "CellModel":
    """The cell with its secrets; Failure, once its problems are told, if the files cannot be used."""
    from cellctl.model import FilesInvalid, load

    try:
        return load(cell, state=state_of(cell))
    except FilesInvalid as invalid:
        raise unusable(invalid) from invalid


def unusable(invalid: Exception) -> Failure:
    """What to tell of files with problems, once each of them is told."""
    from cellctl.cli.files import tell

    tell(getattr(invalid, "problems", ()))
    return Failure("The files cannot be used.", INVALID)
