"""Space that is kept for bad times: a file that is thrown off when the disk is full, so that what was decided can still
be written down and the cell can be held in order.

The rule kept here: it is laid only where enough else is free, and never again before there is.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

#: Enough for the journal of hours.
BALLAST_BYTES = 16 * 1024 * 1024

#: It is laid where this many times as much is free.
FREE_TIMES = 4


class Ballast:
    """The file in `folder`."""

    def __init__(self, folder: Path, size: int = BALLAST_BYTES) -> None:
        self._path, self._size = folder / "ballast", size

    def lay(self) -> bool:
        """Take the space if it is not taken and enough is free; whether it is taken."""
        try:
            if self._path.exists() and self._path.stat().st_size == self._size:
                return True
            if shutil.disk_usage(self._path.parent).free < self._size * FREE_TIMES:
                return False
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
        except OSError:
            self.drop()
            return False
        return True

    def drop(self) -> bool:
        """Give the space back; whether there was any to give."""
        with suppress(OSError):
            self._path.unlink()
            return True
        return False
