"""The report of a point-to-point test: one line of CSV for each point that was looked at.

The rule kept here: a line is on disk before the next point is looked at, so that a test that was broken off goes on
where it was. A pass counts for the profile that it was found with, and for no other.
"""

import csv
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

PASSED, FAILED, SKIPPED = "pass", "fail", "skip"


class ReportError(Exception):
    """The file is no report, or cannot be used: a sentence for a person."""


class Point(NamedTuple):
    """A signal of a device, looked at or written to; or its lease, tried."""

    device: str
    name: str
    kind: str  # read | write | lease


@dataclass(frozen=True, slots=True)
class Looked:
    """A point that was looked at: what it showed or was told, and what a person said of it.

    `profile`: the beginnings of the SHA-256 of its files; `identity`: what the device said of itself. Older reports
    have neither.
    """

    time: str
    device: str
    point: str
    kind: str
    shown: str
    result: str  # pass | fail | skip
    remark: str
    by: str
    profile: str = ""
    identity: str = ""


_HEAD = [field.name for field in fields(Looked)]
_OLD_HEAD = _HEAD[: _HEAD.index("profile")]


class Report:
    """A report in a file, old or new, of a device with the profile whose files have these `hashes`.

    ReportError if the file is something else.
    """

    def __init__(self, path: Path, hashes: Sequence[str] = ()) -> None:
        self._path = path
        self._is_old = False
        self.hashes = tuple(hashes)
        #: What the device says of itself; None as long as it is not connected.
        self.identity: str | None = None
        self.lines: list[Looked] = []
        if path.exists():
            self._read()
        else:
            self._append(_HEAD)

    def open(self, point: Point) -> bool:
        """Whether the point is still to be looked at: it never was, was passed over, failed the last time, or has
        passed with another profile."""
        found = [line for line in self.lines if (line.device, line.point, line.kind) == point]
        return not found or not self.passed(found[-1])

    def passed(self, line: Looked) -> bool:
        """Whether the line says that the point is right, as the profile is now."""
        return line.result == PASSED and line.profile == self._profile

    def add(self, point: Point, *, shown: str, result: str, remark: str, by: str) -> None:
        """Write a line."""
        time = datetime.now(UTC).isoformat(timespec="seconds")
        line = Looked(time, *point, shown, result, remark, by, self._profile, self.identity or "")
        if self._is_old:
            self._renew()
        self._append(list(astuple(line)))
        self.lines.append(line)

    @property
    def _profile(self) -> str:
        return " ".join(self.hashes)

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
        if head not in (_HEAD, _OLD_HEAD) or any(len(row) != len(head) for row in rows):
            raise ReportError(f"{self._path} is no report of 'cellctl io test': choose another file.")
        self.lines = [Looked(*row) for row in rows]
        self._is_old = head == _OLD_HEAD

    def _renew(self) -> None:
        """Give an older report the columns that it does not have; whole, or not at all."""
        scratch = self._path.with_name(f".{self._path.name}.new")
        try:
            with scratch.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([_HEAD, *(astuple(line) for line in self.lines)])
            os.replace(scratch, self._path)
        except OSError as error:
            with suppress(OSError):
                scratch.unlink()
            raise ReportError(f"{self._path} cannot be written: {error.strerror}.") from error
        self._is_old = False

    def _append(self, row: list[str]) -> None:
        try:
            with self._path.open("a", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(row)
        except OSError as error:
            raise ReportError(f"{self._path} cannot be written: {error.strerror}.") from error
