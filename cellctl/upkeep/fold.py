"""What a journal comes to: the state that a cell would begin from, as a text that can be compared.

The rule kept here: two folders with the same text begin the same. It is told in a backup, and compared with what comes
out of it.
"""

import json
from hashlib import sha256
from pathlib import Path

from cellctl.core.outbox import SNAPSHOT
from cellctl.records import Pick, Reader


def folded(state: Path) -> str:
    """The state in the journal of this folder: its newest snapshot, and what was decided since."""
    digest = sha256()
    with Reader(state) as reader:
        newest = reader.newest(Pick(kinds=(SNAPSHOT,)), 1)
        last = newest[0][0] if newest else 0
        if newest:
            digest.update(json.dumps(json.loads(newest[0][3]), sort_keys=True).encode())
        while rows := reader.oldest(Pick(after=last), 1_000):
            for _, time_ns, kind, body, _ in rows:
                digest.update(f"{time_ns} {kind} {body}\n".encode())
            last = rows[-1][0]
    return digest.hexdigest()
