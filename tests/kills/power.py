"""The power fails while the journal is written: what the disk holds then is a true beginning of the journal, whole, and
with all that was acknowledged.

A shim below SQLite (tracing.c) writes down what a process does to the files. From that are made images of what a disk
may hold after a power cut at any moment: of all that was not synchronised any part may be missing, in pieces of 512
bytes, whatever the order in which it was written; and so may names in the folder. The rule kept here: what was
synchronised is there, and nothing else is sure.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from cellctl.core.messages import Entry
from cellctl.records import JOURNAL_FILE, Records, RecordsError
from cellctl.runtime.ledger import JournalError, Ledger, Row
from tests.kills.scribe import DEFAULT

SOURCE = Path(__file__).with_name("tracing.c")

#: What a disk writes whole or not at all.
SECTOR = 512

#: How much of what was not synchronised got to the disk: nothing, all, or pieces.
_SHARES = (0.0, 0.05, 0.5, 0.5, 0.95, 1.0)

#: The lives of the scribe: entries, and whether it ends in order. Together they take the log of SQLite through several
#: rounds, with and without its end.
LIVES = ((60, False), (500, False), (40, True), (30, False), (500, True), (400, False))

_HEAD = 14


class NoCompiler(Exception):  # noqa: N818 - what is the case
    """There is no C compiler on this machine."""


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that was done, as in tracing.c."""

    what: str
    name: str
    offset: int
    data: bytes


@dataclass(slots=True)
class File:
    """A file: what of it is surely on disk, and what was done to it since."""

    sure: bytearray = field(default_factory=bytearray)
    open: list[tuple[int, bytes | None]] = field(default_factory=list)  # offset and data, or a size and None

    def synchronised(self) -> None:
        """All of it is on disk."""
        for offset, data in self.open:
            _put(self.sure, offset, data)
        self.open.clear()

    def image(self, random: Random, share: float) -> bytearray:
        """What may be there after a power cut."""
        content = bytearray(self.sure)
        for offset, data in self.open:
            for at, piece in _pieces(offset, data):
                if random.random() < share:
                    _put(content, at, piece)
        return content


