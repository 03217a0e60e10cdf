"""The simulators as one coroutine: what `cellctl sim` runs."""

import logging
from collections.abc import Callable, Collection
from pathlib import Path

from cellctl.model import CellModel, load
from cellctl_simulators.control import Control
from cellctl_simulators.simulation import PROTOCOLS, Simulated, Simulation

SCHEMA = "cellctl.sim/1"


async def serve(
    cell: Path,
    *,
    devices: Collection[str] | None,
    speed: float,
    seed: int,
    announce: Callable[[dict[str, object]], None],
) -> None:
    """Simulate the devices of the cell in folder `cell` (`devices`: only these) until cancelled.

    `announce` is called once, when all of them can be reached, with where they are. Raises what a model raises.
    """
    logging.getLogger("asyncua").setLevel(logging.ERROR)  # it warns of what a simulation does on purpose: no security
    model = load(cell)
    async with (
        Simulation(cell, simulated(model), serve=devices, speed=speed, seed=seed) as simulation,
        Control(simulation) as control,
    ):
        announce({"schema": SCHEMA, "devices": _listed(simulation), "control": str(control.path)})
        await simulation.failed


def simulated(model: CellModel) -> dict[str, Simulated]:
    """The devices of a cell that have a model."""
    return {id: Simulated(name, model.devices[id].address) for id, name in model.models.items()}


def _listed(simulation: Simulation) -> list[dict[str, str]]:
    return [
        {"id": id, "protocol": PROTOCOLS[at.partition(":")[0]], "at": at} for id, at in simulation.addresses.items()
    ]
