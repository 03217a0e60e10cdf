"""The state folder: its rights and who runs on it, its disk, and whether what the cell wrote can be read."""

import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryFile

from cellctl.records import HISTORY_FILE, HISTORY_VERSION, JOURNAL_FILE, Pick, Reader, Records, RecordsError
from cellctl.records.chain import chained
from cellctl.records.files import reading
from cellctl.upkeep.doctor.finding import ERROR, OK, WARNING, Finding, Place

#: Commits of that size are what the journal does.
_BLOCK = os.urandom(4096)
_WRITES = 20

#: A disk that takes longer for one commit holds the cell; a median above that makes every decision late.
_HOLDS_S = 1.0
_SLOW_S = 0.02

#: Less room than that: look for more; stop before it is gone.
_FREE_WARN, _FREE_ERROR_BYTES = 0.10, 200 << 20

#: What SQLite cannot be trusted on, and what is gone after a restart.
_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph"})
_FLEETING = frozenset({"tmpfs", "ramfs"})

#: The last entries are recomputed; all of them takes `cellctl journal verify`.
_LAST = 1_000

_DAY_NS = 86_400_000_000_000


def folder(place: Place) -> Iterator[Finding]:
    """Whether it is there, ours, ours alone, and on a disk that keeps what it is given."""
    state = place.state
    if not state.exists():
        there = _there(state)
        if os.access(there, os.W_OK):
            yield Finding(OK, "state folder", f"there is none yet; the first run makes {state}")
        else:
            yield Finding(ERROR, "state folder", f"{state} cannot be made in {there}", "Name another with --state.")
        return
    told = state.stat()
    kind = _file_system(state)
    if not state.is_dir():
        yield Finding(ERROR, "state folder", f"{state} is not a folder", "Name another with --state.")
    elif os.statvfs(state).f_flag & os.ST_RDONLY:
        yield Finding(ERROR, "state folder", f"the disk of {state} is read-only", "Look at the disk: dmesg, mount.")
    elif not os.access(state, os.R_OK | os.W_OK | os.X_OK):
        yield Finding(ERROR, "state folder", f"this user may not write to {state}", f"chown -R USER {state}.")
    elif kind in _REMOTE:
        text = f"{state} lies on a network ({kind}), where a journal is not safe"
        yield Finding(ERROR, "state folder", text, "Use a disk of this computer.")
    elif kind in _FLEETING:
        text = f"{state} lies in memory ({kind}): all is gone after a restart of the computer"
        yield Finding(WARNING, "state folder", text, "Use a disk for production.")
    elif told.st_mode & 0o077:
        yield Finding(WARNING, "state folder", f"others may look into {state}", f"chmod 700 {state}.")
    elif told.st_uid not in (os.geteuid(), 0) and os.geteuid() == 0:
        yield Finding(OK, "state folder", f"{state} belongs to the user {told.st_uid}, under whom the cell has to run")
    else:
        yield Finding(OK, "state folder", f"{state} can be written, by its owner only")


def lock(place: Place) -> Iterator[Finding]:
    """Whether a cell runs on it."""
    if place.state.is_dir():
        owner = running(place.state)
        yield Finding(OK, "lock", f"a cell runs on it (process {owner})" if owner else "no cell runs on it")


