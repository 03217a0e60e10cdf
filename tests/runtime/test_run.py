"""The control process as it is started: the real core in a process of its own, reached over its socket alone."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cellctl.records import Records

_PROGRAM = """
import sys
from pathlib import Path
from tests.runtime.doubles import ObedientDriver, model
from cellctl.runtime import control
from cellctl.runtime.children import Child

children = [Child("sleeper", (sys.executable, "-c", "import time; time.sleep(60)"))]
try:
    how = control.Run(Path(sys.argv[1]), children, drivers=lambda protocol: ObedientDriver)
    control.run(model(), how, ready=lambda: print("ready", flush=True))
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""

ROOT = Path(__file__).parents[2]


@contextmanager
def control(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A control process on `folder`, ended by force if the test did not end it."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ready(process: "subprocess.Popen[str]") -> None:
    assert process.stdout
    assert process.stdout.readline() == "ready\n"


def ask(folder: Path, message: dict[str, Any]) -> Any:
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        link.connect(str(folder / "control.sock"))
        link.sendall(json.dumps(message).encode() + b"\n")
        return json.loads(link.makefile().readline())


def operate(folder: Path, command: str) -> Any:
    return ask(folder, {"submit": {"id": f"{command}-{time.time_ns()}", "action": {"operate": {"command": command}}}})


def state(folder: Path) -> str:
    return str(ask(folder, {"view": {}})["view"]["state"])


def until_state(folder: Path, wanted: str) -> None:
    end = time.monotonic() + 5
    while state(folder) != wanted:
        assert time.monotonic() < end, f"the cell is in {state(folder)}, not in {wanted}"
        time.sleep(0.02)


def test_a_cell_runs_answers_and_ends_in_order(tmp_path: Path) -> None:
    with control(tmp_path) as process:
        ready(process)
        until_state(tmp_path, "Stopped")
        assert "receipt" in operate(tmp_path, "reset")
        until_state(tmp_path, "Idle")
        assert "Idle" in operate(tmp_path, "unhold")["refused"]["reason"]
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stderr
        log = [json.loads(line) for line in process.stderr]
    assert "control is ready" in [line["event"] for line in log]
    assert [line for line in log if line["level"] == "error"] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ballast", "control.lock", "journal.db", "recorder"]
    states = [entry.data.get("state") for entry in Records(tmp_path).entries(kind="state")]
    assert states[-1] == "Stopped"
    assert Records(tmp_path).latest(limit=1)[0].kind == "end"
    assert Records(tmp_path).verify().broken_at is None


def test_after_kill_9_the_cell_begins_aborted_and_its_children_are_gone(tmp_path: Path) -> None:
    with control(tmp_path) as process:
        ready(process)
        operate(tmp_path, "reset")
        until_state(tmp_path, "Idle")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.kill()
        process.wait()
    assert children
    end = time.monotonic() + 5
    while any(Path(f"/proc/{child}/cmdline").exists() for child in children):
        assert time.monotonic() < end, "a child outlived control"
        time.sleep(0.02)
    with control(tmp_path) as process:
        ready(process)
        assert state(tmp_path) == "Aborted"


def test_a_second_run_on_the_folder_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with control(tmp_path) as first:
        ready(first)
        with control(tmp_path) as second:
            _, told = second.communicate(timeout=10)
        assert second.returncode == 1
        assert f"StateInUse: A cell is already running on the state folder {tmp_path} (process {first.pid})." in told
        assert state(tmp_path) == "Stopped"


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_an_unusable_folder_is_refused_with_a_sentence(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    with control(tmp_path / folder) as process:
        _, told = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "StateError: The state folder" in told
