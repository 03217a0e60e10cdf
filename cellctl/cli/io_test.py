"""The guided point-to-point test of a device: `cellctl io test`."""

import getpass
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cellctl.cli.asking import asked
from cellctl.cli.io_cell import model_of
from cellctl.cli.io_lease import try_lease
from cellctl.cli.io_points import Where, check_cell_rests, device_of, fitting, pointing, signals_of, visited
from cellctl.cli.places import state_beside
from cellctl.cli.terminal import UNREACHABLE, Failure, number, say, table, visible
from cellctl.commission.report import Point

if TYPE_CHECKING:
    from cellctl.commission.found import Found
    from cellctl.commission.report import Report
    from cellctl.commission.visit import Answer, Visit
    from cellctl.driver import Value

#: What a person may answer.
_ANSWERS = {"y": "pass", "n": "fail", "s": "skip"}


class _Enough(Exception):  # noqa: N818 - what the person wants
    """The person ends the test here."""


@click.command()
@click.argument("names", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Each device of the cell, one after the other.")
@click.option(
    "--report",
    "file",
    type=click.Path(path_type=Path),
    required=True,
    help="The report: FILE.csv, or FILE.pdf for both; with --all a folder.",
)
@click.option("--by", default=getpass.getuser, help="Who tests.  [the user]")
@pointing
def test(where: Where, names: Sequence[str], file: Path, *, every: bool, by: str) -> int:
    """Go through all points of a device with a person, and write a report. A test that was broken off goes on.

    NAMES is the device, or signals of it as DEVICE.SIGNAL: only those are then tested, passed before or not.
    DEVICE.lease is its lease.

    Each signal is shown, and the person says whether that is so; what can be written is written if the person gives a
    value. Commands are not sent: use 'cellctl io call'. Exit 4 if a point failed. A point that has passed
    with another profile, or with this one before it was changed, is asked again. With FILE.pdf a report to be signed
    is printed beside FILE.csv, which is the record, each time the test ends or is broken off.

    With --all the folder holds both for each device. A device that cannot be reached is told, and the next one is
    tested; the same command comes back to it. At the end it is shown how far each device is; exit 4 unless all points
    of all devices have passed or were passed over.

    At the end the lease of the device is tried, if its profile says one: its signs of life are stopped once, and it
    must trip within its time. One that was never tested counts as none: see 'cellctl io leases'.
    """
    if every:
        return _all(where, names, file, by)
    meant = _meant(names, where)
    check_cell_rests(where)
    printed = file.suffix.lower() == ".pdf"
    files = _Files(file.with_suffix(".csv") if printed else file, file if printed else None)
    report, _ = _tested(meant, files, by)
    return UNREACHABLE if _told_failed(report) else 0


@dataclass(frozen=True, slots=True)
class _Files:
    """The record, and the print beside it, if there is to be one."""

    record: Path
    printed: Path | None


@dataclass(frozen=True, slots=True)
class _Meant:
    """What is to be tested: a device, its signals `wanted` (none: all that are open), whether its `lease` is named, and
    the state folder that remembers that it was tried, if the device is in a cell."""

    found: "Found"
    wanted: Collection[str] = ()
    lease: bool = False
    state: Path | None = None


def _tested(meant: _Meant, files: _Files, by: str) -> "tuple[Report, bool]":
    """Test one device with a person: its report, and whether the person has ended that."""
    from cellctl.commission.print_out import write_pdf
    from cellctl.commission.report import Report, ReportError

    found = meant.found

    async def walk(visit: "Visit") -> None:
        report.identity = visit.identity
        await _Walk(visit, found, meant.wanted, report, by).run()

    enough = False
    try:
        report = Report(files.record, found.hashes())
        _check_same(report, found, files.record)
        try:
            if meant.wanted or not meant.lease:
                visited(found, walk)
            if meant.lease or not meant.wanted:
                _lease(meant, report, by)
        except (_Enough, KeyboardInterrupt) as ended:
            say(f"Ended here. The same command goes on; {files.record} has what was done.")
            enough = True
            if isinstance(ended, KeyboardInterrupt):
                raise
        finally:
            if files.printed is not None and report.lines:
                write_pdf(files.printed, report, found)
                say(f"{files.printed} is printed from {files.record}.")
    except ReportError as error:
        raise Failure(str(error)) from error
    return report, enough


def _told_failed(report: "Report") -> bool:
    """Tell the points that failed; whether any did."""
    for line in report.failed:
        click.echo(visible(f"{line.device}.{line.point} ({line.kind}): {line.remark or 'failed'}"))
    return bool(report.failed)


def _all(where: Where, names: Sequence[str], folder: Path, by: str) -> int:
    """Test each device of the cell, and show how far each is."""
    if names or where.profile:
        raise click.UsageError("--all is each device of the cell: name none")
    if folder.suffix.lower() in (".csv", ".pdf"):
        raise click.UsageError(f"--all needs a folder for its reports, and {folder} is called as a file")
    devices = list(model_of(where.cell).devices)
    check_cell_rests(where)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"{folder} cannot be made: {error.strerror}.") from error
    enough, rows = False, []
    for device in devices:
        found, _ = signals_of((device,), where)
        files = _Files(folder / f"{device}.csv", folder / f"{device}.pdf")
        trouble = ""
        if not enough and _open_points(found, files.record):
            say(f"{device}, {devices.index(device) + 1} of {len(devices)} devices:")
            try:
                _, enough = _tested(_Meant(found, state=state_beside(where.cell)), files, by)
            except Failure as failure:
                if failure.code != UNREACHABLE:
                    raise
                trouble = str(failure)
                say(trouble)
        rows.append(_stand(found, files.record, trouble))
    table(("device", "points", "passed", "failed", "skipped", "open", ""), rows)
    return UNREACHABLE if any(row[3] or row[5] for row in rows) else 0


