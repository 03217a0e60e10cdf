"""The live stream: a snapshot, then what changed; a slow client costs nobody anything and sees nothing wrong."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cellctl.core.signal import Quality, Sample
from cellctl.gateway.address import bind, url
from cellctl.gateway.http.stream import CLIENTS_MAX, QUEUE_MAX, Stream
from cellctl.gateway.process import serve
from tests.gateway.conftest import heard
from tests.gateway.control import FakeControl, held, producing


async def events(answer: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    """The events of a response as they come."""
    name = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


async def test_a_snapshot_then_only_what_changes(gateway: httpx.AsyncClient, control: FakeControl) -> None:
    async with gateway.stream("GET", "stream?signals=false") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        following = events(answer)
        name, data = await anext(following)
        assert name == "snapshot"
        assert data["cell"]["state"] == "Execute"
        assert len(data["devices"]) == 6
        control.view = producing(good=47)
        name, data = await anext(following)
        assert (name, data) == ("change", {"cell": {"counts": {"good": 47, "reject": 1}}})
        control.view = held()
        name, data = await anext(following)
        assert data["devices"][3]["link"] == "lost"


async def test_signals_come_with_their_quality(gateway: httpx.AsyncClient, control: FakeControl) -> None:
    async with gateway.stream("GET", "stream") as answer:
        following = events(answer)
        await anext(following)
        name, data = await anext(following)
        assert (name, data["laser.power"]["quality"]) == ("signals", "bad")
        control.signals["laser.power"] = Sample("laser.power", 1450.0, Quality.GOOD, 30, 40)
        async with asyncio.timeout(5):
            while data["laser.power"]["value"] is None:
                name, data = await anext(following)
        assert data["laser.power"]["quality"] == "good"


async def test_a_quiet_cell_is_told_to_be_alive(gateway: httpx.AsyncClient) -> None:
    async with gateway.stream("GET", "stream?signals=false") as answer:
        following = events(answer)
        await anext(following)
        began = time.monotonic()
        assert await anext(following) == ("alive", {})
        assert time.monotonic() - began < 2


async def test_a_lost_and_found_control_is_told(gateway: httpx.AsyncClient, control: FakeControl) -> None:
    async with gateway.stream("GET", "stream?signals=false") as answer:
        following = events(answer)
        await anext(following)
        await control.stop()
        name, data = await anext(following)
        assert (name, data) == ("lost", {"reason": "The cell's control process has ended."})
        await control.start()
        async with asyncio.timeout(5):
            while name != "snapshot":
                name, data = await anext(following)


async def test_streams_end_promptly_at_shutdown(folder: Path, control: FakeControl) -> None:
    listener = bind("127.0.0.1:0")
    serving = asyncio.create_task(serve(folder, listener))
    async with httpx.AsyncClient(base_url=f"{url(listener)}api/v1", verify=False) as client:
        await heard(client)
        async with client.stream("GET", "stream") as answer:
            following = events(answer)
            await anext(following)
            began = time.monotonic()
            serving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await serving
            assert time.monotonic() - began < 1


async def test_a_client_that_falls_behind_is_given_a_snapshot() -> None:
    stream = Stream()
    stream.publish(told(0), {})
    following = stream.follow(signals=False)
    await anext(following)
    assert b'"n":0' in await anext(following)
    for n in range(1, QUEUE_MAX + 10):
        stream.publish(told(n), {})
    event = await anext(following)
    assert event.startswith(b"event: snapshot")
    assert f'"n":{QUEUE_MAX + 9}'.encode() in event
    stream.end()
    assert [event async for event in following] == []


async def test_there_is_a_limit_of_clients() -> None:
    stream = Stream()
    clients = [stream.follow(signals=False) for _ in range(CLIENTS_MAX)]
    assert not stream.full
    for client in clients:
        await anext(client)
    assert stream.full
    for client in clients:
        await client.aclose()  # type: ignore[attr-defined]
    assert not stream.full


def told(n: int) -> dict[str, Any]:
    """A state of the cell that differs from all others."""
    return {"cell": {"n": n}, "devices": []}
