"""Jobs: add, list, cancel."""

import json
import secrets
from pathlib import Path
from typing import Any

import click

from cellctl.cli.reach import Reach, reaching
from cellctl.cli.terminal import USAGE, Failure, document, say, table
from cellctl.core.messages import AddJob, CancelJob


@click.group()
def job() -> None:
    """Add, list and cancel jobs: orders for parts of one recipe."""


@job.command()
@click.argument("recipe")
@click.argument("quantity", type=click.IntRange(1, 1_000_000))
@click.option("--id", "name", help="The id of the job; one is made up if it is left out.")
@click.option("--parts", type=click.Path(path_type=Path), help="A JSON file: a list with the own values of each part.")
@reaching
def add(cell: Reach, recipe: str, quantity: int, name: str | None, parts: Path | None) -> None:
    """Put an order for QUANTITY parts of RECIPE at the end of the queue."""
    name = name or f"job-{secrets.token_hex(3)}"
    cell.submit(AddJob(name, recipe, quantity, tuple(_values(parts)) if parts else ()))
    click.echo(name)
    loaded = cell.cell()["recipe"]
    if loaded is None or loaded["id"] != recipe:
        say(f"It is made when its recipe is loaded: cellctl changeover {recipe}")


@job.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@reaching
def list_jobs(cell: Reach, as_json: bool) -> None:
    """The open jobs in their order; the first is in work."""
    jobs = cell.cell()["jobs"]
    if as_json:
        document("cellctl.jobs/1", {"jobs": jobs})
    elif jobs:
        head = ("job", "recipe", "quantity", "done", "good", "reject")
        table(head, [[one["id" if name == "job" else name] for name in head] for one in jobs])
    else:
        click.echo("There is no job.")


@job.command()
@click.argument("name", metavar="JOB")
@reaching
def cancel(cell: Reach, name: str) -> None:
    """Begin no further part of JOB; parts already in process are finished."""
    cell.submit(CancelJob(name))
    click.echo(f"{name} is cancelled.")


def _values(path: Path) -> list[dict[str, Any]]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}.", USAGE) from error
    except ValueError as error:
        raise Failure(f"{path} is not JSON: {error}.", USAGE) from error
    if not isinstance(values, list) or not all(isinstance(one, dict) for one in values):
        raise Failure(f"{path} must hold a list with one object for each part.", USAGE)
    return values
