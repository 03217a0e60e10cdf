"""The back door of a simulation: what is asked there of the world, its devices and its faults.

``{"do": "truth"}``, ``{"do": "get", "name": ...}``, ``{"do": "set", "name": ..., "value": ...}``,
``{"do": "stop", "device": ...}``, ``{"do": "start", "device": ...}``, and faults as `cellctl.faults.door` has them. It
exists to break a device on purpose, and to compare what a controller believes with what is true.
"""

import json
from collections.abc import Mapping
from typing import Any

from cellctl.faults.door import Door, Message, on_faults
from cellctl_simulators.simulation import Simulation


class Control(Door):
    """The door in the simulation's own folder."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__(simulation.folder / "control", self._asked)
        self._simulation = simulation

    async def _asked(self, message: Mapping[str, Any]) -> Message:
        simulation = self._simulation
        match message:
            case {"do": "truth"}:
                return {"truth": simulation.truth()}
            case {"do": "get", "name": str(name)}:
                return {"value": simulation.get(name)}
            case {"do": "set", "name": str(name), "value": bool() | int() | float() | str() as value}:
                simulation.set(name, value)
                return {}
            case {"do": "stop", "device": str(device)}:
                await simulation.stop_server(device)
                return {}
            case {"do": "start", "device": str(device)}:
                await simulation.start_server(device)
                return {}
        answer = await on_faults(message, simulation.faults)
        if answer is None:
            raise ValueError(
                f"{json.dumps(message)}: expected one of truth, get (name), set (name, value), stop and start (device),"
                " fault (fault), mend (number), faults"
            )
        return answer
