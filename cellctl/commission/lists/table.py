"""A text file with columns, as spreadsheets write it: its encoding, what divides its columns, and its head are found.

The rule kept here: a column counts by its name, wherever it stands; a line knows its number in the file. What is left
out is told.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cellctl.commission.lists.listing import ListError, bytes_of

_DELIMITERS = ",;\t|"

#: The head stands within so many lines; titles and remarks may be before it.
_HEAD_LINES = 30

#: More rows than any device has signals.
_ROWS_MAX = 20_000

Columns = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its number in the file, and its cells by the name of their column."""

    number: int
    cells: Mapping[str, str]

    def get(self, column: str) -> str:
        """The cell, "" if there is none."""
        return self.cells.get(column, "")


@dataclass(frozen=True, slots=True)
class Table:
    """All lines, the columns that are used, what a person should know of how they were read, and the whole head in
    small letters."""

    lines: Sequence[Line]
    columns: frozenset[str]
    remarks: Sequence[str]
    head: frozenset[str] = frozenset()


def read_table(path: Path, columns: Columns, needed: Sequence[str]) -> Table:
    """The lines below the head, in which `columns` (with other names that each may have) are looked for.

    ListError if there is no head with all the `needed`.
    """
    text, remarks = _text(path)
    physical = list(io.StringIO(text, newline=""))  # as the reader of CSV divides them
    head = _head(path, physical, columns, needed)
    lines: list[Line] = []
    reader = csv.reader(physical[head.end :], delimiter=head.delimiter, skipinitialspace=True)
    left_out = 0
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if row[0].lstrip().startswith("#"):
                left_out += 1
                continue
            cells = {name: row[at].strip() for name, at in head.found.items() if at < len(row)}
            lines.append(Line(head.end + reader.line_num, cells))
            if len(lines) > _ROWS_MAX:
                raise ListError(f"{path} has more than {_ROWS_MAX} lines: divide it.")
    except csv.Error as error:
        raise ListError(f"{path}:{head.end + reader.line_num}: this is no line of a table: {error}.") from error
    if left_out:
        remarks.append(f"left out: what begins with '#', as a remark does ({left_out})")
    if head.unused:
        remarks.append(f"not used: the columns {', '.join(map(repr, head.unused))}")
    return Table(lines, frozenset(head.found), remarks, head.words)


def _text(path: Path) -> tuple[str, list[str]]:
    data = bytes_of(path)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _decoded(path, data, "utf-16"), []
    if b"\0" in data:
        raise ListError(f"{path} is no text: export the list as CSV, not as a workbook.")
    if data.startswith(b"PK"):
        raise ListError(f"{path} is a workbook or an archive: save it as CSV.")
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        return _decoded(path, data, "cp1252"), ["read as Windows-1252 (Latin-1), because it is no UTF-8"]


def _decoded(path: Path, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ListError(f"{path} is neither UTF-8 nor {encoding}: save it as UTF-8.") from error


@dataclass(frozen=True, slots=True)
class _Head:
    """What divides the columns, the line that the head ends on, where each column stands, who else is there, and all
    of them in small letters."""

    delimiter: str
    end: int
    found: Mapping[str, int]
    unused: Sequence[str]
    words: frozenset[str]


def _head(path: Path, lines: Sequence[str], columns: Columns, needed: Sequence[str]) -> _Head:
    """The head; a name of a column may go over several lines."""
    best: dict[str, int] = {}
    for at in range(min(len(lines), _HEAD_LINES)):
        for delimiter in _DELIMITERS:
            reader = csv.reader(lines[at : at + _HEAD_LINES], delimiter=delimiter, skipinitialspace=True)
            try:
                cells = next(reader, [])
            except csv.Error:
                continue  # this line is no head; another one may be
            found = _found(cells, columns)
            if all(name in found for name in needed):
                names = enumerate(" ".join(cell.split()) for cell in cells)
                unused = [name for place, name in names if name and place not in found.values()]
                return _Head(delimiter, at + reader.line_num, found, unused, frozenset(_words(cells)))
            best = max(best, found, key=len)
    missing = " and ".join(repr(name) for name in needed if name not in best)
    hint = f"; it has {', '.join(best)}" if best else ""
    raise ListError(f"{path} has no head line with {missing}{hint}. Its first line names the columns.")


def _found(cells: Sequence[str], columns: Columns) -> dict[str, int]:
    found: dict[str, int] = {}
    words = _words(cells)
    for name, others in columns.items():
        for other in (name, *others):
            if other in words and words.index(other) not in found.values():
                found[name] = words.index(other)
                break
    return found


def _words(cells: Sequence[str]) -> list[str]:
    return [" ".join(cell.lower().replace("_", " ").split()) for cell in cells]
