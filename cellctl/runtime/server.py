"""The link server: what the gateway and the command line reach control through, a stream socket in the state folder.

One line of JSON is one message; three verbs and no more: ``{"view": {}}`` answers one snapshot, ``{"watch": {}}`` a
snapshot and then what changed, ``{"submit": {request}}`` the answer of the cell. The rules kept here: only the user
that runs control (and root) is let in; a client can be slow, silly or hostile, and costs control one bounded buffer.
"""

import asyncio
import os
import socket
import struct
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cellctl.core.messages import JSON, Receipt, Refused, Request
from cellctl.core.signal import Image, Sample
from cellctl.core.wire import (
    LINE_BYTES_MAX,
    WireError,
    decode_line,
    decode_request,
    encode_answer,
    encode_line,
    encode_sample,
)
from cellctl.runtime.folder import StateError
from cellctl.runtime.logs import Log

FILE = "control.sock"

#: How often a watching client is told of changes, at most.
WATCH_S = 0.1

#: A watching client hears this often that control lives, if only by an empty object.
HEARTBEAT_S = 0.5

#: Clients at a time, and requests of all of them that wait for the cell.
CLIENTS_MAX = 32
REQUESTS_MAX = 256

#: How long the answer to a request may take: it waits for the disk at the longest.
ANSWER_S = 5.0

_VERBS = ("view", "watch", "submit")
_PEER = struct.Struct("3i")


class Published:
    """What clients may see of the cell: its view and its image."""

    def __init__(self, view: Callable[[], Any], image: Image) -> None:
        self._view, self._image = view, image

    def view(self) -> dict[str, JSON]:
        """The view as plain data."""
        return asdict(self._view())

    def changed(self, told: dict[str, Sample]) -> dict[str, JSON]:
        """The samples that are not those in `told`, which is brought up to date."""
        changed: dict[str, JSON] = {}
        for name in self._image.signals:
            sample = self._image.read(name)
            if told.get(name) is not sample:
                told[name] = sample
                changed[name] = encode_sample(sample)
        return changed


class LinkServer:
    """Serves until `close`. `submit` hands a request to the cell; its answer comes back through `answer`."""

    def __init__(self, folder: Path, published: Published, submit: Callable[[Request], None], log: Log) -> None:
        self._path = folder / FILE
        self._published, self._submit, self._log = published, submit, log
        self._waiting: defaultdict[str, list[asyncio.Future[Receipt | Refused]]] = defaultdict(list)
        self._clients: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._refusing = ""

    async def open(self) -> None:
        """Listen. StateError if the socket cannot be made."""
        try:
            self._path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._serve, self._path, limit=LINE_BYTES_MAX)
            self._path.chmod(0o600)
        except OSError as error:
            raise StateError(f"The socket {self._path} cannot be made: {error.strerror}.") from error

    def refuse(self, reason: str) -> None:
        """Answer every further request with `reason`; views go on."""
        self._refusing = reason

    def answer(self, answer: Receipt | Refused) -> None:
        """The cell's answer to the request of that id."""
        for future in self._waiting.pop(answer.id, ()):
            if not future.done():
                future.set_result(answer)

    async def close(self) -> None:
        """Close the socket and every connection."""
        if self._server:
            self._server.close()
        for client in self._clients:
            client.cancel()
        if self._clients:
            await asyncio.wait(self._clients)
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            if _allowed(writer) and len(self._clients) <= CLIENTS_MAX:
                await self._talk(reader, writer)
        except OSError as error:
            self._log.info("a client is gone", reason=str(error))
        except Exception as error:  # a fault in what is shown must cost the client its connection, not the cell
            self._log.error("a client cannot be served", exc_info=error)
        finally:
            self._clients.discard(task)
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                line = await reader.readline()
            except ValueError:
                refused = Refused("", f"the message is longer than {LINE_BYTES_MAX} bytes")
                await _send(writer, encode_answer(refused))
                return
            if not line.endswith(b"\n"):
                return
            try:
                verb, content = _verb(decode_line(line))
                if verb == "submit":
                    await _send(writer, encode_answer(await self.ask(decode_request(content))))
                    continue
                if content:
                    raise WireError(f"{verb} takes nothing")
            except WireError as error:
                await _send(writer, encode_answer(error.refused()))
                continue
            told: dict[str, Sample] = {}
            await _send(writer, self._snapshot(told))
            if verb == "watch":
                await self._watch(reader, writer, told)
                return

    def _snapshot(self, told: dict[str, Sample]) -> dict[str, JSON]:
        return {"view": self._published.view(), "signals": self._published.changed(told)}

    async def _watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, told: dict[str, Sample]) -> None:
        """Tell changes until the client goes. What a slow one misses is coalesced: it gets the newest of each."""
        loop = asyncio.get_running_loop()
        gone = loop.create_task(reader.read(1))
        sent = loop.time()
        try:
            last_view: dict[str, JSON] | None = None
            while not gone.done():
                await asyncio.wait([gone], timeout=WATCH_S)
                await writer.drain()
                view = self._published.view()
                changes: dict[str, JSON] = {}
                if view != last_view:
                    changes["view"] = last_view = view
                if signals := self._published.changed(told):
                    changes["signals"] = signals
                if changes or loop.time() - sent >= HEARTBEAT_S:
                    await _send(writer, changes)
                    sent = loop.time()
        finally:
            gone.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await gone

    async def ask(self, request: Request) -> Receipt | Refused:
        """Hand a request to the cell and wait for its answer."""
        if self._refusing:
            return Refused(request.id, self._refusing)
        if sum(map(len, self._waiting.values())) >= REQUESTS_MAX:
            return Refused(request.id, "too many requests wait already; try again")
        future: asyncio.Future[Receipt | Refused] = asyncio.get_running_loop().create_future()
        self._waiting[request.id].append(future)
        self._submit(request)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await future
        except TimeoutError:
            return Refused(request.id, "it was passed on, but no answer came: the journal does not get to the disk")
        finally:
            waiting = self._waiting.get(request.id)
            if waiting and future in waiting:
                waiting.remove(future)
                if not waiting:
                    del self._waiting[request.id]


async def _send(writer: asyncio.StreamWriter, message: dict[str, JSON]) -> None:
    writer.write(encode_line(message))
    await writer.drain()


def _verb(message: dict[str, Any]) -> tuple[str, object]:
    if len(message) != 1 or next(iter(message)) not in _VERBS:
        raise WireError("a message has exactly one key: view, watch or submit", _VERBS)
    verb, content = next(iter(message.items()))
    return verb, content


def _allowed(writer: asyncio.StreamWriter) -> bool:
    connection: socket.socket = writer.get_extra_info("socket")
    _, user, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return user in (0, os.getuid())
