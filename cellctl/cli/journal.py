"""The journal: listed (`cellctl journal`), verified, and its old entries moved into archives."""

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellctl.cli.reach import Reach, recalling
from cellctl.cli.terminal import UNVERIFIED, Failure, clock, document, visible

if TYPE_CHECKING:
    from cellctl.records import Verdict

SCHEMA = "cellctl.journal.verify/1"


class Head(click.ParamType[bytes]):
    """The letters of a hash."""

    name = "letters"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """The beginning of the hash; a usage error if these are no such letters."""
        from cellctl.records.chain import head_bytes

        try:
            return head_bytes(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class Day(click.ParamType[int]):
    """A day, a time, or how long ago: ns UTC."""

    name = "date"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The time; a usage error if it is none."""
        from cellctl.core.units import UnitError, duration_ns

        try:
            return int(datetime.fromisoformat(value).astimezone().timestamp()) * 1_000_000_000
        except (ValueError, OverflowError):
            pass
        try:
            return time.time_ns() - duration_ns(value)
        except UnitError:
            self.fail(f"{value!r} is no date such as 2026-01-31, and no time such as '400 d'.", param, ctx)


@click.group(invoke_without_command=True)
@click.option("--kind", help="Only entries of this kind, such as state or request.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@recalling
def journal(cell: Reach, kind: str | None, limit: int, as_json: bool) -> None:
    """The last decisions of the cell, newest last.

    They are found in the archives too. With a command: prove that the journal is whole, or move what is old into an
    archive.
    """
    if click.get_current_context().invoked_subcommand:
        return
    entries = cell.journal(kind, limit)
    if as_json:
        document("cellctl.journal/1", {"entries": entries})
        return
    for entry in entries:
        data = json.dumps(entry["data"], ensure_ascii=False)
        click.echo(visible(f"{entry['sequence']:>7}  {clock(entry['time_ns'])}  {entry['kind']:<16} {data}"))


def _in_folder(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option of a command that works on the files of a state folder; it gets the folder."""

    def found(state: Path | None, **arguments: Any) -> Any:
        from cellctl.cli.places import state_folder

        above = click.get_current_context().parent
        named = state or (above.params.get("state") if above else None)
        return command(state_folder(named), **arguments)

    found.__name__, found.__doc__ = command.__name__, command.__doc__
    found.__dict__ |= command.__dict__
    return click.option("--state", type=click.Path(path_type=Path), help="The state folder of the cell.")(found)


@journal.command()
@click.option("--head", type=Head(), help="The letters that were told once: prove that what was there is still there.")
@click.option("--entries", type=click.IntRange(1), metavar="N", help="With --head: how many entries there were then.")
@click.option("--archives", type=click.Path(path_type=Path, file_okay=False, exists=True), help="More archives.")
@click.option("--without-archives", is_flag=True, help="Begin with the first entry that was not archived.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@_in_folder
def verify(
    folder: Path, head: bytes | None, entries: int | None, archives: Path | None, without_archives: bool, as_json: bool
) -> None:
    """Recompute the chain of hashes through the archives and the journal. Exit 7 if anything is not as it was written.

    The last line tells the head: eight letters that stand for all entries up to the last. Write them down, with the
    number of entries, where nobody can change them: with --head they prove later that nothing was cut off since.
    """
    from cellctl.records import RecordsError
    from cellctl.records.chain import verified

    if entries and not head:
        raise click.UsageError("--entries needs --head: the letters that were told with that number.")
    try:
        found = verified(folder, head=head or b"", elsewhere=archives, only_journal=without_archives)
    except RecordsError as error:
        raise Failure(str(error), UNVERIFIED) from error
    wrong = _wrong(found, head, entries, without_archives)
    if as_json:
        document(SCHEMA, _plain(found, wrong))
    else:
        _tell(found)
    if wrong:
        sentence, do = wrong
        raise Failure(sentence, UNVERIFIED, do)


@journal.command()
@click.option("--before", type=Day(), required=True, metavar="DATE", help="Such as 2026-01-31, or '400 d' for ago.")
@click.option("--shrink", is_flag=True, help="Give the space in the journal back to the disk; the cell must not run.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@_in_folder
def archive(folder: Path, before: int, shrink: bool, as_json: bool) -> None:
    """Move entries that are older than DATE into an archive beside the journal; the cell may run on.

    A running cell does it by itself, as `journal: {keep: 400 d}` in cell.yaml says. An archive is never deleted by
    cellctl: it may be moved to where there is more space.
    """
    from cellctl.cli.archive import moved, needed, shrunk

    archives = moved(folder, before, alone=shrink)
    if shrink:
        shrunk(folder)
    if as_json:
        plain = [{"first": each.first, "last": each.last, "file": str(each.path)} for each in archives]
        document("cellctl.journal.archive/1", {"archives": plain})
        return
    for each in archives:
        click.echo(f"Entries {each.first:,} to {each.last:,} are in {each.path}.")
    if not archives:
        click.echo(f"Nothing was moved: {needed(folder, before)}.")


def _wrong(found: "Verdict", head: bytes | None, entries: int | None, partly: bool) -> tuple[str, str] | None:
    """What is not as it should be, and what to do; the worst first."""
    if found.reason:
        return _broken(found)
    if head and (entries not in found.found if entries else not found.found):
        return _cut(found, entries)
    if found.missing and not partly:
        runs = " and ".join(f"{first:,} to {last:,}" for first, last in found.missing)
        return (
            f"Entries {runs} were archived, and their archives are not here.",
            "Put them back into the folder archive of the state folder, or say where they are: --archives FOLDER."
            " --without-archives verifies what is here.",
        )
    return None


def _broken(found: "Verdict") -> tuple[str, str]:
    name = found.file.name if found.file else "journal"
    if found.broken_at is None:
        return f"{name} is damaged: {found.reason}.", _keep_it("The entries themselves are whole. ")
    whole = f"Entries up to {found.entries:,} are as they were written. " if found.entries else ""
    return f"Entry {found.broken_at:,} in {name} is not as it was written: {found.reason}.", _keep_it(whole)


def _keep_it(whole: str) -> str:
    return (
        f"{whole}Stop the cell, keep a copy of the state folder as it is for whoever looks into it,"
        " and go back to the last good backup with 'cellctl restore'."
    )


def _cut(found: "Verdict", entries: int | None) -> tuple[str, str]:
    do = "Compare the letters with what was written down. Then look for who changed the files, and for a good backup."
    if entries and found.entries < entries:
        return f"There are {found.entries:,} entries, and there were {entries:,}: the last ones were cut off.", do
    if entries and found.found:
        return f"The head is that of entry {found.found[0]:,}, not that of entry {entries:,}.", do
    if entries:
        return f"Entry {entries:,} has another head: entries were cut off or changed, and others were written.", do
    return "No entry has this head: entries were cut off or changed since it was told.", do


def _tell(found: "Verdict") -> None:
    first = _first(found)
    if found.found:
        click.echo(f"Entry {found.found[-1]:,} has this head; {found.entries - found.found[-1]:,} came after it.")
    if found.reason:
        click.echo(f"{max(0, found.entries - first + 1):,} entries are whole.")
    elif found.entries:
        click.echo(f"All {found.entries - first + 1:,} entries are whole, from {first:,} to {found.entries:,}.")
        click.echo(f"head: {found.head}  entries: {found.entries}")
    else:
        click.echo("The journal is empty.")


def _first(found: "Verdict") -> int:
    """The first entry that was looked at."""
    return found.missing[-1][1] + 1 if found.missing else 1


def _plain(found: "Verdict", wrong: tuple[str, str] | None) -> dict[str, object]:
    return {
        "whole": wrong is None,
        "entries": found.entries,
        "head": found.head,
        "broken_at": found.broken_at,
        "file": str(found.file) if found.file else None,
        "missing": [{"first": first, "last": last} for first, last in found.missing],
        "head_of": list(found.found),
        "reason": wrong[0] if wrong else "",
        "do": wrong[1] if wrong else "",
    }
