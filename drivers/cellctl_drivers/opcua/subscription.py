"""The subscription of one connection: what the server tells by itself.

The rule kept here: what the subscription tells is believed only while it proves that it is alive; when it is silent,
the connection is over. A node that the server does not watch is bad, and asked for again.
"""

import asyncio
import contextlib
from collections.abc import Callable

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaStatusCodeError

from cellctl.driver import DriverError, Link, Sample
from cellctl_drivers.opcua.profile import Profile, Watched
from cellctl_drivers.opcua.requests import Requests
from cellctl_drivers.opcua.values import sample
from cellctl_drivers.wire.orders import RefusalError

#: How often the server must say that the subscription lives, and how long it may be silent.
_KEEP_ALIVE_MS = 800.0
_SILENCE_S = 2.2

#: What was refused is asked for again after this long: a server may be loading another program.
_AGAIN_S = 5.0

#: So many of the nodes that are watched are read at each audit.
_LOOKED_AT_MAX = 20

#: The server does not know such a filter, or not for this node: then it shall tell every change.
_NO_FILTER = frozenset(
    {
        StatusCodes.BadMonitoredItemFilterUnsupported,
        StatusCodes.BadMonitoredItemFilterInvalid,
        StatusCodes.BadFilterNotAllowed,
        StatusCodes.BadDeadbandFilterInvalid,
    }
)

#: The node is gone: if there is one of its name again, it is another one.
_GONE = frozenset({StatusCodes.BadNodeIdUnknown, StatusCodes.BadNodeIdInvalid})


