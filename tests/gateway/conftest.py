"""A gateway in this process, on a real socket, before a control that the test commands."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from cellctl.gateway.address import bind, url
from cellctl.gateway.process import serve
from tests.gateway.control import FakeControl, until


@pytest.fixture
def folder() -> Iterator[Path]:
    """A state folder whose path is short enough for a socket in it."""
    with tempfile.TemporaryDirectory(prefix="cellctl-") as name:
        yield Path(name)


@pytest.fixture
async def control(folder: Path) -> AsyncIterator[FakeControl]:
    """A control that answers."""
    control = await FakeControl(folder).start()
    yield control
    await control.stop()


@pytest.fixture
async def origin(folder: Path) -> AsyncIterator[str]:
    """Where a gateway for the folder is served."""
    listener = bind("127.0.0.1:0")
    serving = asyncio.create_task(serve(folder, listener))
    yield url(listener).rstrip("/")
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


@pytest.fixture
async def gateway(control: FakeControl, origin: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway that has heard its cell."""
    async with httpx.AsyncClient(base_url=f"{origin}/api/v1", timeout=5, verify=False) as client:
        await heard(client)
        yield client


async def heard(client: httpx.AsyncClient, status: int = 200) -> None:
    """Until the gateway sees its cell (200) or knows that it does not (503)."""

    async def told() -> bool:
        return (await client.get("cell")).status_code == status

    await until(told)
