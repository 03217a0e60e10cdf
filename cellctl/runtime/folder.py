"""The state folder: where everything lives that a running cell writes, and who may write there.

The rule kept here: one control per folder. The lock is the kernel's, so it ends with the process, however that ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: `sun_path` of Linux holds 108 bytes with the closing zero.
_SOCKET_PATH_BYTES_MAX = 107


class StateError(Exception):
    """The state folder cannot be used: a sentence for a person."""


class StateInUse(StateError):  # noqa: N818 - says what is the case, as its caller tells it
    """Another control process runs on this state folder."""


@contextmanager
def claimed(folder: Path) -> Iterator[Path]:
    """Create `folder` (for its owner only) if it is not there, and own it. StateInUse or StateError if it cannot be."""
    socket = folder.absolute() / "control.sock"
    if len(os.fsencode(socket)) > _SOCKET_PATH_BYTES_MAX:
        raise StateError(f"The path of the state folder {folder} is too long for a socket in it; choose a shorter one.")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "control.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(f"The state folder {folder} cannot be written: {error.strerror}.") from error
    try:
        _lock(lock, folder)
        yield folder
    finally:
        os.close(lock)


def _lock(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        raise StateInUse(f"A cell is already running on the state folder {folder} (process {owner}).") from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
