"""Stop always works: whatever is wrong, Stop and Abort take the energy out of the process, and it is told how soon.

What is wrong within control, its disk or its devices happens in virtual time, so that the times are those of the
product and not of the machine. What is wrong with the gateway happens in real processes. The rule kept here: the world
is asked whether a device still has energy, never the controller.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from cellctl.core.messages import Operate
from cellctl.core.packml import Command
from cellctl.model import CellModel, find_cell, load
from cellctl.testing.bench import Bench, Level, Setup
from cellctl.testing.cells import cell_model
from cellctl.testing.faults import BenchFaults
from cellctl.testing.virtual import VirtualLoop, wall_clock
from cellctl.testing.worlds.attendant import Attendant
from tests.kills.operator import Operator, asked
from tests.scenarios.processes import running

DEVICES = ("plc", "robot", "grip", "laser", "eol", "meter")

#: What is wrong, and the level at which it can be.
TROUBLES: Mapping[str, Level] = {
    "nothing": "wire",
    **{f"{device} is a black hole": "wire" for device in DEVICES},
    "the disk is full": "direct",
    "the disk takes 3 s": "direct",
    "a phase that never ends": "direct",
}

#: No energy within this, s: the time-out of a line that has just been asked, and the way there and back.
SAFE_S = 0.6

#: A device that cannot be reached looks after itself: the laser's watchdog, and one of its beats.
ALONE_S = 2.0

#: The cell is at rest within this, s, when a safe order was not confirmed.
REST_S = 15.0

#: In real processes it may take so long, however slow the machine is.
WAIT_S = 30.0

#: It is pressed so long after the trouble began, s: before anybody has noticed it, and while it is being noticed.
LATER_S = (0.0, 0.02, 0.1, 0.3)

#: A part is being welded within this, s.
_WELDING_S = 120.0

#: A phase that never waits for anything that does not come at once.
_ENDLESS = """
        while True:
            await c.laser.power.set(power)
