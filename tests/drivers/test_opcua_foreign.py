"""Servers as they are: restarted with other indices, full, spoiled, flooding, and never to be trusted to behave."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
import contextlib
import itertools
import statistics
import time
from typing import Any

import pytest
from asyncua import Server, ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_session import InternalSession

from cellctl.driver import DriverError, Outcome, WrongDevice
from cellctl_drivers.opcua import OpcUaDriver
from cellctl_simulators.servers.opcua import _Inner

from .opcua_spoiler import SPOILS, Spoiler
from .opcua_tree import TREE, described
from .recording import RecordingLink, Running, until
from .rigs import OpcUaRig, OpcUaServer
from .servers import Proxy


class Plc:
    """A server whose address space is made anew at each start, in another order."""

    def __init__(self) -> None:
        self.port = 0

    async def start(self, before: int, names: list[str]) -> None:
        """Run with so many foreign namespaces before its own, and these variables, numbered as they come."""
        self.inner = _Inner()
        self.server = server = Server(iserver=self.inner)
        await server.init()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{self.port}")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        for number in range(before):
            await server.register_namespace(f"urn:test:foreign:{number}")
        index = await server.register_namespace(TREE)
        machine = await server.nodes.objects.add_object(ua.NodeId(1000, index), ua.QualifiedName("Machine", index))
        self.nodes = {}
        for number, name in enumerate(names):
            nodeid = ua.NodeId(2000 + number, index)
            value = names.index(name) if name == "spare" else sum(map(ord, name))
            self.nodes[name] = await machine.add_variable(
                nodeid, ua.QualifiedName(name, index), value, ua.VariantType.Int32
            )
            await self.nodes[name].set_writable()
        await server.start()
        self.port = server.bserver._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        for transport in tuple(self.inner.asyncio_transports):
            transport.abort()
        await asyncio.sleep(0)
        for session in tuple(self.inner.sessions):
            await session.close_session(True)
        await self.server.stop()
        await asyncio.sleep(0.02)


WAYS = {name: {"type": "int", "read": f"path=Machine/{name}"} for name in ("left", "right")}
WAYS["left"]["write"] = "path=Machine/left Int32"


async def test_a_server_that_comes_back_with_other_ids_is_read_and_written_right() -> None:
    plc, link = Plc(), RecordingLink()
    await plc.start(0, ["left", "right"])
    driver = OpcUaDriver(described(plc.port, WAYS))
    left, right = (sum(map(ord, name)) for name in ("left", "right"))
    async with Running(driver, link) as running:
        await link.value("left", left)
        await link.value("right", right)
        await plc.stop()
        assert isinstance(await running.ended(), DriverError)
    await plc.start(3, ["right", "spare", "left"])
    link.last.clear()
    link.ups.clear()
    try:
        async with Running(driver, link):
            await link.value("left", left)
            await link.value("right", right)
            assert (await link.set("left", 5)).outcome is Outcome.CONFIRMED
            assert await plc.nodes["left"].read_value() == 5
            assert await plc.nodes["right"].read_value() == right
    finally:
        await plc.stop()


async def test_namespaces_that_change_while_connected_end_the_connection() -> None:
    plc, link = Plc(), RecordingLink()
    await plc.start(1, ["left", "right"])
    try:
        async with Running(OpcUaDriver(described(plc.port, WAYS)), link) as running:
            await link.value("left", sum(map(ord, "left")))
            array = plc.server.get_node(ua.NodeId(ua.ObjectIds.Server_NamespaceArray))
            names = await array.read_value()
            await array.write_value([names[0], names[1], names[3], names[2]])
            assert str(await running.ended(3.0)) == "dev has other namespaces than before: connecting anew"
    finally:
        await plc.stop()


def sessions(server: OpcUaServer) -> int:
    """How many sessions the server keeps for clients."""
    return len(server.server.iserver._external_sessions)


@pytest.fixture
def full(opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch) -> OpcUaServer:
    """The shared server, with places for two sessions more than it has."""
    inner = opcua_server.server.iserver
    make, most = inner.create_session, sessions(opcua_server) + 2

    def create_session(*arguments: Any, **more: Any) -> InternalSession:
        if sessions(opcua_server) >= most:
            raise ServiceError(ua.StatusCodes.BadTooManySessions)
        return make(*arguments, **more)

    monkeypatch.setattr(inner, "create_session", create_session)
    return opcua_server


async def test_a_server_without_a_free_session_says_so(full: OpcUaServer) -> None:
    link = RecordingLink()
    driver = OpcUaDriver(described(full.port, {"temp": {"read": "ns=urn:test:oven;s=Temp"}}))
    async with Running(driver, RecordingLink()) as first, Running(driver, RecordingLink()):
        async with Running(driver, link) as third:
            error = await third.ended()
        assert str(error) == "dev has no session free: close other clients, or wait until it forgets old ones"
        assert not first.task.done()
    async with Running(driver, link):
        await link.value("temp", 23.5)


async def test_every_session_is_given_back(full: OpcUaServer) -> None:
    """A wrong device is tried again and again: a session that is left behind each time would lock everybody out."""
    device = described(full.port, {}, identity={"namespace": "urn:test:fridge"})
    before = sessions(full)
    for _ in range(6):
        async with Running(OpcUaDriver(device), RecordingLink()) as running:
            assert isinstance(await running.ended(), WrongDevice)
    assert sessions(full) == before


async def test_nothing_is_ever_asked_for_again(opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a server lost is lost: asking it to publish it again has no end with some of them."""
    asked: list[Any] = []
    monkeypatch.setattr(InternalSession, "republish", lambda self, *what: asked.append(what), raising=False)
    link, count = RecordingLink(), opcua_server.nodes["count"]
    proxy = await Proxy(opcua_server.port).start()
    driver = OpcUaDriver(described(proxy.port, {"count": {"type": "int", "read": "ns=urn:test:oven;s=Count"}}))
    for value in (50, 60, 42):
        async with Running(driver, link) as running:
            for step in range(5):
                opcua_server.do(count.write_value(value + step, ua.VariantType.UInt16))
            await proxy.close()
            assert isinstance(await running.ended(), DriverError)
        opcua_server.do(count.write_value(value, ua.VariantType.UInt16))
        proxy = await Proxy(opcua_server.port).start()
        driver = OpcUaDriver(described(proxy.port, {"count": {"type": "int", "read": "ns=urn:test:oven;s=Count"}}))
        async with Running(driver, link):
            await link.value("count", value)
    await proxy.close()
    assert asked == []


