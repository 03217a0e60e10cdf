"""Recordings of the flight recorder, read and written.

The rule kept here: what can be read is read. A file that is cut off, or that another version wrote, is told in a
sentence, and its readable part is used.
"""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cellctl
from cellctl.runtime.recorder import FOLDER, FORMAT, GZIP, spans_in
from cellctl.runtime.tape import TapeError, Turn, decoded, encoded

#: The format without its number.
_FORMAT_NAME = FORMAT.partition("/")[0]

#: Read in small pieces, so that what is before a damage is not lost with it.
_PIECE = 512


class IncidentError(Exception):
    """The recording cannot be used: a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a span says of itself: `run_ns` names the run, `turn` and `now` (ns UTC) where in it the span begins."""

    format: str
    product: str
    cell: str
    run_ns: int
    turn: int
    now: int
    folder: str = ""
    simulated: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """Turns one after another, and the cell as it was before the first of them. `problem`: why there are no more."""

    head: Head
    snapshot: bytes
    turns: tuple[Turn, ...]
    problem: str = ""

    @property
    def end_ns(self) -> int:
        """The time of the last turn (ns UTC)."""
        return self.turns[-1].now if self.turns else self.head.now

    @property
    def next_turn(self) -> int:
        """The number of the turn after the last."""
        return self.head.turn + len(self.turns)


def read(path: Path) -> list[Span]:
    """The spans in a file, in their order. IncidentError if there is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise IncidentError(f"{path} cannot be read: {error.strerror}.") from error
    lines, problem = _lines(data)
    spans = list(_spans(lines, problem))
    if not spans:
        raise IncidentError(f"{path} is not a recording of a cell{f': {problem}' if problem else ''}.")
    return spans


def recorded(state: Path, last_ns: int) -> list[Span]:
    """What the recorder of a cell, running or not, has of the last `last_ns`; IncidentError if that is nothing.

    It begins where the cell was last at rest before that time, or where the recording begins.
    """
    spans = [span for path in spans_in(state / FOLDER) for span in _present(path)]
    if not spans:
        raise IncidentError(f"Nothing is recorded in {state}: is it the state folder of the cell?")
    spans[-1] = replace(spans[-1], problem="")  # it may be in writing
    since_ns = spans[-1].end_ns - last_ns
    first = max((at for at, span in enumerate(spans) if span.head.now <= since_ns), default=0)
    return spans[first:]


def write(path: Path, spans: Iterable[Span]) -> None:
    """Write spans into one new file. FileExistsError if there is one of that name."""
    packer, files = zlib.compressobj(wbits=GZIP), None
    with path.open("xb") as file:
        for span in spans:
            head = {name: getattr(span.head, name) for name in Head.__slots__}
            if span.head.files == files:
                del head["files"]
            files = span.head.files
            for line in _told(head, span):
                file.write(packer.compress(line.encode() + b"\n"))
        file.write(packer.flush())


def _told(head: Mapping[str, Any], span: Span) -> Iterator[str]:
    yield json.dumps(head)
    yield json.dumps({"snapshot": b64encode(span.snapshot).decode()})
    for turn in span.turns:
        yield encoded(turn.now, turn.inputs, turn.effects)


def _present(path: Path) -> Sequence[Span]:
    """The spans in a file of the recorder, which may let it go in this moment."""
    try:
        return read(path)
    except IncidentError:
        return ()


def _lines(data: bytes) -> tuple[list[str], str]:
    """The whole lines in compressed data, and why there are no more, if it does not end as it should."""
    text, problem = b"", ""
    while data and not problem:
        unpacker = zlib.decompressobj(wbits=GZIP)
        try:
            for at in range(0, len(data), _PIECE):
                text += unpacker.decompress(data[at : at + _PIECE])
            problem = "" if unpacker.eof else "it is cut off"
        except zlib.error:
            problem = "it is damaged"
        data = unpacker.unused_data
    *lines, rest = text.decode("utf-8", errors="replace").split("\n")
    return lines, problem or ("it is cut off" if rest else "")


def _spans(lines: Sequence[str], problem: str) -> Iterator[Span]:
    head, snapshot, turns = None, b"", list[Turn]()
    for line in lines:
        if line.startswith("["):
            try:
                turns.append(decoded(line))
            except TapeError as error:
                problem = str(error)
                break
            continue
        said = _object(line)
        if "snapshot" in said:
            snapshot = b64decode(str(said["snapshot"]))
        elif str(said.get("format", "")).startswith(_FORMAT_NAME):
            if head is not None:
                yield Span(head, snapshot, tuple(turns))
            head, snapshot, turns = _head(said, head), b"", []
        else:
            problem = problem or "it holds something unknown"
            break
    if head is not None and snapshot:
        yield Span(head, snapshot, tuple(turns), problem)


def _object(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _head(said: Mapping[str, Any], before: Head | None) -> Head:
    files = said.get("files", before.files if before else {})
    return Head(
        format=str(said["format"]),
        product=str(said.get("product", "")),
        cell=str(said.get("cell", "")),
        run_ns=int(said.get("run_ns", 0)),
        turn=int(said.get("turn", 0)),
        now=int(said.get("now", 0)),
        folder=str(said.get("folder", "")),
        simulated=tuple(said.get("simulated", ())),
        files=dict(files),
    )


def remarks(spans: Sequence[Span]) -> Iterator[str]:
    """What a person should know of a recording: another version, a cut, a gap."""
    head = spans[0].head
    if head.format != FORMAT:
        yield f"It was recorded in the format {head.format}; this cellctl reads {FORMAT}: what it understands is used."
    if head.product != cellctl.__version__:
        yield f"It was recorded by cellctl {head.product}; this is {cellctl.__version__}, which may decide otherwise."
    for before, after in pairwise(spans):
        if after.head.run_ns != before.head.run_ns:
            yield f"At {offset(spans, after.head.now)} the cell was started anew."
        elif after.head.turn != before.next_turn:
            yield f"Between {offset(spans, before.end_ns)} and {offset(spans, after.head.now)} nothing was recorded."
    for span in spans:
        if span.problem:
            yield f"After {offset(spans, span.end_ns)} it cannot be read: {span.problem}. What is before is used."


def offset(spans: Sequence[Span], time_ns: int) -> str:
    """A time as it is told of a recording: seconds from its beginning, never less, so that it holds what was then."""
    ms = -(-(time_ns - spans[0].head.now) // 1_000_000)
    return f"{ms / 1e3:+.3f} s"
