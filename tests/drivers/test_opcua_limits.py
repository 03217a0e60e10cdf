"""OPC UA servers that read few nodes in one request, and say so only by refusing more."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

from dataclasses import replace
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_session import InternalSession

from cellctl.driver import DriverError, Outcome
from cellctl_drivers.opcua import OpcUaDriver

from .opcua_tree import described
from .recording import RecordingLink, Running, until
from .rigs import OpcUaServer

ROWS = {f"n{number}": {"type": "int", "read": "ns=urn:test:oven;s=Count"} for number in range(23)}
SET = {"type": "int", "read": "ns=urn:test:oven;s=Set", "write": "ns=urn:test:oven;s=Set Int16"}


def reads_at_most(most: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have servers read so many nodes in one request; how many they did read, request by request."""
    read, taken = InternalSession.read, list[int]()

    async def few_read(self: InternalSession, params: ua.ReadParameters) -> Any:
        if len(params.NodesToRead) > most:
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        taken.append(len(params.NodesToRead))
        return await read(self, params)

    monkeypatch.setattr(InternalSession, "read", few_read)
    return taken


@pytest.mark.parametrize("most", [10, 1])
async def test_it_stays_connected(opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch, *, most: int) -> None:
    """Every second it is asked whether it still runs, and for some of the nodes that are watched."""
    taken, link = reads_at_most(most, monkeypatch), RecordingLink()
    async with Running(OpcUaDriver(described(opcua_server.port, ROWS)), link) as running:
        await until(lambda: len(link.last) == 23)
        await until(lambda: sum(taken) > 44 or running.task.done(), 6.0)
        assert not running.task.done(), running.task.exception()
    assert max(taken) >= (most + 1) // 2


async def test_what_cannot_be_read_back_is_not_told_as_refused(
    opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    device, link = described(opcua_server.port, {"set": SET}), RecordingLink()
    point = device.points["set"]
    verified = replace(device, points={"set": replace(point, signal=replace(point.signal, verify=0))})
    async with Running(OpcUaDriver(verified), link) as running:
        await until(lambda: "set" in link.last)
        reads_at_most(0, monkeypatch)
        order = link.write("set", 44)
        error = await running.ended()
    assert isinstance(error, DriverError)
    assert "dev cannot be read" in str(error)
    assert link.answers[order].outcome is Outcome.UNKNOWN
