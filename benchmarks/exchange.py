"""P1 to P3: how many requests a Modbus driver makes, what the read planner is worth, and what a line allows.

All clients ask the same small devices, which are programs in C. Client and device have a core each, as two machines
have; where it says "one core" they share one, and what counts is the CPU that the client needs.
"""

import json
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

from benchmarks.exchange_client import AT_ONCE, SIGNALS
from benchmarks.rounds import Figure, Row, in_turn

HERE = Path(__file__).parent
JAVASCRIPT = HERE.parent / ".venv" / "js"
SECONDS = 0.5
#: So many blocks of 125 registers hold the signals of P2.
BLOCKS = 8
#: P3: a line, the bytes of one exchange of 125 registers, and the silence that the standard wants between two frames.
BAUD, CHARACTER_BITS, EXCHANGE_BYTES, SILENCE_S = 115_200, 10, 8 + 255, 0.00175
#: The devices of P2 that take their time, and how long.
SLOW_US, SLOW_DEVICES = 2_000, 10


@dataclass(frozen=True, slots=True)
class Run:
    """One client for some time."""

    answers: float
    seconds: float
    cpu_s: float
    slow_s: float  # the slowest but one in a hundred

    @property
    def rate(self) -> float:
        """Answers in a second."""
        return self.answers / self.seconds


#: What is raised where there is no compiler, or no library.
NEEDED = (OSError, subprocess.CalledProcessError)

Client = Callable[[Sequence[str]], Run]


