"""Every server against the client library that others would use, with addresses straight from the manuals."""

import asyncio
import os
import socket
import struct
from urllib.parse import urlsplit

import pytest
import serial
from asyncua import Client, ua
from pymodbus import FramerType
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException

from cellctl_simulators.simulation import Pace, Simulated, Simulation


@pytest.fixture
def simulate(cell, devices):
    """A simulation of which only the named devices have servers."""

    def start(*serve, speed=1.0):
        return Simulation(cell, devices, serve=serve, pace=Pace(speed))

    return start


def port_of(at):
    return urlsplit(at).port


def path_of(at):
    return at.partition(":")[2].partition("?")[0]


async def tcp_client(at):
    client = AsyncModbusTcpClient("127.0.0.1", port=port_of(at), timeout=1, retries=0, reconnect_delay=0)
    assert await client.connect()
    return client


async def rtu_client(at):
    client = AsyncModbusSerialClient(
        path_of(at), framer=FramerType.RTU, baudrate=115200, timeout=0.5, retries=0, reconnect_delay=0
    )
    assert await client.connect()
    return client


async def until(condition, *, seconds=3.0):
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen in time")


class LineClient:
    """One line out, one line in, over any stream."""

    def __init__(self, send, receive):
        self._send, self._receive = send, receive

    async def ask(self, line, *, end="\r\n"):
        self._send((line + end).encode())
        return await self.line(end=end)

    async def line(self, *, end="\r\n"):
        received = ""
        for _ in range(200):
            received += self._receive().decode()
            if received.endswith(end):
                return received.removesuffix(end)
            await asyncio.sleep(0.01)
        raise TimeoutError(received)


def serial_client(at):
    port = serial.Serial(path_of(at), 115200, timeout=0, exclusive=True)
    return port, LineClient(port.write, lambda: port.read(4096))


def socket_client(at):
    connection = socket.create_connection(("127.0.0.1", port_of(at)), timeout=1)
    connection.setblocking(False)

    def receive():
        try:
            return connection.recv(4096)
        except BlockingIOError:
            return b""

    return connection, LineClient(connection.sendall, receive)


async def test_the_arm_over_modbus_tcp(simulate):
    async with simulate("robot", speed=10) as simulation:
        client = await tcp_client(simulation.addresses["robot"])
        assert 1 <= (await client.read_holding_registers(256, count=1)).registers[0] <= 9
        assert not (await client.write_registers(128, [2, 1234], device_id=77)).isError()
        assert (await client.read_holding_registers(131, count=1)).registers == [0]
        await asyncio.sleep(0.06)
        assert (await client.read_holding_registers(128, count=4)).registers == [2, 1234, 2, 1234]
        assert not (await client.write_register(2, 0b11)).isError()
        assert (await client.read_holding_registers(1, count=2)).registers == [0b11, 0]
        for answer, code in [
            (await client.read_holding_registers(9999, count=1), 2),
            (await client.write_register(258, 1), 2),
            (await client.read_input_registers(0, count=1), 1),
            (await client.read_exception_status(), 1),
        ]:
            assert (answer.isError(), answer.exception_code) == (True, code)
        client.close()


async def test_two_requests_in_one_segment_get_two_answers(simulate):
    async with simulate("robot") as simulation:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(simulation.addresses["robot"]))
        read_258, read_260 = (struct.pack(">HHHBBHH", n, 0, 6, 1, 3, address, 1) for n, address in ((7, 258), (8, 260)))
        writer.write(read_258 + read_260[:5])
        await asyncio.sleep(0.02)
        writer.write(read_260[5:])
        answers = await asyncio.wait_for(reader.readexactly(22), 1)
        assert answers == bytes.fromhex("000700000005010302 0007 000800000005010302 0001")
        writer.close()
        await writer.wait_closed()


