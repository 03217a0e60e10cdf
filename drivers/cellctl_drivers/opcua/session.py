"""One connection to an OPC UA server.

The rule kept here: what the subscription tells is believed only while it proves that it is alive; when it is silent,
the connection is over.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from cellctl.driver import Call, DriverError, Link, Outcome, Sample, Value, Write, WrongDevice
from cellctl_drivers.opcua.connection import honour_cancellation, told
from cellctl_drivers.opcua.profile import Node, Profile, Sink, Target, Watchdog
from cellctl_drivers.opcua.values import data_value, sample
from cellctl_drivers.wire.orders import OrderError, RefusalError, filled
from cellctl_drivers.wire.rounds import Job, Rounds
from cellctl_drivers.wire.verify import verify

T = TypeVar("T")

#: How often the server must say that the subscription lives, and how long it may be silent.
_KEEP_ALIVE_MS = 800.0
_SILENCE_S = 2.2

#: How often that is looked at, and how often the server itself is asked how it is.
_LISTEN_S = 0.2
_AUDIT_S = 1.0

#: A latched signal may change several times within one publishing interval; of the others the newest value counts.
_LATCHED_QUEUE = 20

#: A server may have passed the write on, and not know how it went.
_IN_DOUBT = frozenset({StatusCodes.BadTimeout, StatusCodes.BadCommunicationError, StatusCodes.BadNoCommunication})

_SERVER_NAMESPACES = ua.NodeId(ua.Int32(ObjectIds.Server_NamespaceArray))
_SERVER_STATE = ua.NodeId(ua.Int32(ObjectIds.Server_ServerStatus_State))


class Session:
    """What is done on one connection, from identification to its loss."""

    def __init__(self, profile: Profile, link: Link, client: Client) -> None:
        self._profile = profile
        self._link = link
        self._session = client.uaclient.session
        self._loop = asyncio.get_running_loop()
        self._lost: asyncio.Future[str] = self._loop.create_future()
        self._namespaces: list[str] = []
        self._items: dict[int, Target] = {}
        self._heard_s = 0.0
        self._beat = 0
        client.connection_lost_callback = self._connection_lost

    async def run(self) -> None:
        """Identify the server, subscribe, and perform orders until the connection is lost (DriverError)."""
        self._link.up(await self._identify())
        await self._subscribe()
        jobs = [Job(round(_AUDIT_S * 1e9), self._audit), Job(round(_LISTEN_S * 1e9), self._listen)]
        if (watchdog := self._profile.watchdog) is not None:
            jobs.insert(0, Job(watchdog.every_ns, partial(self._feed, watchdog), urgent=True))
        await Rounds(self._link, jobs, self, self._lost).run()

    async def _identify(self) -> str:
        (array,) = await self._read(_SERVER_NAMESPACES)
        self._namespaces = list(array.Value.Value or ()) if array.Value is not None else []
        wanted = self._profile.identity
        if wanted and wanted not in self._namespaces:
            found = ", ".join(self._namespaces[1:]) or "none"
            raise WrongDevice(
                f"{self._profile.id} is another device than expected: its namespaces are {found}, wanted {wanted!r}"
            )
        return wanted

    async def _subscribe(self) -> None:
        publishing_ms = self._profile.publishing_ms
        keep_alive = max(1, int(_KEEP_ALIVE_MS / max(publishing_ms, 1.0)))
        created = await self._request(
            self._session.create_subscription(
                ua.CreateSubscriptionParameters(
                    RequestedPublishingInterval=publishing_ms,
                    RequestedLifetimeCount=10 * keep_alive,
                    RequestedMaxKeepAliveCount=keep_alive,
                    MaxNotificationsPerPublish=10_000,
                    PublishingEnabled=True,
                ),
                self._published,
            )
        )
        period_s = created.RevisedPublishingInterval * created.RevisedMaxKeepAliveCount / 1e3
        if period_s >= _SILENCE_S:
            raise DriverError(
                f"{self._profile.id} shows only every {period_s:.1f} s that it lives: too slow to rely on"
            )
        self._heard_s = self._loop.time()
        await self._monitor(created.SubscriptionId)

    async def _monitor(self, subscription: int) -> None:
        wanted: list[ua.MonitoredItemCreateRequest] = []
        refused: list[Sample] = []
        now = self._link.now()
        for handle, target in enumerate(self._profile.targets.values()):
            if target.read is None:
                continue
            nodeid = self._nodeid(target.read)
            if nodeid is None:
                refused.append(target.reading.bad(f"the server has no namespace {target.read.namespace!r}", now))
                continue
            self._items[handle] = target
            wanted.append(_item(handle, nodeid, _LATCHED_QUEUE if target.reading.signal.latch else 1))
        if wanted:
            parameters = ua.CreateMonitoredItemsParameters(
                SubscriptionId=subscription, TimestampsToReturn=ua.TimestampsToReturn.Both, ItemsToCreate=wanted
            )
            results = await self._request(self._session.create_monitored_items(parameters))
            for item, result in zip(wanted, results, strict=True):
                if not result.StatusCode.is_good():
                    target = self._items.pop(item.RequestedParameters.ClientHandle)
                    refused.append(
                        target.reading.bad(f"the server refuses {target.read}: {result.StatusCode.name}", now)
                    )
        self._link.put(refused)

    def _published(self, result: ua.PublishResult) -> None:
        """A notification or a sign of life. What goes wrong here ends the connection: asyncua would only log it."""
        self._heard_s = self._loop.time()
        try:
            for notification in result.NotificationMessage.NotificationData or ():
                if isinstance(notification, ua.DataChangeNotification):
                    self._changed(notification)
                elif isinstance(notification, ua.StatusChangeNotification):
                    self._lose(f"{self._profile.id} ended the subscription: {notification.Status.name}")
            self._link.alive()
        except Exception as error:
            self._lose(f"{self._profile.id} sent something that cannot be understood: {error!r}")

    def _changed(self, notification: ua.DataChangeNotification) -> None:
        now = self._link.now()
        self._link.put(
            [
                sample(target.reading, item.Value, now)
                for item in notification.MonitoredItems
                if (target := self._items.get(item.ClientHandle)) is not None
            ]
        )

    async def _audit(self) -> None:
        (state,) = await self._read(_SERVER_STATE)
        number = state.Value.Value if state.Value is not None else None
        if number != ua.ServerState.Running:
            raise DriverError(f"{self._profile.id} says that it is not running (state {number})")

    async def _listen(self) -> None:
        if self._loop.time() - self._heard_s > _SILENCE_S:
            raise DriverError(f"{self._profile.id} has sent no sign of life for {_SILENCE_S:.1f} s")

    async def _feed(self, watchdog: Watchdog) -> None:
        self._beat = self._beat % 100 + 1
        try:
            await self._write(watchdog.sink, self._beat)
        except (RefusalError, OrderError) as refusal:
            raise DriverError(f"{self._profile.id} does not take its watchdog: {refusal}") from refusal

    async def set(self, order: Write) -> Mapping[str, Value]:
        """Write a signal and read it back."""
        target = self._profile.targets.get(order.name)
        if target is None or target.write is None:
            raise OrderError(Outcome.NOT_SENT, f"{order.signal} cannot be written")
        await self._write(target.write, target.reading.raw(order.value))
        return await verify(target.reading, order.value, partial(self._refresh, target))

    async def _refresh(self, target: Target) -> Sample:
        nodeid = self._nodeid(target.read) if target.read is not None else None
        if nodeid is None:
            raise RefusalError("the server has no such namespace")
        (data,) = await self._read(nodeid)
        read = sample(target.reading, data, self._link.now())
        self._link.put([read])
        return read

    async def call(self, order: Call) -> Mapping[str, Value]:
        """Send a command."""
        steps = self._profile.commands.get(order.name)
        if steps is None:
            raise OrderError(Outcome.NOT_SENT, f"there is no command {order.name!r}")
        writes = [(sink, data_value(sink, filled(value, order))) for sink, value in steps]
        for number, (sink, data) in enumerate(writes):
            try:
                await self._send(sink, data)
            except RefusalError as refusal:
                if number == 0:
                    raise
                raise OrderError(Outcome.UNKNOWN, f"only a part was done; then {refusal}") from refusal
        return {}

    async def _write(self, sink: Sink, value: Value) -> None:
        await self._send(sink, data_value(sink, value))

    async def _send(self, sink: Sink, data: ua.DataValue) -> None:
        nodeid = self._nodeid(sink.node)
        if nodeid is None:
            raise OrderError(Outcome.NOT_SENT, f"the server has no namespace {sink.node.namespace!r}")
        (status,) = await self._request(self._session.write_attributes([nodeid], [data]))
        if status.value in _IN_DOUBT:
            raise OrderError(Outcome.UNKNOWN, f"the server says {status.name} of {sink.node}")
        if not status.is_good():
            raise RefusalError(f"the server refuses {sink.node}: {status.name}")

    async def _read(self, nodeid: ua.NodeId) -> list[ua.DataValue]:
        return await self._request(self._session.read_attributes([nodeid], AttributeIds.Value))

    async def _request(self, request: Coroutine[object, object, T]) -> T:
        try:
            return await request
        except TimeoutError as error:
            raise DriverError(
                f"no answer from {self._profile.id} within {self._profile.timeout_s * 1e3:.0f} ms"
            ) from error
        except Exception as error:  # asyncua lets errors of its parser through, which are neither UaError nor OSError
            raise DriverError(f"the connection to {self._profile.id} was lost: {told(error)}") from error
        finally:
            honour_cancellation()

    def _nodeid(self, node: Node) -> ua.NodeId | None:
        if node.namespace not in self._namespaces:
            return None
        name = ua.String(node.name) if isinstance(node.name, str) else ua.Int32(node.name)
        return ua.NodeId(name, ua.Int16(self._namespaces.index(node.namespace)))

    async def _connection_lost(self, error: Exception) -> None:
        self._lose(f"the connection to {self._profile.id} was lost")

    def _lose(self, reason: str) -> None:
        if not self._lost.done():
            self._lost.set_result(reason)


def _item(handle: int, nodeid: ua.NodeId, queue: int) -> ua.MonitoredItemCreateRequest:
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=nodeid, AttributeId=AttributeIds.Value),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=ua.MonitoringParameters(
            ClientHandle=handle, SamplingInterval=0.0, QueueSize=queue, DiscardOldest=True
        ),
    )
