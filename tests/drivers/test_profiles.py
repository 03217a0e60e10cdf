"""The profiles that travel with cellctl, against the registers and lines that the manuals give.

The registers below are written down from the manufacturers' documents, not from the profiles.
"""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import struct
from pathlib import Path
from typing import Any

import pytest

from cellctl.driver import Outcome, Value
from cellctl.model import check, driver_for
from cellctl_drivers.modbus import ModbusDriver
from cellctl_drivers.serial import SerialDriver

from .profiles import ALL, BUNDLED, OF_THE_CELL, device, load
from .recording import RecordingLink, Running, until
from .servers import Device as FarEnd
from .servers import Pty, RtuDevice, TcpServer, crc


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_row_of_every_profile_can_be_used(path: Path) -> None:
    driver: Any = driver_for(load(path)["profile"]["protocol"])
    assert driver(device(path, driver.example)) is not None


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_profile_holds_against_what_its_manual_says(path: Path) -> None:
    assert [str(problem) for problem in check(path).problems] == []
    content = load(path)
    assert content.get("golden") or content["profile"]["protocol"] == "opcua", "there are no golden vectors"
    assert content["profile"]["source"]
    assert content["profile"]["confidence"] in ("A", "B")


class Meter(RtuDevice):
    """Input registers that a meter or gripper answers with, of which it knows no others."""


def _floats(values: dict[int, float]) -> dict[int, int]:
    registers = {}
    for address, value in values.items():
        registers[address], registers[address + 1] = struct.unpack(">HH", struct.pack(">f", value))
    return registers


async def _read(path: Path, registers: dict[int, int], wanted: dict[str, Value], link: RecordingLink) -> None:
    pty = Pty(Meter(registers))
    try:
        async with Running(
            ModbusDriver(device(path, f"modbus+rtu:{pty.path}?unit=9&baud=115200", every="30 ms")), link
        ):
            await until(lambda: wanted.keys() <= link.last.keys())
    finally:
        pty.close()
    assert {name: link.last[name].reason for name in wanted} == dict.fromkeys(wanted, "")
    assert {name: link.last[name].value for name in wanted} == pytest.approx(wanted)


async def test_eastron_sdm630(link: RecordingLink) -> None:
    """V 0,2,4; A 6,8,A; W 34; PF 3E; Hz 46; import kWh 48, export 4A (hexadecimal), float32, high word first."""
    registers = dict.fromkeys(range(0x100), 0) | _floats(
        {0x00: 230.5, 0x02: 231.5, 0x04: 229.0, 0x06: 1.5, 0x08: 2.5, 0x0A: 3.5}
        | {0x34: 5120.0, 0x3E: 0.96, 0x46: 50.02, 0x48: 1234.5, 0x4A: 7.25}
    )
    assert (registers[0], registers[1]) == (0x4366, 0x8000)
    wanted = {"voltage_l1": 230.5, "voltage_l2": 231.5, "voltage_l3": 229.0, "current_l1": 1.5, "current_l2": 2.5}
    wanted |= {"current_l3": 3.5, "power": 5120.0, "power_factor": 0.96, "frequency": 50.02}
    wanted |= {"import_energy": 1234.5, "export_energy": 7.25}
    await _read(BUNDLED / "eastron" / "sdm630.yaml", registers, wanted, link)


async def test_universal_robots(link: RecordingLink) -> None:
    """Version 256; mode 258 (7 running); power 260, stops 261, 262; TCP 400.. in 0.1 mm; current 450."""
    registers = {256: 5, 258: 7, 260: 1, 261: 0, 262: 1, 400: 0xFFFF - 1233, 401: 4005, 402: 251, 450: 612}
    wanted = {"mode": 7, "powered": True, "protective_stop": False, "emergency_stop": True, "current": 612}
    wanted |= {"tcp_x": -123.4, "tcp_y": 400.5, "tcp_z": 25.1}
    await _read(BUNDLED / "universal-robots" / "ur.yaml", registers, wanted, link)


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (0x3100, {"activated": True, "status": 3, "object": 0, "grasped": False}),
        (0xB900, {"activated": True, "status": 3, "object": 2, "grasped": True}),
        (0xF900, {"activated": True, "status": 3, "object": 3, "grasped": False}),
        (0x1100, {"activated": True, "status": 1, "object": 0, "grasped": False}),
        (0x0000, {"activated": False, "status": 0, "object": 0, "grasped": False}),
    ],
)
async def test_robotiq_2f85(link: RecordingLink, status: int, wanted: dict[str, Value]) -> None:
    """gACT 0, gSTA 4-5, gOBJ 6-7 in the high byte of 2000; fault, echo in 2001; position, current in 2002."""
    registers = {2000: status, 2001: 0x05FF, 2002: 0xBD0A}
    wanted = {**wanted, "fault": 5, "echo": 255, "position": 0xBD}
    await _read(BUNDLED / "robotiq" / "2f85.yaml", registers, wanted, link)


