"""What leads to the safe side and has not been confirmed: it is owed, and sent again until the device has done it.

The rule kept here: a device that was away when it should have been made safe is made safe as soon as it is back, before
anything else is asked of it. Only a newer order to the device takes its place.
"""

from collections.abc import Collection, Mapping

from cellctl.core.messages import Call, Done, LinkChanged, LinkState, Order, Outcome
from cellctl.core.outbox import Outbox

#: How often it is sent again to a device that is there, and how long the device has each time.
AGAIN_NS = 1_000_000_000
TIMEOUT_NS = 2_000_000_000


class SafeSide:
    """The orders in the stop lane that no device has confirmed, by what they are for."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._owed: dict[str, Order] = {}
        self._again_ns: dict[str, int] = {}

    @property
    def owed(self) -> Collection[str]:
        """What is not known to be safe, as ``laser.off``."""
        return self._owed.keys()

    @property
    def wake_at(self) -> int | None:
        """When something is to be sent again."""
        return min(self._again_ns.values(), default=None)

    def answered(self, done: Done) -> None:
        """The answer to an order, if it was one in the stop lane."""
        order = self._outbox.stops.pop(done.id, None)
        if order is None:
            return
        what = _what(order)
        if done.outcome is Outcome.CONFIRMED:
            self._forget(what)
            return
        if what not in self._owed:
            self._outbox.note("safe.unconfirmed", order=done.id, reason=done.reason)
        self._owed[what] = order
        self._again_ns[what] = self._outbox.now + AGAIN_NS

    def connected(self, device: str) -> None:
        """A device is there: what it owes is due."""
        due = {what: self._outbox.now for what, order in self._owed.items() if order.device == device}
        self._again_ns.update(due)

    def work(self, links: Mapping[str, LinkChanged]) -> None:
        """Send again what is due, to the devices that are connected."""
        outbox = self._outbox
        for what, again_ns in list(self._again_ns.items()):
            order = self._owed[what]
            if outbox.ordered.get(order.device, 0) > order.id:
                self._forget(what)
            elif links[order.device].state is not LinkState.CONNECTED:
                del self._again_ns[what]  # until it is back
            elif again_ns <= outbox.now:
                self._owed[what] = outbox.again(order, TIMEOUT_NS)
                self._again_ns[what] = outbox.now + AGAIN_NS

    def _forget(self, what: str) -> None:
        self._owed.pop(what, None)
        self._again_ns.pop(what, None)


def _what(order: Order) -> str:
    return f"{order.device}.{order.name}" if isinstance(order, Call) else order.signal
