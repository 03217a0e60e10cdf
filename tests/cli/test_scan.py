"""What is there: found by its identity, and never written to."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cellctl.cli.terminal import USAGE
from cellctl.commission import greet, scan
from cellctl.commission.visit import Visit
from cellctl.driver import Device, Link
from cellctl_simulators.models.universal_robots import UrArm
from cellctl_simulators.servers.modbus import ANY_UNIT, ModbusSession
from tests.cli.terminal import run, terminal
from tests.drivers.opcua_secure import BASIC, Press


class Arm(UrArm):
    """An arm that notes who writes to it."""

    def __init__(self) -> None:
        super().__init__()
        self.update(0, self.inputs)
        self.written: list[int] = []
        self.wire.write = lambda function, address, values: self.written.append(address)  # type: ignore[method-assign]


class Served(asyncio.Protocol):
    """One connection to the arm."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._session = ModbusSession(transport.write, self._arm.wire, lambda: None, unit=ANY_UNIT, serial=False)

    def data_received(self, data: bytes) -> None:
        self._session.feed(data)


@pytest.fixture
def arm() -> Iterator[tuple[Arm, int]]:
    """An arm behind Modbus TCP, in a thread of its own, and its port."""
    made, started = Arm(), threading.Event()
    place: list[int] = []

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: Served(made), "127.0.0.1", 0)
        place.append(server.sockets[0].getsockname()[1])
        started.set()
        async with server:
            await asyncio.to_thread(ended.wait)

    ended = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    started.wait(10)
    yield made, place[0]
    ended.set()
    thread.join()


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is not known at once is not known."""
    monkeypatch.setattr(scan, "KNOW_S", 0.6)
    monkeypatch.setattr(greet, "WAIT_S", 0.2)


def test_a_device_is_found_and_nothing_is_written_to_it(arm: tuple[Arm, int]) -> None:
    made, port = arm
    shown = run("scan", "net", "127.0.0.1", "--ports", str(port))
    assert shown.code == 0, shown.err
    place, *known = shown.out.splitlines()
    assert place == f"127.0.0.1:{port}"
    assert f'  NAME: {{profile: universal-robots.ur, at: "modbus://127.0.0.1:{port}"}}  # says of itself: 5' in known
    assert made.written == []


def test_the_same_as_a_document(arm: tuple[Arm, int]) -> None:
    document = json.loads(run("scan", "net", "127.0.0.1/32", "--ports", str(arm[1]), "--json").out)
    (found,) = document["found"]
    known = {each["profile"]: each["at"] for each in found["known"]}
    assert known["universal-robots.ur"] == f"modbus://127.0.0.1:{arm[1]}"


async def test_units_behind_a_gateway_are_looked_for() -> None:
    """Unit 2 is an arm, 3 something that nobody knows; of 4 the gateway says that nobody answers, 1 is silent."""
    arm, other = Arm(), UrArm()
    other.wire.read = lambda function, address, count: [0] * count  # type: ignore[method-assign]

    class Gateway(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self._transport = transport
            wires = ((2, arm.wire), (3, other.wire))
            self._units = [
                ModbusSession(transport.write, wire, lambda: None, unit=unit, serial=False) for unit, wire in wires
            ]

        def data_received(self, data: bytes) -> None:
            for unit in self._units:
                unit.feed(data)
            if data[6] == 4:
                self._transport.write(data[:4] + bytes([0, 3, 4, data[7] | 0x80, 11]))

    async with await asyncio.get_running_loop().create_server(Gateway, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        shown = await terminal("scan", "net", "127.0.0.1", "--ports", str(port), "--units", "1..4")
    assert (shown.code, arm.written) == (0, []), shown.err
    found = shown.out.splitlines()
    assert found[0] == f"127.0.0.1:{port} unit 2"
    at = f"modbus://127.0.0.1:{port}?unit="
    assert f'  NAME: {{profile: universal-robots.ur, at: "{at}2"}}  # says of itself: 5' in found
    assert found[-2:] == [
        f"127.0.0.1:{port} unit 3  something that no bundled profile knows; it speaks Modbus",
        f'  try cellctl browse --at "{at}3"',
    ]
    assert "unit 1" not in shown.out
    assert "unit 4" not in shown.out


def test_a_device_that_does_not_look_at_the_number_is_told_once(arm: tuple[Arm, int]) -> None:
    made, port = arm
    shown = run("scan", "net", "127.0.0.1", "--ports", str(port), "--units", "1..3")
    places = [line for line in shown.out.splitlines() if not line.startswith("  ")]
    assert places == [f"127.0.0.1:{port} units 1-3"]
    assert f'at: "modbus://127.0.0.1:{port}?unit=1"' in shown.out
    assert made.written == []


def test_what_listens_and_says_nothing_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        shown = run("scan", "net", "127.0.0.1", "--ports", str(port))
    assert shown.out == f"127.0.0.1:{port}  something that no bundled profile knows\n"


class Waiting:
    """A driver that waits for its device for ever."""

    is_open = False

    async def run(self, link: Link) -> None:
        self.is_open = True
        try:
            await asyncio.Event().wait()
        finally:
            self.is_open = False


async def test_a_visit_that_takes_too_long_leaves_no_connection() -> None:
    driver = Waiting()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05), Visit(Device("device", "odd", "odd:1", {}), driver):
            pass
    assert not driver.is_open


def test_what_an_unknown_port_speaks_is_told_with_what_to_try(
    arm: tuple[Arm, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "candidates", list)
    made, port = arm
    shown = run("scan", "net", "127.0.0.1", "--ports", str(port))
    assert shown.out.splitlines() == [
        f"127.0.0.1:{port}  something that no bundled profile knows; it speaks Modbus",
        f'  try cellctl browse --at "modbus://127.0.0.1:{port}?unit=1"',
    ]
    assert made.written == []


async def test_an_unknown_server_is_greeted_as_opc_ua_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "candidates", list)
    async with Press(tmp_path / "a", policies=(BASIC,)).running() as press:
        shown = await terminal("scan", "net", "127.0.0.1", "--ports", str(press.port), "--json")
    (found,) = json.loads(shown.out)["found"]
    assert found["speech"] == {"said": "it speaks OPC UA", "at": f"opc.tcp://127.0.0.1:{press.port}"}


async def test_what_speaks_unasked_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "candidates", list)

    async def weigh(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"S S     12.50 kg\r\n")
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    async with await asyncio.start_server(weigh, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        shown = await terminal("scan", "net", "127.0.0.1", "--ports", str(port))
    assert "; it speaks unasked: 'S S     12.50 kg'\n" in shown.out
    assert f'try cellctl browse --at "tcp://127.0.0.1:{port}"' in shown.out


def test_ports_are_named_by_ranges_and_hosts_by_name(arm: tuple[Arm, int]) -> None:
    _, port = arm
    shown = run("scan", "net", "localhost", "--ports", f"9,{port - 1} - {port},8")
    assert shown.code == 0, shown.err
    assert shown.err.splitlines()[0] == f"1 address, ports 8-9, {port - 1}-{port}"
    assert f'at: "modbus://localhost:{port}"' in shown.out


def test_a_port_that_is_closed_is_not_there() -> None:
    shown = run("scan", "net", "127.0.0.1", "--ports", "9")
    assert (shown.code, shown.out) == (0, "")
    assert shown.err.endswith("Nothing was found.\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("net", "10.0.0.0/8"), "at most 4096"),
        (("net", "10.0.0"), "10.0.0"),
        (("net", "10.0.0.1", "--ports", "a"), "is not of the form 502,4840-4850"),
        (("net", "10.0.0.1", "--ports", "502-"), "is not of the form 502,4840-4850"),
        (("net", "10.0.0.1", "--ports", "99-9"), "no port from 1"),
        (("net", "10.0.0.0/24", "--ports", "1-65535"), "too many"),
        (("net", "nobody.invalid"), "no host is known by the name 'nobody.invalid'"),
        (("net", "10.0.0.1", "--ports", "0"), "no port from 1"),
        (("net", "10.0.0.1", "--units", "0..9"), "no unit from 1 to 255"),
        (("net", "10.0.0.1", "--units", "all"), "is not of the form 1..10"),
    ],
)
def test_what_cannot_be_scanned_is_told(words: tuple[str, ...], told: str) -> None:
    shown = run("scan", *words)
    assert (shown.code, told in shown.err) == (USAGE, True), shown.err


def test_a_computer_without_serial_ports_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "serial_ports", list)
    shown = run("scan", "serial")
    assert (shown.code, "no serial port" in shown.err) == (1, True)


def test_a_serial_port_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = run("scan", "serial", "/dev/null")
    assert shown.code == 0
    assert shown.out.splitlines() == [
        "/dev/null  something that no bundled profile knows",
        '  try cellctl browse --at "modbus+rtu:/dev/null?baud=9600&unit=1"',
        '  try cellctl browse --at "serial:/dev/null?baud=9600"',
    ]
