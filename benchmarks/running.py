"""A cell that runs as its user would start it, with the bytecode that an installation has."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

CELLCTL = [sys.executable, "-m", "cellctl.cli"]
#: Until all devices are connected and the memory is what it stays.
SETTLED_S = 20.0


@dataclass(frozen=True, slots=True)
class Running:
    """Its processes, and how long they took to be ready."""

    pid: int
    gateway_pid: int
    control_s: float
    gateway_s: float
    address: str

    @property
    def cpu_s(self) -> float:
        """What control has used so far: a tick is a hundredth of a second."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(cell: Path, state: Path) -> Iterator[Running]:
    """Start the cell; when the block begins, all its devices are connected."""
    command = [*CELLCTL, "run", str(cell), "--state", str(state), "--http", "127.0.0.1:0"]
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as control:
        try:
            assert control.stdout is not None
            address = control.stdout.readline().split()[-1]
            control_s = time.perf_counter() - begin
            _until(lambda: bool(_get(f"{address}api/v1/cell")))
            gateway_s = time.perf_counter() - begin
            _until(lambda: _all_connected(address))
            (gateway,) = Path(f"/proc/{control.pid}/task/{control.pid}/children").read_text().split()
            yield Running(control.pid, int(gateway), control_s, gateway_s, address)
        finally:
            control.send_signal(signal.SIGINT)
            control.wait(30)


@contextmanager
def bytecode(folder: Path) -> Iterator[None]:
    """What is started keeps its bytecode in `folder`, whatever the environment says: the second start finds it."""
    with patch.dict(os.environ, PYTHONPYCACHEPREFIX=str(folder)):
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        yield


def memory_mb(pid: int) -> float:
    """The memory that a process has for itself and shares, MB."""
    return megabytes(int(Path(f"/proc/{pid}/statm").read_text().split()[1]))


def megabytes(pages: int) -> float:
    """So many pages of memory, MB."""
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _all_connected(address: str) -> bool:
    return all(device["link"] == "connected" for device in json.loads(_get(f"{address}api/v1/devices")))


def _get(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bytes(answer.read())
    except OSError:
        return b""


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + SETTLED_S
    while not true():
        if time.monotonic() > end:
            raise AssertionError("the cell does not get ready")
        time.sleep(0.02)