def running(state: Path) -> str:
    """The process of the cell that runs on a state folder; "" if none does. Nothing is made there."""
    try:
        lock = os.open(state / "control.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return ""
    except BlockingIOError:
        return os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "?"
    finally:
        os.close(lock)


def space(place: Place) -> Iterator[Finding]:
    """What is free on the disk."""
    usage = shutil.disk_usage(_there(place.state))
    text = f"{usage.free / 1e9:,.1f} GB of {usage.total / 1e9:,.1f} GB are free"
    do = "Make room: old backups, logs, or 'cellctl journal archive' and the archives to another disk."
    if usage.free < _FREE_ERROR_BYTES:
        yield Finding(ERROR, "disk", text, do)
    elif usage.free < usage.total * _FREE_WARN:
        yield Finding(WARNING, "disk", text, do)
    else:
        yield Finding(OK, "disk", text)


def speed(place: Place) -> Iterator[Finding]:
    """How long the disk takes until a small block is safe on it."""
    there = _there(place.state)
    if not os.access(there, os.W_OK):
        return
    took = []
    with TemporaryFile(dir=there) as file:
        for _ in range(_WRITES):
            file.seek(0)
            file.write(_BLOCK)
            file.flush()
            begin = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - begin)
    median, worst = sorted(took)[_WRITES // 2], max(took)
    text = f"a commit takes {median * 1e3:.1f} ms, at worst {worst * 1e3:.1f} ms"
    if worst > _HOLDS_S:
        yield Finding(ERROR, "disk speed", f"{text}: above 1 s the cell is held", "Use another disk, or free this one.")
    elif median > _SLOW_S:
        yield Finding(WARNING, "disk speed", f"{text}: every decision waits for it", "An SSD takes less than 5 ms.")
    else:
        yield Finding(OK, "disk speed", text)


def journal(place: Place) -> Iterator[Finding]:
    """Whether journal and history can be read, and the last entries are as they were written."""
    if not (place.state / JOURNAL_FILE).exists():
        return
    do = "'cellctl journal verify' says how far it is whole; 'cellctl restore' brings back a backup."
    try:
        with reading(place.state / JOURNAL_FILE) as database:
            told = [str(line) for (line,) in database.execute("PRAGMA quick_check(1)")]
        if told != ["ok"]:
            raise RecordsError(told[0])
        with Reader(place.state) as reader:
            rows = reader.newest(Pick(), _LAST)[::-1]
            missing = reader.missing()
    except RecordsError as error:
        yield Finding(ERROR, "journal", str(error).rstrip("."), do)
        return
    for before, (sequence, time_ns, kind, body, told_hash) in pairwise(rows):
        if chained(before[4], time_ns, kind, body) != told_hash or sequence != before[0] + 1:
            yield Finding(ERROR, "journal", f"entry {sequence:,} is not as it was written", do)
            return
    last = f"{rows[-1][0]:,} entries; the last {len(rows):,} are whole" if rows else "it is empty"
    yield Finding(OK, "journal", last)
    for first, upto in missing:
        text = f"entries {first:,} to {upto:,} were archived, and their archive is not here"
        yield Finding(WARNING, "archives", text, "Put it back, or keep in mind where it is.")
    if (place.state / HISTORY_FILE).exists():
        with suppress(RecordsError), reading(place.state / HISTORY_FILE, frozenset({HISTORY_VERSION})):
            return
        yield Finding(ERROR, "history", f"{HISTORY_FILE} cannot be read", "Stop the cell, and move the file away.")


def steps(place: Place) -> Iterator[Finding]:
    """Whether the clock was set lately, or is behind what was written down already."""
    if not (place.state / JOURNAL_FILE).exists():
        return
    now = time.time_ns()
    try:
        last = Records(place.state).latest(limit=1)
        set_ = [each for each in Records(place.state).latest(kind="clock") if each.time_ns > now - _DAY_NS]
    except (RecordsError, sqlite3.Error):
        return
    if last and last[0].time_ns > now + 1_000_000_000:
        of = datetime.fromtimestamp(last[0].time_ns / 1e9, UTC)
        text = f"the clock is behind: the last entry of the journal is of {of:%Y-%m-%d %H:%M:%S} UTC"
        yield Finding(ERROR, "time", text, "Set the clock, and let a time server keep it.")
    elif set_:
        largest = max(abs(int(str(each.data.get("step_ns", 0)))) for each in set_) / 1e9
        text = f"the clock was set {len(set_)} times in the last day, by up to {largest:,.1f} s"
        yield Finding(WARNING, "time", text, "Let a time server keep it, without steps.")


def _there(path: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(each for each in (path.absolute(), *path.absolute().parents) if each.is_dir())


def _file_system(path: Path) -> str:
    """The kind of file system that a path lies on."""
    device = os.stat(path).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        before, _, after = line.partition(" - ")
        if before.split()[2] == wanted:
            return after.split()[0]
    return ""
