"""The changeover in the terminal: step by step, with the evidence that each step asks for."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import click

from cellctl.cli.reach import Reach, reaching
from cellctl.cli.terminal import FAILED, REFUSED, Failure, number, say, table
from cellctl.core.cell import STARTED_AGAIN
from cellctl.core.messages import CancelChangeover, ConfirmStep, StartChangeover

Answer = TypeVar("Answer")

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
    if under_way is None or under_way["done"]:
        if recipe is None:
            raise click.UsageError("Name the recipe to change to.")
        cell.submit(StartChangeover(recipe))
    elif recipe not in (None, under_way["recipe"]):
        other = under_way["recipe"]
        how = f"Go on with 'cellctl changeover {other}', or give it up with 'cellctl changeover --cancel'."
        raise Failure(f"The changeover to {other} is in work.", REFUSED, how)
    done = guide(cell, Answers(yes=yes, evidence=list(evidence)))
    loaded = cell.cell()["recipe"]
    say(f"Loaded: {loaded['id']} version {loaded['version']}." if loaded else f"{done['recipe']} is not loaded.")
    if done["downloads"]:
        head = ("parameter", "signal", "wanted", "read back", "")
        table(head, [_download(one) for one in done["downloads"]])


class Answers:
    """Where the confirmations come from: `--yes`, `--evidence`, or the person at the terminal."""

    def __init__(self, *, yes: bool, evidence: list[str]) -> None:
        self._yes = yes
        self._evidence = evidence

    def to(self, step: dict[str, Any]) -> str | None:
        """The evidence for a step; None if there is nobody to give it, or the person does not want to go on."""
        kind, _, wanted = step["confirm"].partition(" ")
        if kind == "scan" and self._evidence:
            return self._evidence.pop(0)
        if self._yes:
            return str(wanted)
        if kind == "scan":
            return _asked(lambda: str(click.prompt(f"   Scan {wanted}", err=True)))
        return "" if _asked(lambda: click.confirm("   Done?", default=True, err=True)) else None

    def to_failure(self, reason: str) -> bool:
        """Whether a failed step is to be tried again; Failure if nobody is there to say so."""
        if self._yes:
            if reason.startswith(STARTED_AGAIN):  # nothing has failed
                return True
            raise Failure(f"The changeover stands: {reason}.")
        return bool(_asked(lambda: click.confirm(f"   {reason}. Try again?", default=True, err=True)))

    def again(self) -> bool:
        """Whether a wrong scan may be followed by another: what --yes would scan is no proof after a wrong one."""
        return bool(self._evidence) or not self._yes


def guide(cell: Reach, answers: Answers) -> dict[str, Any]:
    """Walk through the changeover in work to its end; how it ended. Failure if it was cancelled or stands still."""
    told, since = None, time.monotonic()
    while True:
        now = cell.cell()["changeover"]
        if now is None:
            raise Failure("The changeover was given up by somebody else, or the cell left the state for it.")
        index = len(now["steps"]) - 1 if now["done"] else now["index"]
        if index != told:
            _tell(now["steps"], index if told is None else told + 1, index)
            told, since = index, time.monotonic()
        if now["done"]:
            return dict(now)
        step = now["steps"][index]
        if now["failed"]:
            if not answers.to_failure(now["failed"]):
                raise _waits(now)
            cell.submit(ConfirmStep(index))
        elif step["confirm"]:
            _confirm(cell, now, answers)
        elif time.monotonic() - since > STEP_S:
            raise Failure(f"Step {index + 1} does not come to its end. 'cellctl why' tells what it waits for.")
        else:
            time.sleep(LOOK_S)


def _confirm(cell: Reach, now: dict[str, Any], answers: Answers) -> None:
    """Confirm the step in work; a wrong scan is told, and asked for again by the next look."""
    step = now["steps"][now["index"]]
    evidence = answers.to(step)
    if evidence is None:
        raise _waits(now)
    try:
        cell.submit(ConfirmStep(now["index"], evidence))
    except Failure as failure:
        if failure.code != REFUSED or not step["confirm"].startswith("scan"):
            raise
        if not answers.again():
            raise Failure(str(failure), REFUSED, str(_waits(now))) from failure
        say(f"   {failure}")


def _waits(now: dict[str, Any]) -> Failure:
    how = f"go on with 'cellctl changeover {now['recipe']}'"
    return Failure(f"The changeover waits at step {now['index'] + 1}; {how}.", FAILED)


def _tell(steps: list[dict[str, Any]], first: int, last: int) -> None:
    """One line a step, also for those that the cell did between two looks."""
    for place, step in enumerate(steps[first : last + 1], first + 1):
        text = f"The cell runs {step['text']}." if step["kind"] == "run" else step["text"]
        say(f"{place}/{len(steps)}  {text}")


def _asked(question: Callable[[], Answer]) -> Answer | None:
    """What the person answers; None if the input has ended. Abort for Ctrl-C."""
    try:
        return question()
    except click.Abort as abort:
        if isinstance(abort.__context__, EOFError):
            say("")
            return None
        raise


def _download(one: dict[str, Any]) -> tuple[str, ...]:
    wanted, found = (number(one[name], one["unit"]) for name in ("wanted", "found"))
    return one["parameter"], one["signal"], wanted, found, one["state"]
