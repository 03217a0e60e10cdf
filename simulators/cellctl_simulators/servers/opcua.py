"""OPC UA: the nodes of a model behind an asyncua server, without security, on loopback only.

The rule kept here: the variables live as long as the simulation; stopping the server closes its port, its connections
and its sessions, as a PLC does whose network module restarts.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC
from functools import cache

from asyncua import ua
from asyncua.common.node import Node
from asyncua.server.address_space import AddressSpace, AttributeValue, NodeData, NodeManagementService
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession
from asyncua.server.server import Server
from asyncua.server.standard_address_space import standard_address_space_services
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from cellctl.driver import Unwilling, Value
from cellctl_simulators.faults.cable import Cable, CabledProtocol
from cellctl_simulators.servers.streams import LOOPBACK, ReservedPort
from cellctl_simulators.wire import Nodes, Step

APPLICATION_URI = "urn:cellctl:simulator"


class OpcUaServer:
    """One OPC UA device; its values are pushed to subscribers as the model changes them."""

    def __init__(self, wire: Nodes, settle: Callable[[], None], cable: Cable) -> None:
        self._wire = wire
        self._settle = settle
        self._cable = cable
        self._namespaces = wire.namespaces
        self._port = ReservedPort()
        self._server: Server | None = None
        self._variables: dict[str, ua.NodeId] = {}
        self._told: dict[str, Value] = {}
        self._news = asyncio.Event()
        self._pushed: ua.DataValue | None = None  # what the model says itself
        self._push: asyncio.Task[None] | None = None
        self.at = f"{LOOPBACK}:{self._port.number}"

    async def start(self) -> None:
        """Listen; the first time, make the address space before."""
        if self._server is None:
            self._server = await self._build()
            self._push = asyncio.create_task(self._push_news(), name="simulated opc ua values")
            await self._server.start()
            await self._plug_cable(self._server)
        elif self._server.bserver is not None:
            await self._server.bserver.start()

    async def _plug_cable(self, server: Server) -> None:
        """Let all connections go through the cable: asyncua makes its protocols by a method of the server that listens.

        That is made and started in one step, so it has to begin to listen once more.
        """
        listening = server.bserver
        assert listening is not None
        await listening.stop()
        make = listening._make_protocol  # noqa: SLF001 - asyncua has no other place for it
        listening._make_protocol = lambda: CabledProtocol(make(), self._cable)  # type: ignore[method-assign,assignment,return-value]  # noqa: SLF001
        await listening.start()

    async def stop(self) -> None:
        """Cut the connections, forget the sessions, and refuse new ones."""
        if self._server is None or self._server.bserver is None:
            return
        await self.cut()
        await self._server.bserver.stop()
        await self._forget_sessions(self._server)

    async def cut(self) -> None:
        """Cut the connections and forget the sessions; new ones can be made."""
        if self._server is None:
            return
        for transport in tuple(self._server.iserver.asyncio_transports):
            transport.abort()
        await asyncio.sleep(0)
        await self._forget_sessions(self._server)

    async def _forget_sessions(self, server: Server) -> None:
        assert isinstance(server.iserver, _Inner)
        for session in tuple(server.iserver.sessions):
            await session.close_session(True)
        await asyncio.sleep(0)

    def rewire(self, wire: Nodes) -> None:
        """The device has started anew, with these nodes."""
        self._wire = wire
        self._news.set()

    def refresh(self) -> None:
        """Have changed values pushed."""
        renamed = self._namespaces != self._wire.namespaces
        if renamed or any(self._told[name] != self._wire.read(name) for name in self._told):
            self._news.set()

    async def aclose(self) -> None:
        """End the server for good and give the address back."""
        self._port.close()
        await _end(self._push)
        if self._server is not None:
            clock, self._server.iserver.time_task = self._server.iserver.time_task, None
            await _end(clock)
            await self._server.iserver.stop()

    async def _build(self) -> Server:
        server = Server(iserver=_Inner())
        await server.init()
        await server.set_application_uri(APPLICATION_URI)
        server.set_endpoint(f"opc.tcp://{self.at}")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        server.set_identity_tokens([ua.AnonymousIdentityToken])
        for namespace in self._wire.namespaces:
            await server.register_namespace(namespace)
        tree = _Tree(server, self._wire.namespace)
        for name, node in self._wire.nodes.items():
            parent, own, browse = await tree.place(name, node.at)
            variable = await parent.add_variable(own, browse, _variant(node.type, node.value))
            self._variables[name] = variable.nodeid
            self._told[name] = node.value
            if node.writable:
                await variable.set_writable()
                server.iserver.aspace.add_datachange_callback(variable.nodeid, AttributeIds.Value, self._writer(name))
        for name, method in self._wire.methods.items():
            parent, own, browse = await tree.place(name, method.at)
            inputs, outputs = ([ua.VariantType[kind] for kind in kinds] for kinds in (method.inputs, method.outputs))
            await parent.add_method(own, browse, self._caller(name), inputs, outputs)
        return server

    def _caller(self, name: str) -> Callable[..., object]:
        async def called(_parent: ua.NodeId, *inputs: ua.Variant) -> ua.StatusCode | list[ua.Variant]:
            self._settle()
            try:
                answer = self._wire.call(name, [(each.VariantType.name, each.Value) for each in inputs])
            except Unwilling as refusal:
                return ua.StatusCode(getattr(StatusCodes, str(refusal)))
            finally:
                self._settle()
            kinds = self._wire.methods[name].outputs
            return [_variant(kind, value) for kind, value in zip(kinds, answer, strict=True)]

        return called

    async def _rename(self) -> None:
        """The namespaces have other names: the device is another one."""
        assert self._server is not None
        node = self._server.get_node(ua.NodeId(ua.Int32(ObjectIds.Server_NamespaceArray)))
        names = await node.read_value()
        self._namespaces = self._wire.namespaces
        await node.write_value([*names[: -len(self._namespaces)], *self._namespaces])

    def _writer(self, name: str) -> Callable[[int, ua.DataValue], object]:
        async def written(_handle: int, data: ua.DataValue) -> None:
            if data.Value is None or data is self._pushed:
                return  # what the model says itself
            self._settle()
            self._told[name] = data.Value.Value
            self._wire.write(name, data.Value.Value, self._wire.nodes[name].type)
            self._settle()

        return written

    async def _push_news(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            if self._namespaces != self._wire.namespaces:
                await self._rename()
            for name in self._wire.nodes:
                value = self._wire.read(name)
                if value != self._told[name]:
                    self._told[name] = value
                    variant = _variant(self._wire.nodes[name].type, value)
                    data = ua.DataValue(variant, SourceTimestamp=ua.DateTime.now(UTC))
                    assert self._server is not None
                    self._pushed = data
                    await self._server.write_attribute_value(self._variables[name], data)


def _variant(kind: str, value: Value) -> ua.Variant:
    return ua.Variant(ua.LocalizedText(str(value)) if kind == "LocalizedText" else value, ua.VariantType[kind])


class _Tree:
    """The objects on the ways to the nodes of a device, each made once."""

    def __init__(self, server: Server, namespace: str) -> None:
        self._server, self._own = server, namespace
        self._objects: dict[tuple[Step, ...], Node] = {(): server.nodes.objects}

    async def place(self, name: str, way: tuple[Step, ...]) -> tuple[Node, ua.NodeId, ua.QualifiedName]:
        """What a node hangs on, its id, and its browse name."""
        way = way or (("", name),)
        own = ua.NodeId(ua.String(name), ua.Int16(await self._index("")))
        return await self._object(way[:-1]), own, await self._browse_name(way[-1])

    async def _object(self, way: tuple[Step, ...]) -> Node:
        if way not in self._objects:
            parent = await self._object(way[:-1])
            index = await self._index("")
            own = ua.NodeId(ua.String("/".join(name for _, name in way)), ua.Int16(index))
            self._objects[way] = await parent.add_object(own, await self._browse_name(way[-1]))
        return self._objects[way]

    async def _browse_name(self, step: Step) -> ua.QualifiedName:
        return ua.QualifiedName(ua.String(step[1]), ua.UInt16(await self._index(step[0])))

    async def _index(self, uri: str) -> int:
        return await self._server.register_namespace(uri or self._own)


class _Inner(InternalServer):
    """asyncua's inner server: knows its sessions, and loads only the part of the standard nodes that a device shows."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions: set[InternalSession] = set()

    def register_external_session(self, session: InternalSession) -> None:
        super().register_external_session(session)
        self.sessions.add(session)

    def unregister_external_session(self, session: InternalSession) -> None:
        super().unregister_external_session(session)
        self.sessions.discard(session)

    async def load_standard_address_space(self, shelf_file: object = None) -> None:
        for node in _standard_space():
            self.aspace[node.nodeid] = _copied(node)


