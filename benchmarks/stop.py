"""P6: how soon an Abort, once asked for, is on the wire as a safe output, while the cell has much to do.

The devices that make the load are the small program in C of P10. The one that is to be made safe is a Modbus device of
this process, so that the request leaves and the order arrives by the same clock.
"""

import json
import socket
import statistics
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import load
from benchmarks.exchange import NEEDED, built, serving
from benchmarks.rounds import Figure, Row, in_turn
from benchmarks.running import Running, bytecode, running

#: Aborts in a round; the slowest of a hundred tells the 99th of a hundred.
ABORTS = 100
#: The most that the gateway lets look on.
CLIENTS = 100

PROFILE = """
cellctl: 1
profile: {id: bench-press, version: 1, protocol: modbus, vendor: Bench, source: this benchmark, confidence: A}
signals:
  ram: {type: bool, read: coil 0, write: coil 0, every: 100 ms, safe: false}
"""


def rows() -> Iterator[Row]:
    """With a thousand signals; with a hundred clients of the page beside them."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            device = built(folder, "device")
        except NEEDED:
            print("P6 is left out: its devices need gcc.", file=sys.stderr)
            return
        ports = stack.enter_context(serving([str(device), "-c", "-n", str(load.DEVICES)]))
        stack.enter_context(bytecode(folder / "bytecode"))
        press = stack.enter_context(_Press().serving())
        cell = load.cell_of(folder / "cell", ports, f'  press: {{profile: bench-press, at: "{press.at}"}}\n')
        (cell / "profiles" / "bench-press.yaml").write_text(PROFILE, encoding="utf-8")
        cell_runs = stack.enter_context(running(cell, folder / "state"))
        ask = stack.enter_context(closing(_Link(folder / "state" / "control.sock")))
        loaded = in_turn({"ours": lambda: _aborts(ask, press), "floor": _floor})
        stack.enter_context(_clients(cell_runs))
        crowded = in_turn({"ours": lambda: _aborts(ask, press), "floor": _floor})
    note = (
        "From the request on the link to the frame at the device, the slowest but one of a hundred. The floor is one"
        " byte through a socket to a thread of this process and back."
    )
    yield Row(
        "P6",
        "Abort to the safe output on the wire, p99, 1,000 signals at 100 ms",
        "ms",
        _p99(loaded),
        "≤ 20 ms",
        20,
        note=note,
    )
    yield Row(
        "P6", f"the same before {CLIENTS} clients of the page", "ms", _p99(crowded), "≤ 100 ms", 100,
        note="No client reads what the stream of the page sends it. The gateway lets no more look on.",
    )  # fmt: skip


def _p99(found: dict[str, list[list[float]]]) -> dict[str, Figure]:
    return {
        name: Figure(tuple(statistics.quantiles(each, n=100)[-1] * 1e3 for each in many))
        for name, many in found.items()
    }


def _aborts(ask: "_Link", press: "_Press") -> list[float]:
    """Abort and clear, again and again; how long each took to be on the wire, s."""
    took = []
    for _ in range(ABORTS):
        press.safe.clear()
        begin = time.perf_counter()
        ask.fire("abort")
        assert press.safe.wait(10)
        took.append(press.safe_s - begin)
        ask.until("Aborted")
        ask.fire("clear")
        ask.until("Stopped")
    return took


def _floor() -> list[float]:
    """A byte to a thread and back."""
    mine, its = socket.socketpair()

    def echo() -> None:
        while byte := its.recv(1):
            its.send(byte)

    thread = threading.Thread(target=echo)
    thread.start()
    took = []
    for _ in range(ABORTS):
        begin = time.perf_counter()
        mine.send(b"x")
        mine.recv(1)
        took.append(time.perf_counter() - begin)
    mine.close()
    thread.join()
    its.close()
    return took


class _Link:
    """Control's own socket: what a gateway speaks to."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")
        self._requests = 0

    def close(self) -> None:
        """Leave."""
        self._lines.close()
        self._socket.close()

    def fire(self, command: str) -> None:
        """A command that must be taken."""
        self._requests += 1
        action = {"operate": {"command": command}}
        answer = self._asked(
            {"submit": {"id": f"bench-{self._requests}", "action": action, "by": "bench", "via": "bench"}}
        )
        assert "receipt" in answer, answer

    def until(self, state: str) -> None:
        """Wait for it."""
        while self._asked({"view": {}})["view"]["state"] != state:
            time.sleep(0.001)

    def _asked(self, message: object) -> dict[str, dict[str, str]]:
        self._socket.sendall(json.dumps(message).encode() + b"\n")
        told: dict[str, dict[str, str]] = json.loads(self._lines.readline())
        return told


class _Press:
    """A Modbus device with one coil. `safe` is set when the coil is told to be off, at `safe_s`."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.at = f"modbus://127.0.0.1:{self._listener.getsockname()[1]}?unit=1"
        self.safe = threading.Event()
        self.safe_s = 0.0

    @contextmanager
    def serving(self) -> Iterator["_Press"]:
        """For the length of the block."""
        threading.Thread(target=self._serve, daemon=True).start()
        try:
            yield self
        finally:
            self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as stream:
            while len(head := stream.read(7)) == 7:
                number, _, length, unit = struct.unpack(">HHHB", head)
                request = stream.read(length - 1)
                if request[0] == 5:
                    if request[3] == 0:
                        self.safe_s = time.perf_counter()
                        self.safe.set()
                    answer = request
                else:
                    answer = bytes([request[0], 1, 0])
                connection.sendall(struct.pack(">HHHB", number, 0, len(answer) + 1, unit) + answer)


@contextmanager
def _clients(cell: Running) -> Iterator[None]:
    """So many clients of the page's stream."""
    place = urlsplit(cell.address)
    with ExitStack() as stack:
        for _ in range(CLIENTS):
            client = stack.enter_context(socket.create_connection((place.hostname or "", place.port or 0)))
            client.sendall(
                f"GET /api/v1/stream HTTP/1.1\r\nHost: {place.netloc}\r\nAccept: text/event-stream\r\n\r\n".encode()
            )
        yield
