"""The installed simulators, found by the entry point group `cellctl.simulators`.

The rule kept here: nobody names them. What they are asked for stands in the two protocols.
"""

from collections.abc import Callable, Collection, Mapping, Set
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, cast

from cellctl.core.signal import Value
from cellctl.driver import Contact
from cellctl.faults import Fault
from cellctl.faults.desk import Running
from cellctl.model.cell_model import CellModel

GROUP = "cellctl.simulators"


class SimulatorsMissing(LookupError):  # noqa: N818 - what is wrong with the installation
    """No simulators are installed."""


class Simulation(Protocol):
    """Simulated devices that run on the present event loop; an async context manager."""

    world: Any
    addresses: Mapping[str, str]

    @property
    def due(self) -> Mapping[str, int]:
        """The devices that will go on by themselves, and when (ns of the world's time)."""

    async def __aenter__(self) -> "Simulation": ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def truth(self) -> dict[str, object]:
        """What really is, as JSON."""

    def get(self, name: str) -> Value:
        """The present value of an input or output of the world; ValueError with a hint."""

    def set(self, name: str, value: Value) -> None:
        """Set an input of the world; ValueError with a hint."""

    def settle(self, *devices: str) -> None:
        """Bring the world to the present, these devices (none named: all) with it."""

    @property
    def faults(self) -> "SimulatedFaults":
        """What goes wrong on purpose."""

    def contact(self, device: str) -> Contact:
        """The device without its wire, in a simulation that is `direct`."""

    async def stop_server(self, device: str) -> None:
        """Cut the device off its clients; it goes on living."""

    async def start_server(self, device: str) -> None:
        """Put the device back, at the same address."""


class SimulatedFaults(Protocol):
    """The faults of a simulation."""

    @property
    def running(self) -> list[Running]:
        """Those that have begun and not ended, oldest first."""

    @property
    def numbers(self) -> Set[int]:
        """The numbers of those that have begun and not ended."""

    def check(self, fault: Fault) -> None:
        """FaultError, with what was meant, for a fault that this simulation cannot have."""

    async def begin(self, fault: Fault) -> int:
        """Let it happen; its number. FaultError for a fault that this simulation cannot have."""

    async def end(self, number: int | None = None) -> None:
        """End one fault, or all; FaultError for a number that is not running."""


class Simulators(Protocol):
    """What an installed package of simulators offers."""

    async def serve(
        self,
        cell: Path,
        *,
        devices: Collection[str] | None,
        speed: float,
        seed: int,
        announce: Callable[[dict[str, object]], None],
    ) -> None:
        """Simulate the devices of a cell on real ports until cancelled."""

    def simulation(
        self,
        model: CellModel,
        *,
        serve: Collection[str] | None = None,
        speed: float = 1.0,
        seed: int = 0,
        direct: bool = False,
    ) -> Simulation:
        """The simulated devices of a cell inside this process; those in `serve` (None: all) get a server, or, if it is
        `direct`, a contact."""


@cache
def simulators() -> Simulators:
    """The bundled simulators; SimulatorsMissing if they are not installed."""
    for point in entry_points(group=GROUP, name="bundled"):
        return cast(Simulators, point.load())
    raise SimulatorsMissing("The simulators are not installed. Install cellctl[all].")
