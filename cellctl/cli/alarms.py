"""Alarms in the terminal: those of now, those of the past, what comes too often; acknowledge and shelve.

The rule kept here: `cellctl alarms` alone answers what is wrong now, and what to do about it.
"""

import time
from typing import Any

import click
from click.core import ParameterSource

from cellctl.cli.reach import Reach, reaching
from cellctl.cli.terminal import clock, document, paint, printable, table
from cellctl.core.messages import Acknowledge, Shelve, Unshelve
from cellctl.core.units import UnitError, duration_ns
from cellctl.gateway.told import LANGUAGES, in_language

LIMIT = click.IntRange(1, 10_000)
DAY_NS = 86_400_000_000_000


@click.group(invoke_without_command=True)
@click.option("--history", is_flag=True, help="What became of alarms, oldest first, instead of those of now.")
@click.option("--frequent", is_flag=True, help="Which alarms came most often.")
@click.option("--since", metavar="TIME", help="How far back, such as '8 h'. [default: all; with --frequent 24 h]")
@click.option("--limit", type=LIMIT, default=20, show_default=True, help="How many of the past.")
@click.option("--lang", type=click.Choice(LANGUAGES), default=LANGUAGES[0], help="The language of the alarms.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@reaching
def alarms(cell: Reach, history: bool, frequent: bool, since: str | None, limit: int, lang: str, as_json: bool) -> None:
    """The alarms that want to be seen: not acknowledged first, then most urgent; then when alarms came and went."""
    context = click.get_current_context()
    if context.invoked_subcommand is not None:
        for option in context.command.params:
            if option.name and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE:
                raise click.UsageError(f"Say {option.opts[0]} behind {context.invoked_subcommand!r}.")
        return
    if history and frequent:
        raise click.UsageError("--history and --frequent are two questions: ask one of them.")
    now = time.time_ns()
    span_ns = None if since is None else _span_ns("--since", since)
    since_ns = 0 if span_ns is None else max(0, now - span_ns)
    if frequent:
        _tell_frequent(cell.alarm_load(since_ns if span_ns is not None else now - DAY_NS, now), limit, as_json)
    elif history:
        _tell_history(cell.alarm_history(since_ns, limit), as_json)
    else:
        _tell_now(cell, limit, lang, as_json)


@alarms.command()
@click.argument("names", metavar="[ALARM]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All that want to be seen now.")
@reaching
def ack(cell: Reach, names: tuple[str, ...], every: bool) -> None:
    """Acknowledge alarms: they were seen."""
    if bool(names) is every:
        raise click.UsageError("Name the alarms, or say --all; 'cellctl alarms' lists them.")
    if every:
        names = tuple(one["id"] for one in cell.cell()["alarms"] if one["state"] in ("unacknowledged", "returned"))
        if not names:
            click.echo("No alarm needs an acknowledgement.")
            return
    cell.submit(Acknowledge(names))
    for name in names:
        click.echo(f"{name}: acknowledged")


@alarms.command()
@click.argument("name", metavar="ALARM")
@click.option("--for", "for_", required=True, metavar="TIME", help="For how long, such as '30 min'.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is written down.")
@reaching
def shelve(cell: Reach, name: str, for_: str, reason: str) -> None:
    """Hide ALARM for some time. It comes back by itself."""
    cell.submit(Shelve(name, _span_ns("--for", for_), reason))
    click.echo(f"{name}: shelved for {for_}")


@alarms.command()
@click.argument("name", metavar="ALARM")
@reaching
def unshelve(cell: Reach, name: str) -> None:
    """Show ALARM again, which is shelved."""
    cell.submit(Unshelve(name))
    click.echo(f"{name}: shown again")


def _tell_now(cell: Reach, limit: int, language: str, as_json: bool) -> None:
    told = cell.cell()
    active = [in_language(one, language) for one in told["alarms"]]
    hidden = [in_language(one, language) for one in told["hidden_alarms"]]
    past = cell.journal("alarm", limit)
    if as_json:
        document("cellctl.alarms/1", {"active": active, "hidden": hidden, "flood": told["flood"], "past": past})
        return
    active, hidden, past = printable(active), printable(hidden), printable(past)
    if told["flood"]:
        click.echo("More alarms come than a person can follow: begin with the first of the stop.")
    if not active:
        click.echo("No alarm is active.")
    for alarm in active:
        first = ", came first" if alarm["first_out"] else ""
        click.echo(f"{paint(_head(alarm), 'yellow')} (since {clock(alarm['since_ns'])}{first}; {alarm['state']})")
    for alarm in hidden:
        click.echo(f"{alarm['state']}: {alarm['text']} ({alarm['id']}){_shelf(alarm)}")
    if past:
        click.echo()
        rows = [(clock(e["time_ns"]), e["data"]["alarm"], "came" if e["data"]["raised"] else "went") for e in past]
        table(("time", "alarm", ""), rows)


def _head(alarm: dict[str, Any]) -> str:
    return f"{alarm['priority']}: {alarm['text']}. {alarm['do']} [{alarm['id']}]"


def _shelf(alarm: dict[str, Any]) -> str:
    return f" until {clock(alarm['until_ns'])}, by {alarm['by']}: {alarm['reason']}" if alarm["until_ns"] else ""


def _tell_history(events: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        document("cellctl.alarm-history/1", {"events": events})
    elif events:
        events = printable(events)
        rows = [(clock(e["time_ns"]), e["alarm"], e["what"], e["by"], e["reason"] or e["text"]) for e in events]
        table(("time", "alarm", "", "by", ""), rows)
    else:
        click.echo("No alarm is on record for this time.")


def _tell_frequent(load: dict[str, Any], limit: int, as_json: bool) -> None:
    if as_json:
        document("cellctl.alarm-load/1", load)
        return
    load = printable(load)
    click.echo(
        f"{load['raised']} alarms since {clock(load['since_ns'])}: {load['per_10_min']:.2g} in 10 minutes,"
        f" {load['most_in_10_min']} at most."
    )
    rows = [
        (one["alarm"], one["raised"], clock(one["last_ns"]), "flutters" if one["chattering"] else "", one["text"])
        for one in load["alarms"][:limit]
    ]
    if rows:
        click.echo()
        table(("alarm", "times", "last", "", ""), rows)


def _span_ns(option: str, text: str) -> int:
    try:
        return duration_ns(text)
    except UnitError as error:
        raise click.UsageError(f"{option}: {error}") from error
