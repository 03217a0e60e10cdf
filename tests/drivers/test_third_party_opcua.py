"""The OPC UA driver against servers that are not ours, beyond what every driver promises (test_contract.py)."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest

from cellctl.driver import Command, CommandClass, Device, DriverError, Outcome, Point, Signal
from cellctl_drivers.opcua import OpcUaDriver
from tests.certificates import Issued

from .opcua_peers import TYPES, OpcUaPeer, serving
from .recording import RecordingLink, Running, until
from .rigs import URI

COUNT = {"count": Point(Signal("dev.count", "int"), "s=Count")}
#: type -> the signal's type, and what is written one after the other: the ends of what fits.
WRITTEN: dict[str, tuple[str, tuple[Any, ...]]] = {
    "Boolean": ("bool", (True, False)),
    "SByte": ("int", (-(2**7), 2**7 - 1)),
    "Byte": ("int", (0, 2**8 - 1)),
    "Int16": ("int", (-(2**15), 2**15 - 1)),
    "UInt16": ("int", (0, 2**16 - 1)),
    "Int32": ("int", (-(2**31), 2**31 - 1)),
    "UInt32": ("int", (0, 2**32 - 1)),
    "Int64": ("int", (-(2**63), -1, 2**63 - 1)),
    "UInt64": ("int", (0, 2**32, 2**64 - 1)),
    "Float": ("float", (-1.5, 2.0**127)),
    "Double": ("float", (math.pi, -1e300)),
    "String": ("text", ("", "Größe 6 µm ✓")),
}


@pytest.fixture(scope="module", params=["node_opcua", "python_opcua"])
def server(request: pytest.FixtureRequest) -> OpcUaPeer:
    peer: OpcUaPeer = request.getfixturevalue(request.param)
    return peer


@pytest.fixture(params=["node-opcua", "python-opcua"])
def own_server(request: pytest.FixtureRequest) -> Iterator[OpcUaPeer]:
    """One that may be killed."""
    with serving(request.param) as peer:
        yield peer


def driver(server: OpcUaPeer, points: dict[str, Point], **more: Any) -> OpcUaDriver:
    settings = {"namespace": URI, "publishing": "20 ms", "security": "none", **more.pop("settings", {})}
    return OpcUaDriver(Device("dev", "opcua", server.address, points, settings=settings, **more))


async def test_every_type_is_written_read_back_and_held(server: OpcUaPeer, link: RecordingLink) -> None:
    points = {
        name: Point(Signal(f"dev.{name}", kind, writable=True, verify=0), f"s=A.{name}", f"s=A.{name} {name}")
        for name, (kind, _) in WRITTEN.items()
    }
    assert points.keys() == TYPES.keys()
    async with Running(driver(server, points), link):
        for name, (_, values) in WRITTEN.items():
            for value in values:
                answer = await link.set(name, value)
                assert (answer.outcome, answer.result) == (Outcome.CONFIRMED, {"read_back": value}), (name, answer)
                assert server.ask(f"get A.{name}") == (str(value) if name.endswith("64") else value)


async def test_a_change_at_the_server_arrives_by_itself(server: OpcUaPeer, link: RecordingLink) -> None:
    async with Running(driver(server, COUNT), link):
        for value in (43, 65535, 42):
            server.ask(f"set Count {value}")
            await link.value("count", value)


async def test_nodes_and_namespaces_that_are_not_there_are_told(server: OpcUaPeer, link: RecordingLink) -> None:
    rows = {"nowhere": "s=Nowhere", "elsewhere": "ns=urn:test:none;i=4", "number": "i=987654"}
    points = COUNT | {name: Point(Signal(f"dev.{name}", "int"), row) for name, row in rows.items()}
    async with Running(driver(server, points), link):
        await until(lambda: len(link.last) == 4)
    assert link.last["count"].good
    assert link.last["nowhere"].reason == "the server refuses s=Nowhere: BadNodeIdUnknown"
    assert link.last["number"].reason == "the server refuses i=987654: BadNodeIdUnknown"
    assert link.last["elsewhere"].reason == "the server has no namespace 'urn:test:none'"


async def test_a_connection_that_is_ended_leaves_no_session_at_the_server(
    server: OpcUaPeer, link: RecordingLink
) -> None:
    # A test before this one may have cancelled a connection that was half made: the server forgets its session later.
    before = set(server.ask("sessions"))
    async with Running(driver(server, COUNT), link):
        await link.value("count", 42)
        (ours,) = set(server.ask("sessions")) - before
    await until(lambda: ours not in server.ask("sessions"))


def secured(server: OpcUaPeer, client: Issued) -> dict[str, str]:
    files = {"certificate": client.certificate, "key": client.key, "server_certificate": server.certificate}
    return {"security": "sign_and_encrypt", **{name: str(path) for name, path in files.items()}}


async def test_a_secured_channel_reads_and_writes(server: OpcUaPeer, link: RecordingLink) -> None:
    setpoint = Point(Signal("dev.set", "int", writable=True, verify=0), "s=Set", "s=Set Int16")
    made = driver(server, COUNT | {"set": setpoint}, settings=secured(server, server.known))
    async with Running(made, link):
        await link.value("count", 42)
        assert (await link.set("set", 11)).outcome is Outcome.CONFIRMED
        assert server.ask("get Set") == 11
        assert (await link.set("set", 10)).outcome is Outcome.CONFIRMED


async def test_a_server_that_does_not_trust_us_is_told_once(
    node_opcua: OpcUaPeer, link: RecordingLink, caplog: pytest.LogCaptureFixture
) -> None:
    async with Running(driver(node_opcua, COUNT, settings=secured(node_opcua, node_opcua.unknown)), link) as run:
        error = await run.ended(6.0)
    assert isinstance(error, DriverError)
    assert "dev" in str(error)
    assert link.ups == []
    assert [record for record in caplog.records if record.name.startswith("asyncua")] == []


@pytest.mark.parametrize("security", ["none", "sign_and_encrypt"])
async def test_a_user_is_let_in_by_the_right_password_only(
    server: OpcUaPeer, link: RecordingLink, security: str
) -> None:
    settings = secured(server, server.known) if security != "none" else {}
    async with Running(driver(server, COUNT, settings=settings, user="operator", password="secret"), link):
        await link.value("count", 42)
    async with Running(driver(server, COUNT, settings=settings, user="operator", password="sacred"), link) as run:
        error = await run.ended(6.0)
    assert isinstance(error, DriverError)
    assert len(link.ups) == 1
    assert re.search("BadUserAccessDenied|does not know this user or password", str(error))


async def test_a_server_that_dies_is_lost_and_found_again(own_server: OpcUaPeer, link: RecordingLink) -> None:
    made = driver(own_server, COUNT)
    async with Running(made, link) as run:
        await link.value("count", 42)
        own_server.ask("set Count 7")
        await link.value("count", 7)
        own_server.kill()
        error = await run.ended(0.5)
    assert isinstance(error, DriverError)
    own_server.start()
    async with Running(made, link):
        await link.value("count", 42)
    assert len(link.ups) == 2


@pytest.mark.parametrize("way", [{"method": "path=Oven/Start"}, {"method": "s=Start", "on": "s=Oven"}])
async def test_a_method_is_called_and_answers(server: OpcUaPeer, link: RecordingLink, way: dict[str, str]) -> None:
    call = {**way, "inputs": [{"type": "UInt16", "value": "$point"}], "outputs": ["half"]}
    start = Command("start", CommandClass.PULSE, 2_000_000_000, {"call": call})
    server.ask("forget")
    async with Running(driver(server, COUNT, commands={"start": start}), link):
        answer = await link.answer(link.call("start", point=7))
        assert (answer.outcome, answer.result) == (Outcome.CONFIRMED, {"half": 3.5})
        refused = await link.answer(link.call("start", point=0))
        assert (refused.outcome, "BadInvalidState" in refused.reason) == (Outcome.REFUSED, True)
    assert server.ask("noted") == [7]
