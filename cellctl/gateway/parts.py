"""The parts of a cell as its journal tells them: what was made, of which recipe, what was measured, what went wrong.

The rule kept here: a part is what the journal says and nothing else. Every answer is bounded, nothing is locked.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from cellctl.records import JOURNAL_FILE, RecordsError

#: What is told about a part between its beginning ("part") and its end ("part.done").
_BETWEEN = "'record', 'fault', 'question', 'recovery', 'part.scrap'"

#: Above every sequence number.
_LAST = 2**62

_ENTRY = "SELECT sequence, time_ns, kind, body FROM entry"
_OF_PART = "json_extract(body, '$.part') = ?"


class Parts:
    """The parts that a state folder knows. A folder in which no cell ever ran knows none, which is no error.

    RecordsError if its journal cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL_FILE

    def latest(self, limit: int = 100) -> list[dict[str, Any]]:
        """The `limit` parts that were finished last, newest first."""
        return self._told(f"{_ENTRY} WHERE kind = 'part.done' ORDER BY sequence DESC LIMIT ?", limit)

    def find(self, serial: str) -> dict[str, Any] | None:
        """The part with this serial, finished or not; None if there never was one."""
        among = f"kind IN ('part', 'part.done') AND {_OF_PART}"
        found = self._told(f"{_ENTRY} WHERE {among} ORDER BY sequence DESC LIMIT 1", serial)
        return found[0] if found else None

    def _told(self, query: str, argument: object) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        try:
            with closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=2)) as database:
                return [_part(database, row) for row in database.execute(query, (argument,)).fetchall()]
        except (sqlite3.Error, ValueError) as error:
            raise RecordsError(f"{self._path} cannot be read: {error}.") from error


def _part(database: sqlite3.Connection, last: tuple[Any, ...]) -> dict[str, Any]:
    """The whole part, from its last entry back to its first."""
    sequence, time_ns, kind, body = last
    end = json.loads(body)
    query = f"{_ENTRY} WHERE kind = 'part' AND sequence <= ? AND {_OF_PART} ORDER BY sequence DESC LIMIT 1"
    first, begun_ns, _, begun = database.execute(query, (sequence, end["part"])).fetchone()
    begin = json.loads(begun)
    among = f"kind IN ({_BETWEEN}) AND sequence BETWEEN ? AND ? AND {_OF_PART}"
    finished = kind == "part.done"
    rows = database.execute(
        f"{_ENTRY} WHERE {among} ORDER BY sequence", (first, sequence if finished else _LAST, end["part"])
    )
    told = [(at, name, json.loads(text)) for _, at, name, text in rows]
    return {
        "serial": end["part"],
        "job": begin["job"],
        "recipe": {"id": begin["recipe"], "version": begin["version"]},
        "result": end["result"] if finished else None,
        "started_ns": begun_ns,
        "finished_ns": time_ns if finished else None,
        "records": _records([(at, data) for at, name, data in told if name == "record"]),
        "events": [_event(at, name, data) for at, name, data in told if name != "record"],
    }


def _records(told: Iterable[tuple[int, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """What was measured: of a place that a phase came to twice, because it was interrupted, the last value."""
    last = {(data["step"], data["key"]): (time_ns, data) for time_ns, data in told}
    names = ("step", "name", "value", "unit", "labels")
    return [{"time_ns": time_ns, **{name: data[name] for name in names}} for time_ns, data in last.values()]


def _event(time_ns: int, kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    return {"time_ns": time_ns, "kind": kind, **{key: value for key, value in data.items() if key != "part"}}
