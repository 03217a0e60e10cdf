"""The report of a point-to-point test to be printed, signed and kept.

The rule kept here: it shows every point of the device, also those that nobody looked at; of each the last that was
found. A pass that was found with another profile is none. The CSV remains the record.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from cellctl.commission import lease
from cellctl.commission.draft import digits, span
from cellctl.commission.found import Found
from cellctl.commission.pdf import HEIGHT, WIDTH, Pdf, width, wrapped
from cellctl.commission.report import PASSED, Looked, Report, ReportError
from cellctl.core.signal import Signal

_MARGIN = 40.0
_SIZE, _LEADING = 8.5, 11.0
_BOTTOM = HEIGHT - 50

#: Heading -> width in points.
_COLUMNS = {
    "Point": 150.0, "Test": 36.0, "Expected": 130.0, "Seen": 170.0, "Result": 42.0, "Remark": 134.0, "By": 100.0,
}  # fmt: skip
_SIGNATURES = ("Tested by", "Accepted by")
#: No row is longer than half a page.
_LINES_MAX = 20
_REPLACED = "Signs that this print does not have stand as their base letter, or as '?'. The CSV file has them."


def write_pdf(path: Path, report: Report, found: Found) -> None:
    """Print `report` as far as it is of this device into `path`; ReportError if that cannot be written."""
    content = _Printer(report, found).content()
    scratch = path.with_name(f".{path.name}.new")
    try:
        scratch.write_bytes(content)
        os.replace(scratch, path)
    except OSError as error:
        with suppress(OSError):
            scratch.unlink()
        raise ReportError(f"{path} cannot be written: {error.strerror}.") from error


def expected(signal: Signal, kind: str) -> str:
    """What the profile says of a point: its type, what may be written or is credible, its unit."""
    bounds = "" if signal.low is None or signal.high is None else span(signal.low, signal.high)
    verify = f"within {digits(signal.verify)}" if kind == "write" and signal.verify is not None else ""
    return " ".join(part for part in (signal.type, bounds, signal.unit, verify) if part)


class _Printer:
    def __init__(self, report: Report, found: Found) -> None:
        self._report, self._found = report, found
        self._now = datetime.now(UTC)
        self._pdf = Pdf(f"Point-to-point test of {found.device.id}", self._now)
        self._y = 0.0

    def content(self) -> bytes:
        """The file."""
        rows = self._rows()
        self._page()
        self._head(rows)
        self._table(rows)
        self._signatures()
        for page in range(self._pdf.pages):
            self._pdf.turn(page)
            text = f"{self._found.device.id}, {self._now:%Y-%m-%d %H:%M} UTC, page {page + 1} of {self._pdf.pages}"
            self._pdf.text(WIDTH - _MARGIN - width(text, 8), HEIGHT - 25, text, size=8)
        if self._pdf.replaced:
            self._pdf.text(_MARGIN, HEIGHT - 25, _REPLACED, size=7)
        return self._pdf.content()

    def _rows(self) -> list[tuple[str, ...]]:
        device = self._found.device
        last = {(line.point, line.kind): line for line in self._report.lines if line.device == device.id}
        rows = []
        for name, signal in self._found.signals.items():
            kinds = ["read"] if device.points[name].read is not None else []
            for kind in [*kinds, "write"] if signal.writable else kinds:
                rows.append(self._row(name, kind, expected(signal, kind), last.pop((name, kind), None)))
        if self._found.lease is not None:
            rows.append(self._row("lease", "lease", lease.expected(self._found), last.pop(("lease", "lease"), None)))
        return rows + [self._row(name, kind, "", line) for (name, kind), line in last.items()]

    def _row(self, name: str, kind: str, wanted: str, line: Looked | None) -> tuple[str, ...]:
        """A row; `wanted` is "" for a point that the profile no longer has."""
        if line is None:
            return name, kind, wanted, "", "open", "", ""
        result, remarks = line.result, [line.remark] if line.remark else []
        if result == PASSED and not self._report.passed(line):
            result = "open" if wanted else "gone"
            remarks.append(f"passed with another profile ({line.profile or 'not known which'})")
        if line.identity and self._report.identity and line.identity != self._report.identity:
            remarks.append(f"found on {line.identity}")
        return name, kind, wanted or "no longer in the profile", line.shown, result, "; ".join(remarks), line.by

    def _says(self, lines: Sequence[Looked]) -> Iterator[tuple[str, str]]:
        """What the device says of itself, and what was said by others that were tested."""
        identity = self._report.identity
        yield "It says", "not connected this time" if identity is None else identity or "nothing of itself"
        others = ", ".join(dict.fromkeys(line.identity for line in lines if line.identity not in ("", identity)))
        if others:
            yield "It said", others

    def _head(self, rows: Sequence[tuple[str, ...]]) -> None:
        found, lines = self._found, [each for each in self._report.lines if each.device == self._found.device.id]
        results = [row[4] for row in rows]
        counts = ", ".join(f"{results.count(each)} {each}" for each in dict.fromkeys(("pass", "fail", *results)))
        times = sorted(line.time for line in lines)
        facts = (
            ("Cell", found.cell or "none"),
            ("Device", f"{found.device.id} at {found.device.address}"),
            *self._says(lines),
            *(
                ("Profile", f"{name} ({path.name}), sha256 {digest}")
                for (name, path), digest in zip(found.files.items(), self._report.hashes, strict=True)
            ),
            *(() if self._found.lease is not None else (("Lease", lease.standing(self._found, Path()).text),)),
            ("Tested by", ", ".join(dict.fromkeys(line.by for line in lines)) or "nobody"),
            ("Tested", f"{times[0]} to {times[-1]}" if times else "not yet"),
            ("Result", f"{len(rows)} points: {counts}"),
        )
        self._pdf.text(_MARGIN, self._y, "Point-to-point test", size=16, bold=True)
        self._y += 22
        for name, fact in facts:
            self._pdf.text(_MARGIN, self._y, name, bold=True)
            for line in wrapped(fact, 9, WIDTH - 2 * _MARGIN - 70):
                self._pdf.text(_MARGIN + 70, self._y, line)
                self._y += 13
        self._y += 8

    def _table(self, rows: Sequence[tuple[str, ...]]) -> None:
        self._heading()
        for row in rows:
            cells = [_cell(text, room) for text, room in zip(row, _COLUMNS.values(), strict=True)]
            height = _LEADING * max(len(lines) for lines in cells)
            if self._y + height > _BOTTOM:
                self._page()
                self._heading()
            x = _MARGIN
            for lines, (name, room) in zip(cells, _COLUMNS.items(), strict=True):
                for at, line in enumerate(lines):
                    self._pdf.text(x, self._y + at * _LEADING, line, size=_SIZE, bold=name == "Result")
                x += room
            self._y += height
            self._pdf.rule(_MARGIN, self._y - _LEADING + 3, WIDTH - _MARGIN)
            self._y += 2

    def _heading(self) -> None:
        x = _MARGIN
        for name, room in _COLUMNS.items():
            self._pdf.text(x, self._y, name, size=_SIZE, bold=True)
            x += room
        self._pdf.rule(_MARGIN, self._y + 3, WIDTH - _MARGIN)
        self._y += _LEADING + 4

    def _signatures(self) -> None:
        if self._y + 60 > _BOTTOM:
            self._page()
        self._y += 45
        x = _MARGIN
        for name in _SIGNATURES:
            self._pdf.rule(x, self._y, x + 340)
            self._pdf.text(x, self._y + 11, f"{name}: name, signature", size=8)
            self._pdf.text(x + 270, self._y + 11, "date", size=8)
            x += 400

    def _page(self) -> None:
        self._pdf.page()
        self._y = _MARGIN + 12


def _cell(text: str, room: float) -> list[str]:
    """The lines of a cell; who wrote a novel finds the rest of it in the CSV."""
    lines = wrapped(text, _SIZE, room - 6)
    return lines if len(lines) <= _LINES_MAX else [*lines[: _LINES_MAX - 1], "(more in the CSV)"]
