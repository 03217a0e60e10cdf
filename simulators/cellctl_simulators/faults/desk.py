"""The faults of a running simulation: begun, ended by themselves or by hand, each undone as a whole.

The rule kept here: what is wrong with a fault is said before anything is broken, and ending a fault leaves nothing of
it behind.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import dataclass
from random import Random
from typing import Protocol

from cellctl.driver import Device, Value
from cellctl.faults import CONTROL, PLACE, Fault, FaultError, kind_of
from cellctl_simulators.faults.cable import Cable
from cellctl_simulators.faults.mask import Mask
from cellctl_simulators.faults.places import Places, identity, places
from cellctl_simulators.world import hint


class Bench(Protocol):
    """What the faults need of a simulation."""

    def get(self, name: str) -> Value:
        """An input or output of the world."""

    def fitting(self, name: str, value: Value) -> Value:
        """The value as an input of the world takes it; ValueError if it does not."""

    def set(self, name: str, value: Value) -> None:
        """Set an input of the world."""

    def mask_of(self, device: str) -> Mask:
        """The mask of a device."""

    def suffer(self, device: str) -> None:
        """The faults on the cable of a device are others."""

    def show(self, device: str) -> None:
        """What a device shows is another."""

    async def stop_server(self, device: str) -> None:
        """Cut a device off its clients."""

    async def start_server(self, device: str) -> None:
        """Put it back."""

    async def reset(self, device: str) -> None:
        """Cut its connections, once."""

    def restart(self, device: str) -> None:
        """Make the device as new: it has forgotten everything."""


Undo = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Running:
    """A fault that has begun: its number, and how it is undone."""

    number: int
    fault: Fault
    undo: Undo
    timer: asyncio.TimerHandle | None = None


class Faults:
    """All faults of one simulation; `cables` by device."""

    def __init__(self, bench: Bench, devices: Mapping[str, Device], seed: int) -> None:
        self._bench, self._devices = bench, devices
        self.cables = {id: Cable(Random(f"{seed}/{id}/cable")) for id in devices}
        self._running: dict[int, Running] = {}
        self._number = 0
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> list[Running]:
        """Those that have begun and not ended, oldest first."""
        return list(self._running.values())

    @property
    def numbers(self) -> Set[int]:
        """The numbers of those."""
        return self._running.keys()

    def check(self, fault: Fault) -> None:
        """FaultError, with what was meant, for a fault that this simulation cannot have."""
        if kind_of(fault.kind).of == CONTROL:
            raise FaultError(f"{fault.kind} is a fault of the controller, not of its devices")
        for device in fault.devices:
            if device not in self._devices:
                raise FaultError(f"no device {device!r} is simulated{hint(device, self._devices)}")
        try:
            if fault.kind == "set":
                self._bench.fitting(fault.target, fault.options["to"])
            elif kind_of(fault.kind).target == PLACE:
                self._places(fault)
            elif fault.kind == "wrong_identity" and not self._devices[fault.target].identify:
                raise FaultError(f"{fault.target} tells no identity (`identify` in its profile): nobody would notice")
        except ValueError as error:
            raise FaultError(str(error)) from error

    async def begin(self, fault: Fault) -> int:
        """Let it happen; its number. FaultError for a fault that this simulation cannot have."""
        self.check(fault)
        self._number += 1
        number, undo = self._number, await self._begun(fault)
        if kind_of(fault.kind).lasts:
            running = self._running[number] = Running(number, fault, undo)
            if fault.for_ns is not None:
                loop = asyncio.get_running_loop()
                running.timer = loop.call_later(fault.for_ns / 1e9, self._end_soon, number)
        return number

    async def end(self, number: int | None = None) -> None:
        """End one fault, or all; FaultError for a number that is not running."""
        if number is not None and number not in self._running:
            raise FaultError(f"no fault {number} is running")
        for running in self.running if number is None else [self._running[number]]:
            del self._running[running.number]
            if running.timer is not None:
                running.timer.cancel()
            await running.undo()

    async def aclose(self) -> None:
        """Nothing of it goes on."""
        for running in self.running:
            if running.timer is not None:
                running.timer.cancel()
        for task in tuple(self._ending):
            task.cancel()

    def _end_soon(self, number: int) -> None:
        task = asyncio.get_running_loop().create_task(self.end(number), name=f"end of fault {number}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _begun(self, fault: Fault) -> Undo:
        device = fault.devices[0]
        match fault.kind:
            case "unplug":
                await self._bench.stop_server(device)
                return lambda: self._bench.start_server(device)
            case "reset":
                await self._bench.reset(device)
                return _nothing
            case "set":
                return self._set(fault)
            case "frozen" | "stuck" | "clamp":
                return self._masked(fault)
            case "wrong_identity":
                return await self._estranged(device)
            case "reboot":
                await self._bench.stop_server(device)
                self._bench.restart(device)
                return lambda: self._bench.start_server(device)
            case _:
                return self._on_cable(fault)

    def _on_cable(self, fault: Fault) -> Undo:
        for device in fault.devices:
            self.cables[device].faults.append(fault)
            self._bench.suffer(device)

        async def undo() -> None:
            for device in fault.devices:
                self.cables[device].faults.remove(fault)
                self._bench.suffer(device)

        return undo

    def _set(self, fault: Fault) -> Undo:
        before = self._bench.get(fault.target)
        self._bench.set(fault.target, fault.options["to"])

        async def undo() -> None:
            self._bench.set(fault.target, before)

        return undo

    def _masked(self, fault: Fault) -> Undo:
        device, where = fault.devices[0], self._places(fault)
        mask = self._bench.mask_of(device)
        if fault.kind == "frozen":
            mask.frozen.update(dict.fromkeys(where.read))
        elif fault.kind == "stuck":
            mask.stuck.update(where.written)
        else:
            limits = (float(fault.options["low"]), float(fault.options["high"]))
            mask.clamped.update(dict.fromkeys(where.written, limits))

        async def undo() -> None:
            for place in where.read | where.written:
                mask.frozen.pop(place, None)
                mask.stuck.discard(place)
                mask.clamped.pop(place, None)
            self._bench.show(device)

        self._bench.show(device)
        return undo

    def _places(self, fault: Fault) -> Places:
        device, _, name = fault.target.partition(".")
        where = places(self._devices[device], name)
        if not (where.read if fault.kind == "frozen" else where.written):
            done = "read: it cannot be frozen" if fault.kind == "frozen" else f"written: {fault.kind} changes nothing"
            raise FaultError(f"{fault.target} is not {done}")
        return where

    async def _estranged(self, device: str) -> Undo:
        where, mask = identity(self._devices[device]), self._bench.mask_of(device)
        mask.strange.update(where.read or {"namespace"})
        await self._bench.reset(device)

        async def undo() -> None:
            mask.strange.clear()
            await self._bench.reset(device)

        return undo


async def _nothing() -> None:
    return None