class Folder:
    """What is on disk of one folder, as its records come."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self._now: dict[str, File] = {}
        self._sure: dict[str, File] = {}
        self._open: list[tuple[str, File | None]] = []  # names that were set or removed, in order

    def take(self, record: Record) -> None:
        """The next thing that was done."""
        match record.what:
            case "A":
                self.acknowledged = record.offset
            case "O":
                self._name(record.name, File())
            case "U":
                self._name(record.name, None)
            case "R":
                file = self._now[record.name]
                self._name(record.name, None)
                self._name(record.data.decode(), file)
            case "W":
                self._now[record.name].open.append((record.offset, record.data))
            case "T":
                self._now[record.name].open.append((record.offset, None))
            case "S":
                self._now[record.name].synchronised()
            case "D":
                _rename(self._sure, self._open)
                self._open.clear()
            case what:
                raise ValueError(f"a record {what!r}")

    def image(self, random: Random) -> Mapping[str, bytearray]:
        """What may be there after a power cut."""
        share, names = random.choice(_SHARES), dict(self._sure)
        _rename(names, [one for one in self._open if random.random() < share])
        return {name: file.image(random, share) for name, file in names.items()}

    def files(self) -> Mapping[str, bytes]:
        """What is there while the power is on."""
        return {name: bytes(file.image(Random(0), share=1.1)) for name, file in self._now.items()}

    def _name(self, name: str, file: File | None) -> None:
        self._open.append((name, file))
        _rename(self._now, self._open[-1:])


def _rename(names: dict[str, File], done: list[tuple[str, File | None]]) -> None:
    for name, file in done:
        if file is None:
            names.pop(name, None)
        else:
            names[name] = file


def _put(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
    else:
        content.extend(bytes(max(0, offset - len(content))))
        content[offset : offset + len(data)] = data


def _pieces(offset: int, data: bytes | None) -> Iterator[tuple[int, bytes | None]]:
    if data is None:
        yield offset, None
        return
    at = 0
    while at < len(data):
        size = SECTOR - (offset + at) % SECTOR
        yield offset + at, data[at : at + size]
        at += size


# --- the trace --------------------------------------------------------------------------------------------------------


def built(folder: Path) -> Path:
    """The shim, built into `folder`. NoCompiler if it cannot be."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NoCompiler
    shim = folder / "tracing.so"
    argv = [compiler, "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(shim), str(SOURCE), "-ldl"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return shim


@dataclass(frozen=True, slots=True)
class Trace:
    """All that was done to the files of a journal; the files, and the hash of each entry, at the end."""

    records: list[Record]
    files: Mapping[str, bytes]
    hashes: Mapping[int, bytes]


def traced(folder: Path, synchronous: str, seed: int) -> Trace:
    """Write a journal in `folder`. NoCompiler if nobody can look on."""
    shim = built(folder)
    state, trace = folder / "state", folder / "trace"
    state.mkdir()
    environment = {**os.environ, "LD_PRELOAD": str(shim), "TRACED": str(state), "TRACE": str(trace)}
    for life, (entries, end) in enumerate(LIVES):
        argv = [str(state), str(trace), synchronous, f"{seed}/{life}", str(entries), *(["end"] if end else [])]
        done = subprocess.run(
            [sys.executable, "-m", "tests.kills.scribe", *argv],
            env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    files = {path.name: path.read_bytes() for path in state.iterdir() if not path.name.endswith("-shm")}
    records = list(_records(trace.read_bytes()))
    with closing(sqlite3.connect(state / JOURNAL_FILE)) as database:
        hashes = dict(database.execute("SELECT sequence, hash FROM entry").fetchall())
    return Trace(records, files, hashes)


def _records(trace: bytes) -> Iterator[Record]:
    at = 0
    while at < len(trace):
        length, size = trace[at + 1], int.from_bytes(trace[at + 10 : at + 14], "little")
        offset = int.from_bytes(trace[at + 2 : at + 10], "little")
        name_at, data_at = at + _HEAD, at + _HEAD + length
        yield Record(chr(trace[at]), trace[name_at:data_at].decode(), offset, trace[data_at : data_at + size])
        at = data_at + size


# --- cuts -------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Cuts:
    """What came of the cuts of one trace: how many, entries that were written, and what was found."""

    seed: int
    cuts: int = 0
    records: int = 0
    entries: int = 0
    syncs: int = 0
    found: list[str] = field(default_factory=list)


def cut(seed: int, cuts: int, synchronous: str = DEFAULT) -> Cuts:
    """Cut the power so often, at random, while a journal is written. NoCompiler if that cannot be."""
    random = Random(seed)
    with tempfile.TemporaryDirectory(prefix="cellctl-power-") as name:
        folder = Path(name)
        trace = traced(folder, synchronous, seed)
        syncs = sum(one.what == "S" for one in trace.records)
        told = Cuts(seed, records=len(trace.records), entries=len(trace.hashes), syncs=syncs)
        state, after = Folder(), sorted(random.choices(range(len(trace.records)), k=cuts))
        for number, record in enumerate(trace.records):
            state.take(record)
            while after and after[0] == number:
                after.pop(0)
                told.cuts += 1
                image = folder / "image"
                image.mkdir()
                for file, content in state.image(random).items():
                    (image / file).write_bytes(content)
                if wrong := _wrong(image, state.acknowledged, trace.hashes):
                    told.found.append(f"cut after record {number} ({record.what} {record.name}): {wrong}")
                shutil.rmtree(image)
        if state.files() != trace.files:
            told.found.append("the trace is not what was done to the files")
    return told


def _wrong(folder: Path, acknowledged: int, hashes: Mapping[int, bytes]) -> str:
    """What is wrong with a journal after the power was cut; empty if it is a true beginning of it and goes on."""
    try:
        ledger = Ledger(folder, synchronous="OFF")
    except (JournalError, sqlite3.Error) as error:
        return str(error)
    try:
        tail = ledger.tail
        if tail.sequence < acknowledged:
            return f"{acknowledged} entries were acknowledged, {tail.sequence} are there"
        if tail.sequence and hashes.get(tail.sequence) != tail.hash:
            return f"entry {tail.sequence} is not what was written"
        ledger.write([Row(tail.sequence + 1, 0, Entry("start", {}))])
        verdict = Records(folder).verify()
        if (verdict.entries, verdict.broken_at) != (tail.sequence + 1, None):
            return f"{verdict} of {tail.sequence} entries"
    except (sqlite3.Error, RecordsError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        ledger.close()
    return ""
