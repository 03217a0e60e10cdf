"""The whole simulation: a part made by third-party clients alone, its back door, and its end."""

import asyncio
import os
import socket
from contextlib import AsyncExitStack
from functools import partial
from urllib.parse import urlsplit

import pytest
import serial
from asyncua import Client, ua
from pymodbus import FramerType
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient

from cellctl.faults.door import ask
from cellctl_simulators.control import Control
from cellctl_simulators.main import serve
from cellctl_simulators.simulation import Pace, Simulated, Simulation

BROKEN_MODEL = """
from cellctl_simulators import Lines, Outputs

class Broken:
    inputs = {"broken": False}

    def __init__(self, random):
        self.wire = Lines()

    def update(self, now_ns, inputs):
        if inputs["broken"]:
            raise ZeroDivisionError("of the model")
        return Outputs({}, now_ns + 1_000_000)

MODELS = {"broken": Broken}
"""

OVEN_MODEL = """
from cellctl_simulators import Outputs, Registers

class Oven:
    def __init__(self, random):
        self.inputs = {}
        self.wire = Registers(functions=(1, 2, 5, 15), writable={10, 11, 12})
        self.wire.coil = {10: 0, 11: 1, 12: 0, 13: 0}
        self.wire.discrete = {4: 1}

    def update(self, now_ns, inputs):
        return Outputs({"heater": bool(self.wire.coil[10])})

MODELS = {"oven": Oven}
"""


async def until(tell, wanted):
    """Ask a device until it tells what is wanted."""
    for _ in range(1000):
        if await tell() == wanted:
            return
        await asyncio.sleep(0.003)
    pytest.fail(f"{wanted!r} did not come")


class Hands:
    """Works all six devices with other people's software."""

    def __init__(self, simulation):
        self._at = simulation.addresses
        self._stack = AsyncExitStack()
        self._token = 0

    async def __aenter__(self):
        self.robot = AsyncModbusTcpClient("127.0.0.1", port=urlsplit(self._at["robot"]).port, reconnect_delay=0)
        self.meter = AsyncModbusTcpClient("127.0.0.1", port=urlsplit(self._at["meter"]).port, reconnect_delay=0)
        path = urlsplit(self._at["grip"]).path
        self.grip = AsyncModbusSerialClient(path, framer=FramerType.RTU, baudrate=115200, reconnect_delay=0)
        for client in (self.robot, self.meter, self.grip):
            assert await client.connect()
            self._stack.callback(client.close)
        self.plc = await self._stack.enter_async_context(Client(self._at["plc"]))
        self._ns = await self.plc.get_namespace_index("urn:site:bm1:plc")
        self._laser = self._stack.enter_context(serial.Serial(urlsplit(self._at["laser"]).path, 115200, timeout=0))
        port = urlsplit(self._at["eol"]).port
        self._eol = self._stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        self._eol.setblocking(False)
        return self

    async def __aexit__(self, *error):
        await self._stack.aclose()

    def token(self):
        self._token += 1
        return self._token

    def node(self, name):
        return self.plc.get_node(f"ns={self._ns};s={name}")

    async def write(self, name, value, kind):
        await self.node(name).write_value(ua.DataValue(ua.Variant(value, kind)))

    async def feed(self):
        token = self.token()
        await self.write("Load.FeedToken", token, ua.VariantType.UInt16)
        await until(self.node("Load.FeedDone").read_value, token)

    async def clamp(self, closed):
        await self.write("Weld.Clamp", closed, ua.VariantType.Boolean)

    async def goto(self, point):
        token = self.token()
        await self.robot.write_registers(128, [point, token])
        await until(self.done_token, token)

    async def done_token(self):
        return (await self.robot.read_holding_registers(131, count=1)).registers[0]

    async def grip_to(self, *command, done):
        """Until `done`: gSTA, gOBJ and gPR."""
        await self.grip.write_registers(1000, command, device_id=9)
        await until(self.grip_status, done)

    async def grip_status(self):
        status, echo, _ = (await self.grip.read_input_registers(2000, count=3, device_id=9)).registers
        return status >> 12 & 3, status >> 14, echo & 0xFF

    async def activate(self):
        await self.grip_to(0x0100, 0, 0, done=(3, 3, 0))

    async def close(self):
        await self.grip_to(0x0900, 0x00FF, 0xFF80, done=(3, 2, 255))

    async def open(self):
        await self.grip_to(0x0900, 0x0000, 0xFF80, done=(3, 3, 0))

    async def carry(self, source, target):
        await self.goto(source)
        await self.close()
        await self.goto(target)
        await self.open()

    async def laser(self, line):
        self._laser.write(line.encode() + b"\r\n")
        received = b""
        while not received.endswith(b"\r\n"):
            received += self._laser.read(256)
            await asyncio.sleep(0.001)
        return received.decode().strip()

    async def eol(self, line):
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._eol, line.encode() + b"\n")
        return (await loop.sock_recv(self._eol, 256)).decode().strip() if "?" in line else ""

    async def weld(self, points):
        await self.laser("PWR 1450")
        await self.laser("ON")
        await until(partial(self.laser, "RDY?"), "RDY 1")
        for point in points:
            await self.goto(100 + point)
            await self.laser("WDG")
            assert (await self.laser(f"FIRE {self.token()} 80")).startswith("SHOT")
        await self.laser("OFF")

    async def test(self):
        token = self.token()
        await self.eol("SOUR:VOLT 500")
        await self.eol(f"TEST:STAR {token},2.0")
        await until(partial(self.eol, "TEST:TOK?"), str(token))

    async def make_part(self, points):
        await self.feed()
        await self.carry(1, 2)
        await self.clamp(True)
        await self.weld(points)
        await self.clamp(False)
        await self.carry(2, 3)
        await self.test()
        await self.carry(3, 4)