async def test_the_meter_over_modbus_tcp(simulate):
    async with simulate("meter") as simulation:
        client = await tcp_client(simulation.addresses["meter"])
        answer = await client.read_input_registers(52, count=2, device_id=3)
        power_w = client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32, word_order="big")
        assert 100 < power_w < 2000
        too_many = await client.read_input_registers(0, count=82, device_id=3)
        assert too_many.exception_code == 3
        client.close()


async def test_another_unit_gets_no_answer(simulate):
    async with simulate("meter") as simulation:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(simulation.addresses["meter"]))
        writer.write(struct.pack(">HHHBBHH", 1, 0, 6, 4, 4, 0, 2))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)
        writer.close()
        await writer.wait_closed()


async def test_units_at_one_serial_port_stand_on_one_line(tmp_path):
    """A meter and a gripper: each answers to its own number, and one that is unplugged is only silent."""
    at = "modbus+rtu:/dev/ttyUSB0?baud=9600"
    devices = {"grip": Simulated("robotiq.2f85", f"{at}&unit=0x9"), "meter": Simulated("eastron.sdm630", at)}
    async with Simulation(tmp_path, devices) as simulation:
        assert path_of(simulation.addresses["grip"]) == path_of(simulation.addresses["meter"])
        client = await rtu_client(simulation.addresses["meter"])
        for _ in range(2):
            frequency = (await client.read_input_registers(70, count=2, device_id=1)).registers
            assert client.convert_from_registers(frequency, client.DATATYPE.FLOAT32) == pytest.approx(50, abs=1)
            assert (await client.read_input_registers(2000, count=3, device_id=9)).registers[0] >> 8 == 0
        await simulation.stop_server("grip")
        with pytest.raises(ModbusIOException):
            await client.read_input_registers(2000, count=3, device_id=9)
        assert not (await client.read_input_registers(70, count=2, device_id=1)).isError()
        await simulation.start_server("grip")
        assert not (await client.read_input_registers(2000, count=3, device_id=9)).isError()
        client.close()
        for device in devices:
            await simulation.stop_server(device)
        with pytest.raises(serial.SerialException):
            serial_client(simulation.addresses["meter"])
        await simulation.start_server("meter")
        client = await rtu_client(simulation.addresses["meter"])
        assert not (await client.read_input_registers(70, count=2, device_id=1)).isError()
        client.close()


@pytest.mark.parametrize(("scheme", "framer"), [("modbus", FramerType.SOCKET), ("modbus+rtu+tcp", FramerType.RTU)])
async def test_units_at_one_port_of_a_host_are_behind_one_port(tmp_path, scheme, framer):
    at = f"{scheme}://10.20.1.30:502"
    devices = {"grip": Simulated("robotiq.2f85", f"{at}?unit=9"), "meter": Simulated("eastron.sdm630", f"{at}?unit=2")}
    async with Simulation(tmp_path, devices) as simulation:
        port = port_of(simulation.addresses["grip"])
        assert port == port_of(simulation.addresses["meter"])
        client = AsyncModbusTcpClient("127.0.0.1", port=port, framer=framer, timeout=1, retries=0, reconnect_delay=0)
        assert await client.connect()
        assert len((await client.read_input_registers(70, count=2, device_id=2)).registers) == 2
        assert len((await client.read_input_registers(2000, count=3, device_id=9)).registers) == 3
        client.close()


async def test_the_gripper_over_modbus_rtu(simulate):
    async with simulate("grip", speed=20) as simulation:
        client = await rtu_client(simulation.addresses["grip"])
        assert not (await client.write_registers(1000, [0x0100, 0, 0], device_id=9)).isError()
        await asyncio.sleep(0.1)
        assert (await client.read_input_registers(2000, count=1, device_id=9)).registers[0] >> 12 & 3 == 3
        moved = await client.readwrite_registers(
            read_address=2000, read_count=3, write_address=1000, values=[0x0900, 0x00FF, 0xFF80], device_id=9
        )
        assert len(moved.registers) == 3
        await asyncio.sleep(0.1)
        status, echo, place = (await client.read_holding_registers(2000, count=3, device_id=9)).registers
        assert (status >> 14, echo & 0xFF, place >> 8) == (3, 255, 255)
        client.close()