class Subscription:
    """All signals of a device that are read, watched by the server of one connection; `lose` ends that."""

    def __init__(self, profile: Profile, link: Link, requests: Requests, lose: Callable[[str], None]) -> None:
        self._profile, self._link, self._requests, self._lose = profile, link, requests, lose
        self._loop = asyncio.get_running_loop()
        self._id = 0
        self._targets = {
            handle: target for handle, target in enumerate(profile.targets.values()) if target.read is not None
        }
        self._unwatched = dict(self._targets)
        self._items: dict[int, int] = {}  # by handle: what the server calls it
        self._nodeids: dict[int, ua.NodeId] = {}
        self._looked_at = 0
        self._again_s = 0.0
        self._heard_s = 0.0

    async def begin(self) -> None:
        """Have everything watched; DriverError if the server does not show often enough that it lives."""
        publishing_ms = self._profile.publishing_ms
        keep_alive = max(1, int(_KEEP_ALIVE_MS / max(publishing_ms, 1.0)))
        created = await self._requests.ask(
            self._requests.session.create_subscription(
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
        self._id = created.SubscriptionId
        await self._watch()

    def looked_at(self) -> list[tuple[int, ua.NodeId]]:
        """Some of the nodes that are watched, others each time: a server that lost one need not say so."""
        watched = [handle for handle in self._targets if handle not in self._unwatched]
        start = self._looked_at % max(1, len(watched))
        self._looked_at = start + _LOOKED_AT_MAX
        return [(handle, self._nodeids[handle]) for handle in watched[start : start + _LOOKED_AT_MAX]]

    def seen(self, handle: int, status: ua.StatusCode | None) -> None:
        """A node that is watched was read, with this status."""
        if status is not None and status.value in _GONE:
            self._unwatched[handle] = target = self._targets[handle]
            self._link.put([target.reading.bad(f"the server says {status.name}", self._link.now())])

    async def again(self) -> None:
        """Ask once more for what the server does not watch, from time to time."""
        if self._unwatched and self._loop.time() - self._again_s >= _AGAIN_S:
            places = [target.read for target in self._unwatched.values() if target.read is not None]
            await self._requests.places.find(places)
            await self._watch()

    async def listen(self) -> None:
        """DriverError if the subscription has been silent for too long."""
        if self._loop.time() - self._heard_s > _SILENCE_S:
            raise DriverError(f"{self._profile.id} has sent no sign of life for {_SILENCE_S:.1f} s")

    async def _watch(self) -> None:
        """Have watched what is not."""
        self._again_s = self._loop.time()
        if gone := [self._items.pop(handle) for handle in self._unwatched if handle in self._items]:
            await self._requests.ask(self._forget(gone))
        refused: list[Sample] = []
        now = self._link.now()
        wanted: list[tuple[int, ua.NodeId]] = []
        for handle, target in self._unwatched.items():
            try:
                assert target.read is not None
                wanted.append((handle, self._requests.places[target.read]))
            except RefusalError as refusal:
                refused.append(target.reading.bad(str(refusal), now))
        self._link.put(refused + await self._create(wanted))

    async def _create(self, wanted: list[tuple[int, ua.NodeId]]) -> list[Sample]:
        """Have nodes watched; the samples of those that are refused."""
        items = [_item(handle, nodeid, self._targets[handle].watched) for handle, nodeid in wanted]
        statuses = await self._created(items)
        unfiltered = [handle for handle, status in statuses.items() if status.value in _NO_FILTER]
        if unfiltered:
            again = [_item(handle, dict(wanted)[handle], Watched()) for handle in unfiltered]
            statuses |= await self._created(again)
        refused = []
        for handle, status in statuses.items():
            target = self._targets[handle]
            if status.is_good():
                self._unwatched.pop(handle, None)
                self._nodeids[handle] = dict(wanted)[handle]
            else:
                reason = f"the server refuses {target.read}: {status.name}"
                refused.append(target.reading.bad(reason, self._link.now()))
        return refused

    async def _forget(self, items: list[int]) -> None:
        """What watched a node that is gone is not needed; a server that has forgotten it already may say no."""
        parameters = ua.DeleteMonitoredItemsParameters(SubscriptionId=self._id, MonitoredItemIds=items)
        with contextlib.suppress(UaStatusCodeError):
            await self._requests.session.delete_monitored_items(parameters)

    async def _created(self, items: list[ua.MonitoredItemCreateRequest]) -> dict[int, ua.StatusCode]:
        try:
            results = await self._requests.each(self._request, items)
        except RefusalError as refusal:
            raise DriverError(f"{self._profile.id} does not tell of changes: {refusal}") from refusal
        handles = [item.RequestedParameters.ClientHandle for item in items]
        created = dict(zip(handles, results, strict=True))
        self._items |= {handle: each.MonitoredItemId for handle, each in created.items() if each.StatusCode.is_good()}
        return {handle: each.StatusCode for handle, each in created.items()}

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
        told = []
        for item in notification.MonitoredItems:
            target = self._targets.get(item.ClientHandle)
            if target is None:
                continue
            told.append(sample(target.reading, item.Value, now, target.watched.element))
        self._link.put(told)
        for item in notification.MonitoredItems:
            if item.ClientHandle in self._targets:
                self.seen(item.ClientHandle, item.Value.StatusCode)

    async def _request(self, items: list[ua.MonitoredItemCreateRequest]) -> list[ua.MonitoredItemCreateResult]:
        return await self._requests.session.create_monitored_items(
            ua.CreateMonitoredItemsParameters(
                SubscriptionId=self._id, TimestampsToReturn=ua.TimestampsToReturn.Both, ItemsToCreate=items
            )
        )


def _item(handle: int, nodeid: ua.NodeId, watched: Watched) -> ua.MonitoredItemCreateRequest:
    parameters = ua.MonitoringParameters(
        ClientHandle=handle, SamplingInterval=watched.sampling_ms, QueueSize=watched.queue, DiscardOldest=True
    )
    if watched.deadband:
        kind = ua.DeadbandType.Percent if watched.percent else ua.DeadbandType.Absolute
        parameters.Filter = ua.DataChangeFilter(
            Trigger=ua.DataChangeTrigger.StatusValue, DeadbandType=kind, DeadbandValue=watched.deadband
        )
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=nodeid, AttributeId=AttributeIds.Value),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=parameters,
    )
