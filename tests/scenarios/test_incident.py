"""From an incident to a test that passes, in processes of their own, by the commands of the documentation."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.scenarios.processes import cellctl, running, settled, shown, until, wait

NEED, PATIENT = "need: plc.air_pressure > 5.2 bar", "need: not (plc.air_pressure <= 5.2 bar for 1 s)"


def at(folder: Path, *words: str, code: int = 0) -> str:
    """Run a command of Python in a folder; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, (words, done.stdout, done.stderr)
    return done.stdout + done.stderr


def test_an_incident_becomes_a_test_that_passes_when_it_is_mended(tmp_path: Path) -> None:
    at(tmp_path, "cellctl.cli", "new", "cell", "line", "--from", "battery-module")
    state, cell = tmp_path / "state", tmp_path / "line"
    with running(state, "--http", "127.0.0.1:0", code=-9, cell=f"{cell} --sim all") as told:
        url = told.split()[-1]
        settled(state)
        cellctl(state, "changeover", "module-8s", "--yes")
        cellctl(state, "job", "add", "module-8s", "2")
        cellctl(state, "reset")
        until(state, "Idle")
        cellctl(state, "start")
        until(state, "Execute")
        wait(lambda: shown(state)["parts"])
        body = {"kind": "set", "target": "plc.air_pressure", "options": {"to": 5.0}, "for": "300 ms"}
        request = urllib.request.Request(
            f"{url}api/v1/faults", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 202
        until(state, "Held")
        time.sleep(1.5)
        live = at(tmp_path, "cellctl.cli", "incident", "export", "live.incident", "--state", str(state))
        assert "hold  air" in live
        os.kill(int((state / "control.lock").read_text()), 9)
    at(tmp_path, "cellctl.cli", "incident", "export", "air.incident", "--state", str(state))
    for file in ("live.incident", "air.incident"):
        assert "The effects are those that were recorded." in at(tmp_path, "cellctl.cli", "incident", "replay", file)
    at(tmp_path, "cellctl.cli", "incident", "test", "air.incident", "--cell", "line")
    failed = at(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", "tests", code=1)
    assert "It happens again: hold air" in failed
    file = cell / "cell.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace(NEED, PATIENT), encoding="utf-8")
    assert "1 passed" in at(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", "tests")
