"""A gateway in this process, on a real socket, before a control that the test commands; and a browser before that."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from playwright.async_api import ConsoleMessage, Page, Request, async_playwright, expect

from cellctl.gateway.address import bind, url
from cellctl.gateway.process import serve
from tests.gateway.control import FakeControl, until
from tests.scenarios.processes import wait

PROGRAM = ["--headless", "--remote-debugging-port=0"]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


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


@pytest.fixture(scope="module")
def chromium() -> Iterator[str]:
    """Where a browser is served that all tests share; each opens a window of its own."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory(prefix="cellctl-", ignore_cleanup_errors=True) as folder:
        argv = [*PROGRAM, *ARGUMENTS, f"--user-data-dir={folder}"]
        process = subprocess.Popen([program or "chromium", *argv], stderr=subprocess.DEVNULL)
        told = Path(folder) / "DevToolsActivePort"
        wait(lambda: told.exists() and told.read_text().count("\n"), 60)
        yield f"http://127.0.0.1:{told.read_text().splitlines()[0]}"
        process.terminate()
        process.wait(20)


@pytest.fixture
async def page(control: FakeControl, origin: str, chromium: str) -> AsyncIterator[Page]:
    """The page, loaded; anything asked of another host, and any error in the console, fails the test."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(chromium)
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text) if complains(message) else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.append(request.url) if foreign(request, origin) else None)
        await page.goto(origin)
        await expect(page.get_by_text("Execute", exact=True)).to_be_visible()
        yield page
        await browser.close()
        assert wrong == []


def complains(message: ConsoleMessage) -> bool:
    """Whether the browser minds something, but for a refusal of the cell, which it takes for an error."""
    return message.type in ("error", "warning") and "409 (Conflict)" not in message.text


def foreign(request: Request, origin: str) -> bool:
    return not request.url.startswith(f"{origin}/")
