"""The commands that talk to a cell: through the link, through the API, and when nothing is there."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cellctl.core.messages import (
    AddJob,
    CancelChangeover,
    CancelJob,
    ConfirmStep,
    Operate,
    Receipt,
    Recover,
    Refused,
    Request,
    SetMode,
    StartChangeover,
)
from cellctl.core.packml import Command, Mode
from cellctl.core.view import ChangeoverView, DownloadView, StepView
from cellctl.gateway.address import bind, url
from cellctl.gateway.process import serve
from tests.cli.terminal import Result, terminal
from tests.gateway.control import RECIPES, FakeControl, held, producing

Cellctl = Callable[..., "asyncio.Future[Result]"]


@pytest.fixture
async def control(folder: Path) -> AsyncIterator[FakeControl]:
    control = await FakeControl(folder).start()
    yield control
    await control.stop()


@pytest.fixture(params=["link", "api"])
async def cellctl(request: pytest.FixtureRequest, control: FakeControl, folder: Path) -> AsyncIterator[Cellctl]:
    """The command line, pointed at the cell by one of the two ways."""
    if request.param == "link":
        yield lambda *words: terminal(*words, "--state", str(folder))
        return
    listener = bind("127.0.0.1:0")
    serving = asyncio.create_task(serve(folder, listener))
    at = url(listener)

    async def told() -> None:
        while (await terminal("status", "--url", at)).code:
            pass

    await asyncio.wait_for(told(), 5)
    yield lambda *words: terminal(*words, "--url", at)
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


async def test_status_says_what_the_cell_does(cellctl: Cellctl) -> None:
    result = await cellctl("status")
    assert result.code == 0
    assert "Battery modules 1 (bm1): Execute, Production  SIMULATED" in result.out
    for line in ("Recipe    module-12s version 7", "Job       job-1: 7 of 20, 1 more", "Parts     46 good, 1 reject"):
        assert line in result.out
    assert "Weld      job-1-0008  weld_busbars: point 7 of 24" in result.out
    assert "\x1b[" not in result.out


async def test_status_is_one_json_document(cellctl: Cellctl) -> None:
    told = json.loads((await cellctl("status", "--json")).out)
    assert told["schema"] == "cellctl.status/1"
    assert (told["state"], told["counts"], len(told["devices"])) == ("Execute", {"good": 46, "reject": 1}, 6)


async def test_why_lists_the_causes_in_their_order(cellctl: Cellctl, control: FakeControl) -> None:
    assert (await cellctl("why")).out == "Nothing stands in the way: the cell is in Execute.\n"
    control.view = held()
    result = await told_when(cellctl, "why", "not connected")
    assert result.out.startswith(" 1. laser is not connected: no answer\n    Check its power and its cable.\n 2. ")
    assert "cellctl recover job-1-0008/weld#1 retry|skip|scrap" in (await cellctl("recover")).out


@pytest.mark.parametrize("command", list(Command))
async def test_every_packml_command_is_sent(control: FakeControl, folder: Path, command: Command) -> None:
    result = await terminal(command.name.lower(), "--state", str(folder))
    assert (result.code, result.out) == (0, f"{command.title}: Holding\n")
    assert [request.action for request in control.requests] == [Operate(command)]
    assert control.requests[0].via == "cli"
    assert control.requests[0].by


async def test_requests_reach_the_cell_as_they_were_meant(
    cellctl: Cellctl, control: FakeControl, tmp_path: Path
) -> None:
    control.view = held()
    await told_when(cellctl, "why", "not connected")
    values = tmp_path / "parts.json"
    values.write_text('[{"engraving": "a"}]')
    asked = [
        (("mode", "set_up"), SetMode(Mode.SET_UP)),
        (
            ("job", "add", "module-8s", "20", "--id", "j1", "--parts", str(values)),
            AddJob("j1", "module-8s", 20, ({"engraving": "a"},)),
        ),
        (("job", "cancel", "job-2"), CancelJob("job-2")),
        (("recover", "job-1-0008/weld#1", "scrap"), Recover("job-1-0008/weld#1", "scrap")),
        (("changeover", "--cancel"), CancelChangeover()),
    ]
    for words, action in asked:
        result = await cellctl(*words)
        assert result.code == 0, result.err
        assert control.requests[-1].action == action


async def test_a_refusal_is_a_sentence_and_exit_5(cellctl: Cellctl, control: FakeControl) -> None:
    control.answer = lambda request: Refused(request.id, "the guard door is open", ("stop", "abort"))
    result = await cellctl("start")
    assert (result.code, result.out) == (5, "")
    assert result.err == "The guard door is open.\n  Possible now: stop, abort.\n"


async def test_jobs_are_listed(cellctl: Cellctl, control: FakeControl) -> None:
    lines = (await cellctl("job", "list")).out.splitlines()
    assert lines[0].split() == ["JOB", "RECIPE", "QUANTITY", "DONE", "GOOD", "REJECT"]
    assert lines[1].split() == ["job-1", "module-12s", "20", "7", "6", "1"]
    assert json.loads((await cellctl("job", "list", "--json")).out)["schema"] == "cellctl.jobs/1"


async def test_the_changeover_asks_for_its_evidence(cellctl: Cellctl, control: FakeControl) -> None:
    Changeover(control)
    result = await cellctl("changeover", "module-8s", "--evidence", "F-8X", "--evidence", "F-8S", "--yes")
    assert result.code == 5
    assert result.err.startswith(
        "1/2  Bring clamp plate F-8S to the cell.\n2/2  Fit clamp plate F-8S.\nWrong scan: wanted"
    )
    result = await cellctl("changeover", "module-8s", "--evidence", "F-8S", "--yes")
    assert result.code == 0, result.err
    assert result.err == "2/2  Fit clamp plate F-8S.\nLoaded: module-8s version 3.\n"
    assert result.out.splitlines()[1].split() == ["points", "plc.recipe_points", "16", "16", "equal"]
    actions = [request.action for request in control.requests]
    assert actions[0] == StartChangeover("module-8s")
    assert actions[-1] == ConfirmStep(1, "F-8S")


async def test_a_changeover_that_stands_is_told(folder: Path, control: FakeControl) -> None:
    failed = ChangeoverView(
        "module-8s", 0, False, "points: wanted 16, found 12", (step("download", "Download", ""),), ()
    )
    control.view = producing(changeover=failed)
    result = await terminal("changeover", "--yes", "--state", str(folder))
    assert (result.code, result.err.splitlines()[-1]) == (1, "The changeover stands: points: wanted 16, found 12.")


@pytest.mark.parametrize("words", [("status",), ("why",), ("start",), ("job", "list"), ("changeover", "x", "--yes")])
@pytest.mark.parametrize("where", [("--state", "{folder}"), ("--url", "http://127.0.0.1:9")])
async def test_where_no_cell_runs_it_says_so(folder: Path, words: tuple[str, ...], where: tuple[str, str]) -> None:
    result = await terminal(*words, where[0], where[1].format(folder=folder))
    assert (result.code, result.out) == (4, "")
    assert result.err.startswith("No cell is running here. Start one with 'cellctl run' or 'cellctl demo'")


@pytest.mark.parametrize(
    "words",
    [
        ("stop", "now"),
        ("mode", "turbo"),
        ("recover", "job-1-0008/weld#1"),
        ("job", "add", "module-8s", "0"),
        ("job", "add", "module-8s", "two"),
        ("job", "add", "module-8s", "2", "--parts", "/nothing/there.json"),
        ("changeover",),
        ("history", "plc.x", "--last", "10"),
        ("parts", "--limit", "0"),
    ],
)
async def test_wrong_use_is_exit_2(folder: Path, control: FakeControl, words: tuple[str, ...]) -> None:
    result = await terminal(*words, "--state", str(folder))
    assert (result.code, result.out) == (2, "")
    assert result.err
    assert control.requests == []


@pytest.mark.parametrize("address", ["nonsense", "ftp://127.0.0.1", "http://", "http://127.0.0.1:http"])
async def test_a_malformed_address_is_exit_2(address: str) -> None:
    result = await terminal("status", "--url", address)
    assert (result.code, result.out) == (2, "")
    assert f"{address!r} is not an address such as http://127.0.0.1:8080." in result.err


async def test_a_cell_that_is_silent_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellctl.cli.reach.ANSWER_S", 0.05)
    with socket.socket(socket.AF_UNIX) as frozen, bind("127.0.0.1:0") as deaf:
        frozen.bind(str(folder / "control.sock"))
        frozen.listen()
        for where in (("--state", str(folder)), ("--url", url(deaf))):
            result = await terminal("status", *where)
            assert (result.code, result.out) == (4, "")
            assert result.err == f"The cell on {where[1].rstrip('/')} did not answer within 0.05 s.\n"


async def test_a_foreign_server_is_told(folder: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 418 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    result = await terminal("status", "--url", url(server.sockets[0]))
    assert (result.code, result.err.splitlines()[0]) == (4, "What answers there is not the gateway of a cell.")
    server.close()


class Changeover:
    """A cell that walks through a changeover as it is confirmed."""

    def __init__(self, control: FakeControl) -> None:
        self._control = control
        control.answer = self._answer

    def _answer(self, request: Request) -> Receipt | Refused:
        match request.action:
            case StartChangeover():
                self._show(0)
            case ConfirmStep(1, evidence) if evidence != "F-8S":
                return Refused(request.id, f"wrong scan: wanted 'F-8S', found {evidence!r}")
            case ConfirmStep(index):
                self._show(index + 1)
        return Receipt(request.id, "")

    def _show(self, index: int) -> None:
        texts = (("Bring clamp plate F-8S to the cell.", "tick"), ("Fit clamp plate F-8S.", "scan F-8S"))
        steps = tuple(step("do", text, confirm) for text, confirm in texts)
        done = index >= len(steps)
        downloads = (DownloadView("points", "plc.recipe_points", 16, 16 if done else None, "", "equal"),)
        told = ChangeoverView("module-8s", index, done, "", steps, downloads)
        self._control.view = producing(recipe=RECIPES[1] if done else None, changeover=told)


def step(kind: str, text: str, confirm: str) -> StepView:
    return StepView(kind, text, confirm, False, "active")


async def told_when(cellctl: Cellctl, command: str, word: str) -> Result:
    """What a command says as soon as it says `word`: the gateway hears of a change a moment later."""
    for _ in range(50):
        result = await cellctl(command)
        if word in result.out:
            return result
    raise AssertionError(f"{word!r} did not come")