def _points(found: "Found") -> list[Point]:
    """All that is looked at or written to when the device is tested."""
    points = [
        Point(found.device.id, name, kind)
        for name, signal in found.signals.items()
        for kind, there in (("read", found.device.points[name].read is not None), ("write", signal.writable))
        if there
    ]
    return points if found.lease is None else [*points, Point(found.device.id, "lease", "lease")]


def _open_points(found: "Found", record: Path) -> list[Point]:
    """Those that are still to be looked at."""
    from cellctl.commission.report import Report, ReportError

    if not record.exists():
        return _points(found)
    try:
        report = Report(record, found.hashes())
    except ReportError as error:
        raise Failure(str(error)) from error
    return [point for point in _points(found) if report.open(point)]


def _stand(found: "Found", record: Path, trouble: str) -> tuple[str, int, int, int, int, int, str]:
    """How far a device is: its points, how many of them have passed, have failed, were passed over by a person, are
    open, and why nobody could look."""
    from cellctl.commission.report import SKIPPED, Report

    points = _points(found)
    if not record.exists():
        return found.device.id, len(points), 0, 0, 0, len(points), trouble
    report = Report(record, found.hashes())
    last = {Point(line.device, line.point, line.kind): line.result for line in report.lines}
    failed = {Point(line.device, line.point, line.kind) for line in report.failed}
    count = Counter(
        "passed"
        if not report.open(point)
        else "failed"
        if point in failed
        else "skipped"
        if last.get(point) == SKIPPED
        else "open"
        for point in points
    )
    counts = (count["passed"], count["failed"], count["skipped"], count["open"])
    return found.device.id, len(points), *counts, trouble


def _meant(names: Sequence[str], where: Where) -> _Meant:
    """The device, the signals that are named, and whether its lease is: DEVICE.lease, if that is no signal."""
    found, points = device_of(names, where)
    state = None if where.profile else state_beside(where.cell)
    lease = "lease" in points and "lease" not in found.signals
    if lease and found.lease is None:
        raise click.UsageError(f"the profile of {found.device.id} says no `lease`")
    if lease and points == ["lease"]:
        return _Meant(found, (), lease, state)
    found, wanted = signals_of([name for name in names if not (lease and name.endswith("lease"))], where)
    return _Meant(found, wanted, lease, state)


def _lease(meant: _Meant, report: "Report", by: str) -> None:
    """Try the lease, if it is named, or is still to be tried."""
    from cellctl.commission.lease import remember, standing

    found = meant.found
    device = found.device.id
    if found.lease is None:
        say(f"{device}: {standing(found, Path()).text}.")
        return
    point = Point(device, "lease", "lease")
    if not meant.lease and not report.open(point):
        return
    trial = try_lease(found)
    if trial is None:
        report.add(point, shown="", result="skip", remark="", by=by)
        say(f"{device}: its lease is not tested, and counts as none.")
        return
    report.add(point, shown=trial.shown, result="fail" if trial.problem else "pass", remark="", by=by)
    say(f"{device}: {trial.shown}.")
    if meant.state is not None:
        remember(meant.state, found, trial, by)


def _check_same(report: "Report", found: "Found", record: Path) -> None:
    """One record is of one device, for one is printed of it and signed."""
    from cellctl.commission.found import ALONE

    device = found.device.id
    others = dict.fromkeys(line.device for line in report.lines if line.device != device)
    # All devices that are in no cell have the same name: they are told apart by their points.
    points = [line.point for line in report.lines if line.kind != "lease"] if device == ALONE else []
    if not others and points and not any(point in found.signals for point in points):
        others = {"another device": None}
    if others:
        raise Failure(f"{record} is the report of {', '.join(others)}: name another file for {device}.")


@dataclass(frozen=True, slots=True)
class _Put:
    """What a signal was before the test (None: nobody knows), what was written, when, and whether it surely was."""

    before: "Value | None"
    value: "Value"
    time_ns: int
    sure: bool


