"""The alarms of a cell as its journal tells them: what came and went, and what comes too often.

The rule kept here: every answer is bounded and found by the index of the journal, and nothing is locked.
"""

import json
import sqlite3
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

from cellctl.core.alarm_book import FLOOD_NS, INFO
from cellctl.records import JOURNAL_FILE, RecordsError

#: The kinds of entries that tell what became of an alarm -> what is said of it; of "alarm" its data says more.
KINDS = {
    "alarm": "",
    "alarm.acked": "acknowledged",
    "alarm.shelved": "shelved",
    "alarm.unshelved": "unshelved",
    "alarm.suppressed": "suppressed",
    "alarm.unsuppressed": "unsuppressed",
    "alarm.first": "first",
    "alarm.removed": "removed",
}

#: So many entries are counted at most, the newest.
COUNTED_MAX = 100_000

#: An alarm that comes so often within this time flutters.
CHATTER_TIMES, CHATTER_NS = 3, 60_000_000_000

_OF_KIND = (
    "SELECT sequence, time_ns, kind, body FROM entry WHERE kind = ? AND sequence >= ? ORDER BY sequence DESC LIMIT ?"
)


class AlarmRecords:
    """The alarms that a state folder knows. A folder in which no cell ever ran knows none, which is no error.

    RecordsError if its journal cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL_FILE

    def history(self, since_ns: int = 0, limit: int = 100, alarm: str | None = None) -> list[dict[str, Any]]:
        """The last `limit` things that became of alarms since a time, oldest first; only of `alarm` if it is given."""
        found: list[tuple[int, int, str, dict[str, Any]]] = []
        with self._reading() as database:
            begin = _begin(database, since_ns)
            for kind in KINDS:
                if alarm is None:
                    rows = database.execute(_OF_KIND, (kind, begin, limit))
                else:
                    query = f"SELECT * FROM ({_OF_KIND}) WHERE json_extract(body, '$.alarm') = ? LIMIT ?"
                    rows = database.execute(query, (kind, begin, COUNTED_MAX, alarm, limit))
                found += [(sequence, at, kind, json.loads(body)) for sequence, at, _, body in rows if at >= since_ns]
        found.sort(key=itemgetter(0))
        texts = {data["alarm"]: data["text"] for *_, data in found if "text" in data}
        return [_told(at, kind, data, texts.get(data["alarm"], "")) for _, at, kind, data in found[-limit:]]

    def load(self, since_ns: int, until_ns: int) -> dict[str, Any]:
        """How much alarms ask of a person between two times, and which of them the most, most frequent first."""
        with self._reading() as database:
            rows = database.execute(_OF_KIND, ("alarm", _begin(database, since_ns), COUNTED_MAX)).fetchall()[::-1]
        told = [(at, json.loads(body)) for _, at, _, body in rows if since_ns <= at < until_ns]
        raised = [(at, data) for at, data in told if data["raised"] and data.get("priority") != INFO]
        times = [at for at, _ in raised]
        return {
            "since_ns": since_ns,
            "until_ns": until_ns,
            "raised": len(times),
            "per_10_min": len(times) * FLOOD_NS / max(1, until_ns - since_ns),
            "most_in_10_min": _most_within(times, FLOOD_NS),
            "alarms": _frequent(raised),
        }

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(_opened(self._path)) as database:
                yield database
        except (sqlite3.Error, ValueError, KeyError) as error:
            raise RecordsError(f"{self._path} cannot be read: {error}.") from error


def _opened(path: Path) -> sqlite3.Connection:
    if path.exists():
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2)
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE entry (sequence, time_ns, kind, body)")
    return database


def _begin(database: sqlite3.Connection, since_ns: int) -> int:
    """The first entry that was written since then, looked for by halves: entries come in the order of their times."""
    low, high = database.execute(
        "SELECT coalesce(min(sequence), 0), coalesce(max(sequence), -1) + 1 FROM entry"
    ).fetchone()
    while low < high and since_ns > 0:
        middle = (low + high) // 2
        (at,) = database.execute("SELECT time_ns FROM entry WHERE sequence >= ? LIMIT 1", (middle,)).fetchone()
        low, high = (middle + 1, high) if at < since_ns else (low, middle)
    return int(low)


def _told(time_ns: int, kind: str, data: dict[str, Any], text: str) -> dict[str, Any]:
    what = KINDS[kind] or ("raised" if data["raised"] else "returned")
    more = {name: data.get(name, empty) for name, empty in (("by", ""), ("reason", ""), ("until_ns", 0))}
    priority = data.get("priority", "")
    return {"time_ns": time_ns, "alarm": data["alarm"], "what": what, "priority": priority, "text": text, **more}


def _frequent(raised: Iterable[tuple[int, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Each alarm with how often it came; those that came most often first."""
    of: defaultdict[str, list[int]] = defaultdict(list)
    last: dict[str, dict[str, Any]] = {}
    for at, data in raised:
        of[data["alarm"]].append(at)
        last[data["alarm"]] = data
    return [
        {
            "alarm": alarm,
            "priority": last[alarm].get("priority", ""),
            "text": last[alarm].get("text", ""),
            "raised": len(times),
            "last_ns": times[-1],
            "chattering": _most_within(times, CHATTER_NS) >= CHATTER_TIMES,
        }
        for alarm, times in sorted(of.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def _most_within(times: Iterable[int], span_ns: int) -> int:
    """How many of the times, oldest first, lie within one span at most."""
    within: deque[int] = deque()
    most = 0
    for at in times:
        within.append(at)
        while within[0] <= at - span_ns:
            within.popleft()
        most = max(most, len(within))
    return most
