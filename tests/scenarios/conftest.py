"""The bundled cell inside a test: the real control process, real drivers and sockets, simulated devices."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cellctl.core.messages import Action, AddJob, ConfirmStep, Operate, Receipt, Refused, Request, StartChangeover
from cellctl.core.packml import Command
from cellctl.gateway.link import CellLink
from cellctl.model import driver_for, find_cell, load
from cellctl.records import Records
from cellctl.runtime.control import Control, Outside
from cellctl.runtime.folder import claimed
from cellctl.runtime.journal import Journal
from cellctl.runtime.ledger import Ledger
from cellctl.runtime.logs import Logs
from cellctl_simulators.main import simulation
from cellctl_simulators.simulation import Simulation


class Shop:
    """A running cell: `sim` is its world, `link` what people see of it, `records` what it wrote down."""

    def __init__(self, sim: Simulation, folder: Path) -> None:
        self.sim = sim
        self.changed = asyncio.Event()
        self.link = CellLink(folder, self.changed.set)
        self.records = Records(folder)
        self._requests = 0

    @property
    def view(self) -> dict[str, Any]:
        """What is shown now."""
        assert self.link.view is not None, self.link.reason
        return self.link.view

    @property
    def state(self) -> str:
        """The PackML state that is shown."""
        return str(self.view["state"])

    async def ask(self, action: Action) -> Receipt | Refused:
        """Ask for something as a person does; the answer."""
        self._requests += 1
        return await self.link.submit(Request(f"request-{self._requests}", action, "anna", "test"))

    async def do(self, action: Action) -> None:
        """Ask for something that must be accepted."""
        answer = await self.ask(action)
        assert isinstance(answer, Receipt), answer

    async def until(self, what: str | Callable[[], bool], limit_s: float = 20) -> None:
        """Wait until the state is `what`, or `what()` is true."""
        fulfilled = what if callable(what) else lambda: self.state == what
        try:
            async with asyncio.timeout(limit_s):
                while self.link.view is None or not fulfilled():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            shown = self.link.view or {"why": self.link.reason, "state": "gone", "parts": ()}
            pytest.fail(f"not {what} in {limit_s} s: {shown['state']}, {shown['why']}, {shown['parts']}")

    def linked(self, device: str) -> bool:
        """Whether the device is shown as connected."""
        return any(one["id"] == device and one["link"] == "connected" for one in self.view["devices"])

    async def change_over(self, recipe: str) -> None:
        """The whole changeover, with every confirmation that it asks for."""
        await self.do(StartChangeover(recipe))
        while not self.shown_changeover(recipe)["done"]:
            shown = self.shown_changeover(recipe)
            assert not shown["failed"], shown
            step = shown["steps"][shown["index"]]
            if step["confirm"]:
                await self.do(ConfirmStep(shown["index"], step["confirm"].removeprefix("scan ")))
            before = (shown["index"], shown["done"])
            await self.until(lambda before=before: self._moved_on(recipe, before))

    def shown_changeover(self, recipe: str) -> dict[str, Any]:
        """What is shown of the changeover to `recipe`."""
        shown = self.view["changeover"] or {}
        moved = {"done": False, "failed": "", "index": -1, "steps": ({"confirm": ""},)}
        return shown if shown.get("recipe") == recipe else moved

    def _moved_on(self, recipe: str, before: tuple[int, bool]) -> bool:
        shown = self.shown_changeover(recipe)
        return (shown["index"], shown["done"]) != before or bool(shown["failed"])

    async def produce(self, job: str, recipe: str, quantity: int) -> None:
        """Add a job and start it from Stopped, Completed or Idle."""
        await self.do(AddJob(job, recipe, quantity))
        await self.do(Operate(Command.RESET))
        await self.until("Idle")
        await self.do(Operate(Command.START))
        await self.until("Execute")

    def noted(self, kind: str) -> list[dict[str, Any]]:
        """The journal's entries of one kind."""
        return [dict(entry.data) for entry in self.records.entries(kind=kind, limit=100_000)]


@asynccontextmanager
async def opened(folder: Path, *, speed: float = 10.0, seed: int = 0) -> AsyncIterator[Shop]:
    """The bundled cell on the state folder `folder`, with all its devices connected."""
    model = load(find_cell("battery-module"))
    logs = Logs(io.StringIO())
    journal = Journal(Ledger(folder))
    try:
        async with simulation(model, speed=speed, seed=seed) as sim:
            with claimed(folder):
                moved = model.simulated(sim.addresses)
                control = Control(moved, journal, Outside(folder, logs.log, driver_for))
                shop = Shop(sim, folder)
                following = asyncio.create_task(shop.link.run())
                running = asyncio.create_task(control.run((), lambda: None))
                try:
                    await shop.until(lambda: all(shop.linked(device) for device in model.devices))
                    yield shop
                finally:
                    following.cancel()
                    control.stop()
                    await asyncio.wait([running, following])
                running.result()
    finally:
        await journal.close(5)
        logs.close()


@pytest.fixture
def shop(tmp_path: Path) -> Callable[..., Any]:
    """`async with shop(speed=10) as cell:` the running bundled cell; several, if each has a `name`."""

    def open_one(name: str = "state", **options: Any) -> Any:
        folder = tmp_path / name
        folder.mkdir()
        return opened(folder, **options)

    return open_one
