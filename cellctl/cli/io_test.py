"""The guided point-to-point test of a device: `cellctl io test`."""

import getpass
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cellctl.cli.asking import asked
from cellctl.cli.io_lease import try_lease
from cellctl.cli.io_points import Where, cell_state, check_cell_rests, device_of, fitting, pointing, signals_of, visited
from cellctl.cli.terminal import UNREACHABLE, Failure, number, say, visible
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
@click.option(
    "--report",
    "file",
    type=click.Path(path_type=Path),
    required=True,
    help="The report: FILE.csv, or FILE.pdf for both.",
)
@click.option("--by", default=getpass.getuser, help="Who tests.  [the user]")
@pointing
def test(where: Where, names: Sequence[str], file: Path, by: str) -> int:
    """Go through all points of a device with a person, and write a report. A test that was broken off goes on.

    NAMES is the device, or signals of it as DEVICE.SIGNAL: only those are then tested, passed before or not.
    DEVICE.lease is its lease.

    Each signal is shown, and the person says whether that is so; what can be written is written if the person gives a
    value. Commands are not sent: use 'cellctl io call'. Exit 4 if a point failed. A point that has passed
    with another profile, or with this one before it was changed, is asked again. With FILE.pdf a report to be signed
    is printed beside FILE.csv, which is the record, each time the test ends or is broken off.

    At the end the lease of the device is tried, if its profile says one: its signs of life are stopped once, and it
    must trip within its time. One that was never tested counts as none: see 'cellctl io leases'.
    """
    from cellctl.commission.print_out import write_pdf
    from cellctl.commission.report import Report, ReportError

    found, wanted, lease = _meant(names, where)
    check_cell_rests(where)
    printed = file.suffix.lower() == ".pdf"
    record = file.with_suffix(".csv") if printed else file

    async def walk(visit: "Visit") -> None:
        report.identity = visit.identity
        await _Walk(visit, found, wanted, report, by).run()

    try:
        report = Report(record, found.hashes())
        _check_same(report, found, record)
        try:
            if wanted or not lease:
                visited(found, walk)
            if lease or not wanted:
                _lease(found, where, report, by, again=lease)
        except (_Enough, KeyboardInterrupt) as ended:
            say(f"Ended here. The same command goes on; {record} has what was done.")
            if isinstance(ended, KeyboardInterrupt):
                raise
        finally:
            if printed and report.lines:
                write_pdf(file, report, found)
                say(f"{file} is printed from {record}.")
    except ReportError as error:
        raise Failure(str(error)) from error
    for line in report.failed:
        click.echo(visible(f"{line.device}.{line.point} ({line.kind}): {line.remark or 'failed'}"))
    return UNREACHABLE if report.failed else 0


def _meant(names: Sequence[str], where: Where) -> "tuple[Found, list[str], bool]":
    """The device, the signals that are named, and whether its lease is: DEVICE.lease, if that is no signal."""
    found, points = device_of(names, where)
    lease = "lease" in points and "lease" not in found.signals
    if lease and found.lease is None:
        raise click.UsageError(f"the profile of {found.device.id} says no `lease`")
    if lease and points == ["lease"]:
        return found, [], True
    found, wanted = signals_of([name for name in names if not (lease and name.endswith("lease"))], where)
    return found, wanted, lease


def _lease(found: "Found", where: Where, report: "Report", by: str, *, again: bool) -> None:
    """Try the lease, if it is still to be tried, or shall be `again`."""
    from cellctl.commission.lease import remember, standing

    device = found.device.id
    if found.lease is None:
        say(f"{device}: {standing(found, Path()).text}.")
        return
    point = Point(device, "lease", "lease")
    if not again and not report.open(point):
        return
    trial = try_lease(found)
    if trial is None:
        report.add(point, shown="", result="skip", remark="", by=by)
        say(f"{device}: its lease is not tested, and counts as none.")
        return
    report.add(point, shown=trial.shown, result="fail" if trial.problem else "pass", remark="", by=by)
    say(f"{device}: {trial.shown}.")
    if not where.profile:
        remember(cell_state(where.cell), found, trial, by)


def _check_same(report: "Report", found: "Found", record: Path) -> None:
    """One record is of one device, for one is printed of it and signed."""
    device = found.device.id
    others = dict.fromkeys(line.device for line in report.lines if line.device != device)
    # All devices that are in no cell have the same name: they are told apart by their points.
    points = [line.point for line in report.lines if line.kind != "lease"]
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
        while text := (await _asked(f"Write to {name}, now {self._shown(name)} (nothing: pass over)")).strip():
            try:
                return fitting(self._found, name, text)
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
