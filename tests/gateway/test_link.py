"""The link to control: it may restart, hang or talk nonsense; the gateway lives on and says what is the matter."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from cellctl.core.messages import Operate, Request
from cellctl.core.packml import Command
from cellctl.gateway.address import bind
from cellctl.gateway.link import SILENCE_S, CellLink, ControlGone
from tests.gateway.conftest import heard
from tests.gateway.control import FakeControl


async def test_without_a_cell_everything_is_503(origin: str) -> None:
    async with httpx.AsyncClient(base_url=f"{origin}/api/v1", verify=False) as client:
        for path in ("cell", "devices", "signals", "jobs", "recipes", "alarms"):
            answer = await client.get(path)
            assert answer.status_code == 503
        await asyncio.sleep(0.1)
        assert (await client.get("cell")).json()["reason"] == "No cell is running on this state folder."
        assert (await client.post("commands", json={"command": "stop"})).status_code == 503


async def test_the_gateway_survives_a_restart_of_control(gateway: httpx.AsyncClient, control: FakeControl) -> None:
    await control.stop()
    await heard(gateway, 503)
    assert (await gateway.get("signals")).status_code == 503
    await control.start()
    began = time.monotonic()
    await heard(gateway, 200)
    assert time.monotonic() - began < 2


async def test_a_silent_control_counts_as_gone(gateway: httpx.AsyncClient, control: FakeControl) -> None:
    control.silent = True
    began = time.monotonic()
    await heard(gateway, 503)
    assert time.monotonic() - began < SILENCE_S + 0.5
    assert (await gateway.get("cell")).json()["reason"] == "The cell's control process is silent."
    control.silent = False
    await heard(gateway, 200)


@pytest.mark.parametrize(
    "line", [b"nonsense\n", b"[]\n", b'{"signals": {"a": 1}}\n', b'{"refused": {"reason": "no"}}\n']
)
async def test_nonsense_on_the_link_is_told(folder: Path, line: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(line)
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(serve, folder / "control.sock")
    changed = asyncio.Event()
    link = CellLink(folder, changed.set)
    following = asyncio.create_task(link.run())
    async with asyncio.timeout(5):
        await changed.wait()
    assert link.view is None
    assert link.reason.startswith("The cell's control process cannot be understood")
    following.cancel()
    await asyncio.wait([following])
    server.close()


async def test_a_request_that_gets_no_answer_may_be_lost(control: FakeControl, folder: Path) -> None:
    link = CellLink(folder, lambda: None)
    request = Request("r1", Operate(Command.HOLD))
    with pytest.raises(ControlGone, match="not been heard"):
        await link.submit(request)
    link.view = {"time_ns": 0}
    assert (await link.submit(request)).id == "r1"
    await control.stop()
    with pytest.raises(ControlGone, match="may have been lost: No cell is running"):
        await link.submit(request)


class Process:
    """The gateway as a process of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        argv = [sys.executable, "-m", "cellctl.gateway", "--state", str(folder), "--http", f"127.0.0.1:{port}"]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.origin = f"http://127.0.0.1:{port}"

    async def started(self) -> "Process":
        assert self.process.stdout is not None
        line = await asyncio.to_thread(self.process.stdout.readline)
        assert line.startswith(f"listening on {self.origin}")
        return self

    async def end(self, number: int) -> tuple[int, str]:
        """Its exit code after the signal, and what it said on stderr."""
        os.kill(self.process.pid, number)
        _, told = await asyncio.to_thread(self.process.communicate, timeout=10)
        return self.process.returncode, told


async def test_the_process_serves_ends_when_told_and_may_be_killed(control: FakeControl, folder: Path) -> None:
    with bind("127.0.0.1:0") as free:
        port = free.getsockname()[1]
    for number, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 0), (signal.SIGINT, 0)):
        process = await Process(folder, port).started()
        async with httpx.AsyncClient(base_url=f"{process.origin}/api/v1", verify=False) as client:
            await heard(client)
            async with client.stream("GET", "stream") as answer:
                await anext(answer.aiter_lines())
                began = time.monotonic()
                assert await process.end(number) == (code, "")
                assert time.monotonic() - began < 2


def test_a_busy_port_ends_the_process_with_a_sentence(folder: Path) -> None:
    with bind("127.0.0.1:0") as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        argv = [sys.executable, "-m", "cellctl.gateway", "--state", str(folder), "--http", address]
        result = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    assert result.returncode == 1
    assert result.stderr == f"{address} is in use by another program. Choose another port with --http HOST:PORT.\n"
