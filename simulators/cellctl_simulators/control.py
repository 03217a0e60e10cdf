"""The back door of a simulation: a local socket that takes one JSON object a line and answers with one.

``{"do": "truth"}``, ``{"do": "get", "name": ...}``, ``{"do": "set", "name": ..., "value": ...}``,
``{"do": "stop", "device": ...}``, ``{"do": "start", "device": ...}``; the answer is ``{"ok": true, ...}`` or
``{"ok": false, "error": ...}``. It exists to break a device on purpose, and to compare what a controller believes with
what is true.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

from cellctl_simulators.simulation import Simulation

Message = dict[str, object]

#: The truth of many thousand parts fits into one answer.
ANSWER_BYTES_MAX = 64 * 1024 * 1024


class Control:
    """The listening socket, as an async context manager, in the simulation's own folder."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.path = simulation.folder / "control"
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def __aenter__(self) -> "Control":
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

    async def _do(self, message: Mapping[str, object]) -> Message:
        match message:
            case {"do": "truth"}:
                return {"truth": self._simulation.truth()}
            case {"do": "get", "name": str(name)}:
                return {"value": self._simulation.get(name)}
            case {"do": "set", "name": str(name), "value": bool() | int() | float() | str() as value}:
                self._simulation.set(name, value)
                return {}
            case {"do": "stop", "device": str(device)}:
                await self._simulation.stop_server(device)
                return {}
            case {"do": "start", "device": str(device)}:
                await self._simulation.start_server(device)
                return {}
        raise ValueError(
            f"{json.dumps(message)}: expected one of truth, get (name), set (name, value), stop and start (device)"
        )


async def ask(path: Path | str, **message: object) -> Message:
    """Send one message to the back door at `path` and return the answer; OSError if nobody is there."""
    reader, writer = await asyncio.open_unix_connection(path, limit=ANSWER_BYTES_MAX)
    try:
        writer.write(json.dumps(message).encode() + b"\n")
        answer: Message = json.loads(await reader.readline())
        return answer
    finally:
        writer.close()
        await writer.wait_closed()
