"""`check` and `load`: from a folder, a file or a name to a checked model.

The rule kept here: whatever the files are, the answer is a list of problems, never a traceback. What reads and checks
them is imported when there is something to check: who only takes the outcome (`apart`) does without.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

import cellctl
from cellctl.model.cell_model import CellModel
from cellctl.model.problems import FilesInvalid, Place, Problem, Report, Wrong, did_you_mean

GROUP = "cellctl.cells"


@dataclass(frozen=True, slots=True)
class Checked:
    """All that was found, and the model; None if there is any error."""

    problems: tuple[Problem, ...]
    model: CellModel | None


def check(path: Path | str) -> Checked:
    """Check a cell: its folder, one of its files (the whole cell is checked), or the name of a bundled cell.

    A profile that lies in no cell is checked by itself, and gives no model. Needs no network and no secrets.
    """
    report = Report()
    try:
        folder = find_cell(path)
    except FilesInvalid as invalid:
        alone = _profile_alone(Path(path), report)
        return Checked(report.problems if alone else invalid.problems, None)
    from cellctl.model.cell import read_cell

    model = read_cell(folder, report)
    return Checked(report.problems, None if report.errors else model)


def load(path: Path | str, *, state: Path | None = None, simulated: Collection[str] = ()) -> CellModel:
    """The model of a cell; FilesInvalid with the problems.

    Secrets are read if `state` is given, but for the devices in `simulated`, which need none.
    """
    checked = check(path)
    if checked.model is None:
        raise FilesInvalid(checked.problems)
    return checked.model if state is None else checked.model.revealed(state, simulated)


def find_cell(name_or_path: Path | str) -> Path:
    """The folder of a cell, from this folder, a file in it, or the name of a bundled cell; FilesInvalid if none."""
    path = Path(name_or_path)
    for folder in (path, *path.absolute().parents):
        if (folder / "cell.yaml").is_file() and path.exists():
            return folder
    bundled = bundled_cells()
    if str(name_or_path) in bundled:
        return bundled[str(name_or_path)]
    report = Report()
    wrong = Wrong("E201", f"there is no cell {str(path)!r}", did_you_mean(path.name, bundled))
    if path.is_dir():
        wrong = Wrong("E201", "this folder has no cell.yaml", "name a cell, or begin one: cellctl new cell")
    report.add(Place(path), wrong)
    raise FilesInvalid(report.problems)


def bundled_cells() -> dict[str, Path]:
    """The cells that come with cellctl and with installed packages (entry points `cellctl.cells`), by name."""
    package = Path(cellctl.__file__).parent
    found: dict[str, Path] = {}
    for folder in (package / "bundled", package.parent / "recipes"):
        found |= {cell.parent.name: cell.parent for cell in sorted(folder.glob("*/cell.yaml"))}
    return found | _installed()


@cache
def _installed() -> dict[str, Path]:
    return {point.name: Path(str(files(point.value))) for point in entry_points(group=GROUP)}


def _profile_alone(path: Path, report: Report) -> bool:
    """Check a profile outside of any cell; whether it is one."""
    if path.suffix != ".yaml" or not path.is_file():
        return False
    from cellctl.model.devices import check_profile
    from cellctl.model.profile import Profiles

    profiles = Profiles(path.parent, report)
    profile = profiles.read_file(path)
    if profile is not None:
        check_profile(profile, report)
    return True
