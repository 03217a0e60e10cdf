"""One connection to an OPC UA server.

The rule kept here: nothing is written before the server has shown that it is the right one, and what it is that it
reads and writes there was found on this connection.
"""

import asyncio
from collections.abc import Mapping
from functools import partial

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.object_ids import ObjectIds

from cellctl.driver import Call, DriverError, Link, Outcome, Sample, Value, Write, WrongDevice
from cellctl_drivers.opcua.nodes import Place
from cellctl_drivers.opcua.profile import Profile, Target, Watchdog
from cellctl_drivers.opcua.requests import Requests
from cellctl_drivers.opcua.steps import Put, exact, values_of
from cellctl_drivers.opcua.subscription import Subscription
from cellctl_drivers.opcua.values import data_value, sample, variant
from cellctl_drivers.wire.epoch import EPOCH, LOOK_S, TAKEN_S, Echo, Epoch, silent_program, untaken
from cellctl_drivers.wire.line import Urgency
from cellctl_drivers.wire.orders import OrderError, RefusalError
from cellctl_drivers.wire.rounds import Job, Rounds
from cellctl_drivers.wire.verify import verify

#: How often it is looked whether the subscription lives, and how often the server itself is asked how it is.
_LISTEN_S = 0.2
_AUDIT_S = 1.0

_SERVER_NAMESPACES = ua.NodeId(ua.Int32(ObjectIds.Server_NamespaceArray))
_SERVER_STATE = ua.NodeId(ua.Int32(ObjectIds.Server_ServerStatus_State))


