"""Writes a journal, and notes in the trace what was acknowledged: the program whose power fails (power.py).

    python -m tests.kills.scribe FOLDER TRACE SYNCHRONOUS SEED ENTRIES [end]

SYNCHRONOUS is how SQLite waits for the disk; `default`: as in the product. Without `end` the process dies in the
middle, and the next one goes on. The rule kept here: all that touches the files is the product, its writer's thread
included.
"""

import asyncio
import os
import sys
from pathlib import Path
from random import Random

from cellctl.core.messages import Entry
from cellctl.runtime.journal import Journal
from cellctl.runtime.ledger import Disk, Ledger

#: What a record of the trace looks like that tells of no file: what was acknowledged.
ACKNOWLEDGED = b"A"

DEFAULT = "default"

#: Bytes in an entry: most are small, and some fill pages.
_SIZES = (10, 40, 200, 200, 900, 6_000)


class Noted(Disk):
    """Notes what is committed, in the moment in which the product takes it as that."""

    def __init__(self, trace: Path) -> None:
        self._trace = os.open(trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def after(self, last: int) -> None:
        """On disk."""
        os.write(self._trace, ACKNOWLEDGED + bytes(1) + last.to_bytes(8, "little") + bytes(4))


async def scribble(folder: Path, trace: Path, synchronous: str, random: Random, count: int, *, end: bool) -> None:
    """Write about so many entries, a turn's at a time, some of them while others are being written."""
    options = {} if synchronous == DEFAULT else {"synchronous": synchronous}
    journal = Journal(Ledger(folder, disk=Noted(trace), **options))
    on_disk = asyncio.Event()

    def committed(sequence: int) -> None:
        on_disk.set()

    def failing(reason: str) -> None:
        raise SystemExit(reason)

    journal.start(committed=committed, failing=failing, idle=lambda: 0.01)
    last = journal.sequence + count
    while journal.sequence < last:
        on_disk.clear()
        for _ in range(random.choice((1, 1, 2, 5))):  # so many turns without waiting
            entries = [_entry(journal.sequence + n, random) for n in range(random.choice((1, 1, 2, 4)))]
            journal.append(journal.sequence, entries)
        await on_disk.wait()
    if not end:
        os._exit(0)
    await journal.close(10.0)


def _entry(number: int, random: Random) -> Entry:
    return Entry(random.choice(("state", "record", "done")), {"number": number, "text": "x" * random.choice(_SIZES)})


if __name__ == "__main__":
    folder, trace, synchronous, seed, count, *rest = sys.argv[1:]
    work = scribble(Path(folder), Path(trace), synchronous, Random(seed), int(count), end=bool(rest))
    asyncio.run(work)
