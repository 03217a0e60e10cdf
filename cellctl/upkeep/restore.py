"""What comes out of a backup: a cell's folder and its state folder, whole, or nothing.

The rule kept here: everything is unpacked and looked at beside the place it is meant for, and takes that place at the
very end. Nothing that is there is overwritten.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import cellctl
from cellctl.records import HISTORY_FILE, HISTORY_VERSION, RecordsError
from cellctl.records.chain import verified
from cellctl.records.files import reading
from cellctl.upkeep.backup import CELL, FORMAT, STATE
from cellctl.upkeep.container import Container, ContainerError, free_for, opened
from cellctl.upkeep.fold import folded


@dataclass(frozen=True, slots=True)
class Restored:
    """What came out: the manifest, and whether the state of the cell was compared (with the same cellctl only)."""

    manifest: dict[str, Any]
    compared: bool


def restore(file: Path, cell: Path, state: Path) -> Restored:
    """Put a backup into two folders that are empty or not there. ContainerError or OSError if that cannot be done."""
    cell, state = cell.absolute(), state.absolute()
    for folder, other in ((cell, state), (state, cell)):
        _free(folder, within=other)
    if cell == state or cell.is_relative_to(state):
        raise ContainerError("the cell's files cannot lie in its state folder")
    with opened(file, FORMAT) as container, _beside(cell) as staged_cell:
        free_for(cell.parent, container.bytes)
        if state.is_relative_to(cell):
            staged_state = staged_cell / state.relative_to(cell)
            found = _unpacked(container, staged_cell, staged_state)
            _placed(staged_cell, cell, mode=0o755)
            return found
        with _beside(state) as staged_state:
            found = _unpacked(container, staged_cell, staged_state)
            _placed(staged_state, state, mode=0o700)
            try:
                _placed(staged_cell, cell, mode=0o755)
            except OSError:
                state.rename(staged_state)  # neither, rather than one of them
                raise
            return found


def _unpacked(container: Container, cell: Path, state: Path) -> Restored:
    """Unpack both and compare what came out with what was told when it was written."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    container.extract(CELL, cell, file_mode=0o644, folder_mode=0o755)
    container.extract(STATE, state, file_mode=0o600, folder_mode=0o700)
    manifest = container.manifest
    told = manifest.get("journal")
    if not isinstance(told, dict):
        raise ContainerError("its manifest does not tell of a journal")
    try:
        verdict = verified(state)
        same = manifest.get("cellctl") == cellctl.__version__ and bool(told.get("whole"))
        state_told = folded(state) if same else ""
        if (state / HISTORY_FILE).exists():
            with reading(state / HISTORY_FILE, frozenset({HISTORY_VERSION})):
                pass
    except RecordsError as error:
        raise ContainerError(str(error).rstrip(".").replace(str(state), "its state folder")) from error
    if told.get("whole") and verdict.reason:
        raise ContainerError(f"entry {verdict.broken_at} of its journal is not as it was written: {verdict.reason}")
    if (told.get("entries"), told.get("head")) != (verdict.entries, verdict.head):
        raise ContainerError("its journal is not the one that its manifest tells of")
    if same and state_told != manifest.get("folded"):
        raise ContainerError("its journal comes to another state of the cell than its manifest tells")
    return Restored(manifest, same)


def _free(folder: Path, *, within: Path) -> None:
    """ContainerError unless `folder` is empty or not there."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ContainerError(f"{folder} is not a folder")
    if folder.is_dir() and any(each != within for each in folder.iterdir()):
        raise ContainerError(f"{folder} is not empty, and nothing is overwritten; name another folder")
    if not folder.parent.is_dir() and not folder.is_relative_to(within):
        raise ContainerError(f"there is no folder {folder.parent}")


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A new folder beside `target`, as readable as that; gone afterwards, unless it took its place."""
    staged = Path(mkdtemp(prefix=".restoring-", dir=target.parent))
    try:
        yield staged
    finally:
        with suppress(FileNotFoundError):
            rmtree(staged)


def _placed(staged: Path, target: Path, *, mode: int) -> None:
    """Give the folder its place. It belongs to whom the empty one belonged, as a service's folder does."""
    staged.chmod(mode)
    if target.is_dir():
        there = target.stat()
        staged.chmod(there.st_mode & 0o777)
        if os.geteuid() == 0:
            for above, _, names in os.walk(staged):
                for path in (above, *(os.path.join(above, name) for name in names)):
                    os.chown(path, there.st_uid, there.st_gid, follow_symlinks=False)
        for inner in target.iterdir():
            inner.rmdir()  # the other one of the two, which was empty
    staged.rename(target)
