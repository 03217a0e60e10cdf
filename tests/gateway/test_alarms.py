"""Alarms in the API, and alarms as the journal tells them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from cellctl.core.alarm import Alarm
from cellctl.core.messages import Acknowledge, Entry, Refused, Shelve, Unshelve
from cellctl.gateway import alarms as alarms_module
from cellctl.gateway.alarms import AlarmRecords
from cellctl.gateway.told import language_of
from cellctl.records import RecordsError
from cellctl.runtime.journal import Journal
from cellctl.runtime.ledger import Ledger
from tests.gateway.control import FakeControl, producing, until

S = 1_000_000_000
BEGIN = 1_700_000_000 * S
WORDS = {"en": {"text": "Dirty", "do": "Clean it."}, "cy": {"text": "Budr", "do": "Glanhewch."}}
DIRTY = Alarm("dirty", "medium", "Dirty", "Clean it.", 5, first_out=True, shelve_ns=3600 * S, words=WORDS)
KNOWN = replace(DIRTY, id="known", state="shelved", until_ns=9, by="anna", reason="ordered", first_out=False)


@pytest.fixture
async def told(gateway: httpx.AsyncClient, control: FakeControl) -> httpx.AsyncClient:
    """A client of a gateway that knows one alarm that is shown, and one that is shelved."""
    control.view = producing(alarms=(DIRTY,), hidden_alarms=(KNOWN,), flood=True)

    async def there() -> bool:
        return bool((await gateway.get("alarms")).json())

    await until(there)
    return gateway


async def test_alarms_are_told_with_how_they_stand(told: httpx.AsyncClient) -> None:
    (dirty,) = (await told.get("alarms")).json()
    assert (dirty["id"], dirty["state"], dirty["first_out"], dirty["do"]) == (
        "dirty", "unacknowledged", True, "Clean it."
    )  # fmt: skip
    (known,) = (await told.get("alarms/shelved")).json()
    assert (known["state"], known["until_ns"], known["by"], known["reason"]) == ("shelved", 9, "anna", "ordered")
    cell = (await told.get("cell")).json()
    assert (cell["alarms"], cell["hidden_alarms"], cell["flood"]) == ([dirty], [known], True)


@pytest.mark.parametrize(
    ("query", "accepted", "text"),
    [
        ("", "", "Dirty"),
        ("?lang=cy", "en", "Budr"),
        ("", "cy-GB,cy;q=0.9,en;q=0.8", "Budr"),
        ("", "fr, en;q=0.2, cy;q=0.7", "Budr"),
        ("?lang=fr", "cy", "Dirty"),
    ],
)
async def test_texts_come_in_the_language_that_is_asked_for(
    told: httpx.AsyncClient, query: str, accepted: str, text: str
) -> None:
    (dirty,) = (await told.get(f"alarms{query}", headers={"Accept-Language": accepted})).json()
    assert (dirty["text"], dirty["words"]["cy"]["text"]) == (text, "Budr")


@pytest.mark.parametrize(
    ("wanted", "language"),
    [("", "en"), ("cy;q=0", "en"), ("cy;q=much, en", "en"), ("*", "en"), (",;,", "en"), ("CY", "cy")],
)
def test_a_language_is_always_found(wanted: str, language: str) -> None:
    assert language_of(wanted) == language


async def test_the_page_comes_in_the_language_of_the_browser(told: httpx.AsyncClient, origin: str) -> None:
    for headers, query, language in (({}, "", "en"), ({"Accept-Language": "cy"}, "", "cy"), ({}, "?lang=cy", "cy")):
        page = (await told.get(f"{origin}/{query}", headers=headers)).text
        assert f'<html lang="{language}">' in page


async def test_what_is_asked_is_passed_on(told: httpx.AsyncClient, control: FakeControl) -> None:
    answers = [
        await told.post("alarms/acknowledge", json={"alarms": ["dirty", "link.laser"], "id": "r1"}),
        await told.post("alarms/shelved", json={"alarm": "dirty", "for": "30 min", "reason": "ordered"}),
        await told.delete("alarms/shelved/link.laser?id=r2"),
    ]
    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert [request.action for request in control.requests] == [
        Acknowledge(("dirty", "link.laser")),
        Shelve("dirty", 1800 * S, "ordered"),
        Unshelve("link.laser"),
    ]
    assert (control.requests[0].id, control.requests[2].id) == ("r1", "r2")
    control.answer = lambda request: Refused(request.id, "the alarm dirty may not be shelved")
    refused = await told.post("alarms/shelved", json={"alarm": "dirty", "for": "1 h", "reason": "x"})
    assert (refused.status_code, refused.json()["reason"]) == (409, "the alarm dirty may not be shelved")


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("acknowledge", {}, "alarms"),
        ("acknowledge", {"alarms": []}, "alarms"),
        ("acknowledge", {"alarms": "dirty"}, "alarms"),
        ("shelved", {"alarm": "dirty", "for": "30 min"}, "reason"),
        ("shelved", {"alarm": "dirty", "for": "30 min", "reason": ""}, "reason"),
        ("shelved", {"alarm": "dirty", "for": 30, "reason": "x"}, "for"),
        ("shelved", {"alarm": "dirty", "for": "30", "reason": "x"}, "needs a unit"),
        ("shelved", {"alarm": "dirty", "for": "-1 h", "reason": "x"}, "cannot be negative"),
    ],
)
async def test_a_wrong_wish_is_told(
    told: httpx.AsyncClient, control: FakeControl, path: str, body: dict[str, Any], says: str
) -> None:
    answer = await told.post(f"alarms/{path}", json=body)
    assert answer.status_code == 422
    assert says in answer.json()["reason"]
    assert control.requests == []


# --- as the journal tells them --------------------------------------------------------------------------------


def raised(alarm: str, priority: str = "low") -> Entry:
    return Entry("alarm", {"alarm": alarm, "raised": True, "priority": priority, "text": f"{alarm}!"})


def returned(alarm: str) -> Entry:
    return Entry("alarm", {"alarm": alarm, "raised": False})


@pytest.fixture
async def written(folder: Path) -> Path:
    """A journal of 40 s: `hot` thrice within a minute, `open` once, and one that only informs; an entry a second."""
    journal = Journal(Ledger(folder))
    journal.start(committed=lambda sequence: None, failing=lambda reason: None, idle=lambda: 1.0)
    told = [Entry("state", {"state": "Held", "number": 11})] * 20 + [
        raised("hot"), returned("hot"), raised("hot"), returned("hot"), raised("open", "high"), raised("note", "info"),
        Entry("alarm.acked", {"alarm": "open", "by": "anna"}), raised("hot"),
        Entry("alarm.shelved", {"alarm": "hot", "until_ns": 7, "by": "anna", "reason": "known"}),
    ]  # fmt: skip
    for number, entry in enumerate(told):
        journal.append(BEGIN + number * S, [entry])
    assert await journal.close(5)
    return folder


def test_the_history_tells_what_became_of_alarms(written: Path) -> None:
    found = AlarmRecords(written).history()
    assert [(one["alarm"], one["what"]) for one in found] == [
        ("hot", "raised"), ("hot", "returned"), ("hot", "raised"), ("hot", "returned"), ("open", "raised"),
        ("note", "raised"), ("open", "acknowledged"), ("hot", "raised"), ("hot", "shelved"),
    ]  # fmt: skip
    assert found[-1] == {
        "time_ns": BEGIN + 28 * S, "alarm": "hot", "what": "shelved", "priority": "", "text": "hot!", "by": "anna",
        "reason": "known", "until_ns": 7,
    }  # fmt: skip
    assert AlarmRecords(written).history(limit=2) == found[-2:]
    assert AlarmRecords(written).history(BEGIN + 26 * S) == [{**found[6], "text": ""}, *found[7:]]
    assert AlarmRecords(written).history(BEGIN + 99 * S) == []
    assert [one["what"] for one in AlarmRecords(written).history(alarm="open")] == ["raised", "acknowledged"]
    assert AlarmRecords(written).history(alarm="' OR 1=1 --") == []


def test_the_load_tells_how_many_and_which_most_often(written: Path) -> None:
    load = AlarmRecords(written).load(BEGIN, BEGIN + 1200 * S)
    assert (load["raised"], load["per_10_min"], load["most_in_10_min"]) == (4, 2.0, 4)
    hot, opened = load["alarms"]
    assert (hot["alarm"], hot["raised"], hot["chattering"], hot["last_ns"]) == ("hot", 3, True, BEGIN + 27 * S)
    assert (opened["alarm"], opened["priority"], opened["chattering"]) == ("open", "high", False)
    assert AlarmRecords(written).load(BEGIN + 23 * S, BEGIN + 25 * S)["raised"] == 1
    assert AlarmRecords(written).load(BEGIN + 99 * S, BEGIN + 100 * S)["alarms"] == []


def test_what_is_counted_is_bounded(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms_module, "COUNTED_MAX", 3)
    assert AlarmRecords(written).load(0, BEGIN + 99 * S)["raised"] == 2, "the newest"


def test_a_folder_without_a_journal_knows_nothing(tmp_path: Path) -> None:
    assert AlarmRecords(tmp_path).history(5) == []
    assert AlarmRecords(tmp_path).load(0, 1)["raised"] == 0
    (tmp_path / "journal.db").write_text("no journal")
    for ask in (lambda: AlarmRecords(tmp_path).history(5), lambda: AlarmRecords(tmp_path).load(0, 1)):
        with pytest.raises(RecordsError, match="cannot be read"):
            ask()


async def test_what_is_on_record_is_served(written: Path, gateway: httpx.AsyncClient) -> None:
    events = (await gateway.get("alarms/history", params={"alarm": "open", "limit": 1})).json()
    assert [(one["alarm"], one["what"], one["by"]) for one in events] == [("open", "acknowledged", "anna")]
    load = (await gateway.get("alarms/frequent", params={"since_ns": BEGIN, "until_ns": BEGIN + 60 * S})).json()
    assert [(one["alarm"], one["raised"]) for one in load["alarms"]] == [("hot", 3), ("open", 1)]
    assert (await gateway.get("alarms/frequent")).json()["raised"] == 0
    assert (await gateway.get("alarms/history", params={"limit": 0})).status_code == 422
