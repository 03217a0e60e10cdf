"""What a profile can say of an OPC UA server: ids of every style, ways, methods, and how values are watched."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import nodeid_to_binary

from cellctl.driver import Outcome, Quality
from cellctl_drivers.opcua import OpcUaDriver
from cellctl_drivers.opcua.nodes import Names, Node, Path, Step
from cellctl_drivers.opcua.places import Places
from cellctl_drivers.opcua.profile import Profile, Watched
from cellctl_drivers.wire.settings import Section

from .opcua_tree import CODESYS, GUID, OPAQUE, PARTS, S7, TREE, Tree, described
from .recording import RecordingLink, Running, until
from .rigs import OpcUaServer
from .servers import Proxy


@pytest.fixture(scope="module")
def tree(opcua_server: OpcUaServer) -> Tree:
    return Tree(opcua_server)


@pytest.fixture
async def port(tree: Tree) -> AsyncIterator[int]:
    tree.calls.clear()
    proxy = await Proxy(tree.server.port).start()
    yield proxy.port
    await proxy.close()


def names(**settings: Any) -> Names:
    parts = {name: way for name, way in settings.items() if name.startswith("$")}
    rest = {name: value for name, value in settings.items() if name not in parts}
    return Names(Section({"namespace": TREE, "namespaces": {"parts": PARTS}, **rest}, ("opcua",)), parts)


@pytest.mark.parametrize(
    ("row", "wire"),
    [
        ("i=42", "01 03 2a00"),
        ("i=70000", "02 0300 70110100"),
        ("s=Temp", "03 0300 04000000 54656d70"),
        ('s="DB1"."speed"', "03 0300 0d000000 22444231222e22737065656422"),
        (
            "s=|var|PLC.Application.PLC_PRG.x",
            "03 0300 1e000000 7c7661727c504c432e4170706c69636174696f6e2e504c435f5052472e78",
        ),
        ("g=72962b91-fa75-4ae6-8d28-b404dc7daf63", "04 0300 912b9672 75fa e64a 8d28b404dc7daf63"),
        ("b=AQID", "05 0300 03000000 010203"),
        ("ns=http://opcfoundation.org/UA/;i=2259", "01 00 d308"),
        ("ns=ua;i=2259", "01 00 d308"),
        ("ns=parts;i=1", "01 04 0100"),
    ],
)
def test_ids_of_every_style_on_the_wire(row: str, wire: str) -> None:
    """The encodings of OPC 10000-6, 5.2.2.9, written down by hand; the namespaces have the indices 3 and 4."""
    node = names().place(row, ("read",))
    assert isinstance(node, Node)
    encoded = nodeid_to_binary(Places(["ua", "own", "other", TREE, PARTS], _nobody)[node])
    assert encoded.hex() == wire.replace(" ", "")


async def _nobody(ways: list[ua.BrowsePath]) -> list[ua.BrowsePathResult]:
    raise AssertionError("nothing is to be asked of a server")


@pytest.mark.parametrize(
    ("row", "steps"),
    [
        ("path=Machine/Speed", ((TREE, "Machine"), (TREE, "Speed"))),
        ("path=0:Objects/Machine", ((TREE, "Machine"),)),
        ("path=parts:Axes/A&/B&:C/&$x&&", ((PARTS, "Axes"), (TREE, "A/B:C"), (TREE, "$x&"))),
        ("path=$axis/Position", ((TREE, "Machine"), (PARTS, "Axis"), (TREE, "Position"))),
    ],
)
def test_ways(row: str, steps: tuple[tuple[str, str], ...]) -> None:
    place = names(**{"$axis": "path=$machine/parts:Axis", "$machine": "Machine"}).place(row, ("read",))
    assert place == Path(tuple(Step(*step) for step in steps))
    assert str(place) == row


async def test_ids_and_ways_are_found_and_written(tree: Tree, port: int, link: RecordingLink) -> None:
    rows: dict[str, Any] = {
        "position": {"read": "path=$axis/parts:Actual&/Position"},
        "s7": {"type": "int", "read": f"s={S7}", "write": f"s={S7} Int16"},
        "codesys": {"type": "int", "read": f"s={CODESYS}", "write": f"s={CODESYS} Int16"},
        "guid": {"type": "int", "read": f"g={GUID}"},
        "opaque": {"type": "int", "read": "b=TS9SYktCc1JWa2VQQ2VQY3gyNG9SQT09"},
        "way": {"type": "int", "read": "path=Machine/guid", "write": "path=Machine/guid Int16"},
        "third": {"read": "s=Values", "element": 2},
        "fourth": {"read": "path=Machine/Values", "element": 3},
        "single": {"read": "g=" + str(GUID), "element": 0},
    }
    async with Running(OpcUaDriver(described(port, rows)), link):
        await until(lambda: len(link.last) == len(rows))
        found = {name: sample.value for name, sample in link.last.items() if sample.good}
        assert found == {"position": 12.5, "s7": 3, "codesys": 3, "guid": 3, "opaque": 3, "way": 3, "third": 3.5}
        assert link.last["fourth"].reason == "the server tells 3 elements, there is no element 3"
        assert link.last["single"].quality is Quality.BAD
        for name in ("s7", "codesys", "way"):
            assert (await link.set(name, 4)).outcome is Outcome.CONFIRMED
            await link.value(name, 4)
            assert (await link.set(name, 3)).outcome is Outcome.CONFIRMED
    assert OPAQUE.decode() == "M/RbKBsRVkePCePcx24oRA=="


async def test_a_way_that_leads_nowhere_says_where_it_ends(tree: Tree, port: int, link: RecordingLink) -> None:
    rows: dict[str, Any] = {
        "axis": {"read": "path=Machine/parts:Axes/Axis 2/Speed"},
        "top": {"read": "path=Oven/Speed"},
        "foreign": {"read": "path=nowhere:Oven/Speed"},
        "alone": {"read": "path=Oven"},
    }
    settings = {"namespaces": {"parts": PARTS, "nowhere": "urn:test:nowhere"}}
    async with Running(OpcUaDriver(described(port, rows, settings=settings)), link):
        await until(lambda: len(link.last) == len(rows))
        written = await link.answer(link.call("start"))
    assert link.last["axis"].reason == f"the server has no 'Axis 2' of {TREE} under Machine/Axes"
    assert link.last["top"].reason == f"the server has no 'Oven' of {TREE} under Objects"
    assert link.last["foreign"].reason == "the server has no namespace 'urn:test:nowhere'"
    assert link.last["alone"].reason == "the server has nothing at path=Oven: BadNoMatch"
    assert written.outcome is Outcome.NOT_SENT


async def test_a_way_that_forks_is_not_followed(tree: Tree, port: int, link: RecordingLink) -> None:
    tree.plant("Twin", 1)
    first = tree.nodes["Twin"]
    tree.plant("Twin", 2)
    async with Running(OpcUaDriver(described(port, {"twin": {"type": "int", "read": "path=Machine/Twin"}})), link):
        await until(lambda: "twin" in link.last)
    tree.fell("Twin")
    tree.nodes["Twin"] = first
    tree.fell("Twin")
    assert link.last["twin"].reason == "2 nodes are at path=Machine/Twin: the way must lead to one"


async def test_a_node_that_comes_later_is_watched_then(
    tree: Tree, port: int, link: RecordingLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while a PLC loads another program: the names stay, the ids do not."""
    monkeypatch.setattr("cellctl_drivers.opcua.subscription._AGAIN_S", 0.5)
    async with Running(OpcUaDriver(described(port, {"late": {"type": "int", "read": "path=Machine/Late"}})), link):
        await until(lambda: "late" in link.last)
        assert not link.last["late"].good
        tree.plant("Late", 5)
        await until(lambda: link.last["late"].value == 5 and link.last["late"].good, 4.0)
        tree.fell("Late")
        await until(lambda: not link.last["late"].good, 3.0)
        tree.plant("Late", 6)
        await until(lambda: link.last["late"].value == 6 and link.last["late"].good, 4.0)
    tree.fell("Late")


