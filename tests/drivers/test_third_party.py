"""The Modbus driver against servers that are not ours: pyModbusTCP, modbus-serial, and modbus-tk and libmodbus over TCP
and over a line."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cellctl.driver import Device, DriverError, Outcome, WrongDevice
from cellctl_drivers.modbus import ModbusDriver
from tests.peers import Peer, javascript, libmodbus

from .recording import RecordingLink, Running, until
from .rigs import GO, MODBUS_POINTS, REGISTERS

PROGRAM = Path(__file__).with_name("third_party.py")
NAMES = ("pyModbusTCP", "modbus-tk", "modbus-tk-rtu", "libmodbus", "libmodbus-rtu", "modbus-serial")
#: None of them refuses single registers, or keeps a value.
POINTS = {name: point for name, point in MODBUS_POINTS.items() if name not in ("clamped", "locked")}


class Server:
    """One of them, in a process of its own."""

    def __init__(self, peer: Peer) -> None:
        self.process, self._peer = peer.process, peer
        self.address = peer.line()

    def holds(self, register: int) -> int:
        """What a register holds now."""
        return int(self._peer.ask(register))

    def driver(self, expect: int = 0xE280) -> ModbusDriver:
        """A driver for it."""
        identity = {"read": "holding 121 uint16", "expect": expect}
        return ModbusDriver(Device("dev", "modbus", self.address, POINTS, {"go": GO}, {"timeout": "500 ms"}, identity))


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[[str], Server]]:
    """Starts the server of that name, until the test ends."""
    with ExitStack() as stack:
        yield lambda name: Server(stack.enter_context(Peer(_argv(name, tmp_path))))


def _argv(name: str, folder: Path) -> list[str]:
    rows = [f"{register}={value}" for register, value in REGISTERS.items()]
    match name:
        case "libmodbus" | "libmodbus-rtu":
            return libmodbus(folder, "server", "pty" if name.endswith("-rtu") else "tcp", 1, *rows)
        case "modbus-serial":
            return javascript("modbus_server.mjs", name, 1, *rows)
        case _:
            return [sys.executable, "-W", "ignore", str(PROGRAM), name, json.dumps(REGISTERS)]


@pytest.fixture(params=NAMES)
def server(request: pytest.FixtureRequest, started: Callable[[str], Server]) -> Server:
    return started(request.param)


async def test_values_are_read(server: Server, link: RecordingLink) -> None:
    async with Running(server.driver(), link):
        await until(lambda: POINTS.keys() <= link.last.keys())
    assert {name: link.last[name].value for name in ("temp", "count", "flag", "setpoint")} == {
        "temp": 23.5, "count": 42, "flag": True, "setpoint": 10.0,
    }  # fmt: skip
    assert (link.last["temp"].good, link.last["fault"].good) == (True, False)


async def test_what_is_written_arrives(server: Server, link: RecordingLink) -> None:
    async with Running(server.driver(), link):
        assert (await link.set("setpoint", 80.0)).outcome is Outcome.CONFIRMED
        assert (await link.answer(link.call("go", token=513))).outcome is Outcome.CONFIRMED
    assert (server.holds(50), server.holds(80)) == (80, 513)


async def test_another_device_is_refused(server: Server, link: RecordingLink) -> None:
    async with Running(server.driver(expect=7), link) as run:
        error = await run.ended()
    assert isinstance(error, WrongDevice)
    assert server.holds(80) == 0


@pytest.mark.parametrize("name", ["pyModbusTCP", "modbus-tk", "libmodbus", "modbus-serial"])
async def test_a_server_that_dies_is_lost(name: str, started: Callable[[str], Server], link: RecordingLink) -> None:
    server = started(name)
    async with Running(server.driver(), link) as run:
        await link.value("count", 42)
        server.process.kill()
        error = await run.ended()
    assert isinstance(error, DriverError)
