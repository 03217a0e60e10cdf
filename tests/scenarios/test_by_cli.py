"""Two jobs and the changeover between them by the command line alone, as a technician without a screen would do it."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cellctl.faults.door import ask
from tests.scenarios.processes import cellctl, running, shown, until

#: Of each recipe: enough for several to be in process at once.
PARTS = 5


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """The state folder of a cell that runs as a user runs it, twenty times as fast."""
    with running(tmp_path, "--speed", "20", "--http", "off"):
        yield tmp_path
    assert not (tmp_path / "simulation.json").exists()


def test_two_jobs_and_a_changeover_by_the_command_line_alone(state: Path) -> None:
    where = json.loads((state / "simulation.json").read_text())
    for recipe, job in (("module-12s", "J12"), ("module-8s", "J8")):
        told = cellctl(state, "changeover", recipe, "--yes")
        assert "equal" in told
        assert "different" not in told
        cellctl(state, "job", "add", recipe, str(PARTS), "--id", job)
        cellctl(state, "reset")
        until(state, "Idle")
        cellctl(state, "start")
        refused = cellctl(state, "changeover", recipe, "--yes", code=5)
        assert "Execute" in refused
        until(state, "Completed")

    truth = asyncio.run(ask(where["control"], do="truth"))["truth"]
    assert truth["violations"] == []
    assert (truth["good"], truth["reject"]) == (2 * PARTS, 0)
    counts = shown(state)["counts"]
    assert (counts["good"], counts["reject"]) == (2 * PARTS, 0)
    welds = [part["welds"] for part in truth["parts"].values()]
    assert welds == [list(range(1, 25))] * PARTS + [list(range(1, 17))] * PARTS

    parts = json.loads(cellctl(state, "parts", "--limit", "40", "--json"))["parts"]
    by_serial = {part["serial"]: part for part in parts}
    assert set(by_serial) == {f"{job}-{n:04d}" for job in ("J12", "J8") for n in range(1, PARTS + 1)}
    for code, (serial, made) in zip(truth["parts"], sorted(by_serial.items()), strict=True):
        is_end = serial.endswith(("0001", f"{PARTS:04d}"))
        told = json.loads(cellctl(state, "part", serial, "--json")) if is_end else None
        assert made["result"] == "good"
        if told is not None:
            records = told["records"]
            assert [record["value"] for record in records if record["name"] == "code"] == [code]
            peaks = [record["value"] for record in records if record["name"] == "peak"]
            assert peaks == truth["parts"][code]["peaks"]
