"""The live stream: every client gets a snapshot, then what changed, as server-sent events.

The rule kept here: a slow client delays nobody and sees nothing wrong. Each change is encoded once; each client has
one bounded queue; a client that falls behind loses the oldest changes and is given a new snapshot instead.

    event: snapshot   {"cell": {...}, "devices": [...]}      at the beginning, and after a loss
    event: change     {"cell": {only what changed}, "devices": [...]}
    event: signals    {"plc.air_pressure": {...}, ...}       all of them after a snapshot, then those that changed
    event: alive      {}                                     when nothing else was sent for a second
    event: lost       {"reason": "..."}                      the cell cannot be seen; nothing sent before is live
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any

from cellctl.core.signal import Sample
from cellctl.gateway.http.answers import Signal

#: Changes that may wait for one client: some seconds of a busy cell.
QUEUE_MAX = 64

#: A client that hears nothing for this long may be shown an old value: well under the 2.5 s of the screen's promise.
ALIVE_S = 1.0

#: What a browser waits before it connects again, ms.
RETRY_MS = 500

#: More clients than this are a mistake, not an audience.
CLIENTS_MAX = 100


class Stream:
    """What is told to all clients. `publish` and `lose` belong to the event loop."""

    def __init__(self) -> None:
        self._told: dict[str, Any] | None = None
        self._signals: dict[str, Sample] = {}
        self._reason = "The cell has not been heard yet."
        self._clients: set[_Client] = set()
        self._ended = False

    def publish(self, told: dict[str, Any], signals: Mapping[str, Sample]) -> None:
        """Tell what differs between this state of the cell and the one told before."""
        before, self._told = self._told, told
        moved = {name: sample for name, sample in signals.items() if self._signals.get(name) is not sample}
        self._signals |= moved
        if before is None:
            for client in self._clients:
                client.resync()
            return
        change: dict[str, Any] = {}
        if cell := {key: value for key, value in told["cell"].items() if before["cell"].get(key) != value}:
            change["cell"] = cell
        if told["devices"] != before["devices"]:
            change["devices"] = told["devices"]
        self._send(_event("change", change) if change else b"", _signals(moved) if moved else b"")

    def lose(self, reason: str) -> None:
        """Tell that the cell cannot be seen."""
        self._told, self._signals, self._reason = None, {}, reason
        lost = _event("lost", {"reason": reason})
        self._send(lost, b"")

    def end(self) -> None:
        """Let every client go, now and from now on."""
        self._ended = True
        for client in self._clients:
            client.wake.set()

    @property
    def full(self) -> bool:
        """Whether no further client is taken."""
        return len(self._clients) >= CLIENTS_MAX

    async def follow(self, *, signals: bool) -> AsyncIterator[bytes]:
        """All events for one client, until it leaves or the stream ends."""
        client = _Client(signals)
        self._clients.add(client)
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            while not self._ended:
                for event in self._next(client):
                    yield event
                try:
                    async with asyncio.timeout(ALIVE_S):
                        await client.wake.wait()
                except TimeoutError:
                    if self._told is not None:
                        yield _event("alive", {})
        finally:
            self._clients.discard(client)

    def _next(self, client: "_Client") -> list[bytes]:
        client.wake.clear()
        if not client.behind:
            events = list(client.queue)
            client.queue.clear()
            return events
        client.behind = False
        client.queue.clear()
        if self._told is None:
            return [_event("lost", {"reason": self._reason})]
        snapshot = [_event("snapshot", self._told)]
        return [*snapshot, _signals(self._signals)] if client.signals else snapshot

    def _send(self, event: bytes, signals: bytes) -> None:
        for client in self._clients:
            if event:
                client.put(event)
            if signals and client.signals:
                client.put(signals)


class _Client:
    """What waits for one client; `behind` means that only a snapshot can help it."""

    def __init__(self, signals: bool) -> None:
        self.signals = signals
        self.behind = True
        self.queue: deque[bytes] = deque()
        self.wake = asyncio.Event()

    def put(self, event: bytes) -> None:
        if len(self.queue) >= QUEUE_MAX:
            self.behind = True
        if not self.behind:
            self.queue.append(event)
        self.wake.set()

    def resync(self) -> None:
        self.behind = True
        self.wake.set()


def _signals(samples: Mapping[str, Sample]) -> bytes:
    return _event("signals", {name: Signal.of(sample).model_dump() for name, sample in samples.items()})


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name}\ndata: {text}\n\n".encode()