def rows() -> Iterator[Row]:
    """The rows of P1, P2 and P3; none without what they are built with."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            floor, device, line = (built(Path(folder), name) for name in ("floor", "device", "line"))
        except NEEDED:
            print("P1 to P3 are left out: they need gcc and libmodbus (libmodbus-dev).", file=sys.stderr)
            return
        libmodbus = partial(_floor, floor)
        yield from _requests(device, libmodbus)
        yield from _scans(device, libmodbus)
        yield _line(line, floor)


def _requests(device: Path, libmodbus: Client) -> Iterator[Row]:
    clients: dict[str, Client] = {
        "ours": partial(_python, "ten"), "floor": libmodbus, "peer": partial(_python, "pymodbus"),
    }  # fmt: skip
    if (JAVASCRIPT / "node_modules" / "modbus-serial").exists() and shutil.which("node"):
        clients["javascript"] = _javascript
    found = _measured(device, clients)
    shared = _measured(
        device, {"ours": partial(_python, "pipelined"), "alone": partial(_python, "ten"), "floor": libmodbus}, cores=1
    )
    three = {name: found[name] for name in ("ours", "floor", "peer")}
    rate = partial(_figures, value=lambda run: run.rate)
    note = "Ten registers, one request after the other. The floor is libmodbus, the peer pymodbus."
    yield Row(
        "P1", "Modbus TCP requests", "1/s", rate(three), "≥ 0.85 × the floor", 0.85, "floor", at_least=True, note=note
    )
    if "javascript" in found:
        both = {"ours": found["ours"], "peer": found["javascript"]}
        yield Row(
            "P1", "the same, against modbus-serial (JavaScript)", "1/s", rate(both), "≥ 1 × the peer", 1, "peer",
            at_least=True,
        )  # fmt: skip
    cpu = _figures(three, value=lambda run: run.cpu_s / run.answers * 1e6)
    yield Row("P1", "CPU of one request", "µs", cpu, "≤ 1.3 × the floor", 1.3, "floor")
    slow = _figures(three, value=lambda run: run.slow_s * 1e6)
    yield Row("P1", "the slowest of a hundred requests", "µs", slow, "≤ 2 × the floor", 2, "floor")
    both = {name: shared[name] for name in ("ours", "floor")}
    yield Row(
        "P1", f"requests on one core, {AT_ONCE} at once", "1/s", rate(both), "≥ 1.2 × the floor", 1.2, "floor",
        at_least=True, note="The floor asks one after the other: libmodbus has no other way.",
    )  # fmt: skip
    both = {"ours": shared["alone"], "floor": shared["floor"]}
    yield Row("P1", "requests on one core, one at a time", "1/s", rate(both), "told", 0, "floor", at_least=True)


def _scans(device: Path, libmodbus: Client) -> Iterator[Row]:
    scattered, one_by_one = partial(_python, "scattered"), partial(_python, "one_by_one")
    quick = {
        "ours": scattered,
        "floor": libmodbus,
        "alone": one_by_one,
        "peer": partial(_python, "pymodbus_one_by_one"),
    }
    found = _measured(device, quick)
    slow = _measured(device, {"ours": scattered, "floor": libmodbus}, delay_us=SLOW_US)
    many = _measured(device, {"ours": partial(_python, "ten")}, delay_us=SLOW_US, devices=SLOW_DEVICES)
    share = {"ours": BLOCKS, "floor": 1, "alone": SIGNALS, "peer": SIGNALS}

    def took(runs: dict[str, list[Run]], *names: str) -> dict[str, Figure]:
        return {name: Figure(tuple(share[name] / run.rate * 1e3 for run in runs[name])) for name in names}

    text = f"{SIGNALS} signals over 1,000 registers"
    yield Row(
        "P2", text, "ms", took(found, "ours", "floor", "peer"), "≤ 10 × the floor", 10, "floor",
        note="The floor is one request of ten registers with libmodbus; the peer reads the signals one by one with"
        " pymodbus.",
    )  # fmt: skip
    yield Row(
        "P2", f"{text}, the device takes 2 ms", "ms", took(slow, "ours", "floor"), "≤ 8.3 × the floor", 8.3, "floor"
    )
    both = took(found, "ours") | {"peer": took(found, "alone")["alone"]}
    yield Row(
        "P2", "the same, against one by one", "ms", both, "≤ 1/20 of the peer", 1 / 20, "peer",
        note="The peer is the same driver, with each signal in a request of its own.",
    )  # fmt: skip
    each = {
        "ours": Figure(tuple(SLOW_DEVICES / run.rate * 1e3 for run in many["ours"])),
        "floor": took(slow, "floor")["floor"],
    }
    yield Row("P2", f"{SLOW_DEVICES} devices that take 2 ms", "ms", each, "≤ 1.15 × the floor", 1.15, "floor")


def _line(line: Path, floor: Path) -> Row:
    wire_s = EXCHANGE_BYTES * CHARACTER_BITS / BAUD + SILENCE_S

    def on_line(run: Callable[[str], Run]) -> Run:
        with serving([str(line), str(BAUD)]) as (path,):  # one of its own, so that nobody hears another's answer
            return run(path)

    ours = partial(on_line, lambda path: _python("longest", [f"modbus+rtu:{path}?baud={BAUD}&unit=1"]))
    peer = partial(on_line, lambda path: _told([str(floor), "rtu", path, str(SECONDS), "125"]))
    found = in_turn({"ours": ours, "floor": lambda: Run(1, wire_s, 0, wire_s), "peer": peer})
    return Row(
        "P3", f"125 registers over a line at {BAUD:,} baud", "ms", _figures(found, value=lambda run: 1e3 / run.rate),
        "≤ 1.03 × the floor", 1.03, "floor",
        note="The floor is what the bytes take on the line, with the silence between two frames that the standard"
        " wants; the peer is libmodbus, which does without that silence.",
    )  # fmt: skip


# --- one client -------------------------------------------------------------------------------------------------


def _measured(
    device: Path, clients: dict[str, Client], *, delay_us: int = 0, devices: int = 1, cores: int = 2
) -> dict[str, list[Run]]:
    """Each client in turn against the same devices, on a core of its own if there are two."""
    every = sorted(os.sched_getaffinity(0))
    command = [str(device), "-d", str(delay_us), "-n", str(devices)]
    with _pinned(every[-1]), serving(command) as ports, _pinned(every[0] if cores > 1 else every[-1]):
        return in_turn({name: partial(client, ports) for name, client in clients.items()})


def _floor(program: Path, ports: Sequence[str]) -> Run:
    return _told([str(program), "tcp", ports[0], str(SECONDS), "10"])


def _python(name: str, ports: Sequence[str]) -> Run:
    addresses = [port if ":" in port else f"modbus://127.0.0.1:{port}?unit=1" for port in ports]
    return _told([sys.executable, "-m", "benchmarks.exchange_client", name, str(SECONDS), *addresses])


def _javascript(ports: Sequence[str]) -> Run:
    return _told(["node", str(HERE / "exchange_peer.mjs"), str(JAVASCRIPT), str(SECONDS), ports[0]])


def _told(command: Sequence[str]) -> Run:
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=True, timeout=SECONDS + 30)
    return Run(*json.loads(done.stdout))


def built(folder: Path, name: str) -> Path:
    """One of the programs in C; one of NEEDED if it cannot be built."""
    library = ["-lmodbus"] if name == "floor" else []
    subprocess.run(
        ["gcc", "-O2", "-o", folder / name, HERE / f"{name}.c", *library], check=True, stderr=subprocess.PIPE
    )
    return folder / name


@contextmanager
def serving(command: Sequence[str]) -> Iterator[list[str]]:
    """The program, and the addresses that it prints; it ends with its input."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        try:
            yield program.stdout.readline().split()
        finally:
            program.stdin.close()
            program.wait(timeout=10)


@contextmanager
def _pinned(core: int) -> Iterator[None]:
    """What is started meanwhile runs on that core only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _figures(runs: dict[str, list[Run]], *, value: Callable[[Run], float]) -> dict[str, Figure]:
    return {name: Figure(tuple(value(run) for run in each)) for name, each in runs.items()}
