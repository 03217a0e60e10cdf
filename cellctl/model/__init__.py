"""Files to checked, frozen models: cells, profiles, phases, recipes.

The rule kept here: every mistake is told at once, each with file, line, column, code and hint; nothing here opens a
connection.
"""

from cellctl.model.cell_model import CellModel, Energy, Oee
from cellctl.model.check import Checked, bundled_cells, check, find_cell, load
from cellctl.model.codes import CODES, Explanation, explain
from cellctl.model.drivers import DriverMissing, driver_for
from cellctl.model.problems import FilesInvalid, Problem
from cellctl.model.shapes import SCHEMAS, json_schema

__all__ = [
    "CODES", "SCHEMAS", "CellModel", "Checked", "DriverMissing", "Energy", "Explanation", "FilesInvalid", "Oee",
    "Problem", "bundled_cells", "check", "driver_for", "explain", "find_cell", "json_schema", "load",
]  # fmt: skip
