"""A recording in place of the device: which of the recorded answers a request gets.

A recording falls into stretches. A new one begins with each connection, and with each request that the driver made only
because the cell ordered it. Within a stretch every question has its own answers, one after the other, and keeps the
last of them: how often a driver asks does not matter. The rules kept here: the recording does not go on into what
follows an order before that order is given; and what was never asked is told, never made up.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from cellctl.driver import Device
from cellctl.testing.traffic.recording import Entry, Event, Recording, TrafficError
from cellctl.testing.traffic.wires import Wire, wire_of

#: Protocols whose messages carry what only the two who talked can know, with the reason.
_NOT_REPLAYED = {
    "opcua": "every message of OPC UA carries numbers and times of its own session",
}

#: So many requests that were never recorded are told.
UNKNOWN_MAX = 100

#: The request that a new connection is: a device may answer it, with a greeting.
CONNECT = b""


@dataclass(slots=True)
class Exchange:
    """One request as it was recorded, and what followed it: chunks with their delay (s), whether the connection ended
    then, and if it was the device that hung up, after how long (s)."""

    request: bytes
    connection: int
    at_s: float
    ordered: bool
    chunks: list[tuple[float, bytes]] = field(default_factory=list)
    lost_s: float | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request gets: chunks, each so long (s) after the request, and when the device hangs up (None: not)."""

    chunks: Sequence[tuple[float, bytes]]
    lost_s: float | None = None


class Replay:
    """The device of a recording. TrafficError for one that cannot be replayed."""

    def __init__(self, recording: Recording) -> None:
        head = recording.head
        if reason := _NOT_REPLAYED.get(head.protocol):
            raise TrafficError(f"{recording.name} can be read, not replayed: {reason}.")
        self.recording = recording
        self.unknown: dict[bytes, str] = {}  # a sentence for each request that was never recorded
        self._exchanges = exchanges_of(recording.entries)
        if not any(exchange.request for exchange in self._exchanges):
            raise TrafficError(f"{recording.name} holds no request: there is nothing to replay.")
        unordered = [one.request for one in self._exchanges if one.request and not one.ordered]
        self.wire: Wire = wire_of(head.address, unordered)
        self._keys = [one.request and self.wire.key(one.request) for one in self._exchanges]
        self._places: dict[bytes, list[int]] = {}
        for place, key in enumerate(self._keys):
            self._places.setdefault(key, []).append(place)
        usual = {key for key, one in zip(self._keys, self._exchanges, strict=True) if not one.ordered}
        self._orders = self._places.keys() - usual
        self._starts = [at for at, key in enumerate(self._keys) if key == CONNECT or key in self._orders] or [0]
        self._begin = self._end = 0  # the present stretch
        self._next: dict[bytes, int] = {}  # the first place of each question that has not been used
        self._last = -1  # the last place that was used
        if self._keys[0] != CONNECT:  # the beginning is missing
            self._enter(0)

    @property
    def ended(self) -> bool:
        """Whether the last request of the recording was answered as it was recorded."""
        return self._last == len(self._exchanges) - 1

    @property
    def waits_for(self) -> str:
        """What has to be asked for the recording to go on beyond the present stretch; "" if it is the last."""
        if self._end >= len(self._exchanges):
            return ""
        return (
            "a new connection"
            if self._keys[self._end] == CONNECT
            else self.wire.shown(self._exchanges[self._end].request)
        )

    def connect(self) -> Answer:
        """A client has connected: the next connection of the recording, if the present one was heard to its end."""
        heard = self._last < 0 or self._exchanges[self._last].ended
        places = self._places.get(CONNECT, [])
        at = bisect_left(places, self._end)
        if heard and at < len(places):
            self._enter(places[at])
            return self._use(places[at], CONNECT)
        return Answer(())

    def ask(self, request: bytes) -> Answer | None:
        """The recorded answer; None, and a sentence in `unknown` if it is asked for the first time, for what was never
        asked."""
        key = self.wire.key(request)
        places = self._places.get(key)
        if places is None:
            if len(self.unknown) < UNKNOWN_MAX:
                self.unknown.setdefault(key, self._unknown(request))
            return None
        at = bisect_left(places, self._next.get(key, 0))
        if key in self._orders and at < len(places):
            self._enter(places[at])
        if at < len(places) and places[at] < self._end:
            return self._use(places[at], request)
        before = bisect_left(places, self._end) - 1
        return self._answer(places[max(before, 0)], request)

    def _enter(self, place: int) -> None:
        """Go on to the stretch that begins there; what was not asked in those before never will be."""
        self._begin = place
        following = bisect_left(self._starts, place + 1)
        self._end = self._starts[following] if following < len(self._starts) else len(self._exchanges)
        for key in self._places:
            self._next[key] = max(self._next.get(key, 0), place)

    def _use(self, place: int, request: bytes) -> Answer:
        self._next[self._keys[place]] = place + 1
        self._last = place
        exchange, answer = self._exchanges[place], self._answer(place, request)
        return Answer(answer.chunks, exchange.lost_s)

    def _answer(self, place: int, request: bytes) -> Answer:
        exchange = self._exchanges[place]
        fitted = [(s, self.wire.fitted(chunk, exchange.request, request)) for s, chunk in exchange.chunks]
        return Answer(fitted)

    def _unknown(self, request: bytes) -> str:
        head, asked = self.recording.head, self.wire.shown(request)
        known = list(dict.fromkeys(self.wire.shown(one.request) for one in self._exchanges if one.request))
        close = get_close_matches(asked, known, n=1, cutoff=0.0)
        return f"{head.device} was asked {asked}, which {self.recording.name} does not know. The nearest is {close[0]}."


def check_fits(recording: Recording, device: Device) -> None:
    """TrafficError for a recording of a device that is reached in another way."""
    head, scheme = recording.head, device.address.partition(":")[0]
    if (head.protocol, head.address) != (device.protocol, scheme):
        raise TrafficError(
            f"{recording.name} is of a device at {head.address}: ({head.protocol}), but {device.id} is at {scheme}:"
            f" ({device.protocol})."
        )


def exchanges_of(entries: Sequence[Entry]) -> list[Exchange]:
    """The requests in their order, each with what followed it on its connection, which is the first of its own."""
    exchanges: list[Exchange] = []
    latest: dict[int, Exchange] = {}  # by connection
    open_orders: set[int] = set()
    for entry in entries:
        at_s, number = entry.at_ns / 1e9, entry.connection
        match entry.event:
            case Event.OPEN | Event.TO_DEVICE:
                if entry.event is Event.OPEN:
                    open_orders.clear()  # one that the end of a connection left open has no answer
                latest[number] = Exchange(entry.data, number, at_s, bool(open_orders and entry.data))
                exchanges.append(latest[number])
            case Event.FROM_DEVICE if number in latest:
                latest[number].chunks.append((at_s - latest[number].at_s, entry.data))
            case Event.LOST | Event.CLOSED if number in latest:
                latest[number].ended = True
                latest[number].lost_s = at_s - latest[number].at_s if entry.event is Event.LOST else None
            case Event.ORDER:
                open_orders.add(entry.number)
            case Event.DONE:
                open_orders.discard(entry.number)
            case _:
                pass
    return exchanges
