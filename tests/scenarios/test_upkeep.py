"""A cell that runs as a user runs it: verified, looked at, backed up and bundled meanwhile, and restored elsewhere."""

import json
import zipfile
from pathlib import Path

from tests.scenarios.processes import cellctl, running, settled, wait


def test_a_running_cell_is_backed_up_and_goes_on_elsewhere(tmp_path: Path) -> None:
    state, new = tmp_path / "state", tmp_path / "new"
    backup, bundle = tmp_path / "bm1.backup", tmp_path / "bm1.bundle"
    with running(state, "--http", "off"):
        settled(state)
        cellctl(state, "changeover", "module-12s", "--yes")
        assert "All " in cellctl(state, "journal", "verify")
        assert "ok       lock: a cell runs on it" in cellctl(state, "doctor", "battery-module", "--sim", "all")
        assert "entries" in cellctl(state, "backup", str(backup), "--cell", "battery-module")
        cellctl(state, "bundle", str(bundle), "battery-module")
        cellctl(state, "job", "add", "module-12s", "1", "--id", "j")
    with zipfile.ZipFile(bundle) as inside:
        live = json.loads(inside.read("bundle/live.json"))
        assert "error.txt" not in " ".join(inside.namelist())
    assert {one["link"] for one in live["devices"]} == {"connected"}
    verified = tmp_path / "nowhere"
    told = cellctl(verified, "restore", str(backup), "--cell", str(new))
    assert "Next: cellctl check" in told
    document = json.loads(cellctl(verified, "journal", "verify", "--json"))
    assert document["whole"]
    with running(verified, "--http", "off", cell=f"{new} --sim all"):
        wait(lambda: json.loads(cellctl(verified, "status", "--json"))["state"] == "Aborted")
    proved = ["journal", "verify", "--head", document["head"], "--entries", str(document["entries"])]
    assert "has this head" in cellctl(state, *proved)
    assert "has this head" in cellctl(verified, *proved)
