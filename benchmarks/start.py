"""P9: how long until control and gateway are ready, how much memory they take, how quickly the command line answers.

The devices are simulated in a process of their own that is up before; the cell is started as a user would start it,
with the bytecode that an installation has.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

from benchmarks.rounds import Figure, Row, figures, in_turn

BUNDLED = Path(__file__).parent.parent / "recipes" / "battery-module"
CELLCTL = [sys.executable, "-m", "cellctl.cli"]
#: Until all devices are connected and the memory is what it stays.
SETTLED_S = 20.0

#: The bundled cell without its PLC: Modbus TCP, Modbus RTU, a serial line, lines over TCP.
SMALL_CELL = """
cellctl: 1
cell: {id: small, name: Small}
devices:
  robot: {profile: bm1-robot,      at: "modbus://127.0.0.1:502"}
  grip:  {profile: robotiq.2f85,   at: "modbus+rtu:/dev/serial/by-id/grip?baud=115200&unit=9"}
  laser: {profile: lx2-laser,      at: "serial:/dev/serial/by-id/laser?baud=115200"}
  eol:   {profile: hp500-hipot,    at: "tcp://127.0.0.1:5025"}
  meter: {profile: eastron.sdm630, at: "modbus://127.0.0.1:502?unit=3"}
"""


#: What a Python that does nothing takes, by the same measure.
NOTHING = [sys.executable, "-c", ""]
NOTHING_MB = [sys.executable, "-c", "print(open('/proc/self/statm').read().split()[1])"]


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a cell, or of a Python that does nothing."""

    control_s: float
    gateway_s: float
    control_mb: float
    gateway_mb: float


def rows() -> Iterator[Row]:
    """The command line, then the small cell, then the one with OPC UA."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _bytecode(Path(folder) / "bytecode"),
        _small(Path(folder) / "small") as small,
        _whole(Path(folder) / "whole") as whole,
    ):
        _start(whole)
        helped = figures({"ours": partial(_command, [*CELLCTL, "--help"]), "floor": partial(_command, NOTHING)})
        starts: dict[str, Callable[[], Start]] = {
            "small": partial(_start, small),
            "whole": partial(_start, whole),
            "nothing": _nothing,
        }
        found = in_turn(starts)
    yield Row("P9", "cellctl --help", "s", helped, "≤ 0.2 s", 0.2, note="The floor is a Python that does nothing.")
    small_cell, whole_cell = (partial(_row, found[name], found["nothing"]) for name in ("small", "whole"))
    yield small_cell(lambda start: start.control_s, "s", metric="control ready, Modbus and serial devices", bound=0.6)
    yield small_cell(lambda start: start.control_mb, "MB", metric="memory of control, the same", bound=45)
    yield whole_cell(lambda start: start.control_s, "s", metric="control ready, with OPC UA devices", bound=1.2)
    yield whole_cell(lambda start: start.control_mb, "MB", metric="memory of control, the same", bound=120)
    yield whole_cell(lambda start: start.gateway_s, "s", metric="gateway serves", bound=1.5)
    yield whole_cell(lambda start: start.gateway_mb, "MB", metric="memory of the gateway", bound=120)


def _row(
    starts: Sequence[Start],
    nothing: Sequence[Start],
    value: Callable[[Start], float],
    unit: str,
    *,
    metric: str,
    bound: float,
) -> Row:
    both = {"ours": Figure(tuple(map(value, starts))), "floor": Figure(tuple(map(value, nothing)))}
    return Row("P9", metric, unit, both, f"≤ {bound:g} {unit}", bound)


def _command(command: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _nothing() -> Start:
    seconds = _command(NOTHING)
    pages = int(subprocess.run(NOTHING_MB, check=True, capture_output=True, text=True).stdout)
    return Start(seconds, seconds, _megabytes(pages), _megabytes(pages))


# --- one start --------------------------------------------------------------------------------------------------


def _start(cell: Path) -> Start:
    with tempfile.TemporaryDirectory() as state:
        command = [*CELLCTL, "run", str(cell), "--state", state, "--http", "127.0.0.1:0"]
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
                return Start(control_s, gateway_s, _memory_mb(control.pid), _memory_mb(int(gateway)))
            finally:
                control.send_signal(signal.SIGINT)
                control.wait(30)


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


def _memory_mb(pid: int) -> float:
    return _megabytes(int(Path(f"/proc/{pid}/statm").read_text().split()[1]))


def _megabytes(pages: int) -> float:
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def _bytecode(folder: Path) -> Iterator[None]:
    """What is started keeps its bytecode in `folder`, whatever the environment says: the second start finds it."""
    with patch.dict(os.environ, PYTHONPYCACHEPREFIX=str(folder)):
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        yield


# --- the cells --------------------------------------------------------------------------------------------------


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    shutil.copytree(BUNDLED, folder)
    with _simulated(folder):
        yield folder


@contextmanager
def _small(folder: Path) -> Iterator[Path]:
    left_out = shutil.ignore_patterns("world.py", "plc.py", "bm1-plc.yaml")
    for name in ("models", "profiles"):
        shutil.copytree(BUNDLED / name, folder / name, ignore=left_out)
    (folder / "cell.yaml").write_text(SMALL_CELL, encoding="utf-8")
    with _simulated(folder):
        yield folder


@contextmanager
def _simulated(folder: Path) -> Iterator[None]:
    """The devices of the cell, and their addresses in its file."""
    with subprocess.Popen([*CELLCTL, "sim", str(folder), "--json"], stdout=subprocess.PIPE, text=True) as devices:
        try:
            assert devices.stdout is not None
            text = (folder / "cell.yaml").read_text(encoding="utf-8")
            for device in json.loads(devices.stdout.readline())["devices"]:
                text = re.sub(rf'(\n +{device["id"]}: .*at: )"[^"]*"', rf'\g<1>"{device["at"]}"', text)
            (folder / "cell.yaml").write_text(text, encoding="utf-8")
            yield
        finally:
            devices.send_signal(signal.SIGINT)
            devices.wait(30)
