"""The faults of a running simulation.

The rule kept here: what is wrong with a fault is said before anything is broken.
"""

import asyncio
from collections.abc import Mapping, Set
from functools import partial
from random import Random
from typing import Protocol

from cellctl.driver import Device, Value
from cellctl.faults import CONTROL, PLACE, Fault, FaultError, kind_of
from cellctl.faults.desk import Desk, Running, Undo, nothing
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


class Faults:
    """All faults of one simulation; `cables` by device."""

    def __init__(self, bench: Bench, devices: Mapping[str, Device], seed: int) -> None:
        self._bench, self._devices = bench, devices
        self.cables = {id: Cable(Random(f"{seed}/{id}/cable"), partial(self._cut_soon, id)) for id in devices}
        self._desk = Desk()
        self._cutting: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> list[Running]:
        """Those that have begun and not ended, oldest first."""
        return self._desk.running

    @property
    def numbers(self) -> Set[int]:
        """The numbers of those."""
        return self._desk.numbers

    def check(self, fault: Fault) -> None:
        """FaultError, with what was meant, for a fault that this simulation cannot have."""
        if kind_of(fault.kind).of == CONTROL:
            raise FaultError(f"{fault.kind} is a fault of the controller, not of its devices")
        for device in fault.devices:
            if device not in self._devices:
                raise FaultError(f"no device {device!r} is simulated{hint(device, self._devices)}")
        for running in self.running:
            if _excludes(running.fault, fault):
                raise FaultError(f"{running.fault} is on already: end it first (fault {running.number})")
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
        return await self._desk.begin(fault, self._begun)

    async def end(self, number: int | None = None) -> None:
        """End one fault, or all; FaultError for a number that is not running."""
        await self._desk.end(number)

    async def aclose(self) -> None:
        """Nothing of it goes on."""
        await self._desk.aclose()
        for cable in self.cables.values():
            cable.close()
        for task in tuple(self._cutting):
            task.cancel()

    def _cut_soon(self, device: str) -> None:
        task = asyncio.get_running_loop().create_task(self._bench.reset(device), name=f"cut of {device}")
        self._cutting.add(task)
        task.add_done_callback(self._cutting.discard)

    async def _begun(self, fault: Fault) -> Undo:
        device = fault.devices[0]
        match fault.kind:
            case "unplug":
                await self._bench.stop_server(device)
                return lambda: self._bench.start_server(device)
            case "reset":
                await self._bench.reset(device)
                return nothing
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
            self.cables[device].suffer(fault)
            self._bench.suffer(device)

        async def undo() -> None:
            for device in fault.devices:
                self.cables[device].heal(fault)
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


def _excludes(running: Fault, fault: Fault) -> bool:
    """Whether the two cannot be at once: what is undone has to be as it was before."""
    of_device = {"unplug": "away", "reboot": "away", "wrong_identity": "strange"}
    if running.kind in of_device:
        return of_device.get(fault.kind) == of_device[running.kind] and running.devices == fault.devices
    alone = running.kind in ("frozen", "stuck", "clamp", "set")
    return alone and (running.kind, running.target) == (fault.kind, fault.target)
