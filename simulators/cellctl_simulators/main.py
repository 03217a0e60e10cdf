"""The simulators as cellctl finds them (entry point `cellctl.simulators`): `cellctl sim`, and the test kit."""

from collections.abc import Callable, Collection
from pathlib import Path

from cellctl.model import CellModel, load
from cellctl_simulators.control import Control
from cellctl_simulators.simulation import Pace, Simulated, Simulation

SCHEMA = "cellctl.sim/1"


async def serve(
    cell: Path,
    *,
    devices: Collection[str] | None,
    speed: float,
    seed: int,
    announce: Callable[[dict[str, object]], None],
) -> None:
    """Simulate the devices of a cell (`devices`: only these) until cancelled.

    `announce` is called once, when all of them can be reached, with where they are. FilesInvalid if the cell's files
    are wrong, ValueError for a device that has no model; what a model raises ends the simulation and is raised here.
    """
    model = load(cell)
    async with (
        simulation(model, serve=devices, speed=speed, seed=seed) as running,
        Control(running) as control,
    ):
        reached = [{"id": id, "protocol": model.devices[id].protocol, "at": at} for id, at in running.addresses.items()]
        announce({"schema": SCHEMA, "devices": reached, "control": str(control.path)})
        await running.failed


def simulation(
    model: CellModel,
    *,
    serve: Collection[str] | None = None,
    speed: float = 1.0,
    seed: int = 0,
    direct: bool = False,
) -> Simulation:
    """The simulated devices of a cell inside this process, as an async context manager. See `Simulation`."""
    return Simulation(model.folder, simulated(model), serve=serve, pace=Pace(speed, seed), direct=direct)


def simulated(model: CellModel) -> dict[str, Simulated]:
    """The devices of a cell that have a model."""
    return {id: Simulated(name, model.devices[id].address, model.devices[id]) for id, name in model.models.items()}