async def test_a_part_is_made_by_other_peoples_software_in_seconds(cell, devices):
    async with Simulation(cell, devices, pace=Pace(10)) as simulation, Hands(simulation) as hands:
        await hands.activate()
        begin = asyncio.get_running_loop().time()
        await hands.make_part(range(1, 25))
        took_s = asyncio.get_running_loop().time() - begin
        answer = await hands.meter.read_input_registers(72, count=2, device_id=3)
        energy_kwh = hands.meter.convert_from_registers(answer.registers, hands.meter.DATATYPE.FLOAT32)
        truth = simulation.truth()
    part = truth["parts"]["M000001"]
    assert (part["welds"], part["bin"], len(part["tests"])) == (list(range(1, 25)), "good", 1)
    assert (truth["fed"], truth["good"], truth["reject"], truth["violations"]) == (1, 1, 0, [])
    assert energy_kwh == pytest.approx(truth["energy_kwh"], rel=0.1)
    assert took_s < 6, "2 to 3 s on a machine that does nothing else"


async def test_the_back_door(cell, devices):
    async with Simulation(cell, devices, serve=["laser", "eol"]) as simulation, Control(simulation) as control:
        assert control.path.parent.stat().st_mode & 0o777 == 0o700
        assert await ask(control.path, do="set", name="laser.window", value=55) == {"ok": True}
        assert await ask(control.path, do="get", name="laser.window") == {"ok": True, "value": 55.0}
        truth = await ask(control.path, do="truth")
        assert truth["truth"]["fed"] == 0
        assert await ask(control.path, do="stop", device="eol") == {"ok": True}
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", urlsplit(simulation.addresses["eol"]).port)
        assert await ask(control.path, do="start", device="eol") == {"ok": True}
        _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(simulation.addresses["eol"]).port)
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"do": "set", "name": "laser.windw", "value": 5}, "did you mean 'laser.window'?"),
        ({"do": "set", "name": "laser.window", "value": None}, "expected one of"),
        ({"do": "set", "name": "plc.guard_closed", "value": 0}, "of type bool"),
        ({"do": "get", "name": "nothing.at_all"}, "known are"),
        ({"do": "stop", "device": "lasr"}, "did you mean 'laser'?"),
        ({"do": "stop", "device": "robot"}, "known are laser"),
        ({"do": "dance"}, "expected one of"),
    ],
)
async def test_the_back_door_says_what_is_wrong(cell, devices, message, error):
    async with Simulation(cell, devices, serve=["laser"]) as simulation, Control(simulation) as control:
        answer = await ask(control.path, **message)
        assert answer["ok"] is False
        assert error in answer["error"]


async def test_the_back_door_survives_nonsense_and_open_connections(cell, devices):
    async with Simulation(cell, devices, serve=["laser"]) as simulation, Control(simulation) as control:
        reader, writer = await asyncio.open_unix_connection(control.path)
        writer.write(b"{]\n[1]\n")
        assert b'"ok": false' in await reader.readline()
        assert b'"ok": false' in await reader.readline()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_nothing_is_left_behind(cell, devices):
    async with Simulation(cell, devices) as simulation, Control(simulation) as control:
        folder, addresses = control.path.parent, dict(simulation.addresses)
        terminal = os.readlink(urlsplit(addresses["laser"]).path)
        tasks_within = asyncio.all_tasks()
    await asyncio.sleep(0)
    assert not folder.exists()
    assert not os.access(terminal, os.F_OK)
    for device in ("plc", "robot", "eol", "meter"):
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", urlsplit(addresses[device]).port)
    assert {task for task in tasks_within if not task.done()} == {asyncio.current_task()}


