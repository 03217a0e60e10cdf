"""A whole control process inside a test: real files and sockets, scripted core and drivers."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cellctl.driver import Device, Driver, DriverFactory
from cellctl.runtime import control as control_module
from cellctl.runtime.control import Control, Outside
from cellctl.runtime.folder import claimed
from cellctl.runtime.journal import Journal
from cellctl.runtime.ledger import Ledger
from cellctl.runtime.logs import Logs

from .doubles import HeldDisk, ObedientDriver, Running, ScriptedCell, model


@pytest.fixture
def log() -> Iterator[Logs]:
    logs = Logs(io.StringIO())
    yield logs
    logs.close()


@pytest.fixture
def disk() -> HeldDisk:
    return HeldDisk()


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Logs, disk: HeldDisk) -> Callable[..., Any]:
    """`async with start() as running:` a whole control process, inside the test's own."""
    monkeypatch.setattr("cellctl.runtime.beginning.Cell", ScriptedCell)
    monkeypatch.setattr(control_module, "view_of", ScriptedCell.view)
    monkeypatch.setattr(control_module, "Recorder", lambda *_, **__: None)  # it copies real cells only

    @asynccontextmanager
    async def started(factory: DriverFactory = ObedientDriver) -> AsyncIterator[Running]:
        drivers: dict[str, Any] = {}

        def made(device: Device) -> Driver:
            drivers[device.id] = factory(device)
            return drivers[device.id]

        with claimed(tmp_path):
            journal = Journal(Ledger(tmp_path, disk=disk))
            try:
                outside = Outside(tmp_path, log.log, lambda protocol: made)
                control = Control(model(), journal, outside)
                ready = asyncio.Event()
                task = asyncio.create_task(control.run((), ready.set))
                try:
                    async with asyncio.timeout(5):
                        await ready.wait()
                    yield Running(control, tmp_path, journal, drivers, task)
                finally:
                    control.stop()
                    await asyncio.wait([task])
            finally:
                await journal.close(5)

    return started
