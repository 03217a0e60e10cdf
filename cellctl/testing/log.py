"""The log of a cell under test: kept, with the times of the test, and written nowhere."""

import logging
from collections import deque
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

from cellctl.runtime.logs import Log

#: Lines kept for the report of a test that fails.
LINES_KEPT = 1_000


class Lines:
    """The last lines, oldest first: time (s), level, event, what it says besides. While `muted` nothing is kept."""

    def __init__(self, time_s: Callable[[], float]) -> None:
        self.muted = False
        self.lines: deque[tuple[float, str, str, dict[str, Any]]] = deque(maxlen=LINES_KEPT)
        self._time_s = time_s
        self.log: Log = structlog.wrap_logger(
            None, wrapper_class=structlog.make_filtering_bound_logger(logging.INFO), processors=[self._keep]
        )

    def _keep(self, _: Any, level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        said = dict(event)
        if not self.muted:
            self.lines.append((self._time_s(), level, str(said.pop("event", "")), said))
        raise structlog.DropEvent
