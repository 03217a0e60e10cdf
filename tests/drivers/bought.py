"""A bundled profile and the simulated device that it names, joined by the wire that the real one has.

The rule kept here: both are as a cell would get them; only the port is another.
"""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType

import pytest

from cellctl.driver import Outcome, Value
from cellctl_drivers.modbus import ModbusDriver
from cellctl_simulators.simulation import Pace, Simulated, Simulation

from .profiles import BUNDLED, device, load
from .recording import Answer, RecordingLink, Running, until


class Bought:
    """The device `profile`, with a real driver connected to it; `every` replaces the periods of all its signals."""

    def __init__(self, profile: str, *, every: str | None = "30 ms", speed: float = 1.0) -> None:
        vendor, _, model = profile.partition(".")
        self._path = BUNDLED / vendor / f"{model}.yaml"
        self._every, self._speed = every, speed
        self.link = RecordingLink()

    async def __aenter__(self) -> "Bought":
        content = load(self._path)
        simulated = {"dev": Simulated(content["sim"]["model"], content["profile"]["at"])}
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            self.simulation = Simulation(Path(folder), simulated, pace=Pace(self._speed))
            await stack.enter_async_context(self.simulation)
            driver = ModbusDriver(device(self._path, self.simulation.addresses["dev"], every=self._every))
            self.running = await stack.enter_async_context(Running(driver, self.link))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def shows(self, wanted: Mapping[str, Value], *, rel: float = 1e-6) -> None:
        """Wait until the signals have these values, all of them good."""
        last = self.link.last

        def so() -> bool:
            return all(name in last and not last[name].reason for name in wanted) and (
                {name: last[name].value for name in wanted} == pytest.approx(dict(wanted), rel=rel)
            )

        try:
            await until(so)
        except AssertionError:
            told = {name: (last[name].value, last[name].reason) if name in last else None for name in wanted}
            pytest.fail(f"wanted {dict(wanted)}, the device says {told}")

    async def call(self, name: str, **arguments: Value) -> Answer:
        """A command that the device takes."""
        answer = await self.link.answer(self.link.call(name, **arguments))
        assert answer.outcome is Outcome.CONFIRMED, answer
        return answer

    async def set(self, name: str, value: Value) -> None:
        """A write that is confirmed."""
        answer = await self.link.set(name, value)
        assert answer.outcome is Outcome.CONFIRMED, answer
