"""The rigs as fixtures, and bundled profiles with their devices."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

import pytest

from . import opcua_peers
from .bought import Bought
from .direct import DIRECT_RIGS
from .opcua_peers import OpcUaPeer, OpcUaPeerRig
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


@pytest.fixture(scope="session")
def node_opcua() -> Iterator[OpcUaPeer]:
    with opcua_peers.serving("node-opcua") as peer:
        yield peer


@pytest.fixture(scope="session")
def python_opcua() -> Iterator[OpcUaPeer]:
    with opcua_peers.serving("python-opcua") as peer:
        yield peer


#: These take seconds to start, so one is there for all tests.
SHARED: dict[str, tuple[type[OpcUaRig], str]] = {
    "opcua": (OpcUaRig, "opcua_server"),
    "node-opcua": (OpcUaPeerRig, "node_opcua"),
    "python-opcua": (OpcUaPeerRig, "python_opcua"),
}


@pytest.fixture(scope="session", params=[*RIGS, *SHARED])
def far_end(request: pytest.FixtureRequest) -> Callable[[], Rig]:
    """Makes the rig of each protocol in turn; what is shared is there before the test begins, and may stay."""
    if request.param not in SHARED:
        return RIGS[request.param]
    kind, server = SHARED[request.param]
    return partial(kind, request.getfixturevalue(server))


@pytest.fixture
async def rig(far_end: Callable[[], Rig]) -> AsyncIterator[Rig]:
    """The same device behind each protocol in turn."""
    made = far_end()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(params=["wire", "direct"])
def bought(request: pytest.FixtureRequest) -> Callable[..., Bought]:
    """Brings a device up, by the name of its profile."""
    return partial(Bought, direct=request.param == "direct")


@pytest.fixture
def link() -> RecordingLink:
    return RecordingLink()
