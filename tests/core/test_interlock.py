"""Interlocks: each reaction in each state, what they refuse, and that unknown is not fulfilled."""

from dataclasses import replace

import pytest

from cellctl import phase
from cellctl.core.condition_text import parse
from cellctl.core.equipment import Interlock
from cellctl.core.interlock import MOVING, REACTIONS, Interlocks
from cellctl.core.messages import LinkChanged, LinkState, Refused
from cellctl.core.packml import COMMANDS, STATE_COMPLETE, Command, State
from cellctl.core.signal import Image, Quality, Sample

from .bench import SIGNALS, Bench, equipment

#: reaction -> the signal that breaks the interlock of the bench with it, and how.
BROKEN = {"abort": ("plc.guard", False), "hold": ("plc.air", 4.0), "suspend": ("plc.infeed", False)}

#: reaction -> where the cell comes to rest.
ENDS = {"abort": State.ABORTED, "hold": State.HELD, "suspend": State.SUSPENDED}


@phase(station="s1")
async def work(c):
    await c.sleep("500 ms")


def producing(state: State = State.EXECUTE) -> Bench:
    bench = Bench(equipment(work))
    bench.produce(quantity=9, seconds=0.1)
    if state is not State.EXECUTE:
        bench.fire(Command.SUSPEND)
        bench.until(state)
    return bench


def refusal(bench: Bench, command: Command) -> str:
    answer = bench.fire(command).answer
    assert isinstance(answer, Refused)
    return answer.reason


# --- the table ---


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("reaction", REACTIONS)
def test_each_reaction_in_each_state(reaction: str, state: State) -> None:
    need = parse("plc.guard", signals=SIGNALS)
    interlocks = Interlocks(Image(SIGNALS.values()), [Interlock("one", need, reaction, "One")])
    reacts = {
        "abort": state in MOVING,
        "stop": state in MOVING,
        "hold": state in (State.EXECUTE, State.SUSPENDED, State.COMPLETING),
        "suspend": state is State.EXECUTE,
    }[reaction]
    asked = interlocks.reaction(state)
    assert (asked is not None) is reacts
    if asked is not None:
        command, cause = asked
        assert (command.name.lower(), cause.id) == (reaction, "one")
        allowed = COMMANDS[command][0] | (
            {State.COMPLETING} if reaction == "hold" else set()
        )  # that is stopped instead
        assert state in allowed, "the table of PackML must allow what an interlock asks"


def test_what_moves_is_every_state_but_those_at_rest_and_those_on_the_way_to_a_stop() -> None:
    at_rest = {State.STOPPED, State.IDLE, State.HELD, State.ABORTED, State.COMPLETED}
    on_the_way = {State.STOPPING, State.ABORTING, State.CLEARING}
    assert set(State) - at_rest - on_the_way == MOVING
    assert {State.CLEARING} <= set(STATE_COMPLETE)


@pytest.mark.parametrize(
    ("reactions", "command"),
    [
        (("suspend", "hold", "stop", "abort"), Command.ABORT),
        (("suspend", "hold", "stop"), Command.STOP),
        (("suspend", "hold"), Command.HOLD),
    ],
)
def test_the_most_severe_reaction_wins(reactions: tuple[str, ...], command: Command) -> None:
    need = parse("plc.guard", signals=SIGNALS)
    listed = [Interlock(reaction, need, reaction, reaction) for reaction in reactions]
    asked = Interlocks(Image(SIGNALS.values()), listed).reaction(State.EXECUTE)
    assert asked is not None
    assert asked[0] is command


def test_the_first_of_equals_is_the_cause() -> None:
    need = parse("plc.guard", signals=SIGNALS)
    asked = Interlocks(Image(SIGNALS.values()), [Interlock(name, need, "hold", name) for name in ("b", "a")]).reaction(
        State.EXECUTE
    )
    assert asked is not None
    assert asked[1].id == "b"


