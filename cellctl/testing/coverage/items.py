"""What there is to cover in a cell, as its files say it.

The rule kept here: only what can happen counts. A step that the recipe leaves out, a command in a state that lasts no
turn, the end of a background that is ended from outside: nobody is asked to test them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from cellctl.core.equipment import Equipment
from cellctl.core.packml import COMMANDS, STATE_COMPLETE, Command, ModeRule, State
from cellctl.core.procedure import ForEach, Parallel, PhaseStep, Sequence, Step, With, phases_of, resolve
from cellctl.core.recipe import Download, FirstArticle, MasterRecipe, Prepare, RunPhase
from cellctl.core.signal import Value

STATES, TRANSITIONS = "states", "transitions"
BEGUN, FINISHED, CHANGEOVER = "steps begun", "steps finished", "changeover steps"
POLICIES, RECOVERIES = "fault policies", "recoveries"
ALARMS, INTERLOCKS = "alarms", "interlocks"

#: What each section asks, in the order of the reports.
SECTIONS: Mapping[str, str] = {
    STATES: "Was the cell in every state that it can reach?",
    TRANSITIONS: "Was every state left in every way that is open to it? SC: it was complete.",
    BEGUN: "Did every step of every recipe begin?",
    FINISHED: "Did it come to its end?",
    CHANGEOVER: "Was every step of every changeover done?",
    POLICIES: "Did every fault happen for which a recipe says what to do?",
    RECOVERIES: "Was every recovery taken of every fault that a phase declares?",
    ALARMS: "Was every alarm raised, and did it return?",
    INTERLOCKS: "Was every interlock seen both ways?",
}

#: The trigger of a state that ends by itself.
STATE_COMPLETES = "SC"
RAISED, RETURNED = "raised", "returned"
FULFILLED, NOT_FULFILLED = "fulfilled", "not fulfilled"

#: Acting states that wait for something besides their phases: for safe outputs, or for phases and parts to end.
_WAITING = frozenset({State.HOLDING, State.STOPPING, State.ABORTING, State.SUSPENDING, State.COMPLETING})


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to cover: its section, what it belongs to ("" if to the cell itself), and its name there."""

    section: str
    group: str
    name: str


def items(equipment: Equipment) -> Iterator[Item]:
    """All that there is to cover, in the order of the reports; each once."""
    yield from dict.fromkeys(
        [
            *_machine(equipment),
            *(item for recipe in equipment.recipes.values() for item in _recipe(recipe)),
            *_recoveries(equipment),
            *(Item(ALARMS, alarm.id, way) for alarm in equipment.alarms for way in (RAISED, RETURNED)),
            *(Item(INTERLOCKS, one.id, way) for one in equipment.interlocks for way in (FULFILLED, NOT_FULFILLED)),
        ]
    )


def place(path: str) -> str:
    """The path of a step in the text of its recipe: the rounds of a `for_each` are one."""
    return "/".join("*" if name.isdecimal() else name for name in path.split("/"))


def changeover_step(index: int, step: object) -> str:
    """The step `index` of a changeover, as people read it."""
    match step:
        case Prepare(text):
            told = text
        case RunPhase(phase):
            told = f"run {phase}"
        case Download():
            told = "download"
        case FirstArticle():
            told = "first article"
        case _:
            raise TypeError(f"{step!r} is no step of a changeover")
    return f"{index + 1} {told.rstrip('.')}"


# --- the machine ------------------------------------------------------------------------------------------------------


def _machine(equipment: Equipment) -> Iterator[Item]:
    reached = _reached(equipment)
    yield from (Item(STATES, "", state.title) for state in State if state in reached)
    for command in Command:
        for state in sorted(COMMANDS[command][0] & reached):
            lasts = state not in STATE_COMPLETE or state in _WAITING or state in equipment.states
            if lasts and any(_after(state, command, rule) for rule in equipment.modes.values()):
                yield Item(TRANSITIONS, command.title, state.title)
    yield from (Item(TRANSITIONS, STATE_COMPLETES, state.title) for state in STATE_COMPLETE if state in reached)


def _reached(equipment: Equipment) -> set[State]:
    """The states that the cell can reach in any of its modes."""
    reached, new = {State.STOPPED}, {State.STOPPED}
    while new:
        after = {STATE_COMPLETE[state] for state in new if state in STATE_COMPLETE}
        for rule in equipment.modes.values():
            after |= {led for state in new for command in Command if (led := _after(state, command, rule))}
        new = after - reached
        reached |= new
    return reached


def _after(state: State, command: Command, rule: ModeRule) -> State | None:
    """The state to which the command leads under the rule of a mode; None where it is refused."""
    sources, target = COMMANDS[command]
    target = STATE_COMPLETE[target] if target in rule.disabled else target
    possible = state in sources and state not in rule.disabled and target not in rule.disabled
    return target if possible else None


# --- recipes ----------------------------------------------------------------------------------------------------------


def _recipe(recipe: MasterRecipe) -> Iterator[Item]:
    values = {name: _told(one.value, one.per_part) for name, one in recipe.parameters.items()}
    for path, step, ends in _steps(resolve(recipe.procedure, values)):
        yield Item(BEGUN, recipe.id, place(path))
        if ends:
            yield Item(FINISHED, recipe.id, place(path))
        yield from (Item(POLICIES, recipe.id, f"{place(path)} {kind}") for kind in step.on_fault)
    for index, step_of in enumerate(recipe.changeover or (Download(),)):
        yield Item(CHANGEOVER, recipe.id, changeover_step(index, step_of))


def _told(value: Value, per_part: bool) -> Value:
    """What is left out for one part may be done for the next."""
    return True if isinstance(value, bool) and per_part else value


def _steps(step: Step, path: str = "", ends: bool = True) -> Iterator[tuple[str, PhaseStep, bool]]:
    """The phases of a resolved tree with their paths, and whether each comes to its end by itself."""
    here = "/".join(name for name in (path, step.id) if name)
    match step:
        case PhaseStep():
            yield here, step, ends
        case Sequence(steps):
            for each in steps:
                yield from _steps(each, here, ends)
        case Parallel():
            for name, branch in step.branches.items():
                yield from _steps(branch, f"{here}/{name}", ends)
        case With():
            yield from _steps(step.background, f"{here}/background", False)
            yield from _steps(step.do, f"{here}/do", ends)
        case ForEach():
            raise ValueError("a for_each is unrolled before the procedure is walked")
        case _:
            assert_never(step)


def _recoveries(equipment: Equipment) -> Iterator[Item]:
    """Of the phases that recipes use."""
    for recipe in equipment.recipes.values():
        for step in phases_of(recipe.procedure):
            for kind, recoveries in equipment.phases[step.phase].faults.items():
                yield from (Item(RECOVERIES, step.phase, f"{kind}: {recovery}") for recovery in recoveries)
