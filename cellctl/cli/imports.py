"""Make a profile of a list of signals that others have written: `cellctl import`."""

import difflib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellctl.cli.terminal import FAILED, INVALID, Failure, say, visible

if TYPE_CHECKING:
    from cellctl.commission.draft import Row
    from cellctl.commission.lists.listing import Listing

_FILE = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True)
class _Aim:
    """What is to become of a list."""

    into: Path | None
    write: bool
    skip: bool
    name: str


@click.group("import")
def import_group() -> None:
    """Make a profile of a list of signals: of a spreadsheet, an OPC UA model, a PLC program, another OPC server.

    The profile is printed. With --into it is laid beside a profile that exists: what would be added is shown, and
    written with --write; what stands there is never changed.
    """


def _into(read: Callable[..., "Listing"]) -> Callable[..., int]:
    """The options that all lists have in common, and what is done with what `read` gives."""

    @wraps(read)
    def command(file: Path, into: Path | None, *, write: bool, skip: bool, name: str, **options: Any) -> int:
        from cellctl.commission.lists.listing import ListError

        if write and into is None:
            raise click.UsageError("--write needs --into PROFILE.yaml")
        try:
            listing = read(file, **options)
        except ListError as error:
            raise Failure(str(error), INVALID) from error
        return _imported(file, listing, _Aim(into, write, skip, name))

    for option in (
        click.option("--id", "name", default="", help="The id of the profile.  [of the file]"),
        click.option("--skip", is_flag=True, help="Leave out the rows that cannot be taken, instead of stopping."),
        click.option("--write", is_flag=True, help="Write what is shown."),
        click.option("--into", type=_FILE, metavar="PROFILE.yaml", help="The profile to add to; or a new one."),
    ):
        command = option(command)
    return click.argument("file", type=_FILE)(command)


@import_group.command("csv")
@_into
@click.option("--namespace", default="", help="The URI of the namespace of nodes such as s=Name.")
@click.option(
    "--addresses",
    type=click.Choice(["wire", "modicon"]),
    default="wire",
    help="What a number beside a column 'table' is: as on the wire, or 40001.  [wire]",
)
def csv_(file: Path, namespace: str, addresses: str) -> "Listing":
    """A list as CSV, with a head line: name, address, and as far as there are table, type, unit, access, description.

    An address is a row of a profile (holding 0 float32), 40001, 400001, 40001.3, a number beside a column 'table', or a
    node of OPC UA (ns=URI;s=NAME).
    """
    from cellctl.commission.lists.csv_list import read_csv

    return read_csv(file, namespace, modicon=addresses == "modicon")


@import_group.command()
@_into
def nodeset(file: Path) -> "Listing":
    """A UANodeSet file (XML): the information model of an OPC UA server."""
    from cellctl.commission.lists.nodeset import read_nodeset

    return read_nodeset(file)


@import_group.command()
@_into
@click.option("--plc", default="", help="How the PLC calls itself in its OPC UA server.")
@click.option("--namespace", default="", help="The URI of its namespace.  [CODESYSSPV3/3S/IecVarAccess]")
def codesys(file: Path, plc: str, namespace: str) -> "Listing":
    """The symbol configuration (XML) that CODESYS writes when it builds, for the OPC UA server of the PLC."""
    from cellctl.commission.lists.codesys import read_codesys

    return read_codesys(file, plc, namespace)


@import_group.command()
@_into
def kepware(file: Path) -> "Listing":
    """The tags of a Modbus device as KEPServerEX exports them to CSV."""
    from cellctl.commission.lists.kepware import read_kepware

    return read_kepware(file)