class _Walk:
    """The points `wanted`, those that are open if none is named."""

    def __init__(self, visit: "Visit", found: "Found", wanted: Collection[str], report: "Report", by: str) -> None:
        self._visit, self._found, self._wanted, self._report, self._by = visit, found, wanted, report, by
        self._put: dict[str, _Put] = {}

    async def run(self) -> None:
        """Go through the points; whatever ends that, it is said what was left otherwise than it was."""
        try:
            for name, signal in self._found.signals.items():
                if self._found.device.points[name].read is not None and self._open(name, "read"):
                    await self._look(name)
                if signal.writable and self._open(name, "write"):
                    await self._write(name)
        finally:
            self._remind()

    def _remind(self) -> None:
        for name, put in self._put.items():
            signal, sample = self._found.signals[name], self._visit.samples.get(name)
            seen = sample.value if sample is not None and sample.good and sample.received_ns >= put.time_ns else None
            now = put.value if seen is None else seen
            if put.before is not None and _same(now, put.before, signal.verify):
                continue
            verb = "is" if seen is not None or put.sure else "may be"
            if put.before is None:
                before = f"{signal.id} was written, and nobody knows what it was before the test. It"
            else:
                before = f"{signal.id} was {number(put.before, signal.unit)} before the test and"
            say(f"{before} {verb} {number(now, signal.unit)} now.")

    def _open(self, name: str, kind: str) -> bool:
        if self._wanted:
            return name in self._wanted
        return self._report.open(Point(self._found.device.id, name, kind))

    async def _look(self, name: str) -> None:
        await self._visit.read([name], 5.0)
        shown = self._shown(name)
        await self._judge(name, "read", shown, f"{name} is {shown}. Is that so?")

    async def _write(self, name: str) -> None:
        value = await self._value(name)
        if value is None:
            self._add(name, "write", "", "skip", "")
            return
        unit = self._found.signals[name].unit
        answer = await self._written(name, value)
        shown = f"{number(value, unit)}: {answer.outcome.value}{f' ({answer.reason})' if answer.reason else ''}"
        await self._judge(name, "write", shown, f"{name} = {shown}. Did it do that?")

    async def _written(self, name: str, value: "Value") -> "Answer":
        from cellctl.driver import Outcome

        sample, earlier = self._visit.samples.get(name), self._put.get(name)
        before = earlier.before if earlier else sample.value if sample is not None and sample.good else None
        # It stands here before it is sent: who breaks off while it is under way is reminded, too.
        self._put[name] = _Put(before, value, self._visit.now(), sure=False)
        answer = await self._visit.write(name, value)
        if answer.outcome is Outcome.CONFIRMED:
            self._put[name] = _Put(before, value, self._visit.now(), sure=True)
        elif answer.outcome in (Outcome.REFUSED, Outcome.NOT_SENT):
            del self._put[name]
            self._put |= {name: earlier} if earlier else {}
        return answer

    async def _value(self, name: str) -> "Value | None":
        """A value that can be written, asked for until it is one; None if a person gives none."""
        question = f"Write to {name}, now {self._shown(name)} [VALUE/s(kip)/q(uit); =q writes a q]"
        while text := (await _asked(question)).strip():
            if text.lower() == "q":
                raise _Enough
            if text.lower() == "s":
                return None
            try:
                return fitting(self._found, name, text.removeprefix("="))
            except click.UsageError as error:
                say(f"{error.message}.")
        return None

    async def _judge(self, name: str, kind: str, shown: str, question: str) -> None:
        answer = ""
        while answer not in _ANSWERS:
            answer = (await _asked(f"{question} [y/n/s(kip)/q(uit)]")).strip().lower()
            if answer == "q":
                raise _Enough
        remark = await _asked("What is wrong") if answer == "n" else ""
        self._add(name, kind, shown, _ANSWERS[answer], remark)

    def _add(self, name: str, kind: str, shown: str, result: str, remark: str) -> None:
        self._report.add(
            Point(self._found.device.id, name, kind), shown=shown, result=result, remark=remark, by=self._by
        )

    def _shown(self, name: str) -> str:
        sample = self._visit.samples.get(name)
        if sample is None:
            return "not answered"
        bad = "" if sample.good else f" ({sample.quality.name.lower()}: {sample.reason})"
        return f"{number(sample.value, self._found.signals[name].unit)}{bad}"


async def _asked(question: str) -> str:
    """What a person answers; a person who goes away ends the test."""
    try:
        return await asked(question)
    except click.Abort:
        raise _Enough from None


def _same(now: "Value", before: "Value", verify: float | None) -> bool:
    """Whether a value is what it was, as exactly as it is read back."""
    if isinstance(now, str | bool) or isinstance(before, str | bool):
        return now == before
    return abs(now - before) <= (verify or 0)
