"""A cell in its own processes, as a user runs it, and the commands to it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Long enough for a slow machine; the cell itself needs a second.
READY_S = 60


@contextmanager
def running(state: Path, *options: str, code: int = 0, cell: str = "battery-module --sim all") -> Iterator[str]:
    """A cell with its state folder; what it says when it runs. It ends with `code`."""
    argv = ["run", *cell.split(), *options, "--state", str(state)]
    process = subprocess.Popen(
        [sys.executable, "-m", "cellctl.cli", *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        told = process.stdout.readline()
        assert "runs" in told, process.communicate(timeout=READY_S)
        yield told
    finally:
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=30)
    assert process.returncode == code, log


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


def wait(fulfilled: Callable[[], object], limit_s: float = 20) -> None:
    """Wait until `fulfilled()`."""
    end_s = time.monotonic() + limit_s
    while not fulfilled():
        assert time.monotonic() < end_s
        time.sleep(0.1)


def settled(state: Path) -> None:
    """Wait until every device is connected: until then the journal grows by itself."""
    wait(lambda: all(one["link"] == "connected" for one in shown(state)["devices"]))


def until(state: Path, wanted: str, limit_s: float = 120) -> None:
    """Wait until `status` shows the state `wanted`."""
    end_s = time.monotonic() + limit_s
    while (now := shown(state))["state"] != wanted:
        assert time.monotonic() < end_s, now
        time.sleep(0.3)
