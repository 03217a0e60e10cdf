"""What devices tell about themselves: real servers are browsed, and nothing is written to any of them."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
import struct
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.node import Node
from asyncua.common.utils import ServiceError
from asyncua.server.internal_session import InternalSession

from cellctl.commission.survey import Survey, device_at, survey
from cellctl.driver import AddressError, Device, DriverError, Finding

from .opcua_endless import Endless
from .recording import until
from .rigs import REGISTERS, URI, ModbusRtuRig, ModbusTcpRig, OpcUaServer
from .servers import LineDevice, Pty, RtuDevice, TcpServer
from .test_opcua_limits import reads_at_most

# --- Modbus -----------------------------------------------------------------------------------------------------


async def browsed(device: Device, *ranges: str, **limits: Any) -> Survey:
    asked = Survey(ranges, **{"listen_s": 0.4, **limits})
    await survey(device, asked)
    return asked


def by_path(asked: Survey) -> dict[str, Finding]:
    return {finding.path: finding for finding in asked.findings}


@pytest.fixture
async def registers() -> AsyncIterator[ModbusTcpRig]:
    rig = ModbusTcpRig()
    await rig.start()
    yield rig
    await rig.stop()


@pytest.fixture
async def line() -> AsyncIterator[ModbusRtuRig]:
    rig = ModbusRtuRig()
    await rig.start()
    yield rig
    await rig.stop()


async def test_all_registers_that_answer_are_found_and_no_others(registers: ModbusTcpRig) -> None:
    asked = await browsed(registers.described(), "holding:40-130")
    found = {int(path.split()[1]): int(finding.value) for path, finding in by_path(asked).items()}
    assert found == REGISTERS | {60: 0}
    assert by_path(asked)["holding 121"].hint.startswith("0xE280")
    assert by_path(asked)["holding 121"].row == {"type": "int", "read": "holding 121 uint16"}


async def test_all_four_tables_are_looked_through(registers: ModbusTcpRig) -> None:
    asked = await browsed(registers.described())
    tables = {finding.path.split()[0] for finding in asked.findings}
    assert tables == {"holding", "input", "coil", "discrete"}
    assert by_path(asked)["coil 3"].row == {"type": "bool", "read": "coil 3"}
    assert any("0..199" in reason for reason in asked.left_out)


async def test_a_number_of_two_registers_is_pointed_at() -> None:
    high, low = struct.unpack(">HH", struct.pack(">f", 231.5))
    pty = Pty(RtuDevice({10: high, 11: low, 20: low, 21: high, 30: 1, 31: 2}))
    asked = await browsed(device_at(f"modbus+rtu:{pty.path}?baud=115200&unit=9", {}), "holding:0-40")
    pty.close()
    found = by_path(asked)
    assert "float32 msw 231.5" in found["holding 10"].hint
    assert "float32 lsw 231.5" in found["holding 20"].hint
    assert "float32" not in found["holding 30"].hint


async def test_only_reads_are_sent_no_faster_than_allowed_and_nothing_into_a_hole(line: ModbusRtuRig) -> None:
    settings = {"timeout": "150 ms", "min_pause": "10 ms", "holes": ["holding 55..59"]}
    device = replace(line.described(), settings=settings)
    await browsed(device, "holding:48-72")
    sent = [(at_s, data) for at_s, way, data in line.device.log if way == "<"]
    answered = [at_s for at_s, way, _ in line.device.log if way == ">"]
    assert {data[1] for _, data in sent} == {3}
    for _, data in sent:
        start, count = struct.unpack(">HH", data[2:6])
        assert not set(range(start, start + count)) & set(range(55, 60))
    pauses = [after[0] - before for before, after in zip(answered, sent[1:], strict=False)]
    assert len(pauses) > 5
    assert min(pauses) >= 0.0095


async def test_what_is_cleared_by_reading_is_not_read(line: ModbusRtuRig) -> None:
    device = line.described()
    clearing = replace(device.points["count"], options={"clears": True})
    asked = await browsed(replace(device, points={"count": clearing}), "holding:99-103")
    assert sorted(by_path(asked)) == ["holding 100", "holding 102", "holding 103"]


async def test_a_table_that_the_device_does_not_know_is_told_and_asked_for_once() -> None:
    device = RtuDevice({10: 1})
    pty = Pty(device)
    respond = device._answer

    def answer(function: int, address: int, count: int, request: bytes) -> bytes:
        return bytes([function | 0x80, 1]) if function != 3 else respond(function, address, count, request)

    device._answer = answer  # type: ignore[method-assign]
    asked = await browsed(device_at(f"modbus+rtu:{pty.path}?baud=115200&unit=9", {}))
    pty.close()
    assert [finding.path for finding in asked.findings] == ["holding 10"]
    assert "coil: the device does not know this function" in asked.left_out
    assert [request[1] for request in device.seen if request[1] != 3] == [4, 1, 2]


async def test_a_device_that_says_nothing_is_left_alone_soon(line: ModbusRtuRig) -> None:
    line.device.fault.silent = True
    with pytest.raises(DriverError, match="answers nothing: is it switched on, and is 9 its unit number"):
        await browsed(replace(line.described(), settings={"timeout": "30 ms"}), "holding")
    assert len(line.device.seen) <= 13


async def test_a_device_that_says_nothing_is_asked_once_of_each_table(line: ModbusRtuRig) -> None:
    line.device.fault.silent = True
    with pytest.raises(DriverError, match=r"9 its unit number\? Another is asked with '\?unit=NUMBER'.*--range"):
        await browsed(replace(line.described(), settings={"timeout": "30 ms"}))
    assert [(request[1], request[2:6]) for request in line.device.seen] == [
        (function, b"\0\0\0\1") for function in (3, 4, 1, 2)
    ]


async def test_a_device_that_says_nothing_of_what_is_missing_is_found_all_the_same() -> None:
    device = RtuDevice({at: at for at in range(3, 13)})
    pty = Pty(device)
    respond = device.respond

    def say(request: bytes) -> bytes:
        answer = respond(request)
        return b"" if answer[1:2] >= b"\x80" else answer

    device.respond = say  # type: ignore[method-assign]
    asked = await browsed(
        device_at(f"modbus+rtu:{pty.path}?baud=115200&unit=9", {"timeout": "20 ms"}), "holding", "input"
    )
    pty.close()
    assert sorted(int(finding.value) for finding in asked.findings) == sorted([*range(3, 13)] * 2)
    assert any("holding: from " in reason for reason in asked.left_out)


async def test_what_was_found_before_the_device_was_lost_is_kept(line: ModbusRtuRig) -> None:
    asked = Survey(("holding:100-104", "holding:121"))
    work = asyncio.create_task(survey(replace(line.described(), settings={"min_pause": "50 ms"}), asked))
    await until(lambda: bool(asked.findings))
    line.pty.unplug()
    with pytest.raises(DriverError, match="lost"):
        await work
    assert sorted(by_path(asked)) == [f"holding {at}" for at in range(100, 105)]


async def test_so_many_are_shown_and_no_more(registers: ModbusTcpRig) -> None:
    asked = await browsed(registers.described(), "holding:100-130", count_max=3)
    assert len(asked.findings) == 3
    assert "after 3" in asked.left_out[0]


@pytest.mark.parametrize(
    "text", ["holdin:0-5", "holding:5-0", "holding:0-70000", "holding:a", "0-200", "holding:0-5-7"]
)
def test_a_range_that_is_none_is_told(text: str) -> None:
    with pytest.raises(AddressError) as told:
        asyncio.run(browsed(device_at("modbus://127.0.0.1:9", {}), text))
    assert told.value.where == ("range",)


# --- OPC UA -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def oven(opcua_server: OpcUaServer) -> Iterator[str]:
    """The address of a server with an oven that tells what its numbers mean, and a tower that is twelve high."""
    made = opcua_server.do(_furnish(opcua_server))
    yield f"opc.tcp://127.0.0.1:{opcua_server.port}/oven/"
    opcua_server.do(opcua_server.server.delete_nodes(made, recursive=True))


async def _furnish(server: OpcUaServer) -> list[Node]:
    index, objects = server.index, server.server.nodes.objects
    furnace = await objects.add_object(ua.NodeId("Furnace", index), ua.QualifiedName("Furnace", index))
    temperature = await furnace.add_variable(
        ua.NodeId("Furnace.Temp", index), ua.QualifiedName("Temperature", index), 21.5, ua.VariantType.Float
    )
    await temperature.set_writable()
    await temperature.add_property(ua.NodeId(9001, index), ua.QualifiedName("EURange", 0), ua.Range(0, 300))
    units = ua.EUInformation("http://www.opcfoundation.org/UA/units/un/cefact", 4408652, ua.LocalizedText("°C"))
    await temperature.add_property(ua.NodeId(9002, index), ua.QualifiedName("EngineeringUnits", 0), units)
    await furnace.add_variable(ua.NodeId(9003, index), ua.QualifiedName("Names", index), ["a", "b"])
    tower = level = await objects.add_object(ua.NodeId("Tower", index), ua.QualifiedName("Tower", index))
    for number in range(12):
        level = await level.add_object(ua.NodeId(f"T{number}", index), ua.QualifiedName(f"L{number}", index))
    return [furnace, tower]


async def test_variables_come_with_type_access_value_and_unit(oven: str) -> None:
    asked = await browsed(device_at(oven, {}), "Furnace")
    found = by_path(asked)
    assert found["Furnace"].kind == "object"
    temperature = found["Furnace/Temperature"]
    assert (temperature.kind, temperature.access, temperature.value) == ("Float", "rw", "21.5")
    assert temperature.address == f"ns={URI};s=Furnace.Temp"
    assert (temperature.unit, temperature.low, temperature.high) == ("°C", 0.0, 300.0)
    assert temperature.row == {"type": "float", "read": "s=Furnace.Temp", "write": "s=Furnace.Temp Float"}
    assert found["Furnace/Names"].kind == "String[]"
    assert not found["Furnace/Names"].row
    assert len(found) == 3, "what tells about a variable is no variable"


async def test_the_whole_space_is_shown_without_the_server_itself(oven: str) -> None:
    asked = await browsed(device_at(oven, {}))
    found = by_path(asked)
    assert {"Furnace/Temperature", "Tower/L0"} <= set(found)
    assert not any(path.startswith("Server/") for path in found)
    assert any("--range Server" in reason for reason in asked.left_out)
    assert asked.sections == {"opcua": {"namespace": URI}, "identify": {"namespace": URI}}
    bad = next(finding for finding in asked.findings if finding.path == "Fault")
    assert (bad.value, bad.hint) == ("", "the server says BadSensorFailure")


async def test_depth_and_number_are_bounded_and_that_is_told(oven: str) -> None:
    deep = await browsed(device_at(oven, {}), "Tower", depth_max=3)
    assert max(path.count("/") for path in by_path(deep)) == 3
    assert any("--depth" in reason for reason in deep.left_out)
    few = await browsed(device_at(oven, {}), count_max=5)
    assert len(few.findings) <= 5
    assert any("--max" in reason for reason in few.left_out)


async def test_a_server_that_takes_few_nodes_at_once_is_asked_so(oven: str, opcua_server: OpcUaServer) -> None:
    whole = by_path(await browsed(device_at(oven, {})))
    asked: list[int] = []
    views = opcua_server.server.iserver.view_service
    kept = views.browse

    def browse(parameters: ua.BrowseParameters, *more: Any) -> Any:
        asked.append(len(parameters.NodesToBrowse))
        return kept(parameters, *more)

    limits = [opcua_server.server.get_node(ua.NodeId(number)) for number in (11710, 11705)]
    before = [opcua_server.do(limit.read_data_value()) for limit in limits]
    views.browse = browse
    try:
        for limit in limits:
            opcua_server.do(limit.write_value(ua.Variant(3, ua.VariantType.UInt32)))
        assert by_path(await browsed(device_at(oven, {}))).keys() == whole.keys()
    finally:
        views.browse = kept
        for limit, value in zip(limits, before, strict=True):
            opcua_server.do(limit.write_value(value))
    assert max(asked) == 3


@pytest.mark.parametrize("most", [5, 1])
async def test_a_server_that_only_refuses_more_nodes_at_once_is_asked_for_fewer(
    oven: str, monkeypatch: pytest.MonkeyPatch, *, most: int
) -> None:
    whole = await browsed(device_at(oven, {}))
    browse = InternalSession.browse

    async def few_browsed(self: InternalSession, parameters: ua.BrowseParameters) -> Any:
        if len(parameters.NodesToBrowse) > most:
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        return await browse(self, parameters)

    monkeypatch.setattr(InternalSession, "browse", few_browsed)
    reads_at_most(most, monkeypatch)
    assert by_path(await browsed(device_at(oven, {}))) == by_path(whole)


@pytest.mark.parametrize(
    ("part", "found_max", "told"),
    [(7, 50, "after 50 nodes; --max"), (0, 0, "what Objects refer to after 50 references: --max follows more")],
    ids=["ever more", "nothing, and more"],
)
async def test_a_server_that_never_ends_is_left(
    oven: str, opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch, *, part: int, found_max: int, told: str
) -> None:
    endless = Endless(opcua_server.index, part=part)
    endless.install(monkeypatch)
    asked = await asyncio.wait_for(browsed(device_at(oven, {}), count_max=50), 20)
    assert len(asked.findings) in range(found_max - 1, found_max + 1)
    assert any(told in reason for reason in asked.left_out), asked.left_out
    assert (endless.asked <= 50, endless.told <= 56, endless.released) == (True, True, 1)


async def test_all_parts_of_what_has_an_end_are_asked_for(
    oven: str, opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = Endless(opcua_server.index, last=30)
    endless.install(monkeypatch)
    asked = await browsed(device_at(oven, {}), count_max=100)
    assert list(by_path(asked)) == [f"Thing{number}" for number in range(30)]
    assert not any("--max" in reason for reason in asked.left_out)
    assert (endless.asked, endless.released) == (4, 0)


async def test_a_way_is_followed_as_far_as_needed_and_not_for_ever(
    oven: str, opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = Endless(opcua_server.index, part=500)
    endless.install(monkeypatch)
    asked = await browsed(device_at(oven, {}), "Thing1100", count_max=20)
    assert (list(by_path(asked)), endless.told, endless.released) == (["Thing1100"], 1500, 1)
    with pytest.raises(AddressError, match="no 'Nowhere' in Objects among the first 20000; there is Thing0, Thing1,"):
        await asyncio.wait_for(browsed(device_at(oven, {}), "Nowhere"), 30)


async def test_a_path_that_is_not_there_is_told_with_what_is(oven: str) -> None:
    with pytest.raises(AddressError, match=r"no 'Furnac' in Objects; there is .*Furnace"):
        await browsed(device_at(oven, {}), "Furnac/Temperature")


async def test_nothing_is_written_to_the_server(oven: str, opcua_server: OpcUaServer) -> None:
    before = list(opcua_server.tokens)
    await browsed(device_at(oven, {}))
    assert opcua_server.tokens == before


# --- lines ------------------------------------------------------------------------------------------------------


async def said(*parts: bytes, pause_s: float = 0.0) -> tuple[Survey, list[bytes]]:
    """What is heard of a device at a port that says this, and what it was asked."""
    device, listening = LineDevice(), asyncio.Event()
    pty = Pty(device)
    asked = Survey((), listen_s=0.4 + pause_s, tell=lambda _: listening.set())
    work = asyncio.create_task(survey(device_at(f"serial:{pty.path}?baud=9600", {}), asked))
    await listening.wait()
    for part in parts:
        pty.send(part)
        await asyncio.sleep(pause_s)
    try:
        await work
        return asked, device.seen
    finally:
        pty.close()


async def test_a_line_is_heard_and_nothing_is_sent() -> None:
    asked, seen = await said(b"S S  12.", b"50 kg\r\nS S  12.75 kg\r\n", b"CODE AB7\r\n", pause_s=0.05)
    weight, code = asked.findings
    assert (weight.value, weight.hint, weight.unit) == ("S S  12.75 kg", "heard 2 times", "kg")
    assert weight.row["type"] == "float"
    assert code.row["type"] == "text"
    assert seen == []


async def test_frames_between_two_signs_are_lines_too() -> None:
    asked, _ = await said(b"\x02A1\x03\x02A2\x03")
    assert [(finding.value, finding.hint) for finding in asked.findings] == [("A2", "heard 2 times")]


async def test_what_is_no_text_is_told_as_a_wrong_speed() -> None:
    asked, _ = await said(bytes(range(128, 256)))
    assert asked.findings == []
    assert "try another speed or parity" in asked.left_out[0]


async def test_silence_and_half_a_line_are_told() -> None:
    asked, _ = await said()
    assert "nothing was heard" in asked.left_out[0]
    asked, _ = await said(b"WEIGHT 12")
    assert "'WEIGHT 12' was heard without an end of line" in asked.left_out[0]


async def test_a_listener_at_a_closed_connection_says_so() -> None:
    server = await TcpServer(LineDevice()).start()
    work = asyncio.create_task(browsed(device_at(f"tcp://127.0.0.1:{server.port}", {}), listen_s=5.0))
    await until(lambda: server.connections == 1)
    await server.close()
    with pytest.raises(DriverError, match="lost"):
        await work


# --- whatever it is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("http://10.0.0.1", "no installed driver knows 'http://10.0.0.1'; addresses look like modbus://"),
        ("modbus://10.0.0.1:99999", "not a number from 1 to 65535"),
        ("serial:ttyUSB0", "names no serial port"),
    ],
)
def test_an_address_that_is_none_is_told(address: str, told: str) -> None:
    with pytest.raises(AddressError, match=told):
        device_at(address, {})
