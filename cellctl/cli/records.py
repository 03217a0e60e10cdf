"""What is on record: parts, the history of a signal."""

import time
from typing import Any

import click

from cellctl.cli.reach import Reach, recalling
from cellctl.cli.terminal import clock, document, number, printable, table
from cellctl.core.units import UnitError, duration_ns

LIMIT = click.IntRange(1, 10_000)


@click.command()
@click.option("--limit", type=LIMIT, default=20, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@recalling
def parts(cell: Reach, limit: int, as_json: bool) -> None:
    """The parts that were finished last, newest first."""
    found = cell.parts(limit)
    if as_json:
        document("cellctl.parts/1", {"parts": found})
    elif found:
        head = ("part", "recipe", "result", "finished", "values")
        table(head, [(p["serial"], _recipe(p), p["result"], clock(p["finished_ns"]), len(p["records"])) for p in found])
    else:
        click.echo("No part was finished yet.")


@click.command()
@click.argument("serial")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@recalling
def part(cell: Reach, serial: str, as_json: bool) -> None:
    """The part SERIAL: its recipe, its result, and every value recorded."""
    found = cell.part(serial)
    if as_json:
        document("cellctl.part/1", found)
        return
    found = printable(found)
    click.echo(f"{found['serial']}: {found['result'] or 'in process'}, {_recipe(found)}, job {found['job']}")
    click.echo(f"begun {clock(found['started_ns'])}")
    if found["finished_ns"]:
        click.echo(f"finished {clock(found['finished_ns'])}")
    for event in found["events"]:
        click.echo(f"{clock(event['time_ns'])}  {event['kind']}  {event.get('text') or event.get('choice') or ''}")
    click.echo()
    table(("step", "value", "", "of"), [_measured(one) for one in found["records"]])


@click.command()
@click.argument("signal")
@click.option("--last", default="10 min", show_default=True, metavar="TIME", help="How far back, such as '2 h'.")
@click.option("--limit", type=LIMIT, default=1_000, show_default=True, help="How many samples at most.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@recalling
def history(cell: Reach, signal: str, last: str, limit: int, as_json: bool) -> None:
    """The stored samples of SIGNAL, such as plc.air_pressure, oldest first."""
    try:
        span_ns = duration_ns(last)
    except UnitError as error:
        raise click.UsageError(f"--last: {error}") from error
    samples = cell.history(signal, max(0, time.time_ns() - span_ns), limit)
    if as_json:
        document("cellctl.history/1", {"signal": signal, "samples": samples})
    elif samples:
        table(("time", signal, "quality"), [(clock(s["time_ns"]), number(s["value"]), s["quality"]) for s in samples])
    else:
        click.echo(f"Nothing was stored of {signal} in the last {last}.")


def _recipe(part: dict[str, Any]) -> str:
    return f"{part['recipe']['id']} version {part['recipe']['version']}"


def _measured(one: dict[str, Any]) -> tuple[str, str, str, str]:
    labels = ", ".join(f"{name} {value}" for name, value in one["labels"].items())
    return one["step"], one["name"], number(one["value"], one["unit"]), labels
