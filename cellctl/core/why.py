"""Why is it not running? The one ordered answer, first cause first.

The rule kept here: a cause is told as it is now. What is not known is told as not known, behind the device that is
missing for it, and what has gone meanwhile is told as gone.
"""

from collections.abc import Iterator
from dataclasses import replace

from cellctl.core.cell import Cell
from cellctl.core.changeover import Changeover
from cellctl.core.fault import Cause, not_connected
from cellctl.core.messages import LinkState
from cellctl.core.packml import STATE_COMPLETE, Mode, State
from cellctl.core.progress import command_of

#: What becomes of a pulse with an unknown end.
ASKED = "When its step goes on the device is asked; if it cannot tell, you are."

#: What takes the cell on from a wait state.
NEXT = {
    State.ABORTED: "Clear",
    State.STOPPED: "Reset",
    State.IDLE: "Start",
    State.HELD: "Unhold",
    State.SUSPENDED: "Unsuspend",
    State.COMPLETED: "Reset",
}


def why(cell: Cell) -> Iterator[Cause]:
    """Why the cell is not producing; empty while parts are being made."""
    seen: set[tuple[str, str]] = set()
    for cause in (
        *_present(cell),
        *cell.missing,
        *_interlocks(cell),
        *_lost(cell),
        *_owed(cell),
        *_questions(cell),
        *_doubts(cell),
        *(_state(cell) if cell.changing_over is None else _changeover(cell.changing_over)),
    ):
        if (cause.kind, cause.id) not in seen:
            seen.add((cause.kind, cause.id))
            yield cause


def _present(cell: Cell) -> Iterator[Cause]:
    """What made the cell leave Execute, the first cause first."""
    for cause in cell.operation.causes:
        if cause.kind == "interlock" and _hidden(cell, cause.id):
            continue
        back = cause.kind == "link" and cell.links[cause.id].state is LinkState.CONNECTED
        fulfilled = cause.kind == "interlock" and cell.interlocks.fulfilled(cause.id)
        over = cause.kind == "trouble" and cause not in (demanding for _, demanding in cell.alarms.demands)
        yield replace(cause, text=f"{cause.text}. This is over", do="") if back or fulfilled or over else cause


def _interlocks(cell: Cell) -> Iterator[Cause]:
    for interlock in cell.interlocks.broken("abort", "stop", "hold", "suspend"):
        if not _hidden(cell, interlock.id):
            yield cell.interlocks.cause(interlock, cell.outbox.now)


def _hidden(cell: Cell, interlock: str) -> bool:
    """Whether only a missing device keeps the interlock from being judged: then the device is the cause."""
    lost = {link.device for link in cell.links.values() if link.state is not LinkState.CONNECTED}
    return cell.interlocks.unknown(interlock) and bool(cell.interlocks.devices(interlock) & lost)


def _lost(cell: Cell) -> Iterator[Cause]:
    for link in cell.links.values():
        if link.state is not LinkState.CONNECTED:
            yield not_connected(cell.name_of(link.device), link)


def _owed(cell: Cell) -> Iterator[Cause]:
    for what in cell.safe_side.owed:
        device = cell.name_of(what.partition(".")[0])
        yield Cause("unsafe", what, f"{device} has not confirmed {what}", "Keep away from it until it has.")


def _questions(cell: Cell) -> Iterator[Cause]:
    for one in cell.memory.questions:
        yield Cause("question", one.id, one.text, f"Choose: {', '.join(one.choices)}")


def _doubts(cell: Cell) -> Iterator[Cause]:
    """Pulses with an unknown end that nobody was asked about yet."""
    for part in cell.memory.parts:
        for path, key in part.doubts:
            if path not in part.questions:
                text = f"{part.serial}: nobody knows whether {command_of(key)} was done"
                yield Cause("in_doubt", f"{part.serial}/{path}/{key}", text, ASKED)


def _changeover(changeover: Changeover) -> Iterator[Cause]:
    recipe = changeover.recipe.id
    for line in changeover.waits_for():
        text = f"Changeover to {recipe}: {line}"
        yield Cause("changeover", recipe, text, "Go on with the changeover, or give it up.")


def _state(cell: Cell) -> Iterator[Cause]:
    state = cell.state
    mode = cell.operation.packml.mode
    if state in NEXT:
        yield Cause("state", state.title, f"The cell is {state.title}", f"{NEXT[state]}.")
    if state is State.EXECUTE and mode is not Mode.PRODUCTION:
        yield Cause("mode", mode.title, f"The mode is {mode.title}: no parts are made")
    if state in STATE_COMPLETE:
        waits = "; ".join(line for run in (*cell.operation.runs, *cell.production.runs) for line in run.waits_for())
        yield Cause("state", state.title, f"The cell is {state.title}" + (f": {waits}" if waits else ""))
    elif not cell.memory.parts:
        for cause in cell.production.why_no_part():
            leave = cause.kind == "changeover" and state is State.EXECUTE
            yield replace(cause, do=f"Complete. {cause.do}") if leave else cause
