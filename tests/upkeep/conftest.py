"""A cell with all that it may have written, and a backup of it."""

import shutil
import time
from pathlib import Path

import pytest

from cellctl.core.signal import Quality, Sample, Signal
from cellctl.model.check import find_cell
from cellctl.runtime.archive import moving
from cellctl.runtime.clock import Clock
from cellctl.runtime.history import History
from tests.cli.terminal import run
from tests.records.made import counted, made, snapshot, write
from tests.upkeep.secret import KEY, SECRET


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    """A cell with its state folder: archives, history, certificates, secrets, a log, a socket."""
    folder = tmp_path / "bm1"
    shutil.copytree(find_cell("battery-module"), folder, ignore=shutil.ignore_patterns("__pycache__"))
    state = folder / ".cellctl"
    write(state, [entry for number in range(1, 11) for entry in made(number)])
    write(state, [*counted(200), snapshot(parts=10), *made(11)])
    for _ in moving(state, time.time_ns()):
        pass
    known = Signal("plc.air_pressure", "float", "bar")
    history = History(state, {known.id: known}, Clock())
    history.put([Sample(known.id, 6.1, Quality.GOOD, time.time_ns(), time.time_ns())])
    history.close()
    files = {
        "secrets/plc_pw": SECRET,
        "pki/own/key.pem": KEY,
        "pki/own/certificate.der": b"ours",
        "pki/trusted/plc.der": b"theirs",
        "control.log": b"a log\n",
        "recorder/1.span": b"a span",
        "users.json": b"{}",
    }
    for name, content in files.items():
        path = state / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(content)
        path.chmod(0o600)
    return folder


@pytest.fixture
def file(cell: Path, tmp_path: Path) -> Path:
    target = tmp_path / "bm1.backup"
    result = run("backup", str(target), "--cell", str(cell))
    assert result.code == 0, result.err
    return target
