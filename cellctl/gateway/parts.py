"""The parts of a cell as its journal tells them: what was made, of which recipe, what was measured, what went wrong.

The rule kept here: a part is what the journal says and nothing else. Every answer is bounded, nothing is locked.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from cellctl.records import JOURNAL_FILE, LAST, Pick, Reader, Row, Written, written

#: What is told about a part between its beginning ("part") and its end ("part.done").
_BETWEEN = ("record", "fault", "question", "recovery", "part.scrap")

#: More than any part has.
_ALL = 1_000_000


class Parts:
    """The parts that a state folder knows. A folder in which no cell ever ran knows none, which is no error.

    RecordsError if its journal cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def latest(self, limit: int = 100) -> list[dict[str, Any]]:
        """The `limit` parts that were finished last, newest first."""
        return self._told(lambda reader: reader.newest(Pick(kinds=("part.done",)), limit))

    def find(self, serial: str) -> dict[str, Any] | None:
        """The part with this serial, finished or not; None if there never was one."""
        found = self._told(lambda reader: reader.newest(Pick(kinds=("part", "part.done"), part=serial), 1))
        return found[0] if found else None

    def missing(self) -> list[tuple[int, int]]:
        """The first and the last of each run of entries that were archived, and are not here to be looked into."""
        if not (self._folder / JOURNAL_FILE).exists():
            return []
        with Reader(self._folder) as reader:
            return reader.missing()

    def _told(self, ends: Callable[[Reader], list[Row]]) -> list[dict[str, Any]]:
        if not (self._folder / JOURNAL_FILE).exists():
            return []
        with Reader(self._folder) as reader:
            parts = [_part(reader, end) for end in written(ends(reader))]
        return [part for part in parts if part is not None]


def _part(reader: Reader, end: Written) -> dict[str, Any] | None:
    """The whole part, from its last entry back to its first; None if the archive with the first is not here."""
    serial = str(end.data["part"])
    begun = written(reader.newest(Pick(kinds=("part",), part=serial, upto=end.sequence), 1))
    if not begun:
        return None
    begin, finished = begun[0], end.kind == "part.done"
    upto = end.sequence if finished else LAST
    between = Pick(after=begin.sequence - 1, upto=upto, kinds=_BETWEEN, part=serial)
    told = [(each.time_ns, each.kind, each.data) for each in written(reader.oldest(between, _ALL))]
    return {
        "serial": serial,
        "job": begin.data["job"],
        "recipe": {"id": begin.data["recipe"], "version": begin.data["version"]},
        "result": end.data["result"] if finished else None,
        "started_ns": begin.time_ns,
        "finished_ns": end.time_ns if finished else None,
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
