"""The cell whose devices `cellctl io` speaks to."""

from pathlib import Path
from typing import TYPE_CHECKING

from cellctl.cli.places import state_beside
from cellctl.cli.terminal import INVALID, Failure

if TYPE_CHECKING:
    from cellctl.model import CellModel


def model_of(cell: Path) -> "CellModel":
    """The cell with its secrets; Failure, once its problems are told, if the files cannot be used."""
    from cellctl.model import FilesInvalid, load

    try:
        return load(cell, state=state_beside(cell))
    except FilesInvalid as invalid:
        raise unusable(invalid) from invalid


def unusable(invalid: Exception) -> Failure:
    """What to tell of files with problems, once each of them is told."""
    from cellctl.cli.files import tell

    tell(getattr(invalid, "problems", ()))
    return Failure("The files cannot be used.", INVALID)
