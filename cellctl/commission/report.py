"""The report of a point-to-point test: one line of CSV for each point that was looked at.

The rule kept here: a line is on disk before the next point is looked at, so that a test that was broken off goes on
where it was.
"""

import csv
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

PASSED, FAILED, SKIPPED = "pass", "fail", "skip"


class ReportError(Exception):
    """The file is no report, or cannot be used: a sentence for a person."""


class Point(NamedTuple):
    """A signal of a device, looked at or written to."""

    device: str
    name: str
    kind: str  # read | write


@dataclass(frozen=True, slots=True)
class Looked:
    """A point that was looked at: what it showed or was told, and what a person said of it."""

    time: str
    device: str
    point: str
    kind: str
    shown: str
    result: str  # pass | fail | skip
    remark: str
    by: str


_HEAD = [field.name for field in fields(Looked)]


class Report:
    """A report in a file, old or new. ReportError if the file is something else."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lines: list[Looked] = []
        if path.exists():
            self._read()
        else:
            self._append(_HEAD)

    def open(self, point: Point) -> bool:
        """Whether the point is still to be looked at: it never was, was passed over, or failed the last time."""
        results = [line.result for line in self.lines if (line.device, line.point, line.kind) == point]
        return not results or results[-1] != PASSED

    def add(self, point: Point, *, shown: str, result: str, remark: str, by: str) -> None:
        """Write a line."""
        line = Looked(datetime.now(UTC).isoformat(timespec="seconds"), *point, shown, result, remark, by)
        self._append(list(astuple(line)))
        self.lines.append(line)

    @property
    def failed(self) -> list[Looked]:
        """The points that failed when they were looked at last."""
        last = {(line.device, line.point, line.kind): line for line in self.lines if line.result != SKIPPED}
        return [line for line in last.values() if line.result == FAILED]

    def _read(self) -> None:
        try:
            with self._path.open(newline="", encoding="utf-8") as file:
                head, *rows = list(csv.reader(file)) or [[]]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ReportError(f"{self._path} cannot be read: {error}.") from error
        if head != _HEAD or any(len(row) != len(_HEAD) for row in rows):
            raise ReportError(f"{self._path} is no report of 'cellctl io test': choose another file.")
        self.lines = [Looked(*row) for row in rows]

    def _append(self, row: list[str]) -> None:
        try:
            with self._path.open("a", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(row)
        except OSError as error:
            raise ReportError(f"{self._path} cannot be written: {error.strerror}.") from error
