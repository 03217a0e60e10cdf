"""The Python files of a cell, read without running them.

The rule kept here: what is not Python is told at its line, whatever the parser raises.
"""

import ast
import warnings
from pathlib import Path

from cellctl.model.problems import Place, Report, Wrong
from cellctl.model.source import Unreadable, read_text


def parsed(path: Path, folder: Path, report: Report) -> tuple[str, ast.Module] | None:
    """The text of a file of `folder`, and its tree; None if it cannot be used, with the reason in `report`."""
    try:
        text = read_text(path, folder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return text, ast.parse(text, str(path))
    except Unreadable as stop:
        report.add(stop.place, stop.wrong)
    except SyntaxError as error:
        place = Place(path, error.lineno or 1, error.offset or 1)
        report.add(place, Wrong("E401", f"this is not Python: {error.msg}", "look at this line and the one before it"))
    except (ValueError, RecursionError, MemoryError) as error:
        report.add(Place(path), Wrong("E401", f"this is not Python: {error}", "is this file really source text?"))
    return None
