"""PackML against the published table (tests/data/packml.json): every state, command, completion and mode change."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from cellctl.core.packml import (
    COMMANDS,
    DEFAULT_MODES,
    MANDATORY,
    MODE_CHANGE,
    STATE_COMPLETE,
    Command,
    Mode,
    ModeRule,
    PackML,
    State,
)

PUBLISHED: dict[str, Any] = json.loads((Path(__file__).parent.parent / "data" / "packml.json").read_text())
TABLE: dict[str, dict[str, str]] = PUBLISHED["tr88_2022"]["command"]
COMPLETIONS: dict[str, str] = PUBLISHED["tr88_2022"]["state_complete"]
NUMBERS = {title: int(number) for number, title in PUBLISHED["states"].items()}

SUSPEND = frozenset({State.SUSPENDING, State.SUSPENDED, State.UNSUSPENDING})
HOLD = frozenset({State.HOLDING, State.HELD, State.UNHOLDING})
COMPLETE = frozenset({State.COMPLETING, State.COMPLETED})

#: Modes that may be changed nearly everywhere, so that each part of the rule decides somewhere.
WIDE_MODES = {
    Mode.PRODUCTION: ModeRule(change_in=frozenset(State)),
    Mode.MAINTENANCE: ModeRule(SUSPEND | COMPLETE, change_in=frozenset(State)),
    Mode.MANUAL: ModeRule(SUSPEND | COMPLETE | HOLD, change_in=frozenset(State) - {State.STOPPED}),
    Mode.CLEAN: ModeRule(frozenset({State.STARTING}), change_in=frozenset()),
}


def mask(number: int) -> frozenset[State]:
    return frozenset(state for state in State if number >> state & 1)


def test_states_commands_and_modes_carry_the_published_names_and_numbers() -> None:
    assert {str(int(state)): state.title for state in State} | {"0": "Undefined"} == PUBLISHED["states"]
    assert {str(int(command)): command.title for command in Command} | {"0": "Undefined"} == PUBLISHED["commands"]
    assert [Mode.PRODUCTION.title, Mode.MAINTENANCE.title, Mode.MANUAL.title] == list(PUBLISHED["modes"].values())[1:]
    assert {int(state) for state in STATE_COMPLETE} == set(PUBLISHED["acting"])
    low, high = PUBLISHED["user_modes"]
    assert all(low <= mode <= high for mode in Mode if mode > Mode.MANUAL)
    assert Mode.SET_UP.title == "Set up"


def test_defaults_are_the_published_masks() -> None:
    assert mask(PUBLISHED["mode_change_default_mask"]) == MODE_CHANGE
    assert frozenset(PUBLISHED["mandatory_states"]) == MANDATORY
    assert COMMANDS[Command.HOLD][0] == mask(PUBLISHED["hold_cmd_default_mask"])
    assert COMMANDS[Command.COMPLETE][0] == mask(PUBLISHED["complete_cmd_default_mask"])


@pytest.mark.parametrize("command", Command)
@pytest.mark.parametrize("number", range(18))
def test_every_command_in_every_state_does_what_is_published(number: int, command: Command) -> None:
    published = {NUMBERS[source]: NUMBERS[target] for source, target in TABLE[command.title].items()}
    if number not in set(State):
        assert number == 0  # Undefined is no state to be in, and nothing is published for it
        assert number not in published
        return
    machine = PackML(State(number))
    reason = machine.fire(command)
    assert machine.state == published.get(number, number)
    assert reason == (
        None if number in published else f"{command.title} is not possible in state {State(number).title}"
    )


@pytest.mark.parametrize("state", State)
def test_every_state_completes_as_published(state: State) -> None:
    machine = PackML(state)
    assert machine.complete_state(state) is (state.title in COMPLETIONS)
    assert machine.state.title == COMPLETIONS.get(state.title, state.title)


def test_the_completion_of_a_state_that_was_left_counts_no_more() -> None:
    machine = PackML(State.STARTING)
    machine.fire(Command.STOP)
    assert machine.complete_state(State.STARTING) is False
    assert machine.state is State.STOPPING


def test_every_state_can_be_reached_and_the_table_has_49_edges() -> None:
    edges = [(source, target) for sources, target in COMMANDS.values() for source in sources]
    edges += STATE_COMPLETE.items()
    assert len(edges) == 49
    reached = {State.STOPPED}
    while more := {target for source, target in edges if source in reached} - reached:
        reached |= more
    assert reached == set(State)


@pytest.mark.parametrize("state", State)
def test_legal_lists_the_accepted_commands_in_their_order(state: State) -> None:
    assert [command.title for command in PackML(state).legal()] == [
        command.title for command in Command if state.title in TABLE[command.title]
    ]


@pytest.mark.parametrize("modes", [DEFAULT_MODES, WIDE_MODES], ids=["default", "wide"])
@pytest.mark.parametrize("state", State)
def test_every_mode_change_in_every_state_follows_the_rule(state: State, modes: dict[Mode, ModeRule]) -> None:
    for here, there in product(modes, Mode):
        machine = PackML(state, modes)
        machine.mode = here
        enabled = there in modes
        allowed = enabled and state in modes[here].change_in and state in modes[there].change_in
        reason = machine.change_mode(there)
        if there is not here and allowed and state not in modes[there].disabled:
            assert (reason, machine.mode, machine.state) == (None, there, state)
        else:
            assert reason
            assert (machine.mode, machine.state) == (here, state)


def test_a_refused_mode_change_says_why() -> None:
    machine = PackML(State.STOPPED, WIDE_MODES)
    assert machine.change_mode(Mode.PRODUCTION) == "the mode is Production already"
    assert machine.change_mode(Mode.EMPTY_OUT) == "this cell has no mode Empty out"
    assert machine.change_mode(Mode.CLEAN) == "the mode cannot be changed in state Stopped; it can in no state"
    held = PackML(State.HELD, WIDE_MODES)
    assert held.change_mode(Mode.MANUAL) == "mode Manual has no state Held"
    executing = PackML(State.EXECUTE)
    reason = executing.change_mode(Mode.MANUAL)
    assert reason == "the mode cannot be changed in state Execute; it can in Stopped, Idle, Aborted"


@pytest.mark.parametrize("state", sorted(MANDATORY))
def test_a_mode_cannot_disable_a_mandatory_state(state: State) -> None:
    with pytest.raises(ValueError, match=f"{state.title} cannot be disabled"):
        ModeRule(frozenset({state}))


@pytest.mark.parametrize(
    ("wait", "acting"),
    [
        (State.HELD, State.HOLDING),
        (State.HELD, State.UNHOLDING),
        (State.SUSPENDED, State.SUSPENDING),
        (State.SUSPENDED, State.UNSUSPENDING),
        (State.COMPLETED, State.COMPLETING),
    ],
)
def test_a_wait_state_exists_while_an_acting_state_around_it_does(wait: State, acting: State) -> None:
    around = (SUSPEND | HOLD | COMPLETE) - {acting}
    with pytest.raises(ValueError, match=f"{wait.title} cannot be disabled while {acting.title} is enabled"):
        ModeRule(around)
    assert wait in ModeRule(around | {acting}).disabled


@pytest.mark.parametrize("command", Command)
def test_a_disabled_acting_state_is_passed_through_to_its_wait_state(command: Command) -> None:
    sources, target = COMMANDS[command]
    modes = {Mode.PRODUCTION: ModeRule(frozenset({target}))}
    for source in sources - {target}:
        machine = PackML(source, modes)
        assert machine.disabled == {target}
        assert machine.fire(command) is None
        assert machine.state is STATE_COMPLETE[target]


def test_a_command_into_states_that_the_mode_has_not_is_refused() -> None:
    machine = PackML(State.EXECUTE)
    machine.mode = Mode.MANUAL
    assert machine.fire(Command.HOLD) == "Hold is not possible in mode Manual: it has no state Holding"
    assert machine.state is State.EXECUTE
    assert machine.legal() == (Command.STOP, Command.ABORT)
