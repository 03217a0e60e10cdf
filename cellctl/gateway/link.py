"""The gateway's end of the link to control: a live copy of the cell, and the way for requests.

The rule kept here: control may come and go. The copy says whether it is live; without it nothing is asked and nothing
is queued. A control that is silent for `SILENCE_S` counts as gone, also if its socket is still open.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cellctl.core.messages import Receipt, Refused, Request
from cellctl.core.signal import Sample
from cellctl.core.wire import WireError, decode_answer, decode_line, decode_sample, encode_line, encode_request

SOCKET = "control.sock"

#: Control steps at least four times a second and tells so; the screens promise to notice a loss within 2.5 s.
SILENCE_S = 2.0

#: Pause before the next attempt to connect: a restarted control is seen again well within 2 s.
RETRY_S = 0.25

#: Control itself answers within 5 s, if only to say that its disk does not.
ANSWER_S = 6.0

#: A snapshot of some thousand signals with their reasons; more is not a snapshot.
MESSAGE_BYTES_MAX = 16 * 1024 * 1024

NOT_HEARD = "The cell's control process has not been heard yet."


class ControlGone(Exception):  # noqa: N818 - what callers are told, in the words of the 503
    """Control cannot be reached: a sentence for a person."""


class CellLink:
    """A copy of the cell. `view` is None while control is gone, and `reason` says why; `changed` is called on every
    change of either."""

    def __init__(self, folder: Path, changed: Callable[[], None]) -> None:
        self.view: dict[str, Any] | None = None
        self.signals: dict[str, Sample] = {}
        self.reason = NOT_HEARD
        self._path = folder / SOCKET
        self._changed = changed

    async def run(self) -> None:
        """Follow control for ever, through its restarts."""
        while True:
            try:
                await self._follow()
            except (OSError, WireError, EOFError, ValueError) as error:
                self._lose(_sentence(error))
            await asyncio.sleep(RETRY_S)

    async def submit(self, request: Request) -> Receipt | Refused:
        """The cell's answer; the copy is as new as that. ControlGone if there is none: nobody knows if it was done."""
        if self.view is None:
            raise ControlGone(self.reason)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._ask(request)
        except (OSError, WireError, EOFError, ValueError) as error:
            raise ControlGone(f"The request may have been lost: {_sentence(error)}") from error

    async def _ask(self, request: Request) -> Receipt | Refused:
        reader, writer = await asyncio.open_unix_connection(self._path, limit=MESSAGE_BYTES_MAX)
        try:
            writer.write(encode_line({"submit": encode_request(request)}))
            answer = decode_answer(decode_line(await _line(reader), MESSAGE_BYTES_MAX))
            writer.write(encode_line({"view": {}}))
            self._take({"view": decode_line(await _line(reader), MESSAGE_BYTES_MAX)["view"]})
            return answer
        finally:
            await _close(writer)

    async def _follow(self) -> None:
        """One connection: a snapshot, then changes."""
        reader, writer = await asyncio.open_unix_connection(self._path, limit=MESSAGE_BYTES_MAX)
        try:
            writer.write(encode_line({"watch": {}}))
            while True:
                async with asyncio.timeout(SILENCE_S):
                    line = await _line(reader)
                self._take(decode_line(line, MESSAGE_BYTES_MAX))
        finally:
            await _close(writer)

    def _take(self, message: dict[str, Any]) -> None:
        if "refused" in message:
            raise WireError(message["refused"]["reason"])
        view = message.get("view")
        if view and (self.view is None or view["time_ns"] >= self.view["time_ns"]):
            self.view = view
        signals = message.get("signals", {})
        self.signals |= {name: decode_sample(name, data) for name, data in signals.items()}
        self._changed()

    def _lose(self, reason: str) -> None:
        if self.view is not None or reason != self.reason:
            self.view, self.signals, self.reason = None, {}, reason
            self._changed()


async def _line(reader: asyncio.StreamReader) -> bytes:
    line = await reader.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return line


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def _sentence(error: Exception) -> str:
    match error:
        case FileNotFoundError() | ConnectionRefusedError():
            return "No cell is running on this state folder."
        case TimeoutError():
            return "The cell's control process is silent."
        case EOFError() | OSError():
            return "The cell's control process has ended."
        case _:
            return f"The cell's control process cannot be understood: {error}."
