"""The traffic of every driver over real sockets and pseudo terminals: recorded there, and served there again."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cellctl.driver import Device, Driver, Outcome
from cellctl.runtime.process import new_loop
from cellctl.testing.traffic.device import served
from cellctl.testing.traffic.file import recording_to
from cellctl.testing.traffic.recording import Event, Recording, head_of, read_recording
from cellctl.testing.traffic.replay import Replay
from cellctl.testing.traffic.tap import LinkTap, TappedDriver
from cellctl_drivers.modbus import ModbusDriver
from cellctl_drivers.opcua import OpcUaDriver
from cellctl_drivers.serial import SerialDriver

from .conftest import RIGS
from .recording import Answer, RecordingLink, Running, until
from .rigs import SIGNALS, OpcUaRig, OpcUaServer, Rig

DRIVERS = {"modbus": ModbusDriver, "serial": SerialDriver, "opcua": OpcUaDriver}

WIRED = ("modbus-tcp", "modbus-rtu", "line-tcp", "line-pty")

Talk = Callable[[Running], Coroutine[Any, Any, Any]]


def on_the_loop_of_control(work: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(work)


async def recorded(rig: Rig, path: Path, talk: Talk) -> Any:
    """What comes of a talk with the device of the rig, whose traffic goes to `path`."""
    await rig.start()
    try:
        device = rig.described()
        with recording_to(path, head_of(device, "oven", 0)) as file:
            driver = TappedDriver(_driver(device), LinkTap(file.put))
            async with Running(driver, RecordingLink()) as running:
                return await talk(running)
    finally:
        await rig.stop()


async def replayed(described: Device, recording: Recording, talk: Talk) -> Any:
    """What comes of a talk with the recording of the device."""
    with served(Replay(recording), described.address.partition("?")[2]) as place:
        serving = asyncio.create_task(place.run())
        try:
            async with Running(_driver(replace(described, address=place.at)), RecordingLink()) as running:
                return await talk(running)
        finally:
            serving.cancel()
            await asyncio.wait((serving,))


def _driver(device: Device) -> Driver:
    """Patient: what is tested is not how soon an answer comes on a busy computer."""
    return DRIVERS[device.protocol](replace(device, settings={**device.settings, "timeout": "1 s"}))


async def visit(running: Running) -> tuple[list[str], dict[str, object], list[Answer]]:
    """Who the device says it is, what it tells, and what it answers to orders."""
    link = running.link
    await until(lambda: link.last.keys() == SIGNALS.keys())
    told = {name: (sample.value, sample.quality) for name, sample in link.last.items() if name != "setpoint"}
    answers = [await link.set("setpoint", 30.0), await link.set("clamped", 150.0), await link.set("locked", 2)]
    answers.append(await link.answer(link.call("go", token=7)))
    await link.value("setpoint", 30.0)
    return link.ups, told, answers


@pytest.mark.parametrize("name", WIRED)
def test_a_driver_is_told_by_the_recording_what_the_device_told(name: str, tmp_path: Path) -> None:
    rig, path = RIGS[name](), tmp_path / "dev.traffic"
    before = on_the_loop_of_control(recorded(rig, path, visit))
    recording = read_recording(path)
    assert recording.notes == ()
    assert on_the_loop_of_control(replayed(rig.described(), recording, visit)) == before
    marks = [entry.text for entry in recording.entries if entry.event is Event.ORDER]
    assert marks[-1] == "dev.go token=7"
    assert {one.event for one in recording.entries} >= {Event.OPEN, Event.TO_DEVICE, Event.FROM_DEVICE, Event.CLOSED}


async def unheard_of(running: Running) -> tuple[Answer | None, bool]:
    """Order what was never ordered while it was recorded: what becomes of it, and whether the connection is over."""
    link = running.link
    await link.value("temp", 23.5)
    number = link.write("setpoint", 77.0)
    await until(lambda: number in link.answers or running.task.done())
    await asyncio.wait((running.task,), timeout=0.5)
    return link.answers.get(number), running.task.done()


@pytest.mark.parametrize("name", WIRED)
def test_what_was_never_recorded_is_told_and_nobody_waits_for_it(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig, path = RIGS[name](), tmp_path / "dev.traffic"
    on_the_loop_of_control(recorded(rig, path, visit))
    answer, over = on_the_loop_of_control(replayed(rig.described(), read_recording(path), unheard_of))
    assert answer is None or answer.outcome is Outcome.UNKNOWN
    assert over == ("tcp" in name), "a line is silent, a port hangs up"
    asked = "'SET 77\\r\\n'" if "line" in name else "write holding 50 = 77"
    assert f"{asked}, which {path} does not know. The nearest is" in caplog.text


def test_opc_ua_is_recorded_on_both_ways(opcua_server: OpcUaServer, tmp_path: Path) -> None:
    async def visit(running: Running) -> None:
        await running.link.value("temp", 23.5)

    path = tmp_path / "dev.traffic"
    on_the_loop_of_control(recorded(OpcUaRig(opcua_server), path, visit))
    bytes_of: dict[Event, bytes] = {Event.TO_DEVICE: b"", Event.FROM_DEVICE: b""}
    for entry in read_recording(path).entries:
        if entry.event in bytes_of:
            bytes_of[entry.event] += entry.data
    assert bytes_of[Event.TO_DEVICE][:4] == b"HELF"
    assert bytes_of[Event.FROM_DEVICE][:4] == b"ACKF"
    assert b"CLOF" in bytes_of[Event.TO_DEVICE], "to the end"
