"""The oven of the rigs behind OPC UA servers that are not ours, each a process of its own: node-opcua, python-opcua."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.certificates import Issued, issue
from tests.peers import Peer, javascript

from .rigs import _NODES, OpcUaRig
from .servers import Proxy

PROGRAM = Path(__file__).with_name("python_opcua.py")
CLIENT_URI = "urn:cellctl:client"

#: One variable of every type that can be written, and what it holds at first.
TYPES: dict[str, Any] = {
    "Boolean": False, "SByte": -1, "Byte": 1, "Int16": -2, "UInt16": 2, "Int32": -3, "UInt32": 3, "Int64": 0,
    "UInt64": 0, "Float": 0.5, "Double": 0.25, "String": "née",
}  # fmt: skip
_ACCESS = {"setpoint": "rw", "clamped": "keep"}
ROWS: dict[str, tuple[str, Any, str]] = {
    **{path: (kind.name, value, _ACCESS.get(name, "r")) for name, (path, value, kind) in _NODES.items()},
    "Fault": ("Double", 1.0, "bad"),
    "Token": ("UInt16", 0, "note"),
    **{f"A.{kind}": (kind, value, "rw") for kind, value in TYPES.items()},
}


class OpcUaPeer:
    """One of them: it can be asked what it knows, and killed and started again at the same port."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder, self.port = name, folder, 0
        #: Certificates of clients: one that the server trusts, and one that it has never seen.
        self.known: Issued = issue(folder / "trusted" / "certs", "known", uri=CLIENT_URI)
        self.unknown: Issued = issue(folder / "unknown", "unknown", uri=CLIENT_URI)
        self.start()

    def start(self) -> None:
        """Be there, at the port of before."""
        rows = json.dumps(ROWS)
        if self.name == "node-opcua":
            argv = javascript("opcua_server.mjs", self.name, self.folder, self.port, rows)
        else:
            argv = [sys.executable, "-W", "ignore", str(PROGRAM), str(self.folder), str(self.port), rows]
        self._peer = Peer(argv)
        try:
            self.address = self._peer.line()
        except BaseException:
            self.kill()
            raise
        self.port = int(self.address.split(":")[2].partition("/")[0])

    @property
    def certificate(self) -> Path:
        """The file of its own certificate."""
        return self.folder / ("own/certs/certificate.pem" if self.name == "node-opcua" else "server.der")

    def kill(self) -> None:
        """Be gone."""
        self._peer.__exit__()

    def ask(self, text: str) -> Any:
        """What it answers."""
        return json.loads(self._peer.ask(text))

    @property
    def tokens(self) -> list[int]:
        """What `go` was executed with."""
        noted: list[int] = self.ask("noted")
        return noted


@contextmanager
def serving(name: str) -> Iterator[OpcUaPeer]:
    """The server of that name."""
    with TemporaryDirectory(prefix="opcua-") as folder:
        peer = OpcUaPeer(name, Path(folder))
        try:
            yield peer
        finally:
            peer.kill()


class OpcUaPeerRig(OpcUaRig):
    """Such a server, behind a proxy of its own."""

    server: Any

    async def start(self) -> None:
        self.server.ask("forget")
        self.proxy = await Proxy(self.server.port).start()
