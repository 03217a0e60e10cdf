"""Everything that can be known of an OPC UA device before it is connected.

The rule kept here: nothing that a server may change or refuse is left to chance: nodes are named as `nodes` says, types
as `steps` says, and what is asked of the subscription has a bound.

The profile language: ``opcua: {namespace, namespaces, $NAME, publishing, sampling, queue, timeout, security,
certificate, key, server_certificate, application_uri, epoch, prepare}``. A row names a node; a `write` row ends with
the type: ``s=Name Int16``; `deadband`, `sampling`, `queue` and `element` say more of what is read. A command has
``write: {"s=Name UInt16": VALUE}``, written in the order given, and `call`, done afterwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cellctl.driver import AddressError, Device, Point
from cellctl_drivers.opcua.nodes import Names, Place
from cellctl_drivers.opcua.steps import TYPES, Invoke, Put, Sink, puts_of, sink_of, steps_of, values_of
from cellctl_drivers.wire.endpoint import Tcp, parse_tcp, scheme_of
from cellctl_drivers.wire.epoch import check_epoch, echo_within_ns
from cellctl_drivers.wire.reading import Reading
from cellctl_drivers.wire.settings import Section

__all__ = ["TYPES", "Profile", "Security", "Target", "Watchdog", "Watched"]

_PORT = 4840

#: A latched signal may change several times within one publishing interval; of the others the newest value counts.
_LATCHED_QUEUE = 20
_QUEUE_MAX = 1000

#: The sampling intervals, in ms, that mean: as often as is published, and as often as the server can.
AS_PUBLISHED, AS_CAN_BE = -1.0, 0.0


@dataclass(frozen=True, slots=True)
class Watched:
    """How the server watches a node: every how many ms, how many changes it keeps, which are too small to be told
    (`percent` of the range that the server knows, or absolute in what the server tells), and which element of an array
    is meant (None: it is none)."""

    sampling_ms: float = AS_PUBLISHED
    queue: int = 1
    deadband: float = 0.0
    percent: bool = False
    element: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One point: how to decode it, where it is read and how it is watched there, and where it is written."""

    reading: Reading
    read: Place | None
    write: Sink | None
    watched: Watched = Watched()


@dataclass(frozen=True, slots=True)
class Watchdog:
    """A node written every `every_ns` with a running number. Where the device tells it back (`echo`), that must change
    within `within_ns`."""

    sink: Sink
    every_ns: int
    echo: Place | None = None
    within_ns: int = 0


@dataclass(frozen=True, slots=True)
class Security:
    """That the connection is encrypted; the files for that, if they are not those of this computer."""

    certificate: str = ""
    key: str = ""
    server_certificate: str = ""


