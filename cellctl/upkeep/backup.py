"""A backup: the files of a cell and what it wrote, in one file, taken while it runs or not.

The rule kept here: what is copied is whole. Journal and history are copied by SQLite itself, as of one moment; private
keys and secrets go along only if that is asked for, and what is left out is told.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cellctl
from cellctl.pki import OWN, PKI_FOLDER
from cellctl.records import ARCHIVE_FOLDER, HISTORY_FILE, JOURNAL_FILE, RecordsError
from cellctl.records.chain import Verdict, verified
from cellctl.records.files import archives, reading
from cellctl.upkeep.container import Member, write
from cellctl.upkeep.fold import folded

FORMAT = "cellctl.backup/1"

CELL, STATE = "cell", "state"

#: Folders and files that are no part of a cell, or are made anew by themselves.
_NOT_OF_CELL = frozenset({".git", ".cellctl", ".venv", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"})
_NOT_OF_STATE = frozenset({"recorder", "control.log", "simulation.json", "lock"})
_NOT_OF_ANY = (".backup", ".bundle", ".pyc", ".part", ".sock", ".lock", "-wal", "-shm", "-journal")

#: The secrets of a state folder, and what marks a private key.
SECRETS = "secrets"
_KEY_MARK = b"PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class Taken:
    """What was written: the manifest, what was left out because it is secret, and what for another reason."""

    manifest: dict[str, Any]
    secret: tuple[str, ...]
    left_out: tuple[str, ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a backup is taken of."""

    cell: Path
    state: Path
    keys: bool = False
    history: bool = True


def take(target: Path, wanted: Wanted) -> Taken:
    """Write a backup into a new file. FileExistsError, RecordsError, ContainerError or OSError if it cannot be."""
    if target.exists():
        raise FileExistsError(target)
    found = _Found(wanted)
    with TemporaryDirectory(prefix=".backup-", dir=target.absolute().parent) as name:
        copies = Path(name)
        members = [_copied(wanted.state / JOURNAL_FILE, copies)]
        if wanted.history and (wanted.state / HISTORY_FILE).exists():
            members.append(_copied(wanted.state / HISTORY_FILE, copies))
        kept = archives(wanted.state / ARCHIVE_FOLDER)  # after the journal: what left it meanwhile is here
        members += [Member(f"{STATE}/{ARCHIVE_FOLDER}/{each.path.name}", each.path) for each in kept]
        members += found.members
        verdict = verified(copies, elsewhere=wanted.state / ARCHIVE_FOLDER)
        with reading(copies / JOURNAL_FILE) as journal:
            (version,) = journal.execute("PRAGMA user_version").fetchone()
        head = {
            "format": FORMAT,
            "cellctl": cellctl.__version__,
            "made_ns": time.time_ns(),
            "keys": wanted.keys,
            "journal": {
                "format": version,
                "entries": verdict.entries,
                "head": verdict.head,
                "whole": not verdict.reason,
                "missing": [list(run) for run in verdict.missing],
            },
            "folded": "" if verdict.reason else folded(copies),
        }
        return Taken(write(target, head, members), tuple(found.secret), tuple(found.left_out), verdict)


def _copied(path: Path, folder: Path) -> Member:
    """A database as it is at this moment, in one file; whoever writes it is not held up."""
    target = folder / path.name
    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise RecordsError(f"{path} cannot be copied: {error}.") from error
    return Member(f"{STATE}/{path.name}", target)


class _Found:
    """The plain files of a cell and of its state folder that go along, and those that do not."""

    def __init__(self, wanted: Wanted) -> None:
        self.members: list[Member] = []
        self.secret: list[str] = []
        self.left_out: list[str] = []
        self._keys = wanted.keys
        state = wanted.state.resolve()
        for path in _files(wanted.cell, _NOT_OF_CELL):
            if not path.resolve().is_relative_to(state):
                self._add(CELL, wanted.cell, path)
        databases = {wanted.state / name for name in (JOURNAL_FILE, HISTORY_FILE)}
        for path in _files(wanted.state, _NOT_OF_STATE | {ARCHIVE_FOLDER}):
            if path not in databases and not path.name.startswith("journal.format-"):
                self._add(STATE, wanted.state, path)

    def _add(self, top: str, folder: Path, path: Path) -> None:
        name = f"{top}/{path.relative_to(folder).as_posix()}"
        if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
            self.left_out.append(f"{name} (it leads out of the folder)")
        elif not path.is_file():
            self.left_out.append(f"{name} (it is no plain file)")
        elif is_secret(name, path) and not self._keys:
            self.secret.append(name)
        else:
            self.members.append(Member(name, path))


def is_secret(name: str, path: Path) -> bool:
    """Whether a file is a secret, a private key, or of no use without one."""
    if name.startswith((f"{STATE}/{SECRETS}/", f"{STATE}/{PKI_FOLDER}/{OWN}/")) or path.suffix in (
        ".key",
        ".p12",
        ".pfx",
    ):
        return True
    with path.open("rb") as file:
        return _KEY_MARK in file.read(1 << 16)


def _files(folder: Path, without: frozenset[str]) -> Iterator[Path]:
    """All but folders in `folder`, in a fixed order; links are told, not followed."""
    for above, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if each not in without and not each.startswith("making-"))
        links = [each for each in folders if (Path(above) / each).is_symlink()]
        for name in sorted([*names, *links]):
            if name not in without and not name.endswith(_NOT_OF_ANY):
                yield Path(above) / name
