"""The simulated devices under clients that are not ours: pyModbusTCP, and modbus-tk over TCP and over a line."""

import asyncio
import json
import subprocess
import sys
import textwrap
from urllib.parse import parse_qs, urlsplit

import pytest

from cellctl_simulators.simulation import Pace, Simulation
from cellctl_simulators.wire import float32

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