def test_unknown_is_not_fulfilled() -> None:
    image = Image(SIGNALS.values())
    need = parse("not plc.guard", signals=SIGNALS)
    interlocks = Interlocks(image, [Interlock("one", need, "hold", "One", "Do.")])
    assert not interlocks.fulfilled("one")
    image.take(Sample("plc.guard", False, Quality.GOOD, 1, 1))
    assert interlocks.refresh(["plc.guard"], 1) == [("one", True)]
    assert interlocks.reaction(State.EXECUTE) is None
    assert interlocks.cause(Interlock("one", need, "hold", "One", "Do."), 1).text == "One"
    image.lose("plc", 2, "cable")
    assert interlocks.refresh(["plc.guard"], 2) == [("one", False)]
    (broken,) = interlocks.broken("hold")
    cause = interlocks.cause(broken, 2)
    assert (cause.kind, cause.id, cause.text, cause.do) == (
        "interlock",
        "one",
        "The interlock one cannot be judged: plc.guard is not known: cable",
        "",
    )


# --- in a cell ---


@pytest.mark.parametrize(
    ("reaction", "state"), [("abort", State.ABORTED), ("hold", State.HELD), ("suspend", State.SUSPENDED)]
)
def test_a_broken_interlock_takes_the_cell_out_of_execute(reaction: str, state: State) -> None:
    bench = producing()
    name, value = BROKEN[reaction]
    bench.values[name] = value
    bench.until(state)
    assert bench.noted("interlock")[-1]["fulfilled"] is False
    assert bench.view().why[0].kind == "interlock"


@pytest.mark.parametrize(
    ("reaction", "state"), [("abort", State.ABORTED), ("hold", State.HELD), ("suspend", State.SUSPENDED)]
)
def test_and_out_of_suspended(reaction: str, state: State) -> None:
    bench = producing(State.SUSPENDED)
    name, value = BROKEN[reaction]
    bench.values[name] = value
    bench.advance(0.2)
    assert bench.cell.state is state


def test_a_lost_signal_is_as_bad_as_a_broken_need() -> None:
    bench = producing()
    bench.silent.add("plc")
    bench.advance(2.4)
    assert bench.cell.state is State.EXECUTE
    bench.advance(0.4)
    assert bench.cell.state in (State.ABORTING, State.ABORTED)
    assert bench.view().why[0].text == (
        "The interlock guard cannot be judged: plc.guard is not known: stale: no news from the device"
    )


def test_suspend_ends_by_itself_when_the_cause_is_gone() -> None:
    bench = producing()
    bench.values["plc.infeed"] = False
    bench.until(State.SUSPENDED)
    assert [cause.text for cause in bench.view().why][:1] == ["No parts (plc.infeed, it is false)"]
    bench.values["plc.infeed"] = True
    bench.until(State.EXECUTE)
    assert [entry["cause"] for entry in bench.noted("command")][-2:] == ["infeed", "suspend"]


def test_the_suspend_of_an_operator_does_not_end_by_itself() -> None:
    bench = producing(State.SUSPENDED)
    bench.values["plc.infeed"] = False
    bench.advance(0.1)
    bench.values["plc.infeed"] = True
    bench.advance(1)
    assert bench.cell.state is State.SUSPENDED
    bench.fire(Command.UNSUSPEND)
    bench.until(State.EXECUTE)


def test_a_suspend_by_itself_that_a_hold_followed_is_left_by_a_person() -> None:
    bench = producing()
    bench.values["plc.infeed"] = False
    bench.until(State.SUSPENDED)
    bench.fire(Command.HOLD)
    bench.until(State.HELD)
    bench.values["plc.infeed"] = True
    bench.advance(1)
    assert bench.cell.state is State.HELD


def test_hold_does_not_end_by_itself() -> None:
    bench = producing()
    bench.values["plc.air"] = 4.0
    bench.until(State.HELD)
    bench.values["plc.air"] = 6.0
    bench.advance(2)
    assert bench.cell.state is State.HELD
    bench.fire(Command.UNHOLD)
    bench.until(State.EXECUTE)


@pytest.mark.parametrize(
    ("state", "command", "reasons"),
    [
        (State.STOPPED, Command.RESET, {"abort": "The guard is open", "hold": "", "suspend": ""}),
        (State.IDLE, Command.START, {"abort": "The guard is open", "hold": "Air is low", "suspend": ""}),
        (State.HELD, Command.UNHOLD, {"abort": "The guard is open", "hold": "Air is low", "suspend": ""}),
    ],
)
@pytest.mark.parametrize("reaction", BROKEN)
def test_what_would_set_the_cell_going_is_refused(
    state: State, command: Command, reasons: dict[str, str], reaction: str
) -> None:
    bench = Bench(equipment(work), state=state)
    name, value = BROKEN[reaction]
    bench.values[name] = value
    bench.advance(0.1)
    if reason := reasons[reaction]:
        assert refusal(bench, command) == f"{command.title} is not possible: {reason}"
        assert bench.cell.state is state
        assert bench.view().refusals == {command.name.lower(): f"{command.title} is not possible: {reason}"}
        assert command.name.lower() not in bench.view().commands
    else:
        assert not isinstance(bench.fire(command).answer, Refused)


