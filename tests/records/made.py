"""Journals for the tests of what reads, moves and carries them: written by the ledger itself."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from cellctl.core.equipment import Equipment
from cellctl.core.memory import Memory
from cellctl.core.memory_plain import plain
from cellctl.core.messages import Entry
from cellctl.core.outbox import SNAPSHOT
from cellctl.records.files import ARCHIVE_FOLDER, JOURNAL_FILE, archives
from cellctl.runtime.ledger import Ledger, Row

DAY_NS = 86_400_000_000_000

#: What was written down long ago.
LONG_AGO_NS = 1_600_000_000_000_000_000


def write(folder: Path, entries: Iterable[Entry], *, begin_ns: int = LONG_AGO_NS, step_ns: int = 1_000_000_000) -> int:
    """Append `entries`, one every `step_ns`; the number of the last."""
    folder.mkdir(exist_ok=True, mode=0o700)
    ledger = Ledger(folder, synchronous="OFF")
    try:
        first = ledger.tail.sequence + 1
        rows = [Row(first + at, begin_ns + at * step_ns, entry) for at, entry in enumerate(entries)]
        for at in range(0, len(rows), 1_000):
            ledger.write(rows[at : at + 1_000])
        return ledger.tail.sequence
    finally:
        ledger.close()


def counted(count: int, first: int = 1) -> list[Entry]:
    """Entries that tell their numbers."""
    return [Entry("count", {"n": number}) for number in range(first, first + count)]


def made(number: int, value: float = 1400.0) -> list[Entry]:
    """One part, from its beginning to its end."""
    part = {"part": f"job-1-{number:04d}", "job": "job-1"}
    record = {"step": "weld", "key": "peak#1", "name": "peak", "value": value, "unit": "W", "labels": {"point": 1}}
    return [
        Entry("part", {**part, "recipe": "module-12s", "version": "7", "hash": "", "values": {}}),
        Entry("record", {"part": part["part"], **record}),
        Entry("part.done", {**part, "result": "good"}),
    ]


def snapshot(parts: int = 0) -> Entry:
    """As the core writes one, of a cell with one job, of which so many parts are made."""
    memory = Memory(Equipment("cell", "A cell", {}))
    memory.apply("job", {"job": "job-1", "recipe": "module-12s", "quantity": 1_000, "parts": []}, 0)
    for number in range(1, parts + 1):
        for entry in made(number):
            memory.apply(entry.kind, entry.data, 0)
    return Entry(SNAPSHOT, {"memory": plain(memory)})


def change(path: Path, *statements: str) -> None:
    """Do to a journal what nobody should."""
    with closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)


def numbers_in_files(state: Path) -> list[int]:
    """The numbers of the entries in the archives and in the journal, each as often as it is there."""
    found: list[int] = []
    for path in [*(each.path for each in archives(state / ARCHIVE_FOLDER)), state / JOURNAL_FILE]:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            found += [number for (number,) in database.execute("SELECT sequence FROM entry ORDER BY sequence")]
    return found


def told(out: str) -> dict[str, object]:
    """A JSON document of the command line."""
    document: dict[str, object] = json.loads(out)
    return document
