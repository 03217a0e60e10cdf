"""A running simulation: one world, its time, and a server for each device.

The rule kept here: the world moves only in `settle`, up to the present and no further: when a client touches a wire,
and when something is due by itself. World time is the event loop's time since the start, times the speed.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from urllib.parse import SplitResult, parse_qs, urlsplit

from cellctl.driver import Contact, Value
from cellctl_simulators.catalog import Catalog
from cellctl_simulators.servers.contact import DeviceContact
from cellctl_simulators.servers.line import LineSession
from cellctl_simulators.servers.streams import SessionFactory, Stream, serial_stream, tcp_stream
from cellctl_simulators.wire import Lines, Nodes, Registers
from cellctl_simulators.world import hint

#: Schemes of addresses that lead to a serial port.
TERMINALS = ("modbus+rtu", "serial")


@dataclass(frozen=True, slots=True)
class Simulated:
    """A device to simulate: the name of its model, and the address of the real one as the cell file tells it."""

    model: str
    at: str


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the simulated time goes, and the seed of all that is random."""

    speed: float = 1.0
    seed: int = 0


class Simulation:
    """The simulated devices of a cell, as an async context manager.

    All devices live in the world; those in `serve` (None: all) get a server, and an entry in `addresses` in the words
    of the cell file. ValueError, with a hint, for a device or model that is not known. An exception in a model ends
    the simulation: `failed` carries it, leaving the context raises it. With `direct` there are no servers and no
    addresses, but a `contact` for each device.
    """

    def __init__(
        self,
        folder: Path,
        devices: Mapping[str, Simulated],
        *,
        serve: Collection[str] | None = None,
        pace: Pace = Pace(),
        direct: bool = False,
    ) -> None:
        for id in serve or ():
            if id not in devices:
                raise ValueError(f"no device {id!r} can be simulated{hint(id, devices)}")
        self.devices = {id: device for id, device in devices.items() if serve is None or id in serve}
        self.speed, self._direct = pace.speed, direct
        names = {id: device.model for id, device in devices.items()}
        self.world = Catalog.of(folder).build(names, seed=pace.seed, speed=pace.speed)
        self.addresses: dict[str, str] = {}
        self._servers: dict[str, Stream] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due_s: float | None = None

    async def __aenter__(self) -> "Simulation":
        loop = asyncio.get_running_loop()
        self.failed: asyncio.Future[None] = loop.create_future()
        self.folder = Path(tempfile.mkdtemp(prefix="cellctl-sim-"))  # only its owner can enter
        self._started_s = loop.time()
        try:
            for id, device in self.devices.items():
                server = self._servers[id] = self._server(id, urlsplit(device.at))
                self.addresses[id] = device.at if self._direct else _address(server, device.at)
                await server.start()
        except BaseException:
            await self._close()
            raise
        self.settle()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()
        error_within = self.failed.exception() if self.failed.done() else None
        if error_within is not None and kind is None:
            raise error_within

    def settle(self, *devices: str) -> None:
        """Bring the world to the present, these devices (none named: all) with it."""
        self._advance(devices or None)

    def _advance(self, devices: Sequence[str] | None = ()) -> None:
        """Let happen what is due, and come back when the next thing is due by itself."""
        if self.failed.done():
            return
        loop = asyncio.get_running_loop()
        try:
            due_ns = self.world.advance(round((loop.time() - self._started_s) * self.speed * 1e9), devices)
            for updated in self.world.updated():
                if server := self._servers.get(updated):
                    server.refresh()
        except Exception as error:
            self.failed.set_exception(error)
            return
        due_s = None if due_ns is None else self._started_s + due_ns / 1e9 / self.speed
        if due_s != self._due_s:
            self._due_s = due_s
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None if due_s is None else loop.call_at(due_s, self._wake)

    def _wake(self) -> None:
        self._due_s = self._timer = None
        self._advance()

    @property
    def due(self) -> Mapping[str, int]:
        """The devices that will go on by themselves, and when (ns of the world's time)."""
        return self.world.due

    def set(self, name: str, value: Value) -> None:
        """Set an input of the world, such as ``plc.guard_closed``; ValueError with a hint."""
        self.settle()
        self.world.set(name, value)
        self.settle()

    def get(self, name: str) -> Value:
        """The present value of an input or output of the world; ValueError with a hint."""
        self.settle()
        return self.world.get(name)

    def truth(self) -> dict[str, object]:
        """What really is, as JSON."""
        self.settle()
        return self.world.truth()

    def contact(self, device: str) -> Contact:
        """The device without its wire, in a simulation that is `direct`; ValueError with a hint if there is none."""
        contact = self._served(device)
        assert isinstance(contact, DeviceContact)
        return contact

    async def stop_server(self, device: str) -> None:
        """Cut the device off its clients; it goes on living. ValueError with a hint for one that is not served."""
        await self._served(device).stop()

    async def start_server(self, device: str) -> None:
        """Put the device back, at the same address. ValueError with a hint for one that is not served."""
        server = self._served(device)
        await server.stop()
        await server.start()
        self.settle()

    def _served(self, device: str) -> Stream:
        if device not in self._servers:
            raise ValueError(f"no device {device!r} is simulated{hint(device, self._servers)}")
        return self._servers[device]

    def _server(self, id: str, address: SplitResult) -> Stream:
        settle = partial(self.settle, id)
        if self._direct:
            return DeviceContact(self.world.models[id].wire, settle, lambda: id in self.world.due)
        match address.scheme, self.world.models[id].wire:
            case "modbus" | "modbus+rtu", Registers() as registers:
                from cellctl_simulators.servers.modbus import ANY_UNIT, ModbusSession

                unit = int(parse_qs(address.query).get("unit", [str(ANY_UNIT)])[0])
                serial = address.scheme == "modbus+rtu"
                return self._stream(
                    id, address, lambda write: ModbusSession(write, registers, settle, unit=unit, serial=serial)
                )
            case "serial" | "tcp", Lines() as lines:
                return self._stream(id, address, lambda write: LineSession(write, lines, settle))
            case "opc.tcp", Nodes() as nodes:
                from cellctl_simulators.servers.opcua import OpcUaServer

                return OpcUaServer(nodes, settle)
            case scheme, wire:
                raise ValueError(f"device {id!r}: its model speaks {type(wire).__name__.lower()}, not {scheme!r}")

    def _stream(self, id: str, address: SplitResult, session: SessionFactory) -> Stream:
        return serial_stream(session, self.folder / id) if address.scheme in TERMINALS else tcp_stream(session)

    async def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for server in self._servers.values():
            await server.stop()
            await server.aclose()
        shutil.rmtree(self.folder)


def _address(server: Stream, real: str) -> str:
    """The server's address in the form of the real device's, options included."""
    scheme, _, rest = real.partition(":")
    _, mark, options = rest.partition("?")
    return f"{scheme}:{'' if scheme in TERMINALS else '//'}{server.at}{mark}{options}"
