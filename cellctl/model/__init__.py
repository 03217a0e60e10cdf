"""Files to checked, frozen models: cells, profiles, phases, recipes.

The rules kept here: every mistake is told at once, each with file, line, column, code and hint; nothing here opens a
connection. What is named here is imported quickly; what reads the files comes with the first file that is read.
"""

from cellctl.model.apart import checking
from cellctl.model.cell_model import CellModel, Energy, Oee
from cellctl.model.check import Checked, bundled_cells, check, find_cell, load
from cellctl.model.drivers import DriverMissing, direct_driver_for, driver_for
from cellctl.model.problems import FilesInvalid, Problem
from cellctl.model.simulators import Simulation, Simulators, SimulatorsMissing, simulators

__all__ = [
    "CellModel", "Checked", "DriverMissing", "Energy", "FilesInvalid", "Oee", "Problem", "Simulation", "Simulators",
    "SimulatorsMissing", "bundled_cells", "check", "checking", "direct_driver_for", "driver_for", "find_cell", "load",
    "simulators",
]  # fmt: skip
