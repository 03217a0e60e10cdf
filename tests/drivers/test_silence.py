"""Silence as a state: a device that answers nothing to a question it knows, as a printer without paper."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import pytest

from cellctl.driver import (
    AddressError,
    Command,
    CommandClass,
    Device,
    Driver,
    DriverError,
    Outcome,
    Point,
    Quality,
    Signal,
)
from cellctl_drivers.serial import SerialDriver
from cellctl_simulators.servers.contact import DeviceContact
from cellctl_simulators.wire import Lines

from .recording import RecordingLink, Running, until
from .servers import LineDevice, MemoryLine, TcpServer
from .virtual import in_virtual_time

FAST_NS = 20_000_000
SETTINGS = {"end": "\r\n", "timeout": "60 ms"}
STATE = {**SETTINGS, "silence": "is a state", "silent_max": 4}
GO = Command("go", CommandClass.PULSE, 10**9, {"ask": "GO {token}", "reply": "WENT {token}.*"})


def point(name: str, kind: str, **options: object) -> Point:
    return Point(Signal(f"dev.{name}", kind), f"{name.upper()}?", every_ns=FAST_NS, options=options)


TEMP = point("temp", "float", reply=r"TEMP (?P<value>\S+)")
COUNT = point("count", "int", reply=r"COUNT (?P<value>\S+)")
READY = Point(
    Signal("dev.ready", "bool"),
    "TEMP?",
    every_ns=FAST_NS,
    options={"reply": r"(?P<value>TEMP) .*", "equals": "TEMP", "silence": {"means": False}},
)


class Oven(LineDevice):
    """An oven that answers nothing to what is in `mute`."""

    def __init__(self) -> None:
        super().__init__()
        self.mute: set[str] = set()

    def respond(self, request: bytes) -> bytes:
        word = request.decode().split()[0]
        return b"" if word in self.mute or "all" in self.mute else super().respond(request)


class OvenLines(Lines):
    """The same without a wire."""

    def __init__(self) -> None:
        super().__init__()
        self.device = Oven()

    def settle(self) -> None:
        for ask in self.take():
            if answer := self.device.respond(ask.text.encode()).decode().strip():
                ask.reply(answer)


Made = Callable[..., Driver]


def described(at: str, points: dict[str, Point], settings: dict[str, Any] = STATE) -> Device:
    return Device("dev", "serial", at, points, {"go": GO}, settings)


Opened = Callable[[], AbstractAsyncContextManager[tuple[Oven, Made]]]


@pytest.fixture(params=["tcp", "line", "direct"])
def oven(request: pytest.FixtureRequest) -> Opened:
    """Opens an oven, in virtual time."""
    return partial(_opened, request.param)


@asynccontextmanager
async def _opened(kind: str) -> AsyncIterator[tuple[Oven, Made]]:
    device = Oven()
    if kind == "tcp":
        server = await TcpServer(device).start()
        yield device, lambda *parts: SerialDriver(described(f"tcp://127.0.0.1:{server.port}", *parts))
        await server.close()
    elif kind == "line":
        line = MemoryLine(device)
        await line.plug()
        yield device, lambda *parts: SerialDriver(described(f"serial:{line.path}?baud=115200", *parts))
        line.close()
    else:
        wire = OvenLines()
        contact = DeviceContact(wire, wire.settle, lambda: True)
        await contact.start()
        yield wire.device, lambda *parts: SerialDriver.direct(described("tcp://127.0.0.1:1", *parts), contact)


@in_virtual_time
async def test_a_question_without_answer_makes_its_signals_bad_and_ends_nothing(
    oven: Opened, link: RecordingLink
) -> None:
    async with oven() as (device, made), Running(made({"temp": TEMP, "count": COUNT}), link) as running:
        await link.value("temp", 23.5)
        await link.value("count", 42)
        device.mute.add("TEMP?")
        await until(lambda: link.last["temp"].quality is Quality.BAD, 6)
        assert link.last["temp"].reason == "the device is silent: no answer from dev within 60 ms"
        assert link.last["temp"].value == 23.5
        await asyncio.sleep(1.0)  # many silent questions, but never so many in a row
        assert not running.task.done()
        assert link.last["count"].quality is Quality.GOOD
        device.mute.clear()
        await until(lambda: link.last["temp"].quality is Quality.GOOD, 6)


@in_virtual_time
async def test_silence_can_mean_a_value(oven: Opened, link: RecordingLink) -> None:
    async with oven() as (device, made), Running(made({"temp": TEMP, "ready": READY}, SETTINGS), link):
        await link.value("ready", True)
        device.mute.add("TEMP?")
        sample = await _reaches(link, "ready", False)
        assert sample.quality is Quality.GOOD
        assert link.last["temp"].quality is Quality.BAD
        device.mute.clear()
        await _reaches(link, "ready", True)


@in_virtual_time
async def test_a_device_that_is_silent_to_everything_is_lost(oven: Opened, link: RecordingLink) -> None:
    async with oven() as (device, made), Running(made({"temp": TEMP, "count": COUNT}), link) as running:
        await link.value("count", 42)
        device.mute.add("all")
        error = await running.ended(15)
    assert isinstance(error, DriverError)
    assert str(error) == "no answer from dev within 60 ms (5 times in a row)"


@in_virtual_time
async def test_an_order_without_answer_is_unknown_and_ends_nothing(oven: Opened, link: RecordingLink) -> None:
    async with oven() as (device, made), Running(made({"count": COUNT}), link) as running:
        await link.value("count", 42)
        device.mute.add("GO")
        answer = await link.answer(link.call("go", token=3))
        assert (answer.outcome, answer.reason) == (Outcome.UNKNOWN, "no answer from dev within 60 ms")
        device.mute.clear()
        assert (await link.answer(link.call("go", token=4))).outcome is Outcome.CONFIRMED
        assert not running.task.done()


@in_virtual_time
async def test_a_late_answer_is_not_taken_for_the_next_where_silence_is_a_state(link: RecordingLink) -> None:
    """The values have no names here: only the time tells an answer from another."""
    device = Oven()
    device.values |= {"A": "1", "B": "2"}
    device._answer = lambda text: device.values[text.rstrip("?")]  # type: ignore[method-assign]
    server = await TcpServer(device).start()
    points = {name: point(name, "int") for name in ("a", "b")}
    try:
        async with Running(SerialDriver(described(f"tcp://127.0.0.1:{server.port}", points)), link) as running:
            for delay_s in (0.07, 0.09, 0.11):
                device.fault.delays_s = [delay_s, 0.05]
                await asyncio.sleep(0.4)
            assert not running.task.done()
    finally:
        await server.close()
    assert {(sample.signal, sample.value) for sample in link.samples} == {("dev.a", 1), ("dev.b", 2)}


@in_virtual_time
async def test_where_silence_is_a_fault_it_ends_the_connection_as_ever(link: RecordingLink) -> None:
    device = Oven()
    server = await TcpServer(device).start()
    at = f"tcp://127.0.0.1:{server.port}"
    try:
        async with Running(SerialDriver(described(at, {"temp": TEMP, "count": COUNT}, SETTINGS)), link) as running:
            await link.value("count", 42)
            device.mute.add("TEMP?")
            await running.ended(0.5)
    finally:
        await server.close()


def test_what_golden_vectors_say_of_silence() -> None:
    driver = SerialDriver(described("tcp://127.0.0.1:1", {"temp": TEMP, "ready": READY}))
    assert driver.meaning("ready", []).value is False
    assert driver.meaning("temp", []).quality is Quality.BAD
    strict = SerialDriver(described("tcp://127.0.0.1:1", {"temp": TEMP}, SETTINGS))
    with pytest.raises(ValueError, match="no line here"):
        strict.meaning("temp", [])


@pytest.mark.parametrize(
    ("settings", "options", "where"),
    [
        ({"silence": "golden"}, {}, ("line", "silence")),
        ({"silent_max": 0}, {}, ("line", "silent_max")),
        ({}, {"silence": "is a state"}, ("signals", "x", "silence")),
        ({}, {"silence": {"means": "out"}}, ("signals", "x", "silence", "means")),
        ({}, {"silence": {"means": True}}, ("signals", "x", "silence", "means")),
        ({}, {"silence": {"is": 1}}, ("signals", "x", "silence", "is")),
    ],
)
def test_what_silence_cannot_mean_is_told(
    settings: dict[str, object], options: dict[str, object], where: tuple[str, ...]
) -> None:
    with pytest.raises(AddressError) as error:
        SerialDriver(described("tcp://127.0.0.1:1", {"x": point("x", "int", **options)}, settings))
    assert error.value.where == where


async def _reaches(link: RecordingLink, name: str, value: object) -> Any:
    await until(lambda: link.last[name].value == value, 6)
    return link.last[name]
