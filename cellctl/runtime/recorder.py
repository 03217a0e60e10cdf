"""The flight recorder: all that went into the cell and all that it decided, the last of it, in the state folder.

A recording is made of spans, one compressed file each: a head, the cell as it was at its beginning, then one line a
turn (`tape.py`). A span begins when the cell is at rest, for only then it can be copied. The rule kept here: the
recorder may lose, it may never delay. The loop hands over what is immutable anyway; the journal's thread writes it
when it has nothing to commit. What does not fit is given up until the cell is at rest again.
"""

import asyncio
import json
import zlib
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from typing import Any

import cellctl
from cellctl.core.cell import Cell
from cellctl.core.messages import Effect, Input
from cellctl.runtime.snapshot import frozen
from cellctl.runtime.tape import encoded

#: The folder in the state folder, and how its files end. They are numbered: time may be set back.
FOLDER = "recorder"
SUFFIX = ".span"

FORMAT = "cellctl.recording/1"

#: zlib's number for the format of gzip, which every computer can read.
GZIP = 31

#: A span is this long at least (ns): a copy of the cell at rest takes the loop a millisecond.
SPAN_NS = 300_000_000_000

#: Turns that may wait for the writer, and how many it writes before it looks after the journal again.
WAITING_MAX = 20_000
TURNS_MAX = 200

#: How often what was recorded reaches the file.
WRITE_S = 0.5

#: Only files that a cell is described with, and not larger than a person writes them, go with a recording.
FILES = (".yaml", ".yml", ".py", ".csv", ".json")
FILE_BYTES_MAX = 1 << 20
FILES_MAX = 500


@dataclass(frozen=True, slots=True)
class Limits:
    """So many bytes in all, and in one span."""

    bytes: int = 64 << 20
    span_bytes: int = 32 << 20


@dataclass(frozen=True, slots=True)
class _Begin:
    """Here a span begins: its first turn's number, and the cell before that turn."""

    now: int
    number: int
    snapshot: bytes


@dataclass(frozen=True, slots=True)
class _Turn:
    now: int
    inputs: Sequence[Input]
    effects: Sequence[Effect]


class Recorder:
    """`begin` and `turn` belong to the loop, `work` and `close` to the journal's thread.

    `files` is the folder of the cell's files, which go with the recording; `trouble` is told once what hinders it.
    """

    def __init__(
        self,
        state: Path,
        files: Path,
        *,
        limits: Limits = Limits(),
        trouble: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._folder, self._files, self._limits, self._trouble = state / FOLDER, files, limits, trouble
        self._waiting: deque[_Begin | _Turn] = deque()
        self._number = 0
        self._span_at_ns: int | None = None  # None: nothing is recorded until the cell is at rest
        self._broken = False  # the writer could not go on
        self._head: dict[str, Any] = {}
        self._texts: dict[str, str] | None = None  # of the cell's files, as they were when it started
        self._file: BufferedWriter | None = None

    def begin(self, cell: Cell, now: int) -> None:
        """Record the turns of `cell`, which is at rest, from `now` (ns UTC) on."""
        self._cell, self._loop = cell, asyncio.get_running_loop()
        self._head = {
            "format": FORMAT,
            "product": cellctl.__version__,
            "cell": cell.equipment.id,
            "run_ns": now,
            "simulated": sorted(cell.equipment.simulated),
            "folder": str(self._files.resolve()),
        }
        self._begin_span(now)

    def turn(self, now: int, inputs: Sequence[Input], effects: Sequence[Effect]) -> None:
        """Record a turn."""
        self._number += 1
        if self._broken or len(self._waiting) >= WAITING_MAX:
            self._broken, self._span_at_ns = False, None
        if self._span_at_ns is not None:
            self._waiting.append(_Turn(now, inputs, effects))
        if (self._span_at_ns is None or now >= self._span_at_ns + SPAN_NS) and self._cell.at_rest:
            self._loop.call_soon(self._copy, now, self._number)  # when the effects have left

    def work(self) -> float:
        """Write some of what waits; after how many seconds to call again. Never raises: the journal lives here too."""
        try:
            for _ in range(min(TURNS_MAX, len(self._waiting))):
                match self._waiting.popleft():
                    case _Begin() as begin:
                        self._open(begin)
                    case _Turn(now, inputs, effects) if self._file is not None:
                        self._write(encoded(now, inputs, effects))
            self._flush()
        except OSError as error:
            self._give_up(f"The recorder cannot write: {error.strerror}.")
        except Exception as error:
            self._give_up(f"The recorder cannot go on: {error}.")
        return 0.0 if self._waiting else WRITE_S

    def drain(self) -> None:
        """Write all that waits."""
        while self._waiting:
            self.work()

    def close(self) -> None:
        """Write what still waits and give the file back."""
        self.drain()
        self._end_span()

    # --- on the loop ------------------------------------------------------------------------------------------

    def _copy(self, now: int, number: int) -> None:
        """Begin a span, unless the cell has gone on meanwhile."""
        if number == self._number:
            self._begin_span(now)

    def _begin_span(self, now: int) -> None:
        self._span_at_ns = now
        self._waiting.append(_Begin(now, self._number, frozen(self._cell)))

    # --- in the journal's thread ------------------------------------------------------------------------------

    def _open(self, begin: _Begin) -> None:
        self._end_span()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        number = self._make_room() + 1
        self._file = (self._folder / f"{number}{SUFFIX}").open("xb")
        self._packer, self._unflushed = zlib.compressobj(wbits=GZIP), 0
        if self._texts is None:
            self._texts = dict(_texts(self._files))
        self._write(json.dumps({**self._head, "turn": begin.number, "now": begin.now, "files": self._texts}))
        self._write(json.dumps({"snapshot": b64encode(begin.snapshot).decode()}))

    def _write(self, line: str) -> None:
        assert self._file is not None
        data = line.encode() + b"\n"
        self._file.write(self._packer.compress(data))
        self._unflushed += len(data)

    def _flush(self) -> None:
        if self._file is None or not self._unflushed:
            return
        self._file.write(self._packer.flush(zlib.Z_SYNC_FLUSH))
        self._file.flush()
        self._unflushed = 0
        if self._file.tell() > self._limits.span_bytes:
            self._give_up("The recording is full: it begins anew when the cell is at rest.")

    def _end_span(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError), file:
                file.write(self._packer.flush())

    def _give_up(self, reason: str) -> None:
        self._end_span()
        self._broken = True
        self._trouble(reason)

    def _make_room(self) -> int:
        """Let whole spans go, oldest first, so that one more fits; the number of the last."""
        spans = spans_in(self._folder)
        taken = sum(path.stat().st_size for path in spans)
        for path in spans:
            if taken + self._limits.span_bytes <= self._limits.bytes:
                break
            taken -= path.stat().st_size
            path.unlink()
        return int(spans[-1].stem) if spans else 0


def spans_in(folder: Path) -> list[Path]:
    """The files of the spans in the recorder's folder, oldest first."""
    found = [path for path in folder.glob(f"*{SUFFIX}") if path.stem.isdecimal()]
    return sorted(found, key=lambda path: int(path.stem))


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    """The files that describe a cell: path within its folder, and text."""
    found = sorted(path for path in folder.rglob("*") if path.suffix in FILES and path.is_file())
    for path in found[:FILES_MAX]:
        inside = path.relative_to(folder)
        if any(part.startswith((".", "__")) for part in inside.parts) or path.stat().st_size > FILE_BYTES_MAX:
            continue
        with suppress(OSError, UnicodeDecodeError):
            yield inside.as_posix(), path.read_text(encoding="utf-8")
