"""A machine with objects, methods and ids of every kind, grown on the shared OPC UA server.

The identifiers are in the styles of PLCs: an S7-1500 quotes data block and tag, CODESYS names device and program.
"""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
import uuid
from typing import Any

from asyncua import ua

from cellctl.driver import Command, CommandClass, Device, Point, Signal

from .rigs import OpcUaServer

TREE = "urn:test:tree"
PARTS = "urn:test:parts"
S7, CODESYS = '"DB1"."speed"', "|var|Soft PLC.Application.PLC_PRG.x"
GUID, OPAQUE = uuid.UUID("72962b91-fa75-4ae6-8d28-b404dc7daf63"), b"M/RbKBsRVkePCePcx24oRA=="
SETTINGS = {
    "namespace": TREE,
    "namespaces": {"parts": PARTS},
    "publishing": "20 ms",
    "$axis": "$machine/parts:Axes/Axis 1",
    "$machine": "Machine",
    "timeout": "300 ms",
    "security": "none",
}


class Tree:
    """What grows: `calls` are the calls of its methods."""

    def __init__(self, server: OpcUaServer) -> None:
        self.server = server
        self.calls: list[tuple[Any, ...]] = []
        self.nodes: dict[str, Any] = {}
        server.do(self._grow())

    async def _grow(self) -> None:
        server = self.server.server
        index = await server.register_namespace(TREE)
        parts = await server.register_namespace(PARTS)
        self.index = index
        machine = await server.nodes.objects.add_object(ua.NodeId("Machine", index), ua.QualifiedName("Machine", index))
        axes = await machine.add_object(ua.NodeId(7001, index), ua.QualifiedName("Axes", parts))
        axis = await axes.add_object(ua.NodeId(7002, index), ua.QualifiedName("Axis 1", index))
        position = ua.NodeId(7003, index)
        self.nodes["position"] = await axis.add_variable(position, ua.QualifiedName("Actual/Position", parts), 12.5)
        for name, identifier in (("s7", S7), ("codesys", CODESYS), ("guid", GUID), ("opaque", OPAQUE)):
            nodeid = ua.NodeId(identifier, index)
            browse = ua.QualifiedName(name, index)
            self.nodes[name] = await machine.add_variable(nodeid, browse, 3, ua.VariantType.Int16)
            await self.nodes[name].set_writable()
        values = ua.NodeId("Values", index)
        self.nodes["values"] = await machine.add_variable(values, ua.QualifiedName("Values", index), [1.5, 2.5, 3.5])
        for name, method, inputs, outputs in (
            ("Start", self._start, [ua.VariantType.UInt16], [ua.VariantType.Int32, ua.VariantType.LocalizedText]),
            ("Slow", self._slow, [], []),
        ):
            await machine.add_method(ua.NodeId(name, index), ua.QualifiedName(name, index), method, inputs, outputs)

    async def _start(self, _parent: ua.NodeId, point: ua.Variant) -> Any:
        self.calls.append(("start", point.Value, point.VariantType.name))
        if point.Value == 99:
            return ua.StatusCode(ua.StatusCodes.BadOutOfRange)
        status = 1 if point.Value == 13 else 0
        return [ua.Variant(status, ua.VariantType.Int32), ua.Variant(ua.LocalizedText("at " + str(point.Value)))]

    async def _slow(self, _parent: ua.NodeId) -> list[ua.Variant]:
        self.calls.append(("slow",))
        await asyncio.sleep(0.6)
        return []

    def plant(self, name: str, value: int) -> None:
        """Have a variable of that name under the machine, with an id that was never there before."""
        self.server.do(self._plant(name, value))

    async def _plant(self, name: str, value: int) -> None:
        machine = self.server.server.get_node(ua.NodeId("Machine", self.index))
        nodeid = ua.NodeId(uuid.uuid4(), self.index)
        self.nodes[name] = await machine.add_variable(
            nodeid, ua.QualifiedName(name, self.index), value, ua.VariantType.Int32
        )

    def fell(self, name: str) -> None:
        """Have it no more, and tell nobody: whoever watched it hears nothing."""
        node = self.nodes.pop(name)
        server = self.server.server
        server.iserver.aspace[node.nodeid].attributes[ua.AttributeIds.Value].datachange_callbacks.clear()
        self.server.do(server.delete_nodes([node]))


def described(port: int, rows: dict[str, Any], commands: dict[str, Any] | None = None, **more: Any) -> Device:
    """The machine with these rows: name to the keys of a signal."""
    points = {}
    for name, row in rows.items():
        keys = dict(row)
        read, write, kind = keys.pop("read", None), keys.pop("write", None), keys.pop("type", "float")
        signal = Signal(f"dev.{name}", kind, writable=write is not None, latch=keys.pop("latch", ""))
        points[name] = Point(signal, read, write, scale=keys.pop("scale", 1.0), options=keys)
    orders = {
        name: Command(name, CommandClass.PULSE, 2_000_000_000, options) for name, options in (commands or {}).items()
    }
    address = f"opc.tcp://127.0.0.1:{port}/oven/"
    settings, identity = {**SETTINGS, **more.pop("settings", {})}, more.pop("identity", None)
    return Device("dev", "opcua", address, points, orders, settings, identity, more.pop("watchdog", None))
