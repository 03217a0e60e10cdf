"""Two jobs and the changeover between them by the command line alone, as a technician without a screen would do it."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cellctl_simulators.control import ask

#: Long enough for a slow machine; the cell itself needs a second.
READY_S = 60


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """The state folder of a cell that runs as a user runs it, twenty times as fast."""
    argv = ["run", "battery-module", "--sim", "all", "--speed", "20", "--http", "off", "--state", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "cellctl.cli", *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert "runs" in process.stdout.readline(), process.communicate(timeout=READY_S)
        yield tmp_path
    finally:
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=30)
    assert process.returncode == 0, log
    assert not (tmp_path / "simulation.json").exists()


def cellctl(state: Path, *words: str, code: int = 0) -> str:
    """Run one command on the cell; what it printed."""
    argv = [sys.executable, "-m", "cellctl.cli", *words, "--state", str(state)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, (words, done.stdout, done.stderr)
    return done.stdout + done.stderr


def shown(state: Path) -> dict[str, Any]:
    """What `status` shows."""
    told: dict[str, Any] = json.loads(cellctl(state, "status", "--json"))
    return told


def until(state: Path, wanted: str, limit_s: float = 120) -> None:
    """Wait until `status` shows the state `wanted`."""
    end_s = time.monotonic() + limit_s
    while (now := shown(state))["state"] != wanted:
        assert time.monotonic() < end_s, now
        time.sleep(0.3)


@pytest.mark.timeout(280)
def test_two_jobs_and_a_changeover_by_the_command_line_alone(state: Path) -> None:
    where = json.loads((state / "simulation.json").read_text())
    for recipe, job in (("module-12s", "J12"), ("module-8s", "J8")):
        told = cellctl(state, "changeover", recipe, "--yes")
        assert "equal" in told
        assert "different" not in told
        cellctl(state, "job", "add", recipe, "20", "--id", job)
        cellctl(state, "reset")
        until(state, "Idle")
        cellctl(state, "start")
        refused = cellctl(state, "changeover", recipe, "--yes", code=5)
        assert "Execute" in refused
        until(state, "Completed")

    truth = asyncio.run(ask(where["control"], do="truth"))["truth"]
    assert truth["violations"] == []
    assert (truth["good"], truth["reject"]) == (40, 0)
    counts = shown(state)["counts"]
    assert (counts["good"], counts["reject"]) == (40, 0)
    welds = [part["welds"] for part in truth["parts"].values()]
    assert welds == [list(range(1, 25))] * 20 + [list(range(1, 17))] * 20

    parts = json.loads(cellctl(state, "parts", "--limit", "40", "--json"))["parts"]
    by_serial = {part["serial"]: part for part in parts}
    assert set(by_serial) == {f"{job}-{n:04d}" for job in ("J12", "J8") for n in range(1, 21)}
    for code, (serial, made) in zip(truth["parts"], sorted(by_serial.items()), strict=True):
        told = json.loads(cellctl(state, "part", serial, "--json")) if serial.endswith(("0001", "0020")) else None
        assert made["result"] == "good"
        if told is not None:
            records = told["records"]
            assert [record["value"] for record in records if record["name"] == "code"] == [code]
            peaks = [record["value"] for record in records if record["name"] == "peak"]
            assert peaks == truth["parts"][code]["peaks"]
