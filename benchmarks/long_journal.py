"""A journal as a cell leaves it behind after years: so many entries, and a snapshot now and then."""

import itertools
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from cellctl.core.cell import SNAPSHOT_EVERY
from cellctl.core.equipment import Equipment
from cellctl.core.memory import Memory
from cellctl.core.memory_plain import plain
from cellctl.core.outbox import SNAPSHOT
from cellctl.records.chain import chained
from cellctl.records.files import JOURNAL_FILE
from cellctl.runtime.ledger import Ledger

#: What most entries are like.
BODY = json.dumps(
    {
        "key": "step:12/peak#1",
        "labels": {"point": 12},
        "name": "peak",
        "part": "job-2-0002",
        "step": "weld",
        "unit": "W",
    }
)
AT_ONCE = 100_000


def write(folder: Path, entries: int) -> None:
    """Write it into `folder`, as whole as any; the last one is some thousand entries after its last snapshot."""
    folder.mkdir(mode=0o700, exist_ok=True)
    Ledger(folder).close()
    rows = _rows(entries)
    with closing(sqlite3.connect(folder / JOURNAL_FILE, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = OFF")
        while some := list(itertools.islice(rows, AT_ONCE)):
            database.execute("BEGIN")
            database.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", some)
            database.execute("COMMIT")


def _rows(entries: int) -> Iterator[tuple[int, int, str, str, bytes]]:
    whole = json.dumps({"memory": plain(Memory(Equipment("cell", "A cell", {})))})
    previous = b""
    for number in range(1, entries + 1):
        kind, body = (SNAPSHOT, whole) if number % SNAPSHOT_EVERY == 1 else ("record", BODY)
        time_ns = 1_700_000_000_000_000_000 + number * 3_000_000
        previous = chained(previous, time_ns, kind, body)
        yield number, time_ns, kind, body, previous