class Session:
    """What is done on one connection, from identification to its loss."""

    def __init__(self, profile: Profile, link: Link, client: Client) -> None:
        self._profile = profile
        self._link = link
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._requests = Requests(profile, client)
        self._subscription = Subscription(profile, link, self._requests, self._lose)
        self._namespaces: list[str] = []
        self._beat = 0
        self._epoch, self._echo = Epoch(), Echo()
        client.connection_lost_callback = self._connection_lost

    async def run(self) -> None:
        """Identify the server, subscribe, and perform orders until the connection is lost (DriverError)."""
        identity = await self._identify()
        await self._requests.find(self._namespaces)
        await self._make_ready()
        self._link.up(identity)
        await self._subscription.begin()
        jobs = [Job(round(_AUDIT_S * 1e9), self._audit), Job(round(_LISTEN_S * 1e9), self._subscription.listen)]
        if (watchdog := self._profile.watchdog) is not None:
            jobs.insert(0, Job(watchdog.every_ns, partial(self._feed, watchdog), Urgency.WATCHDOG))
        await Rounds(self._link, jobs, self, self._lost).run()

    async def _identify(self) -> str:
        (array,) = await self._requests.read(_SERVER_NAMESPACES)
        self._namespaces = _listed(array)
        wanted = self._profile.identity
        if wanted and wanted not in self._namespaces:
            found = ", ".join(self._namespaces[1:]) or "none"
            raise WrongDevice(
                f"{self._profile.id} is another device than expected: its namespaces are {found}, wanted {wanted!r}"
            )
        return wanted

    async def _make_ready(self) -> None:
        """Write what is to be written before all else; with it a new epoch, which the device must take over."""
        profile = self._profile
        try:
            if profile.epoch is not None:
                self._epoch.rise(await self._seen(profile.epoch))
            for step, value in zip(profile.prepare, exact(profile.prepare, self._epoch), strict=True):
                await self._requests.write(step.sink, value)
            if profile.epoch is not None:
                await self._taken_over(profile.epoch)
        except (RefusalError, OrderError) as refusal:
            raise DriverError(f"{profile.id} cannot be made ready: {refusal}") from refusal

    async def _taken_over(self, place: Place) -> None:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + TAKEN_S
        while (seen := await self._seen(place)) != self._epoch.number:
            if loop.time() > end_s:
                raise RefusalError(untaken(self._epoch, seen))
            await asyncio.sleep(LOOK_S)

    async def _seen(self, place: Place) -> int:
        """The number that a node holds; RefusalError if it holds none."""
        (data,) = await self._requests.read(self._requests.places[place])
        value = data.Value.Value if data.Value is not None else None
        if isinstance(value, bool) or not isinstance(value, int):
            raise RefusalError(f"{place} tells {value!r}, and should tell a number")
        return value

    async def _audit(self) -> None:
        looked_at = self._subscription.looked_at()
        nodeids = [nodeid for _, nodeid in looked_at]
        state, array, *values = await self._requests.read(_SERVER_STATE, _SERVER_NAMESPACES, *nodeids)
        number = state.Value.Value if state.Value is not None else None
        if number != ua.ServerState.Running:
            raise DriverError(f"{self._profile.id} says that it is not running (state {number})")
        if _listed(array)[: len(self._namespaces)] != self._namespaces:
            raise DriverError(f"{self._profile.id} has other namespaces than before: connecting anew")
        for (handle, _), value in zip(looked_at, values, strict=True):
            self._subscription.seen(handle, value.StatusCode)
        await self._subscription.again()

    async def _feed(self, watchdog: Watchdog) -> None:
        self._beat = self._beat % 100 + 1
        try:
            await self._requests.write(watchdog.sink, self._beat)
            if watchdog.echo is not None:
                told = await self._seen(watchdog.echo)
                if self._echo.is_late(told, self._link.now(), watchdog.within_ns):
                    raise DriverError(silent_program(self._profile.id, watchdog.within_ns))
        except (RefusalError, OrderError) as refusal:
            raise DriverError(f"{self._profile.id} does not take its watchdog: {refusal}") from refusal

    async def set(self, order: Write) -> Mapping[str, Value]:
        """Write a signal and read it back."""
        target = self._profile.targets.get(order.name)
        if target is None or target.write is None:
            raise OrderError(Outcome.NOT_SENT, f"{order.signal} cannot be written")
        await self._requests.write(target.write, target.reading.raw(order.value))
        return await verify(target.reading, order.value, partial(self._refresh, target))

    async def _refresh(self, target: Target) -> Sample:
        assert target.read is not None
        (data,) = await self._requests.read(self._requests.places[target.read])
        read = sample(target.reading, data, self._link.now(), target.watched.element)
        self._link.put([read])
        return read

    async def call(self, order: Call) -> Mapping[str, Value]:
        """Send a command: everything that it brings is looked at before anything is sent."""
        steps = self._profile.commands.get(order.name)
        if steps is None:
            raise OrderError(Outcome.NOT_SENT, f"there is no command {order.name!r}")
        if EPOCH in values_of(steps) and not self._epoch.follows(order.token):
            await self._make_ready()
            self._epoch.follows(order.token)
        sending = []
        for step, exactly in zip(steps, exact(steps, self._epoch, order), strict=True):
            if isinstance(step, Put):
                _ = self._requests.places[step.sink.node]
                sending.append(partial(self._put, step, data_value(step.sink, exactly)))
            else:
                _ = self._requests.places[step.on], self._requests.places[step.method]
                inputs = [variant(kind, self._epoch.filled(value, order)) for kind, value in step.inputs]
                sending.append(partial(self._requests.call, step, inputs))
        result: dict[str, Value] = {}
        for number, send in enumerate(sending):
            try:
                result |= await send()
            except RefusalError as refusal:
                if number == 0:
                    raise
                raise OrderError(Outcome.UNKNOWN, f"only a part was done; then {refusal}", result) from refusal
        return result

    async def _put(self, step: Put, data: ua.DataValue) -> dict[str, Value]:
        await self._requests.send(step.sink, data)
        return {}

    async def _connection_lost(self, error: Exception) -> None:
        self._lose(f"the connection to {self._profile.id} was lost")

    def _lose(self, reason: str) -> None:
        if not self._lost.done():
            self._lost.set_result(reason)


def _listed(data: ua.DataValue) -> list[str]:
    """The namespaces that a server tells."""
    value = data.Value.Value if data.Value is not None else None
    return [str(each) for each in value] if isinstance(value, list) else []