"""


@dataclass(frozen=True, slots=True)
class Stopped:
    """What came of it: how long until nothing had energy, and until the cell was at rest (s; None: never)."""

    trouble: str
    command: Command
    safe_s: float | None
    rest_s: float | None

    @property
    def bound_s(self) -> float:
        """Until when nothing is to have energy."""
        return ALONE_S if self.trouble.startswith("laser") else SAFE_S

    @property
    def wrong(self) -> str:
        """What is; empty if nothing."""
        if self.safe_s is None or self.safe_s > self.bound_s:
            return f"there is energy for {self.safe_s} s, more than {self.bound_s:g} s"
        return "" if self.rest_s is not None else f"it is not at rest within {REST_S:g} s"

    def __str__(self) -> str:
        safe, rest = ("never" if one is None else f"{one:7.3f} s" for one in (self.safe_s, self.rest_s))
        return f"{self.trouble:22}  {self.command.title:6}  no energy after {safe}, at rest after {rest}"


def stopped(trouble: str, command: Command, later_s: float = 0.0) -> Stopped:
    """Weld, let that be wrong, and press it so much later; in virtual time."""
    loop = VirtualLoop()
    with tempfile.TemporaryDirectory(prefix="cellctl-stop-") as name, ExitStack() as stack:
        if TROUBLES[trouble] == "wire":
            stack.enter_context(wall_clock(loop))
        model = _endless(Path(name)) if trouble == "a phase that never ends" else cell_model("battery-module")
        state = Path(name) / "state"
        state.mkdir()
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(_stopped(Setup(model, state, TROUBLES[trouble]), trouble, command, later_s))


async def _stopped(setup: Setup, trouble: str, command: Command, later_s: float) -> Stopped:
    async with Bench(setup) as bench:
        person = Attendant(bench, (("module-8s", 1),), Random(0))
        async with asyncio.timeout(_WELDING_S):
            while not (bench.simulation.get("laser.on") and bench.state == "Execute"):
                await person.look()
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.7)  # it is ready, and fires
        assert bench.simulation.world.energised()
        _begin(bench, trouble)
        await asyncio.sleep(later_s)
        begun_s = bench.time_s()
        asked = asyncio.create_task(bench.submit(Operate(command)))
        safe_s = await _after(bench, begun_s, lambda: not bench.simulation.world.energised())
        if "disk" in trouble:
            bench.disk.error = ""  # somebody makes space: what was decided is written, and the answer given
        goal = "Stopped" if command is Command.STOP else "Aborted"
        rest_s = await _after(bench, begun_s, lambda: bench.state in (goal, "Aborted"))
        await asked
        return Stopped(trouble, command, safe_s, rest_s)


async def _after(bench: Bench, begun_s: float, fulfilled: Callable[[], bool]) -> float | None:
    """How long it took until then."""
    while bench.time_s() - begun_s < REST_S:
        bench.simulation.settle()
        if fulfilled():
            return bench.time_s() - begun_s
        await asyncio.sleep(0.001)
    return None


def _begin(bench: Bench, trouble: str) -> None:
    faults = BenchFaults(bench)
    match trouble.split():
        case [device, "is", "a", "black", "hole"]:
            faults("black_hole", device)
        case ["the", "disk", "is", "full"]:
            faults("disk_full")
        case ["the", "disk", "takes", number, unit]:
            faults("slow_disk", by=f"{number} {unit}")


def _endless(folder: Path) -> CellModel:
    """The cell with a phase of welding that goes on for ever."""
    cell = folder / "endless"
    shutil.copytree(find_cell("battery-module"), cell)
    phases = cell / "phases" / "module.py"
    head, on, rest = phases.read_text().partition("        await c.laser.on()\n")
    _, until, rest = rest.partition("\n\n@phase")
    phases.write_text(head + on + _ENDLESS.lstrip("\n") + until + rest)
    return load(cell)


# --- in real processes ------------------------------------------------------------------------------------------------

#: The most that the gateway lets look on.
ONLOOKERS = 100


def stopped_without_gateway(state: Path) -> Stopped:
    """Weld, kill the gateway, and stop where everything that is not the page does: at control."""
    with running(state, "--http", "127.0.0.1:0", "--speed", "2") as told:
        operator, door = _welding(state)
        assert told
        os.kill(_gateway(state), signal.SIGKILL)
        begun_s = time.monotonic()
        operator.press(Command.STOP)
        return _timed("the gateway is killed", operator, door, begun_s)


def stopped_before_many(state: Path) -> Stopped:
    """Weld, have a hundred look on who do not read what they are told, and stop by the gateway, as the page does."""
    with running(state, "--http", "127.0.0.1:0", "--speed", "2") as told:
        url = told.split()[-1]
        with _onlookers(url):
            operator, door = _welding(state)
            begun_s = time.monotonic()
            body = json.dumps({"command": "stop"}).encode()
            request = Request(f"{url}api/v1/commands", body, {"Content-Type": "application/json"})
            with urlopen(request, timeout=WAIT_S) as answer:
                assert answer.status == 202
            return _timed(f"{ONLOOKERS} look on", operator, door, begun_s)


def _welding(state: Path) -> tuple[Operator, Path]:
    """Lead the cell until the laser is on."""
    door = Path(json.loads((state / "simulation.json").read_text())["control"])
    operator = Operator(state, door)
    operator.lead(lambda: _energised(door), _WELDING_S)
    assert _energised(door)
    return operator, door


def _timed(trouble: str, operator: Operator, door: Path, begun_s: float) -> Stopped:
    """How long it takes from the press on until nothing has energy, and until the cell is at rest."""
    safe_s = rest_s = None
    while (rest_s is None or safe_s is None) and time.monotonic() - begun_s < WAIT_S:
        if safe_s is None and not _energised(door):
            safe_s = time.monotonic() - begun_s
        if rest_s is None and (operator.view(1.0) or {}).get("state") == "Stopped":
            rest_s = time.monotonic() - begun_s
    return Stopped(trouble, Command.STOP, safe_s, rest_s)


def _energised(door: Path) -> bool:
    """Whether the laser is on, as the world knows it."""
    told = asked(door, b'{"do": "get", "name": "laser.on"}\n', WAIT_S)
    assert told is not None, "the simulated devices are gone"
    return bool(told["value"])


def _gateway(state: Path) -> int:
    """The process of the gateway of this cell."""
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = each.read_bytes().decode().split("\0")
            if "cellctl.gateway" in words and str(state) in words:
                return int(each.parent.name)
    raise AssertionError("there is no gateway")


@contextmanager
def _onlookers(url: str) -> Iterator[None]:
    """Clients of the live stream that do not read what they are told."""
    at = urlsplit(url)
    with ExitStack() as stack:
        clients = [stack.enter_context(_connected(at.hostname, at.port)) for _ in range(ONLOOKERS)]
        for client in clients:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(f"GET /api/v1/stream HTTP/1.1\r\nHost: {at.netloc}\r\n\r\n".encode())
        for client in clients:
            assert client.recv(12) == b"HTTP/1.1 200"
        yield


def _connected(host: str | None, port: int | None) -> socket.socket:
    """A connection to the gateway, which may still be starting."""
    end_s = time.monotonic() + WAIT_S
    while True:
        try:
            return socket.create_connection((host, port), timeout=WAIT_S)
        except ConnectionRefusedError:
            if time.monotonic() > end_s:
                raise
            time.sleep(0.05)