START = {
    "method": "path=Machine/Start",
    "inputs": [{"type": "UInt16", "value": "$point"}],
    "outputs": ["status", "place"],
    "expect": {"status": 0},
    "errors": {1: "it is in the wrong state"},
}
COMMANDS: dict[str, Any] = {
    "start": {"call": START},
    "by_id": {"call": {**START, "method": "s=Start", "on": "s=Machine"}},
    "wrong": {"call": {**START, "inputs": [{"type": "Int16", "value": 5}]}},
    "bare": {"call": {"method": "path=Machine/Start"}},
    "absent": {"call": {"method": "path=Machine/Stop"}},
    "slow": {"call": {"method": "path=Machine/Slow"}},
    "patient": {"call": {"method": "path=Machine/Slow", "within": "1500 ms"}},
    "both": {"write": {f"s={S7} Int16": 3}, "call": START},
    "short": {"call": {**START, "outputs": ["status", "place", "more"], "expect": {"more": 1}}},
}


async def call(link: RecordingLink, name: str, **arguments: Any) -> Any:
    return await link.answer(link.call(name, token=1, **arguments))


async def test_a_method_is_called_with_exact_types(tree: Tree, port: int, link: RecordingLink) -> None:
    async with Running(OpcUaDriver(described(port, {}, COMMANDS)), link):
        for name in ("start", "by_id", "both"):
            answer = await call(link, name, point=7)
            assert (answer.outcome, answer.result) == (Outcome.CONFIRMED, {"status": 0, "place": "at 7"})
    assert tree.calls == [("start", 7, "UInt16")] * 3


