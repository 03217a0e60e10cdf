"""The link server on its real socket: three verbs, strict, and no client can hold control up."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cellctl.core.messages import Request
from cellctl.core.signal import Sample
from cellctl.runtime import server as server_module
from cellctl.runtime.control import Control

from .doubles import Running, receipt, until

Start = Callable[..., Any]
HOLD = {"id": "r1", "action": {"operate": {"command": "hold"}}}


class Client:
    """One connection to the control socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, message: object) -> Any:
        return await self.say(json.dumps(message).encode() + b"\n")

    async def say(self, line: bytes) -> Any:
        self.writer.write(line)
        return await self.hear()

    async def hear(self) -> Any:
        async with asyncio.timeout(5):
            line = await self.reader.readline()
        return json.loads(line) if line else None


@asynccontextmanager
async def client(running: Running) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_unix_connection(running.folder / "control.sock", limit=1 << 24)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


async def test_view_is_one_snapshot(start: Start) -> None:
    async with start() as running, client(running) as one:
        snapshot = await one.ask({"view": {}})
        assert snapshot["view"]["state"] == "Stopped"
        assert set(snapshot["signals"]) == {"oven.temp", "oven.door", "press.ready"}
        assert snapshot["signals"]["oven.temp"] == [None, 2, 0, 0, "no value yet"]
        assert (await one.ask({"view": {}}))["view"]["state"] == "Stopped"


async def test_watch_tells_a_snapshot_and_then_what_changed(start: Start) -> None:
    async with start() as running, client(running) as one:
        await one.ask({"watch": {}})
        await until(lambda: running.drivers["oven"].link)
        for value in range(500):
            running.drivers["oven"].link.put([Sample("oven.temp", float(value), time_ns=1, received_ns=2)])
            await asyncio.sleep(0)
        told = [message["signals"] for message in [await one.hear() for _ in range(3)] if "signals" in message]
        assert told[-1] == {"oven.temp": [499.0, 0, 1, 2]}
        assert len(told) <= 3, "changes are told at most every 100 ms, the newest of each signal"


async def test_a_watching_client_hears_that_control_lives(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "WATCH_S", 0.01)
    monkeypatch.setattr(server_module, "HEARTBEAT_S", 0.05)
    async with start() as running, client(running) as one:
        await one.ask({"watch": {}})
        heard = [await one.hear() for _ in range(4)]
        assert heard[-1] == {}


async def test_submit_gives_the_answer_of_the_cell(start: Start) -> None:
    async with start() as running, client(running) as one:
        running.cell.decide = receipt
        assert await one.ask({"submit": HOLD}) == {"receipt": {"id": "r1", "text": "done"}}
        assert [item.id for item in running.cell.seen(Request)] == ["r1"]


async def test_two_clients_with_one_request_id_both_get_the_answer(start: Start) -> None:
    async with start() as running, client(running) as one, client(running) as two:
        running.cell.decide = receipt
        answers = await asyncio.gather(one.ask({"submit": HOLD}), two.ask({"submit": HOLD}))
        assert answers[0] == answers[1] == {"receipt": {"id": "r1", "text": "done"}}


async def test_a_request_without_an_answer_is_refused_in_time(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "ANSWER_S", 0.05)
    async with start() as running, client(running) as one:
        answer = await one.ask({"submit": HOLD})
        assert "no answer" in answer["refused"]["reason"]
        assert running.control._server._waiting == {}


async def test_too_many_waiting_requests_are_refused(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "REQUESTS_MAX", 0)
    async with start() as running, client(running) as one:
        assert "too many" in (await one.ask({"submit": HOLD}))["refused"]["reason"]


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"nonsense\n",
        b"[]\n",
        b"{}\n",
        b'{"view": {}, "watch": {}}\n',
        b'{"vew": {}}\n',
        b'{"view": {"x": 1}}\n',
        b'{"submit": 7}\n',
        b'{"submit": {"id": "r", "action": {"operate": {"command": NaN}}}}\n',
        b"\xff\xfe\n",
        b"[" * 60_000 + b"\n",
    ],
)
async def test_a_malformed_line_is_refused_and_the_connection_goes_on(start: Start, line: bytes) -> None:
    async with start() as running, client(running) as one:
        assert (await one.say(line))["refused"]["reason"]
        assert "view" in await one.ask({"view": {}})
        assert running.cell.seen(Request) == []


async def test_a_line_without_end_ends_the_connection_only(start: Start) -> None:
    async with start() as running, client(running) as one, client(running) as two:
        assert "longer" in (await one.say(b"x" * 200_000))["refused"]["reason"]
        assert await one.hear() is None
        assert "view" in await two.ask({"view": {}})


async def test_a_client_that_goes_in_mid_line_is_no_matter(start: Start) -> None:
    async with start() as running, client(running) as two:
        async with client(running) as one:
            one.writer.write(b'{"view"')
            await one.writer.drain()
        assert "view" in await two.ask({"view": {}})


async def test_a_slow_reader_holds_one_buffer_and_nobody_up(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "WATCH_S", 0.001)
    async with start() as running, client(running) as quick:
        slow_reader, slow = await asyncio.open_unix_connection(running.folder / "control.sock", limit=1024)
        slow.write(b'{"watch": {}}\n')
        await until(lambda: running.drivers["oven"].link)
        text = "x" * 20_000
        for number in range(300):
            running.drivers["oven"].link.put([Sample("oven.temp", f"{number}{text}")])
            await asyncio.sleep(0.001)
        assert "view" in await quick.ask({"view": {}})
        buffers = [
            task.get_coro().cr_frame.f_locals["writer"].transport.get_write_buffer_size()
            for task in running.control._server._clients
        ]
        assert max(buffers) < 200_000
        assert slow_reader
        slow.transport.abort()


async def test_clients_are_counted(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "CLIENTS_MAX", 1)
    async with start() as running, client(running) as one:
        assert "view" in await one.ask({"view": {}})
        async with client(running) as two:
            assert await two.hear() is None


async def test_another_user_is_not_let_in(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    async with start() as running:
        monkeypatch.setattr(server_module, "_allowed", lambda writer: False)
        async with client(running) as one:
            assert await one.hear() is None


async def test_while_control_ends_requests_are_refused_and_views_are_not(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def patient(self: Control) -> None:
        self._server.refuse("the cell is being shut down")
        await asyncio.sleep(0.2)

    monkeypatch.setattr(Control, "_stop_cell", patient)
    async with start() as running, client(running) as one:
        assert "view" in await one.ask({"view": {}})
        running.control.stop()
        await asyncio.sleep(0.01)
        assert "shut down" in (await one.ask({"submit": HOLD}))["refused"]["reason"]
        assert "view" in await one.ask({"view": {}})
        assert await one.hear() is None


async def test_a_view_that_cannot_be_told_costs_the_connection_only(start: Start) -> None:
    async with start() as running, client(running) as one:
        running.cell.turns = float("nan")
        assert await one.ask({"view": {}}) is None
        running.cell.turns = 1
        async with client(running) as two:
            assert "view" in await two.ask({"view": {}})
