"""A line with three units: the far end, and the drivers at the near end, which belong to one control."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

from cellctl.driver import Device, DriverError
from cellctl_drivers.modbus import ModbusDriver

from .recording import RecordingLink, Running
from .rigs import GO, MODBUS_POINTS, REGISTERS
from .servers import MemoryLine, Pty, RtuDevice

TIMEOUT_S = 0.06
UNITS = (1, 2, 3)


class Unit(RtuDevice):
    """A unit whose registers say which one it is."""

    def __init__(self, unit: int) -> None:
        super().__init__({**REGISTERS, 101: 100 + unit, 50: unit, 70: 70 + unit}, unit)

    @property
    def asked_s(self) -> list[float]:
        """When it was asked."""
        return [at_s for at_s, way, frame in self.log if way == "<" and frame[0] == self.unit]

    def longest_gap_s(self, since_s: float) -> float:
        """The longest time from one question to the next."""
        asked_s = [at_s for at_s in self.asked_s if at_s >= since_s]
        return max(after - before for before, after in pairwise(asked_s))


Spoil = Callable[[Unit], object]


def _dead(unit: Unit) -> None:
    unit.fault.silent = True


def _slow(unit: Unit) -> None:
    unit.fault.delays_s += [1.3 * TIMEOUT_S, 1.6 * TIMEOUT_S, 1.9 * TIMEOUT_S] * 100


def _garbled(unit: Unit) -> None:
    unit.fault.garbage += [b"\x01\x03\x02\x00", b"\xff" * 40, b"\x02\x83\x02", bytes(7)] * 100


#: What may be wrong with a unit.
SPOILT: dict[str, Spoil] = {"dead": _dead, "slow": _slow, "garbled": _garbled}


class Plant:
    """Three units on one line, and a driver and a link of one control for each."""

    def __init__(self, line: type[Pty] | type[MemoryLine] = Pty) -> None:
        self.units = {unit: Unit(unit) for unit in UNITS}
        self.line = line(*self.units.values())
        common: dict = {}
        self.links = {unit: RecordingLink(shared=common) for unit in UNITS}
        self.ended: dict[int, list[BaseException]] = {unit: [] for unit in UNITS}

    def address(self, unit: int) -> str:
        return f"modbus+rtu:{self.line.path}?baud=115200&unit={unit}"

    def driver(self, unit: int, *names: str, every_s: float = 0.02, **more: object) -> ModbusDriver:
        """A driver that reads the signals `names`."""
        every_ns = round(every_s * 1e9)
        points = {name: replace(MODBUS_POINTS[name], every_ns=every_ns) for name in names or ("count", "setpoint")}
        parts: dict = {"settings": {"timeout": f"{TIMEOUT_S * 1e3:.0f} ms"}, "commands": {"go": GO}, **more}
        return ModbusDriver(Device(f"unit{unit}", "modbus", self.address(unit), points, **parts))

    def running(self, unit: int, *names: str, **more: Any) -> Running:
        """One connection of a unit."""
        return Running(self.driver(unit, *names, **more), self.links[unit])

    @contextlib.asynccontextmanager
    async def kept(self, unit: int, *names: str, **more: Any) -> AsyncIterator[RecordingLink]:
        """A unit that is connected again and again, more eagerly than the supervisor does it."""
        driver, link = self.driver(unit, *names, **more), self.links[unit]

        async def keep() -> None:
            while True:
                try:
                    await driver.run(link)  # type: ignore[arg-type]
                except DriverError as error:
                    self.ended[unit].append(error)
                await asyncio.sleep(0.01)

        task = asyncio.create_task(keep())
        try:
            yield link
        finally:
            task.cancel()
            await asyncio.wait((task,))

    def frames(self) -> list[bytes]:
        """All requests on the line, oldest first: every unit hears all of them."""
        return self.units[1].seen

    def check_values(self) -> None:
        """Nobody was told anything but what its own unit holds."""
        right = {"dev.count": 100, "dev.setpoint": 0, "dev.locked": 70}
        for unit, link in self.links.items():
            told = {(sample.signal, sample.value) for sample in link.samples if sample.good}
            assert told <= {(name, value + unit) for name, value in right.items()}, f"unit {unit}"


def now_s() -> float:
    """The time of the loop."""
    return asyncio.get_running_loop().time()