class Profile:
    """One OPC UA device; AddressError for whatever cannot be used."""

    def __init__(self, device: Device) -> None:
        parts = {name: way for name, way in device.settings.items() if str(name).startswith("$")}
        settings = Section({key: value for key, value in device.settings.items() if key not in parts}, ("opcua",))
        self.id = device.id
        self.endpoint, self.url = _endpoint(device.address)
        #: The name under which its certificate is kept.
        self.trusted_as = f"{self.endpoint.host}:{self.endpoint.port}" if device.alone else device.id
        self.user, self.password = device.user, device.password
        self._names = Names(settings, parts)
        self.publishing_ms = settings.duration("publishing", "100 ms") / 1e6
        self.timeout_s = settings.duration("timeout", "1 s") / 1e9
        self._sampling = settings.text("sampling", "")
        self._sampling_ms = settings.duration("sampling", "0 s") / 1e6 if self._sampling else AS_PUBLISHED
        self._queue = settings.integer("queue", 1, (1, _QUEUE_MAX))
        self.security = _security(settings, simulated=device.simulated)
        self.application_uri = settings.text("application_uri", "")
        self.pki, self.simulated = device.pki, device.simulated
        self.epoch = self._names.place(settings.text("epoch"), settings.at("epoch")) if "epoch" in settings else None
        self.prepare = _prepared(settings, self._names)
        settings.close()
        self.targets = {name: self._target(point) for name, point in device.points.items()}
        self.commands = {name: steps_of(command, self._names) for name, command in device.commands.items()}
        sent = [value for steps in self.commands.values() for value in values_of(steps)]
        at = settings.at("epoch"), settings.at("prepare" if self.prepare else "epoch")
        check_epoch(self.epoch is not None, tuple(values_of(self.prepare)), sent, at)
        self.identity = self._identify(device.identify)
        self.watchdog = self._watchdog(device.watchdog)
        self._check_patience()

    @property
    def only_looks(self) -> bool:
        """Whether nothing is told to the device, nor asked of it but what it is."""
        return not (self.targets or self.commands or self.watchdog or self.prepare or self.password)

    def places(self) -> list[Place]:
        """Every node that a row names."""
        places: list[Place] = [target.read for target in self.targets.values() if target.read is not None]
        places += [target.write.node for target in self.targets.values() if target.write is not None]
        for step in (step for steps in self.commands.values() for step in steps):
            places += [step.sink.node] if isinstance(step, Put) else [step.on, step.method]
        places += [step.sink.node for step in self.prepare]
        places += [self.epoch] if self.epoch is not None else []
        if (watchdog := self.watchdog) is not None:
            places += [watchdog.sink.node, *([watchdog.echo] if watchdog.echo is not None else [])]
        return list(dict.fromkeys(places))

    def _target(self, point: Point) -> Target:
        options = Section(point.options, ("signals", point.signal.name))
        watched = self._watched(point, options)
        options.close()
        read = self._names.place(point.read, options.at("read")) if point.read else None
        write = sink_of(point.write, self._names, options.at("write")) if point.write else None
        if write is not None and watched.element is not None:
            raise AddressError("a single element of an array can only be read", options.at("element"))
        return Target(Reading(point), read, write, watched)

    def _watched(self, point: Point, options: Section) -> Watched:
        latched = bool(point.signal.latch)
        usual_ms = AS_CAN_BE if latched and not self._sampling else self._sampling_ms
        sampling_ms = options.duration("sampling", "0 s") / 1e6 if "sampling" in options else usual_ms
        queue = options.integer("queue", max(self._queue, _LATCHED_QUEUE if latched else 1), (1, _QUEUE_MAX))
        deadband, percent = _deadband(point, options)
        element = options.integer("element", 0, (0, 2**31 - 1)) if "element" in options else None
        return Watched(sampling_ms, queue, deadband, percent, element)

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
        sink = sink_of(section.text("write"), self._names, section.at("write"))
        every_ns = section.duration("every", "1 s")
        echo = self._names.place(section.text("echo"), section.at("echo")) if "echo" in section else None
        within_ns = echo_within_ns(section, every_ns, echo is not None)
        section.close()
        if every_ns == 0 or TYPES[sink.type] is None:
            raise AddressError("a watchdog needs a period and a whole-number type", section.at("write"))
        return Watchdog(sink, every_ns, echo, within_ns)

    def _check_patience(self) -> None:
        """No method may take longer than the device lives without its watchdog."""
        for name, steps in self.commands.items():
            longest_ns = max((step.within_ns for step in steps if isinstance(step, Invoke)), default=0)
            if self.watchdog is not None and longest_ns >= self.watchdog.every_ns:
                raise AddressError("while it waits the watchdog is not fed: wait shorter", ("commands", name, "call"))


def _prepared(settings: Section, names: Names) -> tuple[Put, ...]:
    """What is written at each connect."""
    written = settings.take("prepare") if "prepare" in settings else []
    return tuple(puts_of(written if isinstance(written, list) else [written], names, settings.at("prepare")))


def _deadband(point: Point, options: Section) -> tuple[float, bool]:
    """The deadband of a row as the server is told it, and whether it is a percentage."""
    if "deadband" not in options:
        return 0.0, False
    where = options.at("deadband")
    text = options.text("deadband")
    percent = text.endswith("%")
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        raise AddressError(f"{text!r} is neither a number in the unit of the signal nor a percentage", where) from None
    if not 0 < number < (100 if percent else float("inf")):
        raise AddressError(f"{text!r} is no deadband: it is above 0, and below 100 %", where)
    if point.signal.type not in ("int", "float"):
        raise AddressError(f"a {point.signal.type} signal has no deadband", where)
    return (number, True) if percent else (number / abs(point.scale or 1.0), False)


def _endpoint(address: str) -> tuple[Tcp, str]:
    scheme_of(address, ("opc.tcp",))
    endpoint, query = parse_tcp(address, port=_PORT)
    query.close()
    return endpoint, address


def _security(settings: Section, *, simulated: bool) -> Security | None:
    mode = settings.choice("security", "sign_and_encrypt", ("none", "sign_and_encrypt"))
    files = {key: settings.text(key, "") for key in ("certificate", "key", "server_certificate")}
    for key, other in (("certificate", "key"), ("key", "certificate")):
        if files[key] and not files[other]:
            raise AddressError(f"the file of the {other} is missing", settings.at(key))
    return None if mode == "none" or simulated else Security(**files)
