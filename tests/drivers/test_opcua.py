"""What is OPC UA's own: types, status codes, namespaces, and subscriptions that die in silence."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asyncua import ua

from cellctl.driver import Command, CommandClass, Device, DriverError, Outcome, Point, Quality, Signal
from cellctl_drivers.opcua import OpcUaDriver
from cellctl_drivers.opcua.connection import honour_cancellation
from cellctl_drivers.opcua.nodes import Node
from cellctl_drivers.opcua.steps import Sink
from cellctl_drivers.opcua.values import data_value, sample
from cellctl_drivers.wire.orders import OrderError
from cellctl_drivers.wire.reading import Reading

from .recording import RecordingLink, Running, until
from .rigs import URI, OpcUaRig, OpcUaServer


@pytest.fixture
async def rig(opcua_server: OpcUaServer) -> AsyncIterator[OpcUaRig]:
    made = OpcUaRig(opcua_server)
    await made.start()
    yield made
    await made.stop()


def device(rig: OpcUaRig, **rows: Any) -> Device:
    points = {
        name: Point(Signal(f"dev.{name}", kind, writable=write is not None), read, write)
        for name, (kind, read, write) in rows.items()
    }
    address = f"opc.tcp://127.0.0.1:{rig.proxy.port}/oven/"
    return Device(
        "dev", "opcua", address, points, settings={"namespace": URI, "publishing": "20 ms", "security": "none"}
    )


async def test_a_node_that_is_not_there_is_bad_and_the_others_are_good(rig: OpcUaRig, link: RecordingLink) -> None:
    rows = {"temp": ("float", "s=Temp", None), "nowhere": ("int", "s=Nowhere", None)}
    rows["elsewhere"] = ("int", "ns=urn:test:none;i=4", None)
    async with Running(OpcUaDriver(device(rig, **rows)), link):
        await until(lambda: len(link.last) == 3)
    assert link.last["temp"].good
    assert link.last["nowhere"].reason == "the server refuses s=Nowhere: BadNodeIdUnknown"
    assert link.last["elsewhere"].reason == "the server has no namespace 'urn:test:none'"


async def test_a_node_of_another_namespace_is_found_by_its_uri(rig: OpcUaRig, link: RecordingLink) -> None:
    rows = {"state": ("int", "ns=http://opcfoundation.org/UA/;i=2259", None)}
    async with Running(OpcUaDriver(device(rig, **rows)), link):
        await link.value("state", 0)


async def test_a_change_arrives_soon_and_silence_is_confirmed(rig: OpcUaRig, link: RecordingLink) -> None:
    async with Running(rig.driver(), link):
        await link.value("count", 42)
        rig.server.do(rig.server.nodes["count"].write_value(43, ua.VariantType.UInt16))
        began = time.monotonic()
        await link.value("count", 43)
        assert time.monotonic() - began < 0.5
        alive, seen = len(link.confirmed), len(link.samples)
        await asyncio.sleep(1.2)
        assert len(link.confirmed) > alive
        assert len(link.samples) == seen
    rig.server.do(rig.server.nodes["count"].write_value(42, ua.VariantType.UInt16))


async def test_a_subscription_that_dies_in_silence_is_noticed(rig: OpcUaRig, link: RecordingLink) -> None:
    async with Running(rig.driver(), link) as running:
        await link.value("count", 42)
        rig.server.do(_drop(rig.server))
        began = time.monotonic()
        error = await running.ended(4.0)
    assert isinstance(error, DriverError)
    assert time.monotonic() - began < 2.6


async def _drop(server: OpcUaServer) -> None:
    """Stop publishing without a word, as servers do that lost a subscription."""
    for subscription in server.server.iserver.subscription_service.subscriptions.values():
        subscription._task.cancel()


async def test_writes_have_exactly_the_declared_type(rig: OpcUaRig, link: RecordingLink) -> None:
    rows = {
        "right": ("int", "s=Set", "s=Set Int16"),
        "wrong": ("int", "s=Set", "s=Set Int32"),
    }
    async with Running(OpcUaDriver(device(rig, **rows)), link):
        right, wrong, large = await link.set("right", 11), await link.set("wrong", 12), await link.set("right", 40_000)
        await link.set("right", 10)
    assert right.outcome is Outcome.CONFIRMED
    assert (wrong.outcome, wrong.reason) == (Outcome.REFUSED, "the server refuses s=Set: BadTypeMismatch")
    assert (large.outcome, large.reason) == (Outcome.REFUSED, "40000 does not fit into Int16")


async def test_a_command_that_stops_half_way_is_unknown(rig: OpcUaRig, link: RecordingLink) -> None:
    made = device(rig)
    steps = {"s=Set Int16": 10, "s=Locked Int16": 5}
    commands = {"both": Command("both", CommandClass.LEVEL, 10**9, {"write": steps})}
    commands["none"] = Command("none", CommandClass.LEVEL, 10**9, {"write": {"s=Locked Int16": 5}})
    driver = OpcUaDriver(Device("dev", "opcua", made.address, {}, commands, made.settings))
    async with Running(driver, link):
        both, none = await link.answer(link.call("both")), await link.answer(link.call("none"))
    assert both.outcome is Outcome.UNKNOWN
    assert none.outcome is Outcome.REFUSED
    assert "only a part was done" in both.reason


@pytest.mark.parametrize(
    ("status", "quality"),
    [
        (ua.StatusCodes.Good, Quality.GOOD),
        (ua.StatusCodes.GoodClamped, Quality.GOOD),
        (0x0000_0480, Quality.UNCERTAIN),
        (ua.StatusCodes.UncertainLastUsableValue, Quality.UNCERTAIN),
        (ua.StatusCodes.BadSensorFailure, Quality.BAD),
        (0xC000_0000, Quality.BAD),
    ],
)
def test_the_status_code_decides_the_quality(status: int, quality: Quality) -> None:
    reading = Reading(Point(Signal("dev.a", "float"), read="s=A"))
    data = ua.DataValue(ua.Variant(1.5, ua.VariantType.Double), ua.StatusCode(status))
    taken = sample(reading, data, 7)
    assert taken.quality is quality
    assert bool(taken.reason) == (quality is not Quality.GOOD)
    assert taken.value == (None if quality is Quality.BAD else 1.5)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [("float", None), ("float", "1.5"), ("float", [1.5]), ("int", 1.5), ("int", True), ("bool", "on"), ("text", 5)],
)
def test_a_value_of_another_type_is_bad(kind: str, raw: object) -> None:
    taken = sample(Reading(Point(Signal("dev.a", kind), read="s=A")), ua.DataValue(ua.Variant(raw)), 7)
    assert taken.quality is Quality.BAD
    assert "type" in taken.reason


def test_what_is_written_has_no_status_and_no_times() -> None:
    data = data_value(Sink(Node(URI, "A"), "UInt16"), 5)
    assert (data.StatusCode, data.SourceTimestamp, data.ServerTimestamp) == (None, None, None)
    assert (data.Value.Value, data.Value.VariantType) == (5, ua.VariantType.UInt16)


@pytest.mark.parametrize(("kind", "value"), [("Byte", 256), ("String", 5), ("Int16", "5"), ("Double", float("nan"))])
def test_what_does_not_fit_is_refused(kind: str, value: Any) -> None:
    with pytest.raises(OrderError):
        data_value(Sink(Node(URI, "A"), kind), value)


class Endless(asyncio.Protocol):
    """A server, or something else at its port, that begins a message of gigabytes, and goes on with it."""

    sent = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(b"ACKF\xff\xff\xff\x7f")
        self.go_on()

    def go_on(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(bytes(10_000))
            self.sent += 10_000
            asyncio.get_running_loop().call_later(0.001, self.go_on)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport.abort()


async def test_what_never_becomes_a_message_is_not_kept(link: RecordingLink) -> None:
    far = Endless()
    server = await asyncio.get_running_loop().create_server(lambda: far, "127.0.0.1", 0)
    async with server:
        address = f"opc.tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        points = {"temp": Point(Signal("dev.temp", "float"), "s=Temp")}
        made = Device("dev", "opcua", address, points, settings={"namespace": URI, "timeout": "2 s"})
        with pytest.raises(DriverError, match="cannot reach dev at"):
            await asyncio.wait_for(OpcUaDriver(made).run(link), 1.5)  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
    assert far.sent < 1_000_000


async def test_a_cancellation_that_the_library_lost_is_honoured() -> None:
    async def swallows() -> None:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            honour_cancellation()

    honour_cancellation()
    task = asyncio.create_task(swallows())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()
