"""Six devices on five links, down to the bytes, in virtual time: the far ends, and the near ends of one control.

Real at both ends: the supervisors, links, inbox and process image of control with the drivers, and the simulated
devices behind their protocols. Control's place is taken by whoever looks on: it hears of everything, and orders.
"""

import asyncio
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from cellctl.core.messages import Alive, Done, Input, LinkChanged, LinkState, Order, Samples
from cellctl.core.signal import Image, Sample
from cellctl.faults import Fault
from cellctl.model import driver_for, simulators
from cellctl.runtime.clock import Clock
from cellctl.runtime.inbox import Inbox
from cellctl.runtime.link import Shared
from cellctl.runtime.supervisor import Supervisor
from cellctl.testing import cell_model
from cellctl.testing.log import Lines
from cellctl.testing.virtual import VirtualLoop

CELL = Path(__file__).parents[1] / "data" / "six-links"
DEVICES = ("press", "oven", "fan", "pump", "scale", "robot")


class Onlooker(Protocol):
    """Is told of all that control would be told."""

    def seen(self, sample: Sample, now_ns: int) -> None:
        """A sample arrived."""

    def answered(self, done: Done, now_ns: int) -> None:
        """An order was answered."""


class Plant:
    """Belongs to a running `VirtualLoop`; `devices`: these alone are there."""

    def __init__(self, onlooker: Onlooker, seed: int = 0, devices: tuple[str, ...] = DEVICES) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.loop, self.seed, self.devices = loop, seed, devices
        self.model = cell_model(CELL)
        self.states = dict.fromkeys(devices, LinkState.CONNECTING)
        self.reasons: dict[str, list[str]] = {device: [] for device in devices}
        self.lost = 0  # connections that were up before
        self.image = Image(self.model.equipment.signals.values())
        self.log = Lines(loop.time)
        self._onlooker = onlooker
        self._clock = Clock(loop.monotonic_ns, loop.utc_ns)
        self._inbox = Inbox(self.model.equipment.signals, ring=self._ring)
        self._supervisors: dict[str, Supervisor] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Plant":
        self.simulation: Any = simulators().simulation(self.model, serve=self.devices, seed=self.seed)
        await self.simulation.__aenter__()
        model = self.model.simulated(self.simulation.addresses)
        shared = Shared(self._clock, self._inbox)
        for id in self.devices:
            device = model.devices[id]
            supervisor = Supervisor(device, driver_for(device.protocol)(device), shared, self.log.log)
            self._supervisors[id] = supervisor
            self._tasks.append(asyncio.create_task(supervisor.run(), name=f"supervisor {id}"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await asyncio.sleep(0.01)
        await self.simulation.__aexit__(kind, error, trace)

    # --- what it is like --------------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """The time, ns UTC."""
        return self._clock.now()

    @property
    def begun_ns(self) -> int:
        """When the time of the devices began, ns UTC."""
        return self.now_ns - round((self.loop.time() - self.simulation._started_s) * 1e9)

    @property
    def taken(self) -> list[tuple[int, str, str, int]]:
        """What the devices took, and began to show: when (their time), which, what, and the number of it."""
        log: list[tuple[int, str, str, int]] = self.simulation.world.log
        return log

    def connected(self, device: str) -> bool:
        """Whether its link is up."""
        return self.states[device] is LinkState.CONNECTED

    def fresh(self, device: str, since_ns: int) -> bool:
        """Whether all values of the device are good, and newer."""
        self.image.expire(self.now_ns)
        names = [name for name in self.image.signals if name.startswith(device + ".")]
        return all(self.image.read(name).good and self.image.seen_ns(name) > since_ns for name in names)

    @property
    def failures(self) -> list[object]:
        """When a driver failed otherwise than by DriverError: what the log says."""
        return [line for line in self.log.lines if line[1] == "error"]

    # --- what is asked of it ----------------------------------------------------------------------------------

    def send(self, order: Order) -> None:
        """Give an order."""
        self._supervisors[order.device].send(order)

    async def suffer(self, fault: Fault) -> int:
        """Let something go wrong."""
        number: int = await self.simulation.faults.begin(fault)
        return number

    async def heal(self, number: int) -> None:
        """End it, if it has not ended by itself."""
        if number in self.simulation.faults.numbers:
            await self.simulation.faults.end(number)

    def ill(self, device: str) -> bool:
        """Whether anything is wrong with its cable."""
        wrong: bool = self.simulation.faults.cables[device].ill
        return wrong

    # --- what is open -----------------------------------------------------------------------------------------

    def open(self) -> Counter[str]:
        """What is open now, and how often: tasks by what they do, ends of connections here, and those of devices."""
        tasks = (task for task in asyncio.all_tasks() if task is not asyncio.current_task())
        found = Counter(getattr(task.get_coro(), "__qualname__", "?") for task in tasks)
        found["near ends"] = sum(not end.is_closing() for ends in self.loop.net._ends.values() for end in ends)
        for device, server in self.simulation._servers.items():
            found[f"far ends of {device}"] = len(connections_of(server))
        return found

    # --- how --------------------------------------------------------------------------------------------------

    def _ring(self, _: Input) -> bool:
        self.loop.call_soon(self._turn)
        return True

    def _turn(self) -> None:
        now_ns = self.now_ns
        for item in self._inbox.take():
            match item:
                case Samples(samples):
                    for sample in samples:
                        self._onlooker.seen(sample, now_ns)
                        self.image.take(sample)
                case Alive(device, time_ns, signals):
                    self.image.confirm(device, time_ns, signals)
                case LinkChanged(device, state, reason):
                    self.lost += self.states[device] is LinkState.CONNECTED
                    self.states[device] = state
                    self.reasons[device].append(reason)
                    if state is not LinkState.CONNECTED:
                        self.image.lose(device, now_ns, reason)
                case Done():
                    self._onlooker.answered(item, now_ns)


def connections_of(server: Any) -> list[Any]:
    """The connections that a simulated device has open."""
    if hasattr(server, "_line"):  # a unit: those of its line
        server = server._line.stream
    if hasattr(server, "_connections"):
        return list(server._connections)
    inner = server._server.iserver  # OPC UA
    return [*inner.asyncio_transports, *inner.sessions]
