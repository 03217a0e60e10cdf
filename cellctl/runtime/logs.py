"""The log: JSON lines for technicians, written without ever making the loop wait.

The rule kept here: bounded. Lines go through a queue to a thread of their own; what a stalled disk or terminal does not
take is dropped and counted. The same fault of the same device is told once in ten seconds, with the number left out.
"""

import logging
import threading
import time
from collections.abc import MutableMapping
from queue import Full, Queue
from typing import Any, TextIO

import structlog
from structlog.typing import FilteringBoundLogger as Log
from structlog.typing import Processor, WrappedLogger

__all__ = ["Log", "Logs"]

#: Lines that may wait for the disk.
WAITING_MAX = 10_000

#: One line per fault in this time.
REPEAT_S = 10.0

#: Faults remembered for that; beyond it the memory starts anew.
FAULTS_MAX = 1_000

#: Some libraries log whole messages; more than this helps nobody.
TEXT_LENGTH_MAX = 500

#: How long the last lines may take at the end.
CLOSE_S = 1.0


class Logs:
    """The log of one process: `log` writes to it until `close`. Takes over what libraries log (warnings and above)."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._queue: Queue[str | None] = Queue(WAITING_MAX)
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()
        self.dropped = 0
        self.log: Log = structlog.wrap_logger(
            _Lines(self),
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            cache_logger_on_first_use=True,
            processors=_processors(),
        )
        self._bridge = _Bridge(self.log)
        logging.getLogger().addHandler(self._bridge)

    def put(self, line: str) -> None:
        """Hand `line` over; never waits."""
        try:
            self._queue.put_nowait(line)
        except Full:
            self.dropped += 1

    def close(self) -> None:
        """Write what waits, for a bounded time, and end the thread."""
        logging.getLogger().removeHandler(self._bridge)
        if self.dropped:
            self.log.warning("log lines dropped", count=self.dropped)
        try:
            self._queue.put(None, timeout=CLOSE_S)
        except Full:
            return
        self._thread.join(CLOSE_S)

    def _write(self) -> None:
        while (line := self._queue.get()) is not None:
            try:
                self._stream.write(line + "\n")
                if self._queue.empty():
                    self._stream.flush()
            except (OSError, ValueError):
                self.dropped += 1


class _Lines:
    """What structlog writes to: every level is a line."""

    def __init__(self, logs: Logs) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = logs.put


class _Once:
    """Lets one line per fault pass in `REPEAT_S`; a fault is an event of a device, from warning upward."""

    def __init__(self) -> None:
        self._told: dict[tuple[object, ...], tuple[float, int]] = {}

    def __call__(self, _: WrappedLogger, level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if level in ("debug", "info"):
            return event
        now = time.monotonic()
        fault = (event["event"], event.get("device"), event.get("child"), event.get("logger"))
        told, left_out = self._told.get(fault, (-REPEAT_S, 0))
        if now - told < REPEAT_S:
            self._told[fault] = (told, left_out + 1)
            raise structlog.DropEvent
        if len(self._told) >= FAULTS_MAX:
            self._told.clear()
        self._told[fault] = (now, 0)
        if left_out:
            event["left_out"] = left_out
        return event


class _Bridge(logging.Handler):
    """What libraries log through the standard library, shortened."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Pass `record` on; a record that cannot be formatted is told by its template."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = str(record.msg)
        if record.exc_info and record.exc_info[1]:
            text = f"{text}: {record.exc_info[1]!r}"
        self._log.warning("a library reports", logger=record.name, text=text[:TEXT_LENGTH_MAX])


def _processors() -> list[Processor]:
    return [
        structlog.processors.add_log_level,
        _Once(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(default=str),
    ]
