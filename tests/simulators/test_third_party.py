"""The simulated devices under clients that are not ours: pyModbusTCP, modbus-serial, and modbus-tk, mbpoll, libmodbus
over TCP and over a line."""

import asyncio
import json
import subprocess
import sys
import textwrap
from urllib.parse import parse_qs, urlsplit

import pytest

from cellctl_simulators.simulation import Pace, Simulated, Simulation
from cellctl_simulators.wire import float32
from tests.peers import asked

PYMODBUSTCP = """
from pyModbusTCP.client import ModbusClient
client = ModbusClient(HOST, PORT, unit_id=3)
power = client.read_input_registers(52, 2)
refused = client.read_input_registers(0, 82), client.last_except
tell(power, refused)
"""
MODBUS_TK = """
from modbus_tk import defines, modbus_tcp
client = modbus_tcp.TcpMaster(HOST, PORT)
client.set_timeout(3)
client.execute(3, defines.WRITE_MULTIPLE_REGISTERS, 128, output_value=[2, 1234])
tell(client.execute(3, defines.READ_HOLDING_REGISTERS, 256, 3))
"""
MODBUS_TK_RTU = """
import serial, time
from modbus_tk import defines, modbus_rtu
client = modbus_rtu.RtuMaster(serial.Serial(PATH, 115200), interchar_multiplier=100)
client.set_timeout(3)
client.execute(9, defines.WRITE_MULTIPLE_REGISTERS, 1000, output_value=[0x0100, 0, 0])
time.sleep(0.3)
tell(client.execute(9, defines.READ_INPUT_REGISTERS, 2000, 1))
"""


@pytest.fixture
def simulate(cell, devices):
    return lambda name, speed=1.0: Simulation(cell, devices, serve=(name,), pace=Pace(speed))


async def told(program: str, at: str) -> list[object]:
    """What a client told that ran as a program of its own."""
    address = urlsplit(at)
    head = f"import json\nHOST, PORT, PATH = {address.hostname!r}, {_port(at)}, {address.path!r}\n"
    head += "def tell(*values): print(json.dumps(values))\n"
    argv = [sys.executable, "-W", "ignore", "-c", head + textwrap.dedent(program)]
    done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    values: list[object] = json.loads(done.stdout)
    return values


def _port(at: str) -> int:
    return urlsplit(at).port or 0 if "://" in at else 0


async def test_the_meter_under_pymodbustcp(simulate):
    async with simulate("meter") as simulation:
        (high, _), (refused, code) = await told(PYMODBUSTCP, simulation.addresses["meter"])
    assert float32(0)[0] <= high <= float32(2000.0)[0]
    assert (refused, code) == (None, 3)


async def test_the_arm_under_modbus_tk(simulate):
    async with simulate("robot") as simulation:
        ((version, _, mode),) = await told(MODBUS_TK, simulation.addresses["robot"])
        assert simulation.world.models["robot"].wire.holding[129] == 1234
    assert (version, mode) == (5, 7)


async def test_the_gripper_under_modbus_tk_on_a_line(simulate):
    async with simulate("grip", speed=20) as simulation:
        ((status,),) = await told(MODBUS_TK_RTU, simulation.addresses["grip"])
    assert status >> 12 & 3 == 3
    assert parse_qs(urlsplit(simulation.addresses["grip"]).query)["unit"] == ["9"]


ON_TCP = ("mbpoll", "libmodbus", "modbus-serial")
ON_A_LINE = ("mbpoll", "libmodbus")
#: A conversation: what is asked (FUNCTION ADDRESS COUNT, or FUNCTION ADDRESS VALUE...), and what is answered.
MOXA = (  # with inputs 0 and 2 on
    ("2 0 8", "1 0 1 0 0 0 0 0"),
    ("4 48 1", "5"),
    ("4 16 6", "0 1 0 0 0 1"),
    ("5 3 1", ""),
    ("1 0 8", "0 0 0 1 0 0 0 0"),
    ("15 0 1 1 0 0", ""),
    ("3 32 1", "3"),
    ("6 32 129", ""),
    ("1 0 8", "1 0 0 0 0 0 0 1"),
    ("3 33 1", "exception 2"),
    ("6 33 5", "exception 2"),
    ("2 8 1", "exception 2"),
)
CLICK = (
    ("16 0 7 65535 8", ""),
    ("3 0 4", "7 65535 8 0"),
    ("6 1 9", ""),
    ("3 0 3", "7 9 8"),
    ("15 16384 1 0 1", ""),
    ("5 16385 1", ""),
    ("1 16384 4", "1 1 1 0"),
    ("2 61440 2", "0 0"),
    ("1 0 1", "exception 2"),
    ("4 0 1", "exception 1"),
)
GRIPPER = (("16 1000 256 0 0", ""), ("6 1000 256", "exception 1"), ("4 1999 2", "exception 2"))


async def answered(client, folder, at, conversation):
    """Hold the conversation and compare."""
    answers = await asyncio.to_thread(asked, client, folder, at, [question for question, _ in conversation])
    assert list(zip((question for question, _ in conversation), answers, strict=True)) == list(conversation)


@pytest.mark.parametrize("client", ON_TCP)
async def test_every_table_of_a_remote_io_under_each_client(client, tmp_path):
    devices = {"io": Simulated("moxa.iologik-e1212", "modbus://10.20.1.40:502?unit=1")}
    async with Simulation(tmp_path, devices) as simulation:
        simulation.set("io.di", 0b101)
        await answered(client, tmp_path, simulation.addresses["io"], MOXA)
        assert simulation.get("io.do") == 0b10000001


@pytest.mark.parametrize(
    ("client", "at"),
    [(client, "modbus://10.20.1.50:502?unit=2") for client in ON_TCP]
    + [(client, "modbus+rtu:/dev/ttyUSB0?baud=115200&unit=2") for client in ON_A_LINE],
)
async def test_a_plc_over_tcp_and_on_a_line_under_each_client(client, at, tmp_path):
    async with Simulation(tmp_path, {"plc": Simulated("automationdirect.click", at)}) as simulation:
        await answered(client, tmp_path, simulation.addresses["plc"], CLICK)


@pytest.mark.parametrize("client", ON_A_LINE)
async def test_the_gripper_on_a_line_under_each_client(client, simulate, tmp_path):
    async with simulate("grip", speed=20) as simulation:
        at = simulation.addresses["grip"]
        await answered(client, tmp_path, at, GRIPPER)
        await asyncio.sleep(0.3)
        ((status, *_),) = [
            map(int, each.split()) for each in await asyncio.to_thread(asked, client, tmp_path, at, ["4 2000 3"])
        ]
    assert status >> 12 & 3 == 3


@pytest.mark.parametrize("client", ["libmodbus"])
async def test_the_gripper_is_written_and_read_in_one_request(client, simulate, tmp_path):
    async with simulate("grip") as simulation:
        await answered(client, tmp_path, simulation.addresses["grip"], [("23 2000 1 1000 256 0 0", "4352")])
