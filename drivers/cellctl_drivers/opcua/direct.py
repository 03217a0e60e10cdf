"""An OPC UA device without its wire: the nodes of its model, told at the publishing interval, written exactly typed."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from cellctl.driver import (
    Call,
    Contact,
    Device,
    DriverError,
    Link,
    Outcome,
    Sample,
    Unwilling,
    Value,
    Write,
    WrongDevice,
)
from cellctl_drivers.opcua.nodes import Path, Place
from cellctl_drivers.opcua.profile import Profile, Target
from cellctl_drivers.opcua.steps import Invoke, Put, Sink, exact, typed, values_of
from cellctl_drivers.wire.direct import Direct, Plan, reached
from cellctl_drivers.wire.epoch import EPOCH, LOOK_S, TAKEN_S, Echo, Epoch, silent_program, untaken
from cellctl_drivers.wire.orders import OrderError, RefusalError
from cellctl_drivers.wire.verify import verify


class Nodes(Protocol):
    """The variables and methods of a simulated server, all in one namespace; Unwilling for what it does not take."""

    namespace: str
    namespaces: tuple[str, ...]

    def find(self, way: tuple[tuple[str, str], ...]) -> str:
        """The name of what is at the end of a way, whose steps are namespace and browse name."""

    def call(self, name: str, inputs: Sequence[tuple[str, Value]]) -> Sequence[Value]:
        """Call a method, with values of these built-in types."""

    def read(self, name: str) -> Value:
        """The value of a variable."""

    def write(self, name: str, value: Value, type: str) -> None:
        """Set a variable, as a value of the built-in type `type`."""


class DirectOpcUa:
    """The driver of one OPC UA device that is touched directly."""

    def __init__(self, device: Device, contact: Contact) -> None:
        self._device, self._profile = device, Profile(device)
        self._contact = contact
        self._nodes: Nodes = contact.wire
        self._look: _NodesLook | None = None
        self._beat = 0
        self._epoch, self._echo = Epoch(), Echo()

    async def run(self, link: Link) -> None:
        """One connection, until it is lost (DriverError)."""
        profile, self._link, self._nodes = self._profile, link, self._contact.wire
        await reached(self._device, self._contact, profile.timeout_s)
        wanted = profile.identity
        if wanted and wanted not in self._nodes.namespaces:
            found = ", ".join(self._nodes.namespaces)
            raise WrongDevice(
                f"{profile.id} is another device than expected: its namespaces are {found}, wanted {wanted!r}"
            )
        self._epoch, self._echo = Epoch(), Echo()
        await self._make_ready()
        link.up(wanted)
        self._look = _NodesLook(profile, self._nodes)
        beats = () if profile.watchdog is None else ((profile.watchdog.every_ns, self._feed),)
        await Direct(self._device, link, self._contact, Plan([self._look], self, profile.timeout_s, 1, beats)).run()

    def heard(self) -> None:
        """What a server says unasked is looked at in time."""

    async def set(self, order: Write) -> Mapping[str, Value]:
        """Write a signal and read it back."""
        target = self._profile.targets.get(order.name)
        if target is None or target.write is None:
            raise OrderError(Outcome.NOT_SENT, f"{order.signal} cannot be written")
        self._write(target.write, target.reading.raw(order.value))

        async def read() -> Sample:
            return self._refresh(target)

        return await verify(target.reading, order.value, read)

    async def call(self, order: Call) -> Mapping[str, Value]:
        """Send a command."""
        steps = self._profile.commands.get(order.name)
        if steps is None:
            raise OrderError(Outcome.NOT_SENT, f"there is no command {order.name!r}")
        if EPOCH in values_of(steps) and not self._epoch.follows(order.token):
            await self._make_ready()
            self._epoch.follows(order.token)
        exactly = exact(steps, self._epoch, order)
        doing = [self._made_ready(step, value, order) for step, value in zip(steps, exactly, strict=True)]
        result: dict[str, Value] = {}
        for number, do in enumerate(doing):
            try:
                result |= do()
            except RefusalError as refusal:
                if number == 0:
                    raise
                raise OrderError(Outcome.UNKNOWN, f"only a part was done; then {refusal}", result) from refusal
        return result

    async def _make_ready(self) -> None:
        profile, loop = self._profile, asyncio.get_running_loop()
        try:
            if profile.epoch is not None:
                self._epoch.rise(self._seen(profile.epoch))
            for step, value in zip(profile.prepare, exact(profile.prepare, self._epoch), strict=True):
                self._write(step.sink, value)
            end_s = loop.time() + TAKEN_S
            while profile.epoch is not None and (seen := self._seen(profile.epoch)) != self._epoch.number:
                if loop.time() > end_s:
                    raise RefusalError(untaken(self._epoch, seen))
                await asyncio.sleep(LOOK_S)
        except (RefusalError, OrderError) as refusal:
            raise DriverError(f"{profile.id} cannot be made ready: {refusal}") from refusal

    def _seen(self, place: Place) -> Value:
        self._contact.settle()
        return _read(self._nodes, place)

    def _made_ready(self, step: Put | Invoke, exactly: Value, order: Call) -> Callable[[], Mapping[str, Value]]:
        """What does a step of a command; OrderError if what the order brings does not fit."""
        try:
            place = step.sink.node if isinstance(step, Put) else step.method
            _ = _name(self._nodes, place)
        except Unwilling as missing:
            raise RefusalError(f"the server refuses {place}: {missing}") from missing
        if isinstance(step, Put):
            return partial(self._write, step.sink, exactly)
        given = [(kind, typed(kind, self._epoch.filled(value, order))) for kind, value in step.inputs]
        return partial(self._invoke, step, given)

    def _invoke(self, step: Invoke, inputs: Sequence[tuple[str, Value]]) -> Mapping[str, Value]:
        self._contact.settle()
        try:
            answer = self._nodes.call(_name(self._nodes, step.method), inputs)
        except Unwilling as refusal:
            raise RefusalError(f"the server refuses {step.method}: {refusal}") from refusal
        finally:
            self._contact.settle()
        return step.judged(list(answer))

    def _refresh(self, target: Target) -> Sample:
        assert target.read is not None
        assert self._look is not None
        self._contact.settle()
        sample = target.reading.sample(_read(self._nodes, target.read), self._link.now())
        self._link.put([sample])
        self._look.forget(target)
        return sample

    def _feed(self) -> None:
        assert self._profile.watchdog is not None
        self._beat = self._beat % 100 + 1
        watchdog = self._profile.watchdog
        self._put(watchdog.sink, self._beat)
        if watchdog.echo is not None:
            told = _read(self._nodes, watchdog.echo)
            if self._echo.is_late(told, self._link.now(), watchdog.within_ns):
                raise DriverError(silent_program(self._profile.id, watchdog.within_ns))

    def _write(self, sink: Sink, value: Value) -> Mapping[str, Value]:
        if self._contact.busy:  # else it is at the present as it is
            self._contact.settle()
        self._put(sink, sink.typed(value))
        self._contact.settle()
        return {}

    def _put(self, sink: Sink, value: Value) -> None:
        try:
            self._nodes.write(_name(self._nodes, sink.node), value, sink.type)
        except Unwilling as refusal:
            raise RefusalError(f"the server refuses {sink.node}: {refusal}") from refusal


class _NodesLook:
    """All variables that are subscribed."""

    is_open = False

    def __init__(self, profile: Profile, nodes: Nodes) -> None:
        self.every_ns = max(1_000_000, int(profile.publishing_ms * 1e6))
        self._nodes = nodes
        self._targets = {
            target.reading.signal.id: (target, target.read)
            for target in profile.targets.values()
            if target.read is not None
        }
        self.signals = list(self._targets)
        self._told: dict[str, Value | Refusal] = {}

    def forget(self, target: Target) -> None:
        """Tell it with the next answer."""
        self._told.pop(target.reading.signal.id, None)

    def differs(self) -> bool:
        """Whether the answer may be another than what was told."""
        return any(self._new(signal, target, self._shown(node)) for signal, (target, node) in self._targets.items())

    def ask(self) -> None:
        """The server tells by itself."""

    def answer(self, now: int) -> Sequence[Sample]:
        """The samples of what has changed."""
        told = []
        for signal, (target, node) in self._targets.items():
            shown = self._shown(node)
            if not self._new(signal, target, shown):
                continue
            self._told[signal] = shown
            if isinstance(shown, Refusal):
                told.append(target.reading.bad(shown.text, now))
            else:
                told.append(target.reading.sample(shown, now))
        return told

    def _new(self, signal: str, target: Target, shown: "Value | Refusal") -> bool:
        """Whether the server would tell this after what it told last."""
        told, watched = self._told.get(signal), target.watched
        if isinstance(told, int | float) and isinstance(shown, int | float) and not watched.percent:
            return abs(shown - told) > watched.deadband
        return told != shown

    def _shown(self, node: Place) -> "Value | Refusal":
        try:
            return _read(self._nodes, node)
        except RefusalError as refusal:
            return Refusal(f"the server refuses {node}: {refusal}")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a node shows that the server does not tell."""

    text: str


def _read(nodes: Nodes, node: Place) -> Value:
    try:
        return nodes.read(_name(nodes, node))
    except Unwilling as refusal:
        raise RefusalError(str(refusal)) from refusal


def _name(nodes: Nodes, place: Place) -> str:
    """What the simulated server calls a node."""
    if isinstance(place, Path):
        return nodes.find(tuple((step.namespace, step.name) for step in place.steps))
    if place.namespace != nodes.namespace:
        raise RefusalError(f"the server has no namespace {place.namespace!r}")
    return str(place.name)
