"""Objects, ways and methods of a simulated device, behind its server and touched directly: the same answers."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from random import Random
from typing import Any

import pytest

from cellctl.driver import Driver, Outcome, Unwilling, Value, WrongDevice
from cellctl_drivers.opcua import OpcUaDriver
from cellctl_simulators.faults.cable import Cable
from cellctl_simulators.faults.mask import Mask
from cellctl_simulators.servers.contact import DeviceContact
from cellctl_simulators.servers.opcua import OpcUaServer
from cellctl_simulators.wire import Method, Node, Nodes

from .opcua_tree import PARTS, TREE, described
from .recording import RecordingLink, Running, until

START = {"method": "path=Machine/Start", "inputs": [{"type": "UInt16", "value": "$point"}]}
ANSWERS = {"outputs": ["status", "text", "done"], "expect": {"status": 0}}
COMMANDS: dict[str, Any] = {
    "start": {"call": {**START, **ANSWERS}},
    "by_id": {"call": {**START, **ANSWERS, "method": "s=Start", "on": "path=Machine"}},
    "wrong": {"call": {**START, "inputs": [{"type": "Int16", "value": 5}]}},
    "bare": {"call": {"method": "path=Machine/Start"}},
    "many": {"call": {**START, "inputs": START["inputs"] * 2}},
    "both": {"write": {"path=Machine/Program Int16": 4}, "call": {**START, **ANSWERS}},
    "half": {"write": {"path=Machine/Program Int16": 4}, "call": {**START, "method": "path=Machine/Gone"}},
    "unmade": {"call": {"method": "path=Machine/Stop"}},
}
ROWS: dict[str, Any] = {
    "position": {"read": "path=$axis/parts:Position"},
    "program": {"type": "int", "read": "s=Program", "write": "path=Machine/Program Int16"},
    "nowhere": {"read": "path=Machine/parts:Position"},
}


class MachineNodes(Nodes):
    """A machine with one axis and the method Start, which takes no point above 9 and fails at 13."""

    def __init__(self) -> None:
        machine = ("", "Machine")
        axis = (machine, (PARTS, "Axes"), ("", "Axis 1"), (PARTS, "Position"))
        nodes = {
            "Position": Node("Double", 12.5, at=axis),
            "Program": Node("Int16", 3, writable=True, at=(machine, ("", "Program"))),
        }
        outputs = ("Int32", "String", "Boolean")
        methods = {
            "Start": Method(("UInt16",), outputs, (machine, ("", "Start"))),
            "Stop": Method(at=(machine, ("", "Stop"))),
        }
        super().__init__(TREE, nodes, methods)
        self.answer = self._started
        self.points: list[Value] = []
        self.changed: Callable[[], None] = lambda: None

    def _started(self, name: str, inputs: Sequence[Value]) -> Sequence[Value]:
        if name == "Stop":
            raise Unwilling("BadInvalidState")
        self.points += inputs
        self["Position"] = float(inputs[0])
        return (1 if inputs[0] == 13 else 0, "on its way", True)


@pytest.fixture(params=["wire", "direct"])
async def made(request: pytest.FixtureRequest) -> AsyncIterator[tuple[MachineNodes, Callable[..., Driver]]]:
    """The nodes of the machine, and how a driver for it is made."""
    nodes = MachineNodes()
    if request.param == "direct":
        contact = DeviceContact(nodes, lambda: None, lambda: False)
        await contact.start()
        yield nodes, lambda *what, **how: OpcUaDriver.direct(described(1, *what, **how), contact)
        return
    server = OpcUaServer(nodes, lambda: server.refresh(), Cable(Random(1)))
    await server.start()
    nodes.changed = server.refresh
    port = int(server.at.rpartition(":")[2])
    yield nodes, lambda *what, **how: OpcUaDriver(described(port, *what, **how))
    await server.stop()
    await server.aclose()


async def test_ways_are_found_read_and_written(made: Any, link: RecordingLink) -> None:
    nodes, driver = made
    async with Running(driver(ROWS), link):
        await until(lambda: len(link.last) == 3)
        assert (link.last["position"].value, link.last["program"].value) == (12.5, 3)
        assert not link.last["nowhere"].good
        assert (await link.set("program", 7)).outcome is Outcome.CONFIRMED
        await link.value("program", 7)
    assert nodes["Program"] == 7


async def test_methods_answer(made: Any, link: RecordingLink) -> None:
    nodes, driver = made
    async with Running(driver(ROWS, COMMANDS), link):
        for point, name in enumerate(("start", "by_id", "both"), 7):
            answer = await link.answer(link.call(name, point=point))
            assert (answer.outcome, answer.reason) == (Outcome.CONFIRMED, "")
            assert answer.result == {"status": 0, "text": "on its way", "done": True}
            await link.value("position", float(point))
    assert nodes.points == [7, 8, 9]
    assert nodes["Program"] == 4


@pytest.mark.parametrize(
    ("name", "point", "outcome", "reason"),
    [
        ("start", 13, Outcome.REFUSED, "path=Machine/Start answers status 1"),
        ("start", -1, Outcome.REFUSED, "-1 does not fit into UInt16"),
        ("both", 13, Outcome.UNKNOWN, "only a part was done; then path=Machine/Start answers status 1"),
        ("half", 1, Outcome.REFUSED, None),
        ("unmade", 1, Outcome.REFUSED, "the server refuses path=Machine/Stop: BadInvalidState"),
    ],
)
async def test_methods_that_do_nothing(
    made: Any, link: RecordingLink, *, name: str, point: int, outcome: Outcome, reason: str | None
) -> None:
    """Reasons that begin differently with and without a wire are not compared."""
    nodes, driver = made
    async with Running(driver(ROWS, COMMANDS), link):
        answer = await link.answer(link.call(name, point=point))
    assert (answer.outcome, answer.reason) == (outcome, reason or answer.reason)
    assert answer.reason
    assert (nodes["Program"] == 3) is (name != "both")
    assert nodes.points == [13] * (point == 13)


async def test_a_method_that_is_stuck_says_yes_and_does_nothing(made: Any, link: RecordingLink) -> None:
    nodes, driver = made
    nodes.mask = Mask(stuck={"Start"})
    async with Running(driver(ROWS, COMMANDS), link):
        answer = await link.answer(link.call("start", point=7))
    assert answer.result == {"status": 0, "text": "", "done": False}
    assert nodes.points == []


async def test_a_stranger_has_none_of_the_namespaces(made: Any, link: RecordingLink) -> None:
    nodes, driver = made
    identity = {"namespace": PARTS}
    async with Running(driver({}, identity=identity), link):
        assert link.ups == [PARTS]
    nodes.mask = Mask(strange={""})
    stranger = RecordingLink()
    for _ in range(50):  # the server tells it as soon as it looks
        async with Running(driver({}, identity=identity), stranger) as running:
            if not stranger.ups:
                error = await running.ended()
                break
        stranger.ups.clear()
        nodes.changed()
        await asyncio.sleep(0.02)
    assert isinstance(error, WrongDevice)
    assert str(error).endswith(f"urn:stranger, urn:stranger:1, wanted {PARTS!r}")


def test_a_simulated_method_wants_exactly_its_inputs() -> None:
    nodes = MachineNodes()
    for inputs, status in (
        ([], "BadArgumentsMissing"),
        ([("UInt16", 1)] * 2, "BadTooManyArguments"),
        ([("Int16", 1)], "BadInvalidArgument"),
    ):
        with pytest.raises(Unwilling, match=status):
            nodes.call("Start", inputs)
    with pytest.raises(Unwilling, match="BadMethodInvalid"):
        nodes.call("Go", [])
    with pytest.raises(Unwilling, match="BadNotImplemented"):
        Nodes(TREE, {}, {"Go": Method()}).call("Go", [])


async def test_a_deadband_holds_without_a_wire_too(link: RecordingLink) -> None:
    nodes = MachineNodes()
    contact = DeviceContact(nodes, lambda: None, lambda: False)
    await contact.start()
    rows = {"position": {"read": "path=$axis/parts:Position", "deadband": 1}}
    async with Running(OpcUaDriver.direct(described(1, rows), contact), link):
        for value, told in ((13.4, 12.5), (13.6, 13.6)):
            nodes["Position"] = value
            contact.refresh()
            await asyncio.sleep(0.1)
            assert link.last["position"].value == told
