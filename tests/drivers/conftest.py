"""The rigs as fixtures."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

from collections.abc import AsyncIterator, Iterator

import pytest

from .direct import DIRECT_RIGS
from .recording import RecordingLink
from .rigs import LinePtyRig, LineTcpRig, ModbusRtuRig, ModbusTcpRig, OpcUaRig, OpcUaServer, Rig
from .tls import ModbusTlsRig

RIGS: dict[str, type[Rig]] = {
    "modbus-tcp": ModbusTcpRig,
    "modbus-tls": ModbusTlsRig,
    "modbus-rtu": ModbusRtuRig,
    "line-tcp": LineTcpRig,
    "line-pty": LinePtyRig,
    **DIRECT_RIGS,
}


@pytest.fixture(scope="session")
def opcua_server() -> Iterator[OpcUaServer]:
    server = OpcUaServer()
    yield server
    server.close()


@pytest.fixture(params=[*RIGS, "opcua"])
async def rig(request: pytest.FixtureRequest, opcua_server: OpcUaServer) -> AsyncIterator[Rig]:
    """The same device behind each protocol in turn."""
    made = OpcUaRig(opcua_server) if request.param == "opcua" else RIGS[request.param]()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def link() -> RecordingLink:
    return RecordingLink()
