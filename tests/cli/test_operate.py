"""The commands that talk to a cell: through the link, through the API, and when nothing is there."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
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
from tests.cli.test_terminal import SHOWN, SPOILS
from tests.gateway.control import RECIPES, FakeControl, changing_over, held, producing

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
        yield lambda *words, **given: terminal(*words, "--state", str(folder), **given)
        return
    listener = bind("127.0.0.1:0")
    serving = asyncio.create_task(serve(folder, listener))
    at = url(listener)

    async def told() -> None:
        while (await terminal("status", "--url", at)).code:
            pass

    await asyncio.wait_for(told(), 5)
    yield lambda *words, **given: terminal(*words, "--url", at, **given)
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
    assert (await cellctl("why")).out == (
        "Nothing stands in the way: the cell is in Execute.\n"
        "  job-1-0009: place_module: waits for eol.measure(time=2,voltage=500)\n"
    )
    control.view = held()
    result = await told_when(cellctl, "why", "not connected")
    assert result.out.startswith(" 1. laser is not connected: no answer\n    Check its power and its cable.\n 2. ")
    assert "cellctl recover job-1-0008/weld#1 retry|skip|scrap" in (await cellctl("recover")).out


async def test_what_devices_and_files_say_moves_no_cursor(cellctl: Cellctl, control: FakeControl) -> None:
    told = held()
    alarm, *_ = told.alarms
    cause = replace(told.why[1], text=f"not {SPOILS}", do=SPOILS)
    devices = tuple(replace(each, reason=SPOILS, identity=SPOILS) for each in told.devices)
    alarms = (replace(alarm, text=SPOILS, do=SPOILS),)
    control.view = replace(told, why=(cause,), alarms=alarms, devices=devices, name=SPOILS)
    await told_when(cellctl, "why", "not ")
    for word in ("status", "why", "recover"):
        result = await cellctl(word)
        assert result.code == 0, result.err
        assert SHOWN in result.out
        assert all(line.isprintable() for line in result.out.split("\n")), result.out


@pytest.mark.parametrize("command", list(Command))
async def test_every_packml_command_is_sent(control: FakeControl, folder: Path, command: Command) -> None:
    result = await terminal(command.name.lower(), "--no-wait", "--state", str(folder))
    assert (result.code, result.out) == (0, f"{command.title}: Holding\n")
    assert [request.action for request in control.requests] == [Operate(command)]
    assert control.requests[0].via == "cli"
    assert control.requests[0].by


async def test_a_command_comes_back_when_its_state_has_come(cellctl: Cellctl, control: FakeControl) -> None:
    walk = Walk(control, "Stopped", "Resetting", "Idle")
    await told_when(cellctl, "status", ": Stopped")
    result = await cellctl("reset")
    await walk.end
    assert (result.code, result.out, result.err) == (0, "Reset: Idle\n", "Reset: Resetting ...\n")


async def test_a_command_that_leads_elsewhere_says_so(cellctl: Cellctl, control: FakeControl) -> None:
    walk = Walk(control, "Idle", "Starting", "Aborting", "Aborted")
    await told_when(cellctl, "status", ": Idle")
    result = await cellctl("start")
    await walk.end
    assert (result.code, result.out) == (1, "")
    assert result.err == "Start: Starting ...\nStart: the cell is in Aborted instead of Execute.\n"


async def test_a_state_that_does_not_come_is_told(
    control: FakeControl, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cellctl.cli.operate.WAIT_S", 0.3)
    walk = Walk(control, "Held", "Unholding")
    result = await terminal("unhold", "--state", str(folder))
    await walk.end
    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines()[1] == "The cell is still in Unholding after 0.3 s."


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
    result = await cellctl("changeover", "module-8s", "--evidence", "F-8X", "--yes")
    assert (result.code, result.out) == (5, "")
    wrong = "Wrong scan: wanted 'F-8S', found 'F-8X'."
    waits = "The changeover waits at step 3; go on with 'cellctl changeover module-8s'."
    assert result.err.splitlines()[2:] == ["3/4  Fit clamp plate F-8S.", wrong, f"  {waits}"]
    result = await cellctl("changeover", "module-8s", "--evidence", "F-8X", "--evidence", "F-8S", "--yes")
    assert result.code == 0, result.err
    assert result.err.splitlines() == [
        "3/4  Fit clamp plate F-8S.",
        f"   {wrong}",
        "4/4  Download and read back every value",
        "Loaded: module-8s version 3.",
    ]
    assert result.out.splitlines()[1].split() == ["points", "plc.recipe_points", "16", "16", "equal"]
    actions = [request.action for request in control.requests]
    assert actions[0] == StartChangeover("module-8s")
    assert actions[-1] == ConfirmStep(2, "F-8S")


async def test_a_person_may_scan_again(cellctl: Cellctl, control: FakeControl) -> None:
    Changeover(control, downloads=False)
    result = await cellctl("changeover", "module-8s", stdin="y\nF-8X\nF-8S\n")
    assert (result.code, result.out) == (0, "")
    for text in ("1/4  Bring clamp", "2/4  The cell runs home_axes.\n", "3/4  Fit", "Wrong scan: ", "4/4  Download"):
        assert text in result.err
    assert [request.action for request in control.requests][2:] == [ConfirmStep(2, "F-8X"), ConfirmStep(2, "F-8S")]


@pytest.mark.parametrize(("stdin", "place"), [("", 1), ("n\n", 1), ("y\n", 3), ("y\nF-8X\n", 3)])
async def test_a_changeover_whose_input_ends_waits(
    cellctl: Cellctl, control: FakeControl, stdin: str, place: int
) -> None:
    Changeover(control)
    result = await cellctl("changeover", "module-8s", stdin=stdin)
    assert (result.code, result.out) == (1, "")
    waits = f"The changeover waits at step {place}; go on with 'cellctl changeover module-8s'."
    assert result.err.endswith(f"{waits}\n")


async def test_another_changeover_in_work_is_named(folder: Path, control: FakeControl) -> None:
    control.view = changing_over()
    result = await terminal("changeover", "module-12s", "--yes", "--state", str(folder))
    assert (result.code, control.requests) == (5, [])
    assert result.err.splitlines() == [
        "The changeover to module-8s is in work.",
        "  Go on with 'cellctl changeover module-8s', or give it up with 'cellctl changeover --cancel'.",
    ]


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


class Walk:
    """A cell that passes through states after a request."""

    def __init__(self, control: FakeControl, before: str, *states: str) -> None:
        self._control, self._states = control, states
        control.view = producing(state=before)
        control.answer = self._answer

    def _answer(self, request: Request) -> Receipt:
        self.end = asyncio.create_task(self._walk())
        return Receipt(request.id, self._states[0])

    async def _walk(self) -> None:
        for state in self._states:
            await asyncio.sleep(0.1)
            self._control.view = producing(state=state)


class Changeover:
    """A cell that walks through a changeover as it is confirmed."""

    def __init__(self, control: FakeControl, *, downloads: bool = True) -> None:
        self._control, self._downloads = control, downloads
        control.answer = self._answer

    def _answer(self, request: Request) -> Receipt | Refused:
        match request.action:
            case StartChangeover():
                self._show(0)
            case ConfirmStep(0):
                self._show(2)  # the cell's own step is done before anybody looks
            case ConfirmStep(2, evidence) if evidence != "F-8S":
                return Refused(request.id, f"wrong scan: wanted 'F-8S', found {evidence!r}")
            case ConfirmStep():
                self._show(4)
        return Receipt(request.id, "")

    def _show(self, index: int) -> None:
        steps = (
            step("do", "Bring clamp plate F-8S to the cell.", "tick"),
            step("run", "home_axes", ""),
            step("do", "Fit clamp plate F-8S.", "scan F-8S"),
            step("download", "Download and read back every value", ""),
        )
        done = index >= len(steps)
        downloads = (DownloadView("points", "plc.recipe_points", 16, 16 if done else None, "", "equal"),)
        told = ChangeoverView("module-8s", index, done, "", steps, downloads if self._downloads else ())
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
