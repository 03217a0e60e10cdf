"""P10: what a cell of twenty Modbus devices and a thousand signals costs, as it runs, with its journal and history.

The devices are one small program in C; a tenth of their registers are another number at every reading.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.exchange import NEEDED, built, serving
from benchmarks.rounds import Row, figures
from benchmarks.running import Running, bytecode, running

DEVICES, SIGNALS, PERIOD_S = 20, 50, 0.1
SECONDS = 2.0

PROFILE = """
cellctl: 1
profile: {{id: bench-meter, version: 1, protocol: modbus, vendor: Bench, source: this benchmark, confidence: A}}
signals:
{signals}
"""
CELL = """
cellctl: 1
cell: {{id: busy, name: Busy}}
devices:
{devices}
"""


def rows() -> Iterator[Row]:
    """One row."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            device = built(Path(folder), "device")
        except NEEDED:
            print("P10 is left out: its devices need gcc.", file=sys.stderr)
            return
        command = [str(device), "-c", "-n", str(DEVICES)]
        with serving(command) as ports, serving(command) as others, bytecode(Path(folder) / "bytecode"):
            cell = cell_of(Path(folder) / "cell", ports)
            with running(cell, Path(folder) / "state") as cell_runs:
                found = figures({"ours": lambda: _ours(cell_runs), "peer": lambda: _peer(others)})
    yield Row(
        "P10", f"part of a core, {DEVICES * SIGNALS:,} signals of {DEVICES} Modbus devices at {1e3 * PERIOD_S:.0f} ms",
        "%", found, "≤ 25 %", 25,
        note="The peer is pymodbus in a loop for each device, which reads the registers and does nothing with them.",
    )  # fmt: skip


def cell_of(folder: Path, ports: Sequence[str], more: str = "") -> Path:
    """A cell of these devices, in `folder`, with `more` lines of devices."""
    rows = (
        f'  s{n}: {{type: int, read: "holding {n} uint16", every: {1e3 * PERIOD_S:.0f} ms}}' for n in range(SIGNALS)
    )
    devices = (
        f'  d{n}: {{profile: bench-meter, at: "modbus://127.0.0.1:{port}?unit=1"}}' for n, port in enumerate(ports)
    )
    (folder / "profiles").mkdir(parents=True)
    (folder / "profiles" / "bench-meter.yaml").write_text(PROFILE.format(signals="\n".join(rows)), encoding="utf-8")
    (folder / "cell.yaml").write_text(CELL.format(devices="\n".join(devices)) + more, encoding="utf-8")
    return folder


def _ours(cell: Running) -> float:
    before = cell.cpu_s
    time.sleep(SECONDS)
    return (cell.cpu_s - before) / SECONDS * 100


def _peer(ports: Sequence[str]) -> float:
    """In a process of its own."""
    command = [sys.executable, "-m", "benchmarks.load_peer", str(SECONDS), str(PERIOD_S), str(SIGNALS), *ports]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
