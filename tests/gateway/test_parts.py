"""Parts as the journal tells them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from cellctl.core.messages import Entry
from cellctl.gateway.parts import Parts
from cellctl.runtime.journal import Journal
from cellctl.runtime.ledger import Ledger


@pytest.fixture
async def written(folder: Path) -> Path:
    """A folder whose journal holds one scrapped, one good, and one unfinished part."""
    journal = Journal(Ledger(folder))
    journal.start(committed=lambda sequence: None, failing=lambda reason: None, idle=lambda: 1.0)
    told = []
    for number, end in ((1, "scrap"), (2, "good"), (3, None)):
        part = f"job-1-{number:04d}"
        told.append(Entry("part", {"part": part, "job": "job-1", "recipe": "module-12s", "version": "7"}))
        told.append(Entry("record", {"part": "another", "key": "k", "name": "n", "value": 0}))
        value = {"key": "peak#1", "name": "peak", "value": 1400.0 + number, "unit": "W", "labels": {"point": 1}}
        told.append(Entry("record", {"part": part, "step": "weld", **value}))
        if end == "scrap":
            told.append(Entry("fault", {"part": part, "step": "weld", "fault": "weak_weld", "text": "weak"}))
        if end:
            told.append(Entry("part.done", {"part": part, "job": "job-1", "result": end}))
    for time_ns, entry in enumerate(told, 1):
        journal.append(time_ns, [entry])
    assert await journal.close(5)
    return folder


async def test_finished_parts_come_newest_first_with_all_that_was_recorded(written: Path) -> None:
    good, scrap = Parts(written).latest()
    assert (good["serial"], good["result"], scrap["result"]) == ("job-1-0002", "good", "scrap")
    assert good["recipe"] == {"id": "module-12s", "version": "7"}
    value = {"step": "weld", "name": "peak", "value": 1402.0, "unit": "W", "labels": {"point": 1}}
    assert good["records"] == [{"time_ns": 8, **value}]
    assert scrap["events"] == [{"time_ns": 4, "kind": "fault", "step": "weld", "fault": "weak_weld", "text": "weak"}]
    assert Parts(written).latest(1) == [good]


async def test_a_part_is_found_by_its_serial(written: Path) -> None:
    found = Parts(written).find("job-1-0003")
    assert found is not None
    assert (found["result"], found["finished_ns"], len(found["records"])) == (None, None, 1)
    assert Parts(written).find("job-1-0001") == Parts(written).latest()[1]
    assert Parts(written).find("' OR 1=1 --") is None


async def test_parts_and_journal_are_served(gateway: httpx.AsyncClient, written: Path) -> None:
    parts = (await gateway.get("parts?limit=1")).json()
    assert [part["serial"] for part in parts["finished"]] == ["job-1-0002"]
    assert (await gateway.get("parts/job-1-0001")).json()["result"] == "scrap"
    entries = (await gateway.get("journal?kind=part.done")).json()
    assert [entry["data"]["part"] for entry in entries] == ["job-1-0001", "job-1-0002"]


def test_a_folder_without_a_journal_has_no_parts(folder: Path) -> None:
    assert Parts(folder).latest() == []
    assert Parts(folder).find("x") is None


async def test_reading_locks_nothing(written: Path) -> None:
    with closing(sqlite3.connect(written / "journal.db")) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert len(Parts(written).latest()) == 2