@cache
def _standard_space() -> tuple[NodeData, ...]:
    """The nodes, put together once in this process: that takes ten times as long as a copy."""
    nodes, references = _standard_nodes()
    space = AddressSpace()
    service = NodeManagementService(space)
    postponed = list(service.try_add_nodes(list(nodes), check=False))
    list(service.try_add_nodes(postponed, check=False))
    list(service.try_add_references(list(references)))
    return tuple(node for item in nodes if (node := space.get(item.RequestedNewNodeId)) is not None)


def _copied(node: NodeData) -> NodeData:
    """A node of a server's own; values and references are replaced and never changed, so they can be shared."""
    copy = NodeData(node.nodeid)
    for name, attribute in node.attributes.items():
        assert attribute.value is not None
        copy.attributes[name] = AttributeValue(attribute.value)
    copy.references = list(node.references)
    return copy


def _standard_nodes() -> tuple[tuple[ua.AddNodesItem, ...], tuple[ua.AddReferencesItem, ...]]:
    """The types, without what hangs below them, and the objects of every server: a third of all nodes and time."""
    collected = _Collector()
    standard_address_space_services.create_standard_address_space_Services(collected)  # type: ignore[no-untyped-call]
    items = {item.RequestedNewNodeId: item for item in collected.nodes}
    kinds = {ua.NodeClass.ObjectType, ua.NodeClass.VariableType, ua.NodeClass.ReferenceType, ua.NodeClass.DataType}

    def belongs_to_type(item: ua.AddNodesItem) -> bool:
        parent = items.get(item.ParentNodeId)
        return parent is not None and (parent.NodeClass in kinds or belongs_to_type(parent))

    kept = {key: item for key, item in items.items() if item.NodeClass in kinds or not belongs_to_type(item)}
    references = [each for each in collected.references if {each.SourceNodeId, each.TargetNodeId} <= kept.keys()]
    return tuple(kept.values()), tuple(references)


class _Collector:
    """Stands where asyncua's generated code expects the server, and keeps what it is given."""

    def __init__(self) -> None:
        self.nodes: list[ua.AddNodesItem] = []
        self.references: list[ua.AddReferencesItem] = []

    def add_nodes(self, nodes: list[ua.AddNodesItem]) -> None:
        self.nodes.extend(nodes)

    def add_references(self, references: list[ua.AddReferencesItem]) -> None:
        self.references.extend(references)


async def _end(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
