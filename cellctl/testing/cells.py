"""The cells that are tested: checked once, and again only when one of their files is another.

The rule kept here: files that are wrong fail the test with what `cellctl check` would say, and nothing runs; nor does
a cell that could not be simulated as a whole.
"""

from collections.abc import Collection
from pathlib import Path

from cellctl.model import CellModel, FilesInvalid, find_cell, load

_checked: dict[Path, tuple[float, CellModel]] = {}


class CellInvalid(Exception):  # noqa: N818 - what is the case
    """The files of the cell are wrong: every problem with its place, as `cellctl check` tells it. Or a device has no
    model, so that nobody could answer in its place."""


def cell_model(name_or_path: Path | str) -> CellModel:
    """The model of a cell, by its folder, a file in it, or its name if it is bundled; CellInvalid if it is wrong."""
    try:
        folder = find_cell(name_or_path)
        newest = max(path.stat().st_mtime for path in folder.rglob("*") if path.is_file())
        if folder not in _checked or _checked[folder][0] != newest:
            _checked[folder] = newest, load(folder)
        return _checked[folder][1]
    except FilesInvalid as invalid:
        raise CellInvalid("\n".join(str(problem) for problem in invalid.problems)) from invalid


def simulated_model(name_or_path: Path | str, recorded: Collection[str] = ()) -> CellModel:
    """The same, of a cell whose devices can all be simulated, but for those that a recording stands for."""
    model = cell_model(name_or_path)
    if missing := [device for device in model.devices if device not in model.models and device not in recorded]:
        name, *others = missing
        devices = f"{name} (and {', '.join(others)})" if others else name
        raise CellInvalid(
            f"{devices} cannot be simulated: write a device model into models/, and name it in the profile, as in"
            f" 'sim: {{model: {name}}}'"
        )
    return model
