"""Everything that can be known of an OPC UA device before it is connected.

The rule kept here: nodes are named by the URI of their namespace, never by its index, which a server may change; writes
name the exact type, because a server refuses every other one.

The profile language: ``opcua: {namespace, publishing, timeout, security, certificate, key, server_certificate,
application_uri}``. A row is ``s=Name`` or ``i=42`` in that namespace, or ``ns=URI;s=Name``; a `write` row ends with the
type: ``s=Name Int16``. A command has ``write: {"s=Name UInt16": VALUE}``, written in the order given.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cellctl.driver import AddressError, Command, Device, Outcome, Point, Value
from cellctl_drivers.wire.endpoint import Tcp, parse_tcp, scheme_of
from cellctl_drivers.wire.orders import OrderError
from cellctl_drivers.wire.reading import Reading
from cellctl_drivers.wire.settings import Section, Where, nearest

_PORT = 4840
_ROW = re.compile(r"(?:ns=(?P<namespace>[^;]+);)?(?P<kind>[si])=(?P<name>.+)\Z", re.DOTALL)

#: The types that can be written, each with the bounds of its whole numbers (None: no whole number).
TYPES: Mapping[str, tuple[int, int] | None] = {
    "Boolean": None,
    "SByte": (-(2**7), 2**7 - 1),
    "Byte": (0, 2**8 - 1),
    "Int16": (-(2**15), 2**15 - 1),
    "UInt16": (0, 2**16 - 1),
    "Int32": (-(2**31), 2**31 - 1),
    "UInt32": (0, 2**32 - 1),
    "Int64": (-(2**63), 2**63 - 1),
    "UInt64": (0, 2**64 - 1),
    "Float": None,
    "Double": None,
    "String": None,
}


@dataclass(frozen=True, slots=True)
class Node:
    """A node by the URI of its namespace and its name or number there."""

    namespace: str
    name: str | int

    def __str__(self) -> str:
        return f"{'s' if isinstance(self.name, str) else 'i'}={self.name}"


@dataclass(frozen=True, slots=True)
class Sink:
    """A node that can be written, and the exact type it takes."""

    node: Node
    type: str

    def typed(self, value: Value) -> Value:
        """`value` as the type; OrderError if it does not fit."""
        bounds = TYPES[self.type]
        if (self.type == "String") != isinstance(value, str):
            raise OrderError(Outcome.REFUSED, f"{value!r} is not of type {self.type}")
        if isinstance(value, str):
            return value
        if not math.isfinite(value):
            raise OrderError(Outcome.REFUSED, f"{value} is not a number that can be written")
        if self.type == "Boolean":
            return bool(value)
        if bounds is None:
            return float(value)
        if not bounds[0] <= round(value) <= bounds[1]:
            raise OrderError(Outcome.REFUSED, f"{value} does not fit into {self.type}")
        return round(value)


@dataclass(frozen=True, slots=True)
class Target:
    """One point: how to decode it, where it is read and where it is written."""

    reading: Reading
    read: Node | None
    write: Sink | None


@dataclass(frozen=True, slots=True)
class Watchdog:
    """A node written every `every_ns` with a running number."""

    sink: Sink
    every_ns: int


@dataclass(frozen=True, slots=True)
class Security:
    """The files that secure the channel."""

    certificate: str
    key: str
    server_certificate: str


class Profile:
    """One OPC UA device; AddressError for whatever cannot be used."""

    def __init__(self, device: Device) -> None:
        settings = Section(device.settings, ("opcua",))
        self.id = device.id
        self.endpoint, self.url = _endpoint(device.address)
        self.user, self.password = device.user, device.password
        self.namespace = settings.text("namespace", "")
        self.publishing_ms = settings.duration("publishing", "100 ms") / 1e6
        self.timeout_s = settings.duration("timeout", "1 s") / 1e9
        self.security = _security(settings)
        self.application_uri = settings.text("application_uri", "urn:cellctl:client")
        settings.close()
        self.targets = {name: self._target(point) for name, point in device.points.items()}
        self.commands = {name: self._command(command) for name, command in device.commands.items()}
        self.identity = self._identify(device.identify)
        self.watchdog = self._watchdog(device.watchdog)

    def namespaces(self) -> list[str]:
        """The URI of every namespace that a row names."""
        sinks = [sink for steps in self.commands.values() for sink, _ in steps]
        sinks += [target.write for target in self.targets.values() if target.write is not None]
        sinks += [self.watchdog.sink] if self.watchdog is not None else []
        nodes = [target.read for target in self.targets.values() if target.read is not None]
        return list(dict.fromkeys(node.namespace for node in (*nodes, *(sink.node for sink in sinks))))

    def _target(self, point: Point) -> Target:
        options = Section(point.options, ("signals", point.signal.name))
        options.close()
        read = self._node(point.read, options.at("read")) if point.read else None
        write = self._sink(point.write, options.at("write")) if point.write else None
        return Target(Reading(point), read, write)

    def _command(self, command: Command) -> tuple[tuple[Sink, Value], ...]:
        options = Section(command.options, ("commands", command.name))
        writes = options.take("write")
        options.close()
        if not isinstance(writes, Mapping) or not writes:
            raise AddressError('an OPC UA command needs `write: {"s=Name Int16": VALUE}`', options.at("write"))
        steps = []
        for key, value in writes.items():
            if not isinstance(value, bool | int | float | str):
                raise AddressError(f"{key!r} needs one value", options.at("write"))
            steps.append((self._sink(str(key), options.at("write")), value))
        return tuple(steps)

    def _identify(self, identify: Mapping[str, object] | None) -> str:
        if identify is None:
            return ""
        section = Section(identify, ("identify",))
        namespace = section.text("namespace")
        section.close()
        return namespace

    def _watchdog(self, watchdog: Mapping[str, object] | None) -> Watchdog | None:
        if watchdog is None:
            return None
        section = Section(watchdog, ("watchdog",))
        sink = self._sink(section.text("write"), section.at("write"))
        every_ns = section.duration("every", "1 s")
        section.close()
        if every_ns == 0 or TYPES[sink.type] is None:
            raise AddressError("a watchdog needs a period and a whole-number type", section.at("write"))
        return Watchdog(sink, every_ns)

    def _node(self, text: str, where: Where) -> Node:
        match = _ROW.match(text)
        if match is None:
            raise AddressError(f"{text!r} is not of the form s=NAME, i=NUMBER or ns=URI;s=NAME", where)
        namespace = match["namespace"] or self.namespace
        if not namespace:
            raise AddressError(f"{text!r} has no namespace: give `opcua: {{namespace: URI}}`", where)
        if namespace.isdigit():
            raise AddressError(f"ns={namespace} is an index, which the server may change: give the URI", where)
        if match["kind"] == "s":
            return Node(namespace, match["name"])
        if not match["name"].isdigit():
            raise AddressError(f"i={match['name']} is not a number", where)
        return Node(namespace, int(match["name"]))

    def _sink(self, text: str, where: Where) -> Sink:
        name, _, kind = text.rpartition(" ")
        if not name or kind not in TYPES:
            raise AddressError(f"{text!r} does not end with the type to write{nearest(kind, tuple(TYPES))}", where)
        return Sink(self._node(name.strip(), where), kind)


def _endpoint(address: str) -> tuple[Tcp, str]:
    scheme_of(address, ("opc.tcp",))
    endpoint, query = parse_tcp(address, port=_PORT)
    query.close()
    return endpoint, address


def _security(settings: Section) -> Security | None:
    mode = settings.choice("security", "none", ("none", "sign_and_encrypt"))
    files = {key: settings.text(key, "") for key in ("certificate", "key", "server_certificate")}
    if mode == "none":
        return None
    for key in ("certificate", "key"):
        if not files[key]:
            raise AddressError(f"sign_and_encrypt needs the file of the {key}", settings.at(key))
    return Security(**files)
