"""What the flight recorder kept: `cellctl incident export|replay|test`."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellctl.cli.terminal import FAILED, INVALID, Failure, clock, document, say, table, visible

if TYPE_CHECKING:
    from cellctl.core.messages import Effect
    from cellctl.testing.incident.happenings import Happening
    from cellctl.testing.incident.incident import Incident, Replayed

SCHEMA = "cellctl.incident/1"

#: So many entries before the end of a replay are shown.
ENTRIES_SHOWN = 10

_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group()
def incident() -> None:
    """What the flight recorder kept of a cell: to be carried away, replayed, and made a test of."""


@incident.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--state", type=click.Path(path_type=Path), help="The state folder  [default: .cellctl here]")
@click.option("--last", default="10 min", show_default=True, metavar="TIME", help="How far back, such as '1 h'.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def export(file: Path | None, state: Path | None, last: str, as_json: bool) -> None:
    """Write what was recorded last into FILE, with the cell's files; the cell may run on.

    It begins where the cell was at rest before that time: without phases running.
    """
    from cellctl.core.units import UnitError, duration_ns
    from cellctl.gateway.told import sentence
    from cellctl.records import STATE_FOLDER
    from cellctl.testing.incident.incident import Incident
    from cellctl.testing.incident.recording import recorded, write

    try:
        last_ns = duration_ns(last)
    except UnitError as error:
        raise click.BadParameter(sentence(str(error)), param_hint="--last") from error
    with _sentences():
        found = Incident(recorded(state or Path(STATE_FOLDER), last_ns))
    stamp = clock(found.end_ns)[:19].replace(" ", "-").replace(":", "")
    target = file or Path(f"{found.cell}-{stamp}.incident")
    try:
        write(target, found.spans)
    except FileExistsError as error:
        raise Failure(f"{target} exists already.") from error
    except OSError as error:
        raise Failure(f"{target} cannot be written: {error.strerror}.") from error
    if as_json:
        document(SCHEMA, {"file": str(target), **_plain(found)})
    else:
        say(f"{target}: {clock(found.begin_ns)} to {clock(found.end_ns)}, {found.turns} turns.")
        _remark(found)
        _tell_happened(found, found.happened)


@incident.command()
@_FILE
@click.option("--cell", metavar="CELL", help="With the files of this cell  [default: those recorded]")
@click.option("--until", metavar="+TIME|N", help="Stop there: '+72.3 s' from the beginning, or N of what happened.")
@click.option("--entries", is_flag=True, help="Show every entry that the cell writes.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def replay(file: Path, cell: str | None, until: str | None, entries: bool, as_json: bool) -> None:
    """Let the core decide again what FILE tells, and compare every effect with those recorded.

    FILE holds the cell's phases, which are Python and are run. Without --cell another effect than the recorded one is
    a failure.
    """
    found = _read(file)
    stop = until if until is None or not until.isdecimal() else found.at(_chosen(found, int(until)).time_ns)
    look = _showing(found) if entries and not as_json else None
    with _sentences():
        done = found.replay(cell=cell, until=stop, look=look)
    if as_json:
        document(SCHEMA, {**_plain(found), "replayed": _outcome(found, done)})
    else:
        _tell(found, done, shown=entries)
    if done.difference is not None and cell is None:
        raise Failure("The effects are not those that were recorded.", FAILED)


@incident.command()
@_FILE
@click.argument("number", type=click.IntRange(1), required=False)
@click.option("--cell", metavar="CELL", help="The cell to be mended  [default: the one here, or where it was]")
@click.option("--output", type=click.Path(path_type=Path), help="The file to write  [default: tests/test_..._N.py]")
def test(file: Path, number: int | None, cell: str | None, output: Path | None) -> None:
    """Write a pytest that fails for as long as what happened as NUMBER in FILE happens again.

    Without NUMBER: the first of what happened. `cellctl incident replay FILE` lists them.
    """
    from cellctl.testing.incident.writing import test_of

    found = _read(file)
    what = _chosen(found, number or 1)
    files = cell or _whereabouts(found)
    target = output or Path("tests") / f"test_{file.stem.replace('-', '_').replace('.', '_')}_{number or 1}.py"
    if target.exists():
        raise Failure(f"{target} exists already.")
    with _sentences(), suppress(AssertionError):
        found.assert_gone(what.kind, what.id, at=found.at(what.time_ns), cell=files)
        raise Failure(f"With the files in {files} it does not happen any more: there is nothing to test.")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(test_of(found, what, file, files, target), encoding="utf-8")
    say(f"{target} fails as long as it happens: {what.text}.")
    say(f"Next: python -m pytest {target}, mend {files}, and once more.")


# --- what is told -----------------------------------------------------------------------------------------------


@contextmanager
def _sentences() -> Iterator[None]:
    """What a recording or files come to that cannot be used, as a person is told it."""
    from cellctl.testing.cells import CellInvalid
    from cellctl.testing.incident.incident import IncidentError

    try:
        yield
    except CellInvalid as invalid:
        raise Failure(str(invalid), INVALID) from invalid
    except IncidentError as error:
        raise Failure(str(error)) from error


def _read(file: Path) -> "Incident":
    from cellctl.testing.incident.incident import Incident

    with _sentences():
        return Incident.read(file)


def _chosen(found: "Incident", number: int) -> "Happening":
    happened = found.happened
    if not 1 <= number <= len(happened):
        raise Failure(f"There is no {number} of what happened: there are {len(happened) or 'none'}.")
    return happened[number - 1]


def _whereabouts(found: "Incident") -> str:
    """Where the files are that somebody is going to mend."""
    from cellctl.model import bundled_cells

    folder = found.spans[0].head.folder
    if Path("cell.yaml").exists():
        return "."
    if (name := Path(folder).name) in bundled_cells():
        copy = f"cellctl new cell my-cell --from {name}"
        raise Failure(f"{name} comes with cellctl. Mend a copy of your own: {copy}, then --cell my-cell.")
    if Path(folder, "cell.yaml").exists():
        return folder
    raise Failure(f"The files of {found.cell} are not here: name the cell that is to be mended with --cell.")


def _showing(found: "Incident") -> "Callable[[int, Sequence[Effect]], None]":
    from cellctl.core.messages import Entry

    def look(now: int, effects: "Sequence[Effect]") -> None:
        for effect in effects:
            if isinstance(effect, Entry):
                click.echo(_line(found, now, effect))

    return look


def _line(found: "Incident", now: int, entry: Any) -> str:
    return visible(f"{found.at(now):>14}  {entry.kind:<14} {json.dumps(dict(entry.data), sort_keys=True)}")


def _tell(found: "Incident", done: "Replayed", *, shown: bool) -> None:
    click.echo(f"{found.cell}: {clock(found.begin_ns)} to {clock(found.end_ns)}, {done.turns} of {found.turns} turns.")
    _remark(found)
    _tell_happened(found, done.happened)
    view = found.view(done)
    if not shown:
        click.echo("\nThe last entries:")
        for now, entry in done.entries[-ENTRIES_SHOWN:]:
            click.echo(_line(found, now, entry))
    click.echo(f"\nThere the cell is {view.state}.")
    for cause in view.why:
        click.echo(visible(f"  because: {cause.text}"))
    for part in view.parts:
        for wait in part.waits:
            click.echo(visible(f"  {part.serial}: {wait}"))
    if done.difference is None:
        click.echo("The effects are those that were recorded.")
    else:
        click.echo(f"At {found.at(done.difference.time_ns)} the cell decides otherwise:")
        for word, lines in (("recorded", done.difference.recorded), ("now", done.difference.replayed)):
            click.echo("\n".join(visible(f"  {word:<9} {line}") for line in lines or ["nothing"]))


def _remark(found: "Incident") -> None:
    for remark in found.remarks:
        say(remark)


def _tell_happened(found: "Incident", happened: "Sequence[Happening]") -> None:
    if not happened:
        click.echo("Nothing happened that nobody had asked for.")
        return
    rows = [(n, found.at(one.time_ns), one.kind, one.id, one.text) for n, one in enumerate(happened, 1)]
    table(("no", "at", "kind", "id", "text"), rows)


def _plain(found: "Incident") -> dict[str, Any]:
    return {
        "cell": found.cell, "product": found.spans[0].head.product, "begin_ns": found.begin_ns,
        "end_ns": found.end_ns, "turns": found.turns, "remarks": found.remarks,
        "happened": [_plain_happening(found, one) for one in found.happened],
    }  # fmt: skip


def _plain_happening(found: "Incident", one: "Happening") -> dict[str, Any]:
    return {"at": found.at(one.time_ns), "time_ns": one.time_ns, "kind": one.kind, "id": one.id, "text": one.text}


def _outcome(found: "Incident", done: "Replayed") -> dict[str, Any]:
    difference = done.difference and {
        "at": found.at(done.difference.time_ns),
        "recorded": [json.loads(line) for line in done.difference.recorded],
        "replayed": [json.loads(line) for line in done.difference.replayed],
    }
    return {
        "turns": done.turns, "state": found.view(done).state, "difference": difference,
        "why": [cause.text for cause in found.view(done).why],
        "happened": [_plain_happening(found, one) for one in done.happened],
    }  # fmt: skip
