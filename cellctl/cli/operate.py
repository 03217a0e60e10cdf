"""Look at the cell and operate it: status, why, the ten PackML commands, mode, recover.

The rule kept here: a PackML command comes back when the state it leads to has come, so that the next one is possible.
"""

import time
from typing import Any

import click

from cellctl.cli.reach import Reach, reaching
from cellctl.cli.terminal import Failure, document, number, paint, printable, say, table
from cellctl.core.messages import Operate, Recover, SetMode
from cellctl.core.packml import COMMANDS, STATE_COMPLETE, Command, Mode

SCHEMA = "cellctl.{}/1"

#: How long a command waits for the state that it leads to, and how often it looks.
WAIT_S, LOOK_S = 30.0, 0.05

ACTING = frozenset(state.title for state in STATE_COMPLETE)

#: What stops production: a command that was to lead elsewhere has failed.
ENDED = ("Stopped", "Aborted")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@reaching
def status(cell: Reach, as_json: bool) -> None:
    """What the cell is doing: state, recipe, job, counts, stations, devices, and why it waits."""
    told = cell.cell()
    if as_json:
        document(SCHEMA.format("status"), told)
        return
    told = printable(told)
    click.echo(
        f"{told['name']} ({told['id']}): {paint(told['state'], 'cyan', bold=True)}, {told['mode']}{_simulated(told)}"
    )
    recipe, job = told["recipe"], told["job"]
    click.echo(f"Recipe    {recipe['id']} version {recipe['version']}" if recipe else "Recipe    none is loaded")
    more = f", {told['jobs_waiting']} more" if told["jobs_waiting"] else ""
    click.echo(f"Job       {job['id']}: {job['done']} of {job['quantity']}{more}" if job else "Job       none")
    click.echo(f"Parts     {told['counts']['good']} good, {told['counts']['reject']} reject")
    for station in told["stations"]:
        doing = f"{station['part']}  {station['doing']}".rstrip() if station["part"] else "empty"
        click.echo(f"{station['text'] or station['id']:9} {doing}")
    click.echo()
    table(("device", "connection", ""), [(one["id"], one["link"], _link(one)) for one in told["devices"]])
    for alarm in told["alarms"]:
        click.echo(paint(f"\nAlarm ({alarm['priority']}): {alarm['text']}. {alarm['do']}", "yellow"))
    if told["why"]:
        click.echo()
        _tell_why(told["why"])


def _simulated(told: dict[str, Any]) -> str:
    """Whether real machines move."""
    if told["simulated"]:
        return "  SIMULATED"
    some = [one["id"] for one in told["devices"] if one["simulated"]]
    return f"  simulated: {', '.join(some)}; all else is REAL" if some else ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@reaching
def why(cell: Reach, as_json: bool) -> None:
    """Why the cell is not producing, first cause first, with what to do about each."""
    told = cell.cell()
    if as_json:
        document(SCHEMA.format("why"), {"state": told["state"], "why": told["why"]})
        return
    told = printable(told)
    if told["why"]:
        _tell_why(told["why"])
    else:
        click.echo(f"Nothing stands in the way: the cell is in {told['state']}.")
        for station in told["stations"]:
            for wait in station["waits"]:
                doing = f", {station['doing']}" if station["doing"] else ""
                click.echo(f"  {station['part']}{doing}: {wait}")


def _command(command: Command) -> click.Command:
    acting = COMMANDS[command][1]
    wanted = STATE_COMPLETE[acting].title
    text = f"Send the PackML command {command.title}, and wait up to {WAIT_S:g} s until the cell is in {wanted}."

    @click.command(command.name.lower(), help=text)
    @click.option("--no-wait", is_flag=True, help="Come back as soon as the cell has taken the command.")
    @reaching
    def send(cell: Reach, no_wait: bool) -> None:
        before = cell.cell()["state"]
        taken = f"{command.title}: {cell.submit(Operate(command))}"
        if no_wait:
            click.echo(taken)
            return
        say(f"{taken} ...")
        reached = _reached(cell, wanted, before)
        if reached != wanted and reached in ENDED:
            raise Failure(f"{command.title}: the cell is in {reached} instead of {wanted}.")
        click.echo(f"{command.title}: {reached}")

    return send


def _reached(cell: Reach, wanted: str, before: str) -> str:
    """The state in which the cell rests after a command; Failure if it takes longer than WAIT_S."""
    end = time.monotonic() + WAIT_S
    acted = False
    while True:
        now = cell.cell()
        state = str(now["state"])
        acted |= state in ACTING and state != before
        if state == wanted or (state not in ACTING and (acted or state != before)):
            return state
        if time.monotonic() > end:
            reasons = "; ".join(now["waiting"])
            raise Failure(f"The cell is still in {state} after {WAIT_S:g} s.", detail=reasons)
        time.sleep(LOOK_S)


reset, start, stop, hold, unhold, suspend, unsuspend, abort, clear, complete = map(_command, Command)


@click.command()
@click.argument("name", type=click.Choice([one.name.lower() for one in Mode], case_sensitive=False))
@reaching
def mode(cell: Reach, name: str) -> None:
    """Change the unit mode."""
    wanted = Mode[name.upper()]
    cell.submit(SetMode(wanted))
    click.echo(f"Mode: {wanted.title}")


@click.command()
@click.argument("question", required=False)
@click.argument("choice", required=False)
@reaching
def recover(cell: Reach, question: str | None, choice: str | None) -> None:
    """Answer the open QUESTION of the cell with CHOICE; without them, list what is open."""
    if question is not None:
        if choice is None:
            raise click.UsageError("Name the CHOICE as well; 'cellctl recover' lists the open questions.")
        cell.submit(Recover(question, choice))
        click.echo(f"{question}: {choice}")
        return
    asked = [cause for cause in printable(cell.cell()["why"]) if cause["choices"]]
    if not asked:
        click.echo("The cell asks nothing.")
    for cause in asked:
        click.echo(f"{cause['text']}\n  cellctl recover {cause['id']} {'|'.join(cause['choices'])}")
        if cause["sensors"]:
            rows = [(one["signal"], *(_reading(one, when) for when in ("then", "now"))) for one in cause["sensors"]]
            table(("sensor", "when it was sent", "now"), rows)


def _reading(sensor: dict[str, Any], when: str) -> str:
    value = sensor[when]
    return "not known" if value is None else number(value, sensor["unit"])


def _tell_why(causes: list[dict[str, Any]]) -> None:
    for place, cause in enumerate(causes, 1):
        click.echo(f"{number(place):>2}. {cause['text']}")
        if cause["do"]:
            click.echo(f"    {cause['do']}")


def _link(device: dict[str, Any]) -> str:
    return str(device["identity"] if device["link"] == "connected" else device["reason"])
