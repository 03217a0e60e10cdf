"""The test kit: a whole cell in virtual time, with faults, random worlds, and what a pytest needs.

Most tests need nothing from here: the fixtures `cell`, `clock`, `operator`, `world`, `faults`, `field` and `journal`
come with pytest as soon as cellctl is installed. What is named here is for those who build on it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellctl.testing.bench import Bench, NotAccepted, Setup
    from cellctl.testing.cell import CellOnBench, on_bench
    from cellctl.testing.cells import CellInvalid, cell_model
    from cellctl.testing.device import connected
    from cellctl.testing.incident.incident import Incident, IncidentError
    from cellctl.testing.names import UnknownName
    from cellctl.testing.virtual import Deadlock, Net, VirtualLoop, wall_clock

_HOMES = {
    "Bench": "bench", "NotAccepted": "bench", "Setup": "bench", "CellOnBench": "cell", "on_bench": "cell",
    "CellInvalid": "cells", "cell_model": "cells", "UnknownName": "names", "connected": "device",
    "Incident": "incident.incident", "IncidentError": "incident.incident",
    "Deadlock": "virtual", "Net": "virtual", "VirtualLoop": "virtual", "wall_clock": "virtual",
}  # fmt: skip

__all__ = [
    "Bench",
    "CellInvalid",
    "CellOnBench",
    "Deadlock",
    "Incident",
    "IncidentError",
    "Net",
    "NotAccepted",
    "Setup",
    "UnknownName",
    "VirtualLoop",
    "cell_model",
    "connected",
    "on_bench",
    "wall_clock",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """The names above, imported when first asked for: pytest loads the plugin in every session."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"cellctl.testing.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'cellctl.testing' has no attribute {name!r}")