async def test_a_torn_and_a_garbled_frame_cost_one_request_each(simulate):
    async with simulate("grip") as simulation:
        port, _ = serial_client(simulation.addresses["grip"])
        read_status = bytes.fromhex("09 04 07D0 0001 300F")
        answer = bytes.fromhex("09 04 02 0000")
        port.write(read_status[:4])
        await asyncio.sleep(0.15)
        assert port.read(64) == b""
        for wrong in (b"\xff\x00\x17", read_status[:-1] + b"\xff"):
            port.write(wrong)
            await asyncio.sleep(0.15)
        assert port.read(64) == b""
        port.write(read_status[:4])
        await asyncio.sleep(0.02)
        port.write(read_status[4:])
        await until(lambda: port.in_waiting >= 7)
        assert port.read(64)[:5] == answer
        port.close()


async def test_the_laser_over_a_serial_line(simulate):
    async with simulate("laser", speed=2) as simulation:
        port, laser = serial_client(simulation.addresses["laser"])
        assert await laser.ask("*IDN?") == "LX2,0042,1.4"
        assert await laser.ask("PWR 1450") == "OK"
        assert await laser.ask("PWR?") == "PWR 1450"
        assert await laser.ask("ON") == "OK"
        await asyncio.sleep(0.2)
        assert (await laser.ask("FIRE 7 80")).startswith("SHOT 7 PEAK ")
        assert await laser.ask("FIRE 8") == "ERR 2"
        port.write(b"PWR?\r\nON?\r")
        assert await laser.line() == "PWR 1450"
        assert await laser.ask("", end="\n") == "ON 1\r"
        port.write(b"x" * 1000)
        await asyncio.sleep(0.02)
        assert await laser.ask("") == "ERR 1"
        port.close()
        again, laser = serial_client(simulation.addresses["laser"])
        assert await laser.ask("LAST?") != "LAST 0 0.0", "the device lives on between two clients"
        again.close()


async def test_the_tester_over_tcp(simulate):
    async with simulate("eol", speed=10) as simulation:
        connection, tester = socket_client(simulation.addresses["eol"])
        other_connection, other = socket_client(simulation.addresses["eol"])
        assert (await tester.ask("*IDN?", end="\n")).startswith("EXAMPLE,HP500,")
        connection.sendall(b"SOUR:VOLT 500\nTEST:STAR 3,0.5\n")
        assert await tester.ask("STAT?", end="\n") == "RUN"
        assert await other.ask("SOUR:VOLT?", end="\n") == "500.0"
        await asyncio.sleep(0.06)
        assert await tester.ask("STAT?", end="\n") == "DONE"
        assert await tester.ask("TEST:TOK?", end="\n") == "3"
        connection.close()
        other_connection.close()


class Changes:
    """What a subscription told."""

    def __init__(self):
        self.values = []

    def datachange_notification(self, node, value, data):
        self.values.append((node.nodeid.Identifier, value))

    def status_change_notification(self, status):
        pass


async def plc_client(at):
    client = Client(at, timeout=1)
    await client.connect()
    return client, await client.get_namespace_index("urn:site:bm1:plc")