def test_a_need_that_must_have_held_for_some_time_refuses_until_then() -> None:
    bench = Bench(equipment(work), connected=False)
    bench.connect("plc", "laser", "robot")
    bench.advance(0.9)
    bench.fire(Command.RESET)
    assert bench.view().why[0].text.startswith("Air is low (plc.air > 5 bar, 890 ms of 1 s")
    assert refusal(bench, Command.START) == "Start is not possible: Air is low"
    bench.advance(0.11)
    bench.fire(Command.START)
    assert bench.cell.state is State.EXECUTE


def test_a_stop_interlock_stops() -> None:
    made = replace(
        equipment(work), interlocks=(Interlock("air", parse("plc.guard", signals=SIGNALS), "stop", "No guard"),)
    )
    bench = Bench(made)
    bench.produce(seconds=0.1)
    bench.values["plc.guard"] = False
    bench.until(State.STOPPED)
    assert refusal(bench, Command.RESET) == "Reset is not possible: No guard"


# --- devices ---


@pytest.mark.parametrize("state", [State.EXECUTE, State.SUSPENDED])
@pytest.mark.parametrize("link", [LinkState.LOST, LinkState.WRONG_DEVICE])
def test_a_lost_device_holds_the_cell(state: State, link: LinkState) -> None:
    bench = producing(state)
    bench.step(LinkChanged("robot", link, "cable"))
    bench.until(State.HELD)
    told = "another device" if link is LinkState.WRONG_DEVICE else "not connected"
    assert bench.view().why[0].text == f"The robot is {told}: cable"
    assert refusal(bench, Command.UNHOLD) == f"Unhold is not possible: The robot is {told}: cable"
    bench.back("robot")
    assert [(cause.text, cause.do) for cause in bench.view().why] == [
        (f"The robot is {told}: cable. This is over", ""),
        ("The cell is Held", "Unhold."),
    ]


def test_what_cannot_be_held_is_stopped() -> None:
    bench = producing()
    bench.fire(Command.COMPLETE)
    assert bench.cell.state is State.COMPLETING
    bench.values["plc.air"] = 4.0
    bench.until(State.STOPPED)
    assert bench.view().why[0].id == "air"
    assert [part.serial for part in bench.view().parts] == ["J-0001"]


def test_an_abort_for_want_of_a_device_names_the_device() -> None:
    bench = producing()
    bench.lose("plc")
    bench.until(State.ABORTED)
    assert bench.view().why[0].text == "The PLC is not connected: cable"
    assert not [cause for cause in bench.view().why if cause.kind == "interlock"]
    bench.back("plc")
    bench.advance(1.2)
    first = bench.view().why[0]
    assert (first.id, first.do) == ("guard", "")
    assert first.text.endswith("This is over")
    bench.fire(Command.CLEAR)
    bench.until(State.STOPPED)
    bench.lose("plc")
    assert refusal(bench, Command.RESET) == "Reset is not possible: The PLC is not connected: cable"


@pytest.mark.parametrize(("state", "command"), [(State.STOPPED, Command.RESET), (State.IDLE, Command.START)])
def test_without_its_devices_a_cell_does_not_start(state: State, command: Command) -> None:
    bench = Bench(equipment(work), state=state)
    bench.step(LinkChanged("robot", LinkState.CONNECTING))
    assert refusal(bench, command) == f"{command.title} is not possible: The robot is not connected: connecting"


def test_a_device_that_no_station_uses_is_not_needed() -> None:
    made = equipment(work)
    bench = Bench(replace(made, devices={**made.devices, "meter": ""}))
    assert [cause.text for cause in bench.view().why][:1] == ["meter is not connected: not tried yet"]
    bench.produce(seconds=0.1)
    assert bench.cell.state is State.EXECUTE
