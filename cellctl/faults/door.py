"""A door in a cell on trial: a local socket that takes one JSON object a line and answers with one.

The answer is ``{"ok": true, ...}`` or ``{"ok": false, "error": ...}``. Of faults are asked ``{"do": "fault", "fault":
{...}}`` (a number comes back), ``{"do": "faults"}`` and ``{"do": "mend", "number": N or null}``.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from cellctl.faults import Fault, read
from cellctl.faults.desk import Running

#: The socket in the state folder of a cell that runs on simulated devices.
FAULTS_SOCKET = "faults.sock"

Message = dict[str, object]

#: The truth of many thousand parts fits into one answer.
ANSWER_BYTES_MAX = 64 * 1024 * 1024


class Door:
    """The listening socket, as an async context manager. What `do` raises as a ValueError, TypeError, KeyError or
    OSError is the error in the answer."""

    def __init__(self, path: Path, do: Callable[[Mapping[str, Any]], Awaitable[Message]]) -> None:
        self.path, self._do = path, do
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def __aenter__(self) -> "Door":
        self.path.unlink(missing_ok=True)  # of one that was killed
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()
        tasks = [task for task in self._connections.values() if task is not None]
        for writer in tuple(self._connections):
            writer.close()
        if tasks:
            await asyncio.wait(tasks)
        self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections[writer] = asyncio.current_task()
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            return  # the client is gone, or sends a line without an end
        finally:
            del self._connections[writer]
            writer.close()

    async def _answer(self, line: bytes) -> Message:
        try:
            return {"ok": True, **await self._do(json.loads(line))}
        except (ValueError, TypeError, KeyError, OSError) as error:
            return {"ok": False, "error": str(error.args[0] if error.args else error)}


async def ask(path: Path | str, **message: object) -> Message:
    """Send one message to the door at `path` and return the answer; OSError if nobody is there."""
    reader, writer = await asyncio.open_unix_connection(path, limit=ANSWER_BYTES_MAX)
    try:
        writer.write(json.dumps(message).encode() + b"\n")
        answer: Message = json.loads(await reader.readline())
        return answer
    finally:
        writer.close()
        await writer.wait_closed()


class Place(Protocol):
    """Where faults can be made."""

    @property
    def running(self) -> list[Running]:
        """Those that have begun and not ended."""

    async def begin(self, fault: Fault) -> int:
        """Let one happen; its number. FaultError if it cannot be."""

    async def end(self, number: int | None = None) -> None:
        """End one, or all; FaultError for a number that is not running."""


async def on_faults(message: Mapping[str, Any], place: Place) -> Message | None:
    """The answer to a message about the faults of a place; None if it is about something else."""
    match message:
        case {"do": "fault", "fault": dict(told)}:
            return {"number": await place.begin(read(told))}
        case {"do": "mend", "number": int() | None as number}:
            await place.end(number)
            return {}
        case {"do": "faults"}:
            return {
                "faults": [{"number": one.number, "text": str(one.fault), **one.fault.plain()} for one in place.running]
            }
    return None
