"""P8: how many decisions the journal makes durable in a second, and how long one waits for the disk."""

import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.rounds import Row, figures
from cellctl.core.messages import Entry
from cellctl.runtime.journal import Journal
from cellctl.runtime.ledger import Ledger
from cellctl.runtime.writer import GROUP_MAX

ENTRIES = 20_000
#: What one turn of a busy cell decides.
PER_TURN = 20
SINGLE = 200

#: Beside the checkout and not in a folder that may lie in memory.
DISK = Path(__file__).parent.parent / ".cellctl"

ENTRY = Entry("phase", {"part": "j-1", "step": "weld", "phase": "weld_busbars", "at": 7})
BODY = '{"at":7,"part":"j-1","phase":"weld_busbars","step":"weld"}'


def rows() -> Iterator[Row]:
    """Both rows."""
    yield Row(
        "P8",
        "durable, hash-chained entries",
        "1/s",
        figures({"ours": lambda: _in(_rate), "floor": lambda: _in(_bare_rate)}),
        "≥ 10,000 /s",
        10_000,
        at_least=True,
        note=f"Entries come in turns of {PER_TURN}. The floor writes ready rows in transactions of {GROUP_MAX:,}: no"
        " thread, no JSON, no chain.",
    )
    yield Row(
        "P8",
        "one decision until it is on disk, p50",
        "ms",
        figures({"ours": lambda: _in(_wait), "floor": lambda: _in(_bare_commit)}),
        "≤ 1.5 × one bare commit",
        1.5,
        against="floor",
        note="The floor is one SQLite commit with `synchronous=FULL` in WAL mode. Ours adds the way to the journal's"
        " thread and back to the loop.",
    )


def _in(measure: Callable[[Path], float]) -> float:
    """Measure in a fresh folder on the disk."""
    DISK.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=DISK, prefix="bench-") as folder:
        return measure(Path(folder))


def _rate(folder: Path) -> float:
    return asyncio.run(_append(folder))


async def _append(folder: Path) -> float:
    whole = asyncio.Event()

    def committed(sequence: int) -> None:
        if sequence == ENTRIES:
            whole.set()

    journal = Journal(Ledger(folder))
    journal.start(committed=committed, failing=_fail, idle=_nothing_else)
    turn = [ENTRY] * PER_TURN
    start = time.perf_counter()
    for now in range(ENTRIES // PER_TURN):
        journal.append(now, turn)
        await asyncio.sleep(0)
    await whole.wait()
    seconds = time.perf_counter() - start
    assert await journal.close(10)
    return ENTRIES / seconds


def _wait(folder: Path) -> float:
    return asyncio.run(_append_singly(folder))


async def _append_singly(folder: Path) -> float:
    news: asyncio.Queue[int] = asyncio.Queue()
    journal = Journal(Ledger(folder))
    journal.start(committed=news.put_nowait, failing=_fail, idle=_nothing_else)
    waits = []
    for now in range(SINGLE):
        start = time.perf_counter()
        journal.append(now, [ENTRY])
        await news.get()
        waits.append(time.perf_counter() - start)
    assert await journal.close(10)
    return statistics.median(waits) * 1e3


def _nothing_else() -> float:
    return 1.0


def _fail(reason: str) -> None:
    raise AssertionError(reason)


# --- the floor --------------------------------------------------------------------------------------------------


def _bare(folder: Path) -> sqlite3.Connection:
    database = sqlite3.connect(folder / "bare.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE entry (sequence INTEGER PRIMARY KEY, time_ns INTEGER, kind TEXT, body TEXT)")
    return database


def _bare_rate(folder: Path) -> float:
    with closing(_bare(folder)) as database:
        start = time.perf_counter()
        for first in range(0, ENTRIES, GROUP_MAX):
            rows = [(first + n, first, "phase", BODY) for n in range(GROUP_MAX)]
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO entry VALUES (?, ?, ?, ?)", rows)
            database.execute("COMMIT")
        return ENTRIES / (time.perf_counter() - start)


def _bare_commit(folder: Path) -> float:
    with closing(_bare(folder)) as database:
        waits = []
        for now in range(SINGLE):
            start = time.perf_counter()
            database.execute("INSERT INTO entry VALUES (?, ?, ?, ?)", (now, now, "phase", BODY))
            waits.append(time.perf_counter() - start)
        return statistics.median(waits) * 1e3
