"""python-opcua as a server, a program of its own: ``python python_opcua.py FOLDER PORT ROWS``.

FOLDER keeps its certificate; PORT 0: any. ROWS is JSON: {name: [type, value, access]}, access "r", "rw", or what a
write is worth: "keep" (it is taken and changes nothing), "note" (it is written down), "bad" (there is no value). Beside
them stands the object Oven with the method Start(UInt16) -> Double.

It prints its address. Then, for each line of its input, an answer in JSON: `get NAME`, `set NAME VALUE`, `noted`,
`forget`, `sessions` (which there are). It ends with its input.
"""

import json
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any

from opcua import Server, ua

from tests.certificates import issue

NAMES = ("urn:test:other", "urn:test:oven")


class Cells:
    """The variables, and what was written to those that write it down."""

    def __init__(self, server: Any, index: int, rows: dict[str, tuple[str, Any, str]]) -> None:
        self._server = server
        self.noted: list[Any] = []
        self.nodes: dict[str, tuple[Any, ua.VariantType]] = {}
        for name, (kind, value, access) in rows.items():
            self._add(ua.NodeId(name, index), ua.VariantType[kind], value, access)
        types = [ua.VariantType.UInt16], [ua.VariantType.Double]
        oven = server.get_objects_node().add_object(ua.NodeId("Oven", index), f"{index}:Oven")
        oven.add_method(ua.NodeId("Start", index), f"{index}:Start", self._start, *types)

    def _add(self, nodeid: Any, kind: ua.VariantType, value: Any, access: str) -> None:
        name = nodeid.Identifier
        node = self._server.get_objects_node().add_variable(nodeid, f"{nodeid.NamespaceIndex}:{name}", value, kind)
        self.nodes[name] = (node, kind)
        data = _data(kind, value)
        node.set_value(data)
        space = self._server.iserver.aspace
        match access:
            case "bad":
                data.StatusCode = ua.StatusCode(ua.StatusCodes.BadSensorFailure)
                node.set_value(data)
            case "keep":
                space[nodeid].attributes[ua.AttributeIds.Value].value_callback = lambda: data
            case "note":
                space.add_datachange_callback(nodeid, ua.AttributeIds.Value, self._note)
        if access in ("rw", "keep", "note"):
            node.set_writable()

    def _start(self, _parent: Any, given: Any) -> Any:
        """Note what is given, and answer with the half of it."""
        if given.Value == 0:
            return ua.StatusCode(ua.StatusCodes.BadInvalidState)
        self.noted.append(given.Value)
        return [ua.Variant(given.Value / 2, ua.VariantType.Double)]

    def _note(self, _handle: int, data: Any) -> None:
        self.noted.append(data.Value.Value)

    def get(self, name: str) -> Any:
        """What a variable holds."""
        value = self.nodes[name][0].get_value()
        return str(value) if self.nodes[name][1] in (ua.VariantType.Int64, ua.VariantType.UInt64) else value

    def set(self, name: str, text: str) -> None:
        """Let it hold another value."""
        node, kind = self.nodes[name]
        node.set_value(_data(kind, json.loads(text)))


def _data(kind: ua.VariantType, value: Any) -> Any:
    data = ua.DataValue(ua.Variant(value, kind))
    data.SourceTimestamp = ua.datetime.utcnow()
    return data


def serve(folder: Path, port: int, rows: dict[str, tuple[str, Any, str]]) -> None:
    """Run it until the input ends."""
    server = Server()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port or _free_port()}/oven/")
    made = issue(folder, "server", uri="urn:test:python-opcua")
    server.set_application_uri("urn:test:python-opcua")
    server.load_certificate(str(made.certificate))
    server.load_private_key(str(made.key))
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity, ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    server.user_manager.set_user_manager(lambda _session, *given: given == ("operator", "secret"))
    *_, index = [server.register_namespace(name) for name in NAMES]
    cells = Cells(server, index, rows)
    server.start()
    print(server.endpoint.geturl(), flush=True)
    answers = {
        "get": cells.get,
        "set": cells.set,
        "noted": lambda: cells.noted,
        "forget": cells.noted.clear,
        "sessions": lambda: [str(id(client)) for client in server.bserver.clients],
    }
    for line in sys.stdin:
        name, *words = line.split()
        print(json.dumps(answers[name](*words)), flush=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


if __name__ == "__main__":
    logging.disable()
    serve(Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))
    os._exit(0)  # its threads would go on
