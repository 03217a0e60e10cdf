"""A running simulation: one world, its time, and a server for each device.

The rule kept here: the world moves only in `settle`, up to the present and no further: when a client touches a wire,
and when something is due by itself. World time is the event loop's time since the start, times the speed.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from urllib.parse import SplitResult, parse_qs, urlsplit

from cellctl.driver import Contact, Device, Value
from cellctl_simulators.catalog import Catalog
from cellctl_simulators.faults.cable import Cable
from cellctl_simulators.faults.desk import Faults
from cellctl_simulators.faults.double import answer_of_double
from cellctl_simulators.faults.mask import Mask
from cellctl_simulators.servers.contact import DeviceContact
from cellctl_simulators.servers.line import LineSession
from cellctl_simulators.servers.shared import SharedLine, Unit
from cellctl_simulators.servers.streams import SessionFactory, Stream, serial_stream, tcp_stream
from cellctl_simulators.wire import Ask, Lines, Nodes, Registers
from cellctl_simulators.world import Retaining, hint

#: Schemes of addresses that lead to a serial port.
TERMINALS = ("modbus+rtu", "serial")


@dataclass(frozen=True, slots=True)
class Simulated:
    """A device to simulate: the name of its model, the address of the real one as the cell file tells it, and what its
    driver is told (its signals and commands can be named in faults)."""

    model: str
    at: str
    device: Device | None = None


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
        self._catalog, self._seed = Catalog.of(folder), pace.seed
        self.world = self._catalog.build(names, seed=pace.seed, speed=pace.speed)
        described = {id: device.device or Device(id, "", device.at, {}) for id, device in self.devices.items()}
        self.faults = Faults(self, described, pace.seed)
        self.addresses: dict[str, str] = {}
        self._servers: dict[str, Stream] = {}
        self._lines: dict[str, SharedLine] = {}  # by the port of the real one
        self._timer: asyncio.TimerHandle | None = None
        self._due_s: float | None = None
        self._restarts = 0

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
            updated = self.world.updated()
            for id, server in self._servers.items():
                if id in updated:
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

    def fitting(self, name: str, value: Value) -> Value:
        """The value as an input of the world takes it; ValueError with a hint if it does not."""
        return self.world.fitting(name, value)

    # --- what the faults do -----------------------------------------------------------------------------------------

    def mask_of(self, device: str) -> Mask:
        """What clients are shown instead of the truth."""
        wire = self.world.models[device].wire
        if wire.mask is None:
            wire.mask = Mask()
            if isinstance(wire, Lines):
                wire.double = partial(self._double, device)
        return wire.mask

    def suffer(self, device: str) -> None:
        """The faults on the cable of a device are others; without a wire they are told to its contact."""
        server = self._servers[device]
        if isinstance(server, DeviceContact):
            server.suffer(*self.faults.cables[device].without_wire())

    def show(self, device: str) -> None:
        """What a device shows is another."""
        self.settle(device)
        self._servers[device].refresh()

    async def reset(self, device: str) -> None:
        """Cut the connections of a device, once."""
        self._servers[device].refresh()
        await self._servers[device].cut()

    def restart(self, device: str) -> None:
        """Make the device as new: it has forgotten everything but what it keeps without power."""
        off = self.world.models[device]
        old = off.wire
        self._restarts += 1
        seed = f"{self._seed}/{device}/{self._restarts}"
        on = self._catalog.model(device, self.devices[device].model, seed)
        if isinstance(off, Retaining) and isinstance(on, Retaining):
            on.retained = off.retained
        self.world.renew(device, on)
        new = self.world.models[device].wire
        new.mask = old.mask
        server = self._servers[device]
        if isinstance(server, DeviceContact):
            server.wire = new
        elif isinstance(new, Nodes):
            server.rewire(new)  # type: ignore[attr-defined]
        self.settle(device)

    def _double(self, device: str, ask: Ask) -> None:
        """Have a double answer in place of a device that is stuck."""
        self.settle(device)
        world, model = self.world, self.world.models[device]
        inputs = {name: world.inputs[f"{device}.{name}"] for name in model.inputs} | {"speed": self.speed}
        at_ns, replies = answer_of_double(model, ask.text, world.now_ns, inputs)
        delay_s = (at_ns - world.now_ns) / 1e9 / self.speed
        asyncio.get_running_loop().call_later(delay_s, self._double_replies, device, ask, replies)

    def _double_replies(self, device: str, ask: Ask, replies: list[str]) -> None:
        for reply in replies:
            ask.reply(reply)
        self._servers[device].refresh()

    def _served(self, device: str) -> Stream:
        if device not in self._servers:
            raise ValueError(f"no device {device!r} is simulated{hint(device, self._servers)}")
        return self._servers[device]

    def _server(self, id: str, address: SplitResult) -> Stream:
        settle, cable, models = partial(self.settle, id), self.faults.cables[id], self.world.models
        if self._direct:
            return DeviceContact(self.world.models[id].wire, settle, lambda: id in self.world.due)
        match address.scheme, self.world.models[id].wire:
            case "modbus" | "modbus+tls" | "modbus+rtu" | "modbus+rtu+tcp", Registers():
                from cellctl_simulators.servers.modbus import ANY_UNIT, ModbusSession

                port = _port(self.devices[id].at)
                alone = [_port(device.at) for device in self.devices.values()].count(port) == 1
                unit = int(parse_qs(address.query).get("unit", [str(ANY_UNIT if alone else 1)])[0], 0)
                serial = "+rtu" in address.scheme

                def modbus(write: Callable[[bytes], None]) -> ModbusSession:
                    registers = models[id].wire  # of the device as it is then: it may have been started anew
                    assert isinstance(registers, Registers)
                    return ModbusSession(write, registers, settle, unit=unit, serial=serial)

                if port not in self._lines:
                    self._lines[port] = SharedLine(partial(self._stream, id, address))
                return Unit(self._lines[port], modbus, cable)
            case "serial" | "tcp", Lines():

                def lines(write: Callable[[bytes], None]) -> LineSession:
                    wire = models[id].wire
                    assert isinstance(wire, Lines)
                    return LineSession(write, wire, settle)

                return self._stream(id, address, lines, cable)
            case "opc.tcp", Nodes() as nodes:
                from cellctl_simulators.servers.opcua import OpcUaServer

                return OpcUaServer(nodes, settle, cable)
            case scheme, wire:
                raise ValueError(f"device {id!r}: its model speaks {type(wire).__name__.lower()}, not {scheme!r}")

    def _stream(self, id: str, address: SplitResult, session: SessionFactory, cable: Cable) -> Stream:
        if address.scheme in TERMINALS:
            return serial_stream(session, cable, self.folder / id)
        return tcp_stream(session, cable)

    async def _close(self) -> None:
        await self.faults.aclose()
        if self._timer is not None:
            self._timer.cancel()
        for server in self._servers.values():
            await server.stop()
            await server.aclose()
        shutil.rmtree(self.folder)


def _port(at: str) -> str:
    """The address without its options: where other units can be too."""
    return at.partition("?")[0].replace("//", "")


def _address(server: Stream, real: str) -> str:
    """The server's address in the form of the real device's, options included."""
    scheme, _, rest = real.partition(":")
    _, mark, options = rest.partition("?")
    return f"{scheme}:{'' if scheme in TERMINALS else '//'}{server.at}{mark}{options}"