def _imported(file: Path, listing: "Listing", aim: _Aim) -> int:
    """Tell what could not be taken, and print or merge the rest."""
    from cellctl.commission.lists.listing import rows_of

    into = aim.into

    for line, reason in listing.wrong:
        say(f"{file}:{line}: {reason}.")
    if listing.wrong and not aim.skip:
        many = f"{len(listing.wrong)} of {len(listing.wrong) + len(listing.tags)} rows"
        raise Failure(f"{many} cannot be taken. Mend them, or leave them out with --skip.", INVALID)
    for remark in listing.remarks:
        say(f"Note: {remark}.")
    rows = rows_of(listing)
    if not rows:
        raise Failure(f"{file} has no row that can be taken.", INVALID)
    if into is not None and into.exists():
        return lay_beside(into, listing.protocol, listing.sections, rows, write=aim.write)
    text = _drafted(file, listing, rows, aim.name or (into.stem if into is not None else ""))
    if into is None:
        click.echo(text, nl=False)
    else:
        offer(into, "", text, aim.write)
    return 0


def _drafted(file: Path, listing: "Listing", rows: "list[Row]", name: str) -> str:
    from cellctl.cli.files import tell
    from cellctl.commission.draft import Draft, id_of, problems_of

    today = datetime.now(UTC).date().isoformat()
    head = {"id": id_of(name or file.stem), "version": 1, "protocol": listing.protocol}
    head |= {"source": f"imported from {file.name}, {today}", "confidence": "B"}
    remarks = (
        f"A draft: what {file.name} says.",
        "Keep the rows that the cell needs, and hold types, units and addresses against the device: cellctl io read.",
    )
    text = Draft(head, listing.sections, rows, remarks).text()
    if problems := problems_of(text):
        click.echo(text, nl=False)
        tell(problems)
        raise Failure("The draft does not pass the check: see the lines above.", INVALID)
    return text


def lay_beside(
    into: Path, protocol: str, sections: Mapping[str, Mapping[str, object]], rows: "list[Row]", *, write: bool
) -> int:
    """Lay rows beside the profile `into`: what differs is told, what is new shown, and written if that is asked for."""
    from cellctl.cli.files import tell
    from cellctl.commission.merge import MergeError, merge, raw_text
    from cellctl.model import FilesInvalid

    try:
        merged = merge(into, protocol, sections, rows)
    except FilesInvalid as invalid:
        tell(invalid.problems)
        raise Failure(f"{into} must pass the check before something is added to it.", INVALID) from invalid
    except MergeError as error:
        raise Failure(str(error), INVALID) from error
    for sentence in merged.differs:
        say(f"{sentence}.")
    if not merged.added:
        say(f"{into} has all of them already.")
        return 0
    offer(into, raw_text(into), merged.text, write)
    return 0


def offer(into: Path, before: str, after: str, write: bool) -> None:
    """Show what would change; write it if that is asked for, and only a profile that passes the check."""
    from cellctl.cli.files import tell
    from cellctl.commission.draft import problems_beside

    said = f"{into} (as it is)" if before else "/dev/null"
    diff = difflib.unified_diff(before.splitlines(True), after.splitlines(True), said, str(into))
    for line in diff:
        click.echo(visible(line.rstrip("\r\n")))
    if problems := problems_beside(into, after):
        tell(problems)
        raise Failure(f"With that {into} would not pass the check: nothing is written.", INVALID)
    if not write:
        say(f"Nothing is written yet: --write adds this to {into}.")
        return
    _replace(into, before, after)
    say(f"{into} is written.")


def _replace(into: Path, before: str, after: str) -> None:
    """Put the text in its place, whole or not at all, if nobody has changed the file meanwhile."""
    from cellctl.commission.merge import raw_text

    scratch = into.with_name(f".{into.name}.new")
    try:
        if (raw_text(into) if into.exists() else "") != before:
            raise Failure(f"{into} was changed meanwhile: nothing is written.", FAILED)
        scratch.write_text(after, encoding="utf-8", newline="")
        if into.exists():
            scratch.chmod(into.stat().st_mode)
        os.replace(scratch, into)
    except OSError as error:
        with suppress(OSError):
            scratch.unlink()
        raise Failure(f"{into} cannot be written: {error.strerror}.") from error