async def test_the_plc_over_opc_ua(simulate):
    async with simulate("plc", speed=10) as simulation:
        client, ns = await plc_client(simulation.addresses["plc"])
        changes = Changes()
        subscription = await client.create_subscription(20, changes)
        names = ("Load.FeedDone", "Load.Occupied", "Load.ModuleCode", "Cell.GuardClosed")
        await subscription.subscribe_data_change([client.get_node(f"ns={ns};s={name}") for name in names])
        token = client.get_node(f"ns={ns};s=Load.FeedToken")
        await token.write_value(ua.DataValue(ua.Variant(77, ua.VariantType.UInt16)))
        await until(lambda: ("Load.FeedDone", 77) in changes.values)
        assert ("Load.Occupied", True) in changes.values
        assert ("Load.ModuleCode", "M000001") in changes.values
        simulation.set("plc.guard_closed", False)
        await until(lambda: ("Cell.GuardClosed", False) in changes.values)
        with pytest.raises(ua.UaStatusCodeError):
            await token.write_value(ua.DataValue(ua.Variant(5, ua.VariantType.Int64)))
        with pytest.raises(ua.UaStatusCodeError):
            await client.get_node(f"ns={ns};s=Load.FeedDone").write_value(ua.Variant(5, ua.VariantType.UInt16))
        for name, value, kind in [
            ("Weld.Clamp", True, ua.VariantType.Boolean),
            ("Recipe.Points", 24, ua.VariantType.Int16),
            ("Recipe.Id", "MOD-12S-A", ua.VariantType.String),
        ]:
            node = client.get_node(f"ns={ns};s={name}")
            await node.write_value(ua.DataValue(ua.Variant(value, kind)))
            assert await node.read_value() == value
        assert simulation.get("plc.clamp") is True
        await client.disconnect()


async def test_a_stopped_modbus_tcp_server_comes_back_at_its_port(simulate):
    async with simulate("robot", "meter") as simulation:
        at = simulation.addresses["robot"]
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(at))
        await simulation.stop_server("robot")
        assert await asyncio.wait_for(reader.read(), 1) == b""
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port_of(at))
        other = await tcp_client(simulation.addresses["meter"])
        assert not (await other.read_input_registers(0, count=2, device_id=3)).isError()
        other.close()
        await simulation.start_server("robot")
        assert simulation.addresses["robot"] == at
        client = await tcp_client(at)
        assert not (await client.read_holding_registers(258, count=1)).isError()
        client.close()


@pytest.mark.parametrize("device", ["grip", "laser"])
async def test_a_stopped_terminal_hangs_up_and_comes_back_at_its_path(simulate, device):
    async with simulate(device) as simulation:
        at = simulation.addresses[device]
        port, _ = serial_client(at)
        await simulation.stop_server(device)
        with pytest.raises(OSError, match="Input/output error"):
            os.write(port.fd, b"WDG\r\n")
        port.close()
        with pytest.raises(FileNotFoundError):
            os.readlink(path_of(at))
        await simulation.start_server(device)
        port, client = serial_client(at)
        if device == "laser":
            assert await client.ask("WDG") == "OK"
        port.close()


async def test_a_stopped_opc_ua_server_comes_back_with_its_values(simulate):
    async with simulate("plc") as simulation:
        at = simulation.addresses["plc"]
        client, ns = await plc_client(at)
        clamp = client.get_node(f"ns={ns};s=Weld.Clamp")
        await clamp.write_value(ua.DataValue(ua.Variant(True, ua.VariantType.Boolean)))
        await simulation.stop_server("plc")
        with pytest.raises((ConnectionError, TimeoutError, ua.UaError)):
            await clamp.read_value()
        await client.disconnect()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port_of(at))
        simulation.set("plc.guard_closed", False)
        await simulation.start_server("plc")
        client, ns = await plc_client(at)
        assert await client.get_node(f"ns={ns};s=Weld.Clamp").read_value() is True
        assert await client.get_node(f"ns={ns};s=Cell.GuardClosed").read_value() is False
        await client.disconnect()


async def test_stopping_twice_is_stopping_once(simulate):
    async with simulate("robot", "laser", "plc") as simulation:
        for device in ("robot", "laser", "plc"):
            await simulation.stop_server(device)
            await simulation.stop_server(device)
            await simulation.start_server(device)
