"""A bundled profile and the simulated device that it names, tried in real time: the driver over a real port, pseudo
terminal or line, or without a wire.

The rule kept here: profile, driver and device are as a cell would get them; only the port is another. What a phase
makes of them is tried in virtual time, by `tests/simulators/phase_trial.py`.
"""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from cellctl.driver import Device, Driver, Outcome, Quality, Value
from cellctl.faults import fault
from cellctl_drivers.modbus import ModbusDriver
from cellctl_drivers.serial import SerialDriver
from cellctl_simulators.simulation import Pace, Simulated, Simulation

from .profiles import BUNDLED, device, load
from .recording import Answer, RecordingLink, Running, until

DRIVERS: dict[str, Any] = {"modbus": ModbusDriver, "serial": SerialDriver}
WAIT_S = 8.0


def described(profile: str, *, at: str = "", every: str | None = None) -> Device:
    """The bundled device type as a device; `every` replaces the periods of all its signals."""
    path = BUNDLED / (profile.replace(".", "/", 1) + ".yaml")
    return device(path, at or load(path)["profile"]["at"], every=every)


class Bought:
    """The device `profile` and its driver, connected. `inputs` of the device are set before; its time goes `speed`
    times as fast as ours."""

    def __init__(
        self, profile: str, *, direct: bool = False, every: str | None = None, speed: float = 1.0, **inputs: Value
    ) -> None:
        self._model = load(BUNDLED / (profile.replace(".", "/", 1) + ".yaml"))["sim"]["model"]
        self._device = described(profile, every=every)
        self._direct, self._speed, self._inputs = direct, speed, inputs
        self.link = RecordingLink()
        self.is_over = False  # the test itself has ended the connection

    async def __aenter__(self) -> "Bought":
        simulated = {"dev": Simulated(self._model, self._device.address, self._device)}
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self.simulation = Simulation(folder, simulated, pace=Pace(self._speed), direct=self._direct)
            await stack.enter_async_context(self.simulation)
            for name, value in self._inputs.items():
                self.set(name, value)
            self.driver = self._driver()
            self.running = await stack.enter_async_context(Running(self.driver, self.link))
            assert self.link.ups, self.running.task
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        lost = self.running.task.done() and not self.is_over
        await self._stack.__aexit__(kind, error, trace)
        assert error is not None or not lost, "the connection was lost meanwhile"

    def _driver(self) -> Driver:
        made = DRIVERS[self._device.protocol]
        if self._direct:
            direct: Driver = made.direct(self._device, self.simulation.contact("dev"))
            return direct
        wired: Driver = made(replace(self._device, address=self.simulation.addresses["dev"]))
        return wired

    # --- the device

    def set(self, name: str, value: Value) -> None:
        """Set an input of the device."""
        self.simulation.set(f"dev.{name}", value)

    def truth(self, name: str) -> Value:
        """An output of the device."""
        return self.simulation.get(f"dev.{name}")

    async def pretends(self) -> BaseException:
        """Let the device be another; how the connection ends, and the next one."""
        await self.simulation.faults.begin(fault("wrong_identity", "dev"))
        await self.ended()
        async with self.again() as again:
            return await again.ended()

    async def ended(self) -> BaseException:
        """Wait until the connection is lost; why."""
        self.is_over = True
        return await self.running.ended(WAIT_S)

    def again(self, link: RecordingLink | None = None) -> Running:
        """The next connection."""
        return Running(self.driver, link or RecordingLink())

    # --- what the driver tells of it

    async def reads(self, *, rel: float = 1e-6, **wanted: Value) -> None:
        """Wait until all of these are good and as wanted."""
        last = self.link.last

        def so() -> bool:
            good = all(name in last and last[name].quality is Quality.GOOD for name in wanted)
            return good and all(_equal(last[name].value, value, rel) for name, value in wanted.items())

        try:
            await until(so, WAIT_S)
        except AssertionError:
            told = {name: (last[name].value, last[name].reason) if name in last else None for name in wanted}
            pytest.fail(f"wanted {wanted}, the device says {told}")

    async def bad(self, name: str) -> str:
        """Wait until a signal is bad; why it is."""
        await until(lambda: self.link.last[name].quality is Quality.BAD, WAIT_S)
        return self.link.last[name].reason

    async def write(self, name: str, value: Value) -> None:
        """A write that is confirmed."""
        answer = await self._answer(self.link.write(name, value))
        assert (answer.outcome, answer.reason) == (Outcome.CONFIRMED, "")

    async def call(self, name: str, **arguments: Value) -> dict[str, Value]:
        """Execute a command; its results."""
        answer = await self._answer(self.link.call(name, token=77, within_s=20.0, **arguments))
        assert (answer.outcome, answer.reason) == (Outcome.CONFIRMED, "")
        return dict(answer.result)

    async def fails(self, name: str, **arguments: Value) -> tuple[Outcome, str]:
        """Execute a command that is not confirmed; what became of it, and why."""
        answer = await self._answer(self.link.call(name, token=77, within_s=20.0, **arguments))
        return answer.outcome, answer.reason

    async def _answer(self, order: int) -> Answer:
        await until(lambda: order in self.link.answers, WAIT_S)
        return self.link.answers[order]


def _equal(read: Value | None, wanted: Value, rel: float) -> bool:
    if read is None or isinstance(wanted, str | bool):
        return read == wanted
    same: bool = read == pytest.approx(wanted, rel=rel)
    return same