async def test_a_message_without_an_end_is_not_taken_in() -> None:
    """It says that it has 2 GiB, and goes on and on."""
    sent = 0

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"ACKF\xff\xff\xff\x7f")
        with contextlib.suppress(ConnectionError):
            while sent < 200 * 1024 * 1024:
                writer.write(bytes(65536))
                sent += 65536
                await writer.drain()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    device = described(server.sockets[0].getsockname()[1], {}, settings={"timeout": "5 s"})
    async with Running(OpcUaDriver(device), RecordingLink()) as running:
        assert isinstance(await running.ended(4.0), DriverError)
    server.close()
    await asyncio.sleep(0.05)
    assert sent < 20 * 1024 * 1024, "what is on its way in the buffers of the system, and no more"


async def test_a_message_of_too_many_parts_is_not_taken_in(
    opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = opcua_server.server.nodes.objects
    name = ua.QualifiedName("Novel", opcua_server.index)
    opcua_server.do(parent.add_variable(ua.NodeId("Novel", opcua_server.index), name, "x" * 200_000))
    device = described(opcua_server.port, {"novel": {"type": "text", "read": "ns=urn:test:oven;s=Novel"}})
    link = RecordingLink()
    async with Running(OpcUaDriver(device), link):
        await until(lambda: "novel" in link.last)
        assert len(str(link.last["novel"].value)) == 200_000
    monkeypatch.setattr("cellctl_drivers.opcua.connection.MESSAGE_BYTES_MAX", 150_000)
    async with Running(OpcUaDriver(device), RecordingLink()) as running:
        assert str(await running.ended()).startswith("the connection to dev was lost")


async def test_a_flood_is_bounded_and_the_newest_value_arrives(opcua_server: OpcUaServer) -> None:
    """Fifty signals of a node that changes as fast as the server can, and we are slow to look."""
    rows = {f"n{number}": {"type": "int", "read": "ns=urn:test:oven;s=Count"} for number in range(50)}
    rows["each"] = {**rows["n0"], "queue": 5}
    link, count = RecordingLink(), opcua_server.nodes["count"]

    async def flood() -> None:
        for value in range(801):
            await count.write_value(value, ua.VariantType.UInt16)
            await asyncio.sleep(0.001)

    async with Running(OpcUaDriver(described(opcua_server.port, rows)), link):
        await until(lambda: len(link.last) == 51)
        link.samples.clear()
        began = time.monotonic()
        flooding = asyncio.create_task(asyncio.to_thread(opcua_server.do, flood()))
        while not flooding.done():
            _dawdle(0.03)
            await asyncio.sleep(0.01)
        await until(lambda: all(sample.value == 800 for sample in link.last.values()), 10.0)
        publishes = (time.monotonic() - began) / 0.02 + 2
        told = [sample for sample in link.samples if sample.signal == "dev.each"]
    opcua_server.do(count.write_value(42, ua.VariantType.UInt16))
    assert len(link.samples) <= publishes * (50 + 5)
    assert len(told) <= publishes * 5


def _dawdle(pause_s: float) -> None:
    """Be busy with something else."""
    time.sleep(pause_s)


async def test_the_watchdog_is_fed_under_load(opcua_server: OpcUaServer) -> None:
    """While everything changes and orders wait in line, no beat is missing."""
    rows = {f"n{number}": {"type": "int", "read": "ns=urn:test:oven;s=Count"} for number in range(100)}
    rows["set"] = {"type": "int", "read": "ns=urn:test:oven;s=Set", "write": "ns=urn:test:oven;s=Set Int16"}
    watchdog = {"write": "ns=urn:test:oven;s=Token UInt16", "every": "100 ms"}
    beats: list[tuple[float, int]] = []
    opcua_server.server.set_attribute_value_setter(
        opcua_server.nodes["token"].nodeid, lambda *what: beats.append((time.monotonic(), what[2].Value.Value))
    )
    link, count = RecordingLink(), opcua_server.nodes["count"]
    try:
        async with Running(OpcUaDriver(described(opcua_server.port, rows, watchdog=watchdog)), link) as running:
            end = time.monotonic() + 3.0
            for value in itertools.count():
                if time.monotonic() > end:
                    break
                await asyncio.to_thread(opcua_server.do, count.write_value(value % 60_000, ua.VariantType.UInt16))
                if value % 4 == 0:
                    link.write("set", value % 100)
                await asyncio.sleep(0.002)
            assert not running.task.done()
    finally:
        opcua_server.server.set_attribute_value_setter(opcua_server.nodes["token"].nodeid, opcua_server._go)
        opcua_server.do(count.write_value(42, ua.VariantType.UInt16))
    pauses = [later[0] - sooner[0] for sooner, later in itertools.pairwise(beats)]
    assert len(beats) >= 15
    assert statistics.median(pauses) < 0.2, sorted(pauses)[-5:]
    assert max(pauses) < 2, sorted(pauses)[-5:]  # this computer may be busy with something else, too
    assert [number for _, number in beats] == [1 + number % 100 for number in range(len(beats))]
    assert any(answer.outcome is Outcome.CONFIRMED for answer in link.answers.values())


@pytest.mark.parametrize("most", [3, 1])
async def test_a_server_that_takes_little_at_once_is_asked_often(
    opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch, *, most: int
) -> None:
    """It says so only by refusing: there is no other way to know of some."""
    watch, translate = InternalSession.create_monitored_items, InternalSession.translate_browsepaths_to_nodeids

    async def few_watched(self: InternalSession, params: ua.CreateMonitoredItemsParameters) -> Any:
        if len(params.ItemsToCreate) > most:
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        return await watch(self, params)

    async def few_followed(self: InternalSession, params: list[ua.BrowsePath]) -> Any:
        if len(params) > most:
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        return await translate(self, params)

    monkeypatch.setattr(InternalSession, "create_monitored_items", few_watched)
    monkeypatch.setattr(InternalSession, "translate_browsepaths_to_nodeids", few_followed)
    rows = {f"n{number}": {"type": "int", "read": "path=Count"} for number in range(23)}
    rows["gone"] = {"type": "int", "read": "path=Count/Deep/Nowhere"}
    device = described(opcua_server.port, rows, settings={"namespace": "urn:test:oven"})
    link = RecordingLink()
    async with Running(OpcUaDriver(device), link):
        await until(lambda: len(link.last) == 24)
    assert sum(sample.good for sample in link.last.values()) == 23
    assert link.last["gone"].reason == "the server has no 'Deep' of urn:test:oven under Count"


async def test_a_server_that_follows_no_ways_still_tells_the_rest(
    opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(self: InternalSession, params: list[ua.BrowsePath]) -> Any:
        raise ServiceError(ua.StatusCodes.BadServiceUnsupported)

    monkeypatch.setattr(InternalSession, "translate_browsepaths_to_nodeids", never)
    rows = {"way": {"type": "int", "read": "path=Count"}, "id": {"type": "int", "read": "s=Count"}}
    device = described(opcua_server.port, rows, settings={"namespace": "urn:test:oven"})
    link = RecordingLink()
    async with Running(OpcUaDriver(device), link):
        await until(lambda: len(link.last) == 2)
    assert link.last["id"].good
    told = "path=Count is a way, and the server follows none: the server cannot do that: BadServiceUnsupported"
    assert link.last["way"].reason == told


async def test_a_server_that_watches_nothing_is_lost(
    opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(self: InternalSession, params: ua.CreateMonitoredItemsParameters) -> Any:
        raise ServiceError(ua.StatusCodes.BadServiceUnsupported)

    monkeypatch.setattr(InternalSession, "create_monitored_items", never)
    async with Running(OpcUaDriver(described(opcua_server.port, NUMBERS)), RecordingLink()) as running:
        error = await running.ended()
    assert isinstance(error, DriverError)
    assert str(error).startswith("dev does not tell of changes")


NUMBERS = {"id": {"type": "int", "read": "ns=urn:test:oven;s=Count"}}
SEEDS = range(2)


async def _spoiled(server: OpcUaServer, name: str, place: int, seed: int) -> str:
    """One connection with one message spoiled; what came of it, "" if it went on."""
    spoiler = Spoiler(server.port, SPOILS[name], place, seed)
    link = RecordingLink()
    rows = {"temp": {"read": "ns=urn:test:oven;s=Temp"}, "way": {"read": "path=Machine/Speed"}}
    rows["set"] = {"type": "int", "read": "ns=urn:test:oven;s=Set", "write": "ns=urn:test:oven;s=Set Int16"}
    commands = {"go": {"call": {"method": "path=Machine/Start"}}}
    async with spoiler.running() as port:
        device = described(port, rows, commands, settings={"namespace": "urn:test:oven"})
        task = asyncio.create_task(OpcUaDriver(device).run(link))  # type: ignore[arg-type]
        orders = [link.write("set", 10), link.call("go")]
        await asyncio.wait((task,), timeout=1.5)
        if task.done():
            error = task.exception()
            assert isinstance(error, DriverError), f"{name} at {place}, seed {seed}: {error!r}"
            assert str(error)
        else:
            task.cancel()
            await asyncio.wait((task,))
        assert all(order in link.answers for order in orders) or link._orders.qsize() > 0
        return str(error) if task.done() and not task.cancelled() else ""


@pytest.mark.parametrize("name", SPOILS)
async def test_whatever_a_server_sends_ends_in_a_sentence(opcua_server: OpcUaServer, name: str) -> None:
    runs = [_spoiled(opcua_server, name, place, seed) for place, seed in itertools.product(range(1, 15), SEEDS)]
    ended = await asyncio.gather(*runs)
    assert any(ended), "no connection has suffered"
    link = RecordingLink()
    rig = OpcUaRig(opcua_server)
    await rig.start()
    async with Running(rig.driver(), link):
        await link.value("count", 42)
    await rig.stop()