@pytest.mark.parametrize(
    ("name", "point", "outcome", "reason"),
    [
        ("start", 13, Outcome.REFUSED, "path=Machine/Start answers status 1: it is in the wrong state"),
        ("start", 99, Outcome.REFUSED, "the server refuses path=Machine/Start: BadOutOfRange"),
        ("start", 70_000, Outcome.REFUSED, "70000 does not fit into UInt16"),
        ("both", 13, Outcome.UNKNOWN, "only a part was done; then path=Machine/Start answers status 1: it is in the"),
        ("absent", 1, Outcome.REFUSED, f"the server has no 'Stop' of {TREE} under Machine"),
        ("short", 1, Outcome.UNKNOWN, "path=Machine/Start answers nothing as more"),
    ],
)
async def test_what_a_method_did_not_do_is_told(
    port: int, link: RecordingLink, *, name: str, point: int, outcome: Outcome, reason: str
) -> None:
    async with Running(OpcUaDriver(described(port, {}, COMMANDS)), link):
        answer = await call(link, name, point=point)
    assert answer.outcome is outcome
    assert answer.reason.startswith(reason)


async def test_a_method_that_does_not_answer_is_unknown_and_the_connection_stays(
    tree: Tree, port: int, link: RecordingLink
) -> None:
    async with Running(OpcUaDriver(described(port, {}, COMMANDS)), link) as running:
        began = time.monotonic()
        slow = await call(link, "slow")
        assert time.monotonic() - began < 0.5
        await asyncio.sleep(0.5)
        patient = await call(link, "patient")
        assert not running.task.done()
    assert (slow.outcome, patient.outcome) == (Outcome.UNKNOWN, Outcome.CONFIRMED)
    assert "did not answer within 300 ms" in slow.reason
    assert tree.calls == [("slow",), ("slow",)]


async def test_what_is_within_the_deadband_is_not_told(tree: Tree, port: int, link: RecordingLink) -> None:
    row = "path=$axis/parts:Actual&/Position"
    rows = {"coarse": {"read": row, "deadband": 10, "scale": 10.0}, "fine": {"read": row, "deadband": "5 %"}}
    async with Running(OpcUaDriver(described(port, rows)), link):
        await link.value("coarse", 125.0)
        for value, tells in ((13.0, False), (14.5, True)):  # a change of 10 is one of 1 at the server
            tree.server.do(tree.nodes["position"].write_value(value))
            await link.value("fine", value)
            await asyncio.sleep(0.1)
            assert (link.last["coarse"].value == value * 10) is tells
    tree.server.do(tree.nodes["position"].write_value(12.5))


def test_how_a_node_is_watched_by_default_and_by_its_row() -> None:
    rows: dict[str, Any] = {
        "usual": {"read": "s=A"},
        "edge": {"type": "bool", "read": "s=A", "latch": "rising"},
        "own": {"read": "s=A", "sampling": "5 ms", "queue": 3, "deadband": "2 %"},
    }
    profile = Profile(described(1, rows))
    watched = {name: target.watched for name, target in profile.targets.items()}
    assert watched == {"usual": Watched(-1.0, 1), "edge": Watched(0.0, 20), "own": Watched(5.0, 3, 2.0, True)}
    slower = Profile(described(1, rows, settings={"sampling": "1 s", "queue": 30}))
    watched = {name: target.watched for name, target in slower.targets.items()}
    assert watched == {"usual": Watched(1000.0, 30), "edge": Watched(1000.0, 30), "own": Watched(5.0, 3, 2.0, True)}
