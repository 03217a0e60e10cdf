"""P9: how long until control and gateway are ready, how much memory they take, how quickly the command line answers.

The devices are simulated in a process of their own that is up before; the cell is started as a user would start it,
with the bytecode that an installation has.
"""

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.rounds import Figure, Row, figures, in_turn
from benchmarks.running import CELLCTL, bytecode, megabytes, memory_mb, running

BUNDLED = Path(__file__).parent.parent / "recipes" / "battery-module"
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
        bytecode(Path(folder) / "bytecode"),
        small_cell(Path(folder) / "small") as small,
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
    of_small, of_whole = (partial(_row, found[name], found["nothing"]) for name in ("small", "whole"))
    yield of_small(lambda start: start.control_s, "s", metric="control ready, Modbus and serial devices", bound=0.6)
    yield of_small(lambda start: start.control_mb, "MB", metric="memory of control, the same", bound=45)
    yield of_whole(lambda start: start.control_s, "s", metric="control ready, with OPC UA devices", bound=1.2)
    yield of_whole(lambda start: start.control_mb, "MB", metric="memory of control, the same", bound=120)
    yield of_whole(lambda start: start.gateway_s, "s", metric="gateway serves", bound=1.5)
    yield of_whole(lambda start: start.gateway_mb, "MB", metric="memory of the gateway", bound=120)


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
    return Start(seconds, seconds, megabytes(pages), megabytes(pages))


# --- one start --------------------------------------------------------------------------------------------------


def _start(cell: Path) -> Start:
    with tempfile.TemporaryDirectory() as state, running(cell, Path(state)) as cell_runs:
        control, gateway = (memory_mb(pid) for pid in (cell_runs.pid, cell_runs.gateway_pid))
        return Start(cell_runs.control_s, cell_runs.gateway_s, control, gateway)


# --- the cells --------------------------------------------------------------------------------------------------


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    shutil.copytree(BUNDLED, folder)
    with _simulated(folder):
        yield folder


@contextmanager
def small_cell(folder: Path) -> Iterator[Path]:
    """The bundled cell without its PLC, in `folder`, with its devices simulated for the length of the block."""
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