async def test_addresses_keep_the_options_of_the_cell_file(cell, devices):
    async with Simulation(cell, devices) as simulation:
        at = simulation.addresses
        assert list(at) == list(devices)
        assert at["meter"].startswith("modbus://127.0.0.1:")
        assert at["meter"].endswith("?unit=3")
        assert at["grip"].startswith("modbus+rtu:/")
        assert at["grip"].endswith("?baud=115200&unit=9")
        assert at["eol"].startswith("tcp://127.0.0.1:")
        assert at["plc"].startswith("opc.tcp://127.0.0.1:")


async def test_the_world_goes_on_by_itself_at_its_speed(cell, devices):
    async with Simulation(cell, devices, serve=[], pace=Pace(50)) as simulation:
        simulation.world.models["plc"].wire["Load.FeedToken"] = 1
        simulation.settle()
        await asyncio.sleep(0.05)
        assert simulation.world.get("plc.feeds") == 1
        assert 2 < simulation.truth()["time_s"] < 50


async def test_an_exception_in_a_model_ends_the_simulation(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "broken.py").write_text(BROKEN_MODEL)
    simulation = Simulation(tmp_path, {"x": Simulated("broken", "tcp://10.0.0.1:4000")})
    await simulation.__aenter__()
    simulation.set("x.broken", True)
    assert isinstance(simulation.failed.exception(), ZeroDivisionError)
    simulation.settle()
    with pytest.raises(ZeroDivisionError, match="of the model"):
        await simulation.__aexit__(None, None, None)


async def test_a_model_that_nobody_brings(tmp_path):
    with pytest.raises(
        ValueError, match=r"device 'grip': there is no model 'robotiq.2f58'; did you mean 'robotiq.2f85'"
    ):
        Simulation(tmp_path, {"grip": Simulated("robotiq.2f58", "modbus://10.0.0.1")})


async def test_a_model_on_the_wrong_wire_leaves_nothing(tmp_path):
    devices = {
        "a": Simulated("eastron.sdm630", "modbus://10.0.0.1"),
        "b": Simulated("robotiq.2f85", "serial:/dev/ttyS0"),
    }
    with pytest.raises(ValueError, match="device 'b': its model speaks registers, not 'serial'"):
        async with Simulation(tmp_path, devices):
            pass


async def test_a_device_that_is_not_in_the_cell(cell, devices):
    with pytest.raises(ValueError, match="no device 'lasr' can be simulated; did you mean 'laser'"):
        Simulation(cell, devices, serve=["robot", "lasr"])


async def test_a_models_folder_brings_its_own_devices(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "oven.py").write_text(OVEN_MODEL)
    async with Simulation(tmp_path, {"oven": Simulated("oven", "modbus://10.0.0.1:502")}) as simulation:
        client = AsyncModbusTcpClient("127.0.0.1", port=urlsplit(simulation.addresses["oven"]).port, reconnect_delay=0)
        assert await client.connect()
        assert (await client.read_discrete_inputs(4, count=1)).bits[0] is True
        assert not (await client.write_coil(10, True)).isError()
        assert not (await client.write_coils(11, [False, True])).isError()
        assert (await client.read_coils(10, count=3)).bits[:3] == [True, False, True]
        assert (await client.write_coil(13, True)).exception_code == 2
        assert (await client.mask_write_register(address=0, and_mask=0, or_mask=1)).exception_code == 1
        assert simulation.get("oven.heater") is True
        client.close()


async def test_serving_a_cell_announces_where_everything_is_and_ends_clean(cell):
    announced = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(cell, devices=None, speed=1.0, seed=0, announce=announced.set_result))
    told = await announced
    assert told["schema"] == "cellctl.sim/1"
    assert {each["id"]: each["protocol"] for each in told["devices"]} == {
        "plc": "opcua",
        "robot": "modbus",
        "grip": "modbus",
        "laser": "serial",
        "eol": "serial",
        "meter": "modbus",
    }
    assert (await ask(told["control"], do="truth"))["truth"]["fed"] == 0
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert not os.access(told["control"], os.F_OK)
