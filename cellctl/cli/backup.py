"""Carry a cell away and back: `cellctl backup FILE`, `cellctl backup verify FILE`, `cellctl restore FILE`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from cellctl.cli.terminal import FAILED, INVALID, UNVERIFIED, Failure, clock, document, say

if TYPE_CHECKING:
    from cellctl.core.equipment import Equipment

SCHEMA = "cellctl.backup/1"

_FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


class FileFirst(click.Group):
    """A group whose first word may be a file: then it is meant to be written."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`cellctl backup FILE` is `cellctl backup make FILE`."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["make", *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Both ways to write it."""
        formatter.write_usage(ctx.command_path, "[make] [OPTIONS] FILE")
        formatter.write_usage(ctx.command_path, "verify [OPTIONS] FILE")


@click.group(cls=FileFirst)
def backup() -> None:
    """Write the cell's files, its journal, history and certificates into one new FILE, or verify such a FILE.

    The cell may run. 'cellctl backup FILE' is short for 'cellctl backup make FILE'.
    """


@backup.command()
@_FILE
@click.option("--cell", default=".", help="The cell  [default: the one here]")
@click.option("--state", type=click.Path(path_type=Path), help="The state folder  [default: .cellctl beside the cell]")
@click.option("--with-keys", is_flag=True, help="Private keys and secrets too. Keep such a file as safe as they are.")
@click.option(
    "--without-history", is_flag=True, help="Leave out the past values of signals, which take the most space."
)
@_JSON
def make(file: Path, cell: str, state: Path | None, with_keys: bool, without_history: bool, as_json: bool) -> None:
    """Write a backup into FILE, which must not be there yet. It is verified while it is written: exit 7 if the journal
    itself is not whole; the backup is made all the same.
    """
    from cellctl.cli.places import cell_folder, state_beside, state_folder
    from cellctl.upkeep.backup import Wanted, take

    folder = cell_folder(cell)
    wanted = Wanted(folder, state_folder(state or state_beside(cell)), with_keys, not without_history)
    with _sentences(file, "cannot be written"):
        taken = take(file, wanted)
    manifest, verdict = taken.manifest, taken.verdict
    if as_json:
        document(SCHEMA, {"file": str(file), **manifest, "secret": taken.secret, "left_out": taken.left_out})
    else:
        size = file.stat().st_size / 1e6
        click.echo(f"{file}: {len(manifest['files'])} files, {size:,.1f} MB, {verdict.entries:,} entries.")
        click.echo(f"head: {verdict.head}  entries: {verdict.entries}")
        for name in taken.left_out:
            say(f"Left out: {name}.")
        if with_keys:
            say("It holds private keys and secrets: keep it as safe as this computer.")
        elif taken.secret:
            say(f"Not in it, as they are secret: {', '.join(taken.secret)}. --with-keys takes them along.")
        for first, last in verdict.missing:
            say(f"Entries {first:,} to {last:,} were archived, and their archives are not here: they are not in it.")
    if verdict.reason:
        raise Failure(
            f"The journal that was copied is not whole: {verdict.reason}.", UNVERIFIED, "cellctl journal verify"
        )


@backup.command()
@_FILE
@_JSON
def verify(file: Path, as_json: bool) -> int:
    """Restore FILE into a temporary folder and look at all of it.

    That is every hash, the journal's chain, the state of the cell that it comes to, and the cell's files. Exit 7 if
    anything is not as it was written, 3 if the files do not pass the check.

    FILE holds the cell's phases, which are Python; to check them they are read as 'cellctl check' does.
    """
    from cellctl import model
    from cellctl.cli.files import tell
    from cellctl.upkeep.restore import restore

    with TemporaryDirectory(prefix="cellctl-verify-") as name:
        cell, state = Path(name) / "cell", Path(name) / "state"
        with _sentences(file, "is not as it was written", UNVERIFIED):
            found = restore(file, cell, state)
        checked = model.check(cell)
        problems, errors = checked.problems, [each for each in checked.problems if each.severity == "error"]
        begins = "" if checked.model is None else _begins(state, checked.model.equipment)
    journal = found.manifest["journal"]
    if as_json:
        plain = {
            "file": str(file),
            "whole": True,
            "cell_errors": len(errors),
            "state_compared": found.compared,
            "begins": begins,
        }
        document("cellctl.backup.verify/1", {**plain, **found.manifest})
    else:
        _tell_verified(found.manifest, found.compared)
        if errors:
            tell(problems)
        else:
            click.echo("The cell's files pass the check.")
            click.echo(begins)
    if not journal["whole"]:
        raise Failure("The journal was not whole when the backup was made.", UNVERIFIED)
    return INVALID if errors else 0


def _begins(state: Path, equipment: "Equipment") -> str:
    """How a cell begins that is started on what came out: it is made, on no devices. Failure if it cannot be."""
    from cellctl.records import Records
    from cellctl.runtime.beginning import MisfitError, beginning
    from cellctl.runtime.journal import JournalError

    try:
        begin = beginning(Records(state), equipment)
        memory = begin.cell(0).memory
    except (MisfitError, JournalError) as error:
        raise Failure(f"No cell can begin from it: {error}", UNVERIFIED) from error
    jobs, parts = len(memory.jobs), len(memory.parts)
    return f"A cell begins from it: {begin.state.title}, jobs: {jobs}, parts in process: {parts}."


def _tell_verified(manifest: dict[str, Any], compared: bool) -> None:
    journal, count = manifest["journal"], len(manifest["files"])
    click.echo(
        f"{count} files are as they were written on {clock(manifest['made_ns'])} by cellctl {manifest['cellctl']}."
    )
    click.echo(f"head: {journal['head']}  entries: {journal['entries']}")
    if compared:
        click.echo("The journal comes to the same state of the cell.")
    else:
        say("The state of the cell was not compared: another cellctl wrote the backup.")


@click.command()
@_FILE
@click.option("--cell", required=True, type=click.Path(path_type=Path), help="Where the cell's files shall be.")
@click.option("--state", required=True, type=click.Path(path_type=Path), help="Where its state folder shall be.")
@_JSON
def restore(file: Path, cell: Path, state: Path, as_json: bool) -> None:
    """Put what is in the backup FILE into two folders that are empty or not there.

    All of it is looked at before, as 'cellctl backup verify' does; if anything is wrong nothing is put anywhere.
    """
    from cellctl.upkeep.restore import restore as put

    with _sentences(file, "was not restored"):
        found = put(file, cell, state)
    manifest = found.manifest
    if as_json:
        document("cellctl.restore/1", {"cell": str(cell), "state": str(state), **manifest})
        return
    click.echo(f"The cell is in {cell}, its state in {state}, as of {clock(manifest['made_ns'])}.")
    if not manifest["keys"]:
        say("Private keys and secrets were not in it. Write secrets anew; devices that encrypt must trust a new key.")
    say(f"Next: cellctl check {cell}, cellctl doctor {cell} --state {state}, then cellctl run {cell} --state {state}.")


@contextmanager
def _sentences(file: Path, what: str, code: int = FAILED) -> Iterator[None]:
    """What hinders it, as a person is told it."""
    from cellctl.records import RecordsError
    from cellctl.upkeep.container import ContainerError

    try:
        yield
    except FileNotFoundError as error:
        raise Failure(f"There is no {error.filename or file}.") from error
    except FileExistsError as error:
        raise Failure(f"{file} exists already.") from error
    except RecordsError as error:
        raise Failure(str(error)) from error
    except ContainerError as error:
        raise Failure(f"{file} {what}: {error}.", code) from error
    except OSError as error:
        raise Failure(f"{file} {what}: {error.strerror or error} ({error.filename or 'no file'}).") from error
