"""`cellctl alarms`: through the link and through the API."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from cellctl.core.alarm import Alarm
from cellctl.core.messages import Acknowledge, Entry, Refused, Shelve, Unshelve
from cellctl.gateway.address import bind, url
from cellctl.gateway.process import serve
from cellctl.runtime.clock import Clock
from cellctl.runtime.journal import Journal
from cellctl.runtime.ledger import Ledger
from tests.cli.terminal import Result, terminal
from tests.gateway.control import FakeControl, producing

S = 1_000_000_000
Cellctl = Callable[..., "asyncio.Future[Result]"]
WORDS = {"en": {"text": "Dirty", "do": "Clean it."}, "cy": {"text": "Budr", "do": "Glanhewch."}}
DIRTY = Alarm("dirty", "medium", "Dirty", "Clean it.", 5 * S, first_out=True, shelve_ns=3600 * S, words=WORDS)
SEEN = replace(DIRTY, id="seen", state="acknowledged", first_out=False)
KNOWN = replace(DIRTY, id="known", state="shelved", until_ns=9 * S, by="anna", reason="ordered", first_out=False)


@pytest.fixture
async def control(folder: Path) -> AsyncIterator[FakeControl]:
    """A cell with alarms of now and of the past."""
    journal = Journal(Ledger(folder))
    journal.start(committed=lambda sequence: None, failing=lambda reason: None, idle=lambda: 1.0)
    now = Clock().now()
    raised = Entry("alarm", {"alarm": "dirty", "raised": True, "priority": "medium", "text": "Dirty"})
    for seconds in (30, 20, 10):
        journal.append(now - seconds * S, [raised, Entry("alarm", {"alarm": "dirty", "raised": False})])
    journal.append(now, [Entry("alarm.acked", {"alarm": "dirty", "by": "anna"})])
    assert await journal.close(5)
    control = await FakeControl(folder).start()
    control.view = producing(alarms=(DIRTY, SEEN), hidden_alarms=(KNOWN,))
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

    async def told() -> None:
        while (await terminal("status", "--url", url(listener))).code:
            pass

    await asyncio.wait_for(told(), 5)
    yield lambda *words: terminal(*words, "--url", url(listener))
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


async def test_alarms_alone_tells_what_is_wrong_and_what_to_do(cellctl: Cellctl, control: FakeControl) -> None:
    result = await cellctl("alarms", "--limit", "2")
    lines = result.out.splitlines()
    assert lines[0].startswith("medium: Dirty. Clean it. [dirty] (since 1970-")
    assert lines[0].endswith(", came first; unacknowledged)")
    assert lines[1].endswith("; acknowledged)")
    assert lines[2].startswith("shelved: Dirty (known) until 1970-")
    assert lines[2].endswith(", by anna: ordered")
    assert [line.split()[-1] for line in lines[5:]] == ["came", "went"]
    assert "Budr. Glanhewch." in (await cellctl("alarms", "--lang", "cy")).out
    told = json.loads((await cellctl("alarms", "--json")).out)
    assert (told["schema"], told["active"][0]["id"], told["hidden"][0]["id"], told["flood"]) == (
        "cellctl.alarms/1", "dirty", "known", False
    )  # fmt: skip
    control.view = producing(flood=True)
    await asyncio.sleep(0.3)
    assert (await cellctl("alarms")).out.splitlines()[1] == "No alarm is active."


async def test_what_became_of_them_and_which_come_most_often(cellctl: Cellctl) -> None:
    lines = (await cellctl("alarms", "--history", "--limit", "3")).out.splitlines()
    assert [line.split()[3] for line in lines[1:]] == ["raised", "returned", "acknowledged"]
    assert (await cellctl("alarms", "--history", "--since", "1 ms")).out == "No alarm is on record for this time.\n"
    events = json.loads((await cellctl("alarms", "--history", "--since", "1 h", "--json")).out)["events"]
    assert len(events) == 7
    lines = (await cellctl("alarms", "--frequent")).out.splitlines()
    assert lines[0].startswith("3 alarms since ")
    assert lines[0].endswith(" in 10 minutes, 3 at most.")
    assert lines[3].split()[:2] == ["dirty", "3"]
    assert lines[3].endswith("flutters  Dirty")
    load = json.loads((await cellctl("alarms", "--frequent", "--since", "15 s", "--json")).out)
    assert (load["schema"], load["raised"]) == ("cellctl.alarm-load/1", 1)
    assert (await cellctl("alarms", "--frequent", "--since", "1 ms")).out.startswith("0 alarms since")


async def test_acknowledge_shelve_and_unshelve(cellctl: Cellctl, control: FakeControl) -> None:
    assert (
        await cellctl("alarms", "ack", "dirty", "link.laser")
    ).out == "dirty: acknowledged\nlink.laser: acknowledged\n"
    assert (await cellctl("alarms", "ack", "--all")).out == "dirty: acknowledged\n"
    done = await cellctl("alarms", "shelve", "dirty", "--for", "30min", "--reason", "the cloth is ordered")
    assert done.out == "dirty: shelved for 30min\n"
    assert (await cellctl("alarms", "unshelve", "link.laser")).out == "link.laser: shown again\n"
    assert [request.action for request in control.requests] == [
        Acknowledge(("dirty", "link.laser")),
        Acknowledge(("dirty",)),
        Shelve("dirty", 1800 * S, "the cloth is ordered"),
        Unshelve("link.laser"),
    ]
    control.answer = lambda request: Refused(request.id, "the alarm dirty may not be shelved")
    refused = await cellctl("alarms", "shelve", "dirty", "--for", "1 h", "--reason", "x")
    assert (refused.code, refused.err) == (5, "The alarm dirty may not be shelved.\n")
    control.view = producing(alarms=(SEEN,))
    await asyncio.sleep(0.3)
    assert (await cellctl("alarms", "ack", "--all")).out == "No alarm needs an acknowledgement.\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--history", "--frequent"], "two questions"),
        (["--history", "--since", "8"], "--since: a time needs a unit"),
        (["ack"], "Name the alarms, or say --all"),
        (["ack", "--all", "dirty"], "Name the alarms, or say --all"),
        (["shelve", "dirty", "--reason", "x"], "--for"),
        (["shelve", "dirty", "--for", "1 h"], "--reason"),
        (["shelve", "dirty", "--for", "soon", "--reason", "x"], "--for: 'soon' is not a number with a unit"),
        (["--json", "ack", "dirty"], "Say --json behind 'ack'"),
    ],
)
async def test_what_cannot_be_meant_is_a_usage_error(
    control: FakeControl, folder: Path, words: list[str], says: str
) -> None:
    result = await terminal("alarms", *words, "--state", str(folder))
    assert result.code == 2
    assert says in result.err
    assert control.requests == []
