"""What the doctor says, and what it is told."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellctl.model import CellModel, Problem

OK, WARNING, ERROR = "ok", "warning", "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: how bad it is, about what, a sentence without its full stop, and what to do."""

    level: str
    about: str
    text: str
    do: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cell is to run: its state folder, the address of its page, and its files, if there is a cell. Devices
    that are simulated are marked in the model."""

    state: Path
    http: str
    cell: Path | None = None
    model: "CellModel | None" = None
    problems: "tuple[Problem, ...]" = ()
