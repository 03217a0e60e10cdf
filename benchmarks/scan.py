"""P4: 100 registers every 10 ms over Modbus TCP: how often, how late, and for how much of a core.

All clients poll the same small device, which notes when each request comes; so all are judged by the same clock.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.rounds import Figure, Row, in_turn

HERE = Path(__file__).parent
SECONDS = 3.0
PERIOD_NS = 10_000_000
#: The requests of the first moment, in which a client is still settling.
SETTLING = 40


@dataclass(frozen=True, slots=True)
class Run:
    """One client for some seconds."""

    rate: float  # requests/s
    late_ms: float  # p99 of how late a request was
    core: float  # % of a core

    @classmethod
    def of(cls, arrivals: Sequence[int], cpu_s: float) -> "Run":
        """Judge `arrivals` (ns): the n-th request against the n-th due time of the best possible grid."""
        seen = arrivals[SETTLING:]
        offsets = [at - number * PERIOD_NS for number, at in enumerate(seen)]
        late = sorted(offset - min(offsets) for offset in offsets)
        rate = (len(seen) - 1) / ((seen[-1] - seen[0]) / 1e9)
        return cls(rate, late[len(late) * 99 // 100] / 1e6, cpu_s / SECONDS * 100)


def rows() -> Iterator[Row]:
    """The rows of an idle machine, then those of one with all cores busy."""
    if shutil.which("gcc") is None:
        print("P4 is left out: its device and its floor need gcc.", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "scan"
        subprocess.run(["gcc", "-O2", "-o", program, HERE / "scan.c"], check=True)
        idle = _measure(program)
        with _busy_cores():
            busy = _measure(program)
    rate = partial(_figures, value=lambda run: run.rate)
    late = partial(_figures, value=lambda run: run.late_ms)
    core = partial(_figures, value=lambda run: run.core)
    note = (
        "A tenth of the registers change at every scan. The floor is a C program with `clock_nanosleep`, "
        "the peer pymodbus in a loop with `asyncio.sleep`."
    )
    yield Row("P4", "scans of 100 registers at 10 ms", "1/s", rate(idle), "100.0/s", 99.95, at_least=True, note=note)
    yield Row("P4", "lateness p99, idle", "ms", late(idle), "≤ 4 × the floor", 4, against="floor", note=_PRIORITY)
    yield Row("P4", "part of a core", "%", core(idle), "≤ 3 %", 3)
    yield Row("P4", "scans, all cores busy", "1/s", rate(busy), "100.0/s", 99.95, at_least=True)
    yield Row("P4", "lateness p99, all cores busy", "ms", late(busy), "≤ 4 × the floor", 4, against="floor")


_PRIORITY = (
    "Ours and the floor ask for real-time priority, as the control process does where it is permitted; the peer does"
    " not."
)


def _measure(program: Path) -> dict[str, list[Run]]:
    polls = str(round(SECONDS * 1e9 / PERIOD_NS) + SETTLING)
    client = [sys.executable, "-m", "benchmarks.scan_client"]
    commands: dict[str, Callable[[str], list[str]]] = {
        "ours": lambda port: [*client, "ours", port, str(SECONDS)],
        "floor": lambda port: [str(program), "client", port, polls],
        "peer": lambda port: [*client, "peer", port, str(SECONDS)],
    }
    return in_turn({name: partial(_run, program, command) for name, command in commands.items()})


def _run(program: Path, command: Callable[[str], list[str]]) -> Run:
    with subprocess.Popen([program, "server"], stdout=subprocess.PIPE, text=True) as device:
        assert device.stdout is not None
        try:
            port = device.stdout.readline().strip()
            done = subprocess.run(
                command(port), cwd=HERE.parent, capture_output=True, text=True, check=True, timeout=SECONDS + 30
            )
            told, _ = device.communicate(timeout=10)
        finally:
            device.kill()
    return Run.of([int(line) for line in told.split()], float(done.stdout))


@contextmanager
def _busy_cores() -> Iterator[None]:
    """As many processes as there are cores that do nothing but count; they end by themselves should we not end them."""
    endless = "import time\nend = time.monotonic() + 300\nwhile time.monotonic() < end: pass"
    busy = [subprocess.Popen([sys.executable, "-c", endless]) for _ in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def _figures(runs: dict[str, list[Run]], *, value: Callable[[Run], float]) -> dict[str, Figure]:
    return {name: Figure(tuple(value(run) for run in each)) for name, each in runs.items()}