async def test_the_frames_of_the_robotiq_manual(link: RecordingLink) -> None:
    """Activation as in the manual; closing and opening with speed 255 and force 128, as whole frames."""
    gripper = Meter({2000: 0x3100, 2001: 0, 2002: 0})
    pty = Pty(gripper)
    path = BUNDLED / "robotiq" / "2f85.yaml"
    try:
        async with Running(ModbusDriver(device(path, f"modbus+rtu:{pty.path}?unit=9&baud=115200")), link):
            for command in ("activate", "close", "open"):
                assert (await link.answer(link.call(command))).outcome is Outcome.CONFIRMED
    finally:
        pty.close()
    writes = [frame.hex() for frame in gripper.seen if frame[1] == 16]
    assert writes == [
        "091003e8000306010000000000" + "72e1",
        "091003e80003060900" + "00ffff80" + crc(bytes.fromhex("091003e8000306090000ffff80")).hex(),
        "091003e80003060900" + "0000ff80" + crc(bytes.fromhex("091003e800030609000000ff80")).hex(),
    ]


async def test_the_robot_of_the_cell_is_told_target_and_token_in_one_request(link: RecordingLink) -> None:
    robot = Meter(
        {256: 5, 258: 7, 260: 1, 261: 0, 262: 0, 400: 0, 401: 0, 402: 0, 450: 0} | dict.fromkeys(range(128, 132), 0)
    )
    pty = Pty(robot)
    try:
        path = OF_THE_CELL / "bm1-robot.yaml"
        async with Running(ModbusDriver(device(path, f"modbus+rtu:{pty.path}?unit=9&baud=115200")), link):
            answer = await link.answer(link.call("goto", token=513, point=102))
            assert answer.outcome is Outcome.CONFIRMED
    finally:
        pty.close()
    (frame,) = (frame for frame in robot.seen if frame[1] == 16)
    assert frame[2:-2] == struct.pack(">HHBHH", 128, 2, 4, 102, 513)


class Tightening(FarEnd):
    """Answers the messages of the Open Protocol, whole as they are on the wire, and then tells a result."""

    RESULT = (
        b"02310061001000000000010001020103CTRL                     04                         05000600207000408000109"
        b"110111112000450130005501400050015000497160003017002001800090190009320"
        b"2026-11-26:09:15:00212026-11-20:08:00:00220230000004711\x00"
    )
    ANSWERS = {  # noqa: RUF012 - never changed
        b"00200001001001010000\x00": b"00570002001000000000010001020103CTRL                     \x00",
        b"00200060001001010000\x00": b"002400050010000000000060\x00" + RESULT,
        b"00230018001001010000002\x00": b"002400050010000000000018\x00",
        b"00209999001001010000\x00": b"00209999001000000000\x00",
    }

    def request_size(self, data: bytes) -> int:
        return data.find(b"\0") + 1

    def respond(self, request: bytes) -> bytes:
        return self.ANSWERS.get(request, b"")


async def test_the_messages_of_the_open_protocol(link: RecordingLink) -> None:
    """Header: length without NUL, MID, revision 1, acknowledged, station 1, spindle 1, no sequence, one part."""
    assert len(Tightening.RESULT) == 232
    controller = Tightening()
    server = await TcpServer(controller).start()
    path = BUNDLED / "atlas-copco" / "open-protocol.yaml"
    async with Running(SerialDriver(device(path, f"tcp://127.0.0.1:{server.port}")), link):
        await link.value("id", 4711)
        assert (await link.answer(link.call("select_pset", pset=2))).outcome is Outcome.CONFIRMED
        await until(lambda: len(controller.seen) >= 5)
    await server.close()
    assert {name: link.last[name].value for name in ("torque", "angle", "ok")} == {
        "torque": 4.97, "angle": 93, "ok": True,
    }  # fmt: skip
    assert sorted(controller.seen) == sorted([*Tightening.ANSWERS, b"00200062001001010000\x00"])
