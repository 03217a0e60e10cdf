"""The changeover in the terminal: step by step, with the evidence that each step asks for."""

import time
from typing import Any

import click

from cellctl.cli.reach import Reach, reaching
from cellctl.cli.terminal import Failure, number, say, table
from cellctl.core.messages import CancelChangeover, ConfirmStep, StartChangeover

#: How often the cell is looked at while it works on a step by itself.
LOOK_S = 0.2

#: A step that the cell does by itself takes no longer than its phases' own limits; then a person should look.
STEP_S = 120


@click.command()
@click.argument("recipe", required=False)
@click.option("--yes", is_flag=True, help="Confirm every step: what is to be scanned counts as scanned.")
@click.option("--evidence", multiple=True, metavar="TEXT", help="What was scanned, for the steps in their order.")
@click.option("--cancel", is_flag=True, help="Give the changeover in work up.")
@reaching
def changeover(cell: Reach, recipe: str | None, yes: bool, evidence: tuple[str, ...], cancel: bool) -> None:
    """Change to RECIPE, or go on with the changeover in work."""
    if cancel:
        cell.submit(CancelChangeover())
        say("The changeover is given up; no recipe is loaded.")
        return
    under_way = cell.cell()["changeover"]
    if under_way is None or under_way["done"] or recipe not in (None, under_way["recipe"]):
        if recipe is None:
            raise click.UsageError("Name the recipe to change to.")
        cell.submit(StartChangeover(recipe))
    done = guide(cell, Answers(yes=yes, evidence=list(evidence)))
    loaded = cell.cell()["recipe"]
    say(f"Loaded: {loaded['id']} version {loaded['version']}." if loaded else f"{done['recipe']} is not loaded.")
    head = ("parameter", "signal", "wanted", "read back", "")
    table(head, [_download(one) for one in done["downloads"]])


class Answers:
    """Where the confirmations come from: `--yes`, `--evidence`, or the person at the terminal."""

    def __init__(self, *, yes: bool, evidence: list[str]) -> None:
        self._yes = yes
        self._evidence = evidence

    def to(self, step: dict[str, Any]) -> str:
        """The evidence for a step; Abort if the person does not want to go on."""
        kind, _, wanted = step["confirm"].partition(" ")
        if kind == "scan" and self._evidence:
            return self._evidence.pop(0)
        if self._yes:
            return str(wanted)
        if kind == "scan":
            return str(click.prompt(f"   Scan {wanted}", err=True))
        click.confirm("   Done?", default=True, abort=True, err=True)
        return ""

    def to_failure(self, reason: str) -> None:
        """Whether a failed step is to be tried again; Failure if nobody is there to say so."""
        if self._yes:
            raise Failure(f"The changeover stands: {reason}.")
        click.confirm(f"   {reason}. Try again?", default=True, abort=True, err=True)


def guide(cell: Reach, answers: Answers) -> dict[str, Any]:
    """Walk through the changeover in work to its end; how it ended. Failure if it was cancelled or stands still."""
    told, since = -1, time.monotonic()
    while True:
        now = cell.cell()["changeover"]
        if now is None:
            raise Failure("The changeover was given up by somebody else, or the cell left the state for it.")
        if now["done"]:
            return dict(now)
        index, step = now["index"], now["steps"][now["index"]]
        if index != told:
            told, since = index, time.monotonic()
            say(f"{index + 1}/{len(now['steps'])}  {step['text']}")
        if now["failed"]:
            answers.to_failure(now["failed"])
            cell.submit(ConfirmStep(index))
        elif step["confirm"]:
            cell.submit(ConfirmStep(index, answers.to(step)))
        elif time.monotonic() - since > STEP_S:
            raise Failure(f"Step {index + 1} does not come to its end. 'cellctl why' tells what it waits for.")
        else:
            time.sleep(LOOK_S)


def _download(one: dict[str, Any]) -> tuple[str, ...]:
    wanted, found = (number(one[name], one["unit"]) for name in ("wanted", "found"))
    return one["parameter"], one["signal"], wanted, found, one["state"]
