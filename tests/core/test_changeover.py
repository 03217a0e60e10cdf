"""Changeover: every step with its evidence, every value read back, and no recipe loaded before."""

from collections.abc import Callable
from typing import Any

import pytest

from cellctl import PhaseFault, phase
from cellctl.core.condition_text import parse
from cellctl.core.messages import (
    Action,
    CancelChangeover,
    ConfirmStep,
    Done,
    Outcome,
    Receipt,
    Refused,
    StartChangeover,
    Write,
)
from cellctl.core.packml import Command, State
from cellctl.core.recipe import ChangeoverStep, Download, FirstArticle, Prepare, RecipeParameter, RunPhase
from cellctl.core.view import ChangeoverView

from .bench import SIGNALS, Bench, equipment, never, refuse

#: What still goes wrong in `clear`.
TROUBLE: list[str] = []

PARAMETERS = {
    "power": RecipeParameter("power", 1.45, "kW", to="laser.power"),
    "points": RecipeParameter("points", 24, to="plc.count"),
    "product": RecipeParameter("product", "MOD-12", to="plc.name"),
    "clamp": RecipeParameter("clamp", True, to="plc.clamp"),
    "time": RecipeParameter("time", 80, "ms"),
}


@pytest.fixture(autouse=True)
def no_trouble_left() -> None:
    TROUBLE.clear()


@phase()
async def clear(c):
    async with c.safe(c.laser.off):
        await c.until("plc.infeed for 100 ms")
        if TROUBLE:
            raise PhaseFault("timeout", TROUBLE.pop())


@phase(station="s1")
async def work(c):
    await c.sleep("60 s")


def cell(*steps: ChangeoverStep, **recipe: Any) -> Bench:
    return Bench(equipment(clear, work, changeover=steps, **recipe))


def begun(*steps: ChangeoverStep, **recipe: Any) -> Bench:
    bench = cell(*steps, **recipe)
    assert asked(bench, StartChangeover("r")) is None
    return bench


def asked(bench: Bench, action: Action) -> str | None:
    """Ask for it; None, or why it was refused."""
    answer = bench.ask(action).answer
    return answer.reason if isinstance(answer, Refused) else None


def shown(bench: Bench) -> ChangeoverView:
    changeover = bench.view().changeover
    assert changeover is not None
    return changeover


def loaded(bench: Bench) -> str | None:
    recipe = bench.view().recipe
    return None if recipe is None else recipe.id


def waits(bench: Bench) -> list[str]:
    return [cause.text for cause in bench.view().why if cause.kind == "changeover"]


# --- steps that a person does ---


def test_a_step_is_done_when_it_is_ticked() -> None:
    bench = begun(Prepare("Bring the plate", external=True), Prepare("Fit the plate"))
    assert waits(bench) == ["Changeover to r: Bring the plate"]
    assert [(step.kind, step.confirm, step.external, step.state) for step in shown(bench).steps] == [
        ("do", "tick", True, "active"),
        ("do", "tick", False, "open"),
    ]
    assert asked(bench, ConfirmStep(1)) == "step 1 is not in work; step 0 is"
    assert asked(bench, ConfirmStep(0)) is None
    assert [step.state for step in shown(bench).steps] == ["done", "active"]
    assert loaded(bench) is None
    assert asked(bench, ConfirmStep(1)) is None
    assert (loaded(bench), shown(bench).done) == ("r", True)
    assert bench.noted("changeover.step") == [
        {"recipe": "r", "index": 0, "evidence": ""},
        {"recipe": "r", "index": 1, "evidence": ""},
    ]
    assert bench.noted("recipe") == [{"recipe": "r", "version": "1", "hash": "", "articles": 0}]


def test_a_scan_must_be_the_right_one() -> None:
    bench = begun(Prepare("Fit the plate", scan="F-12"))
    assert shown(bench).steps[0].confirm == "scan F-12"
    assert asked(bench, ConfirmStep(0, "F-8")) == "wrong scan: wanted 'F-12', found 'F-8'"
    assert asked(bench, ConfirmStep(0)) == "wrong scan: wanted 'F-12', found ''"
    assert shown(bench).steps[0].state == "active"
    assert asked(bench, ConfirmStep(0, "F-12")) is None
    assert loaded(bench) == "r"


def test_a_step_that_a_signal_proves_needs_no_confirmation() -> None:
    bench = cell(Prepare("Fit the plate", signal=parse("plc.clamp for 100 ms", signals=SIGNALS)))
    bench.ask(StartChangeover("r"))
    assert shown(bench).steps[0].confirm == ""
    assert asked(bench, ConfirmStep(0)) == "this step needs no confirmation"
    assert waits(bench) == ["Changeover to r: plc.clamp, it is false"]
    bench.values["plc.clamp"] = True
    bench.advance(0.05)
    assert waits(bench) == ["Changeover to r: plc.clamp, 40 ms of 100 ms"]
    assert bench.cell.wake_at == bench.now + 60_000_000
    bench.advance(0.06)
    assert loaded(bench) == "r"


# --- phases ---


def test_a_phase_runs_and_its_fault_is_tried_again_when_confirmed() -> None:
    TROUBLE.append("a nest is occupied")
    bench = begun(RunPhase("clear"))
    assert [(step.kind, step.text, step.state) for step in shown(bench).steps] == [("run", "clear", "active")]
    assert asked(bench, ConfirmStep(0)) == "this step needs no confirmation"
    assert waits(bench) == ["Changeover to r: clear: waits for plc.infeed, 0 ms of 100 ms (30 s left)"]
    bench.advance(0.2)
    assert waits(bench) == ["Changeover to r: a nest is occupied"]
    assert (shown(bench).steps[0].state, shown(bench).failed) == ("failed", "a nest is occupied")
    assert bench.noted("changeover.failed")[0]["reason"] == "a nest is occupied"
    assert loaded(bench) is None
    assert asked(bench, ConfirmStep(0)) is None
    assert shown(bench).steps[0].state == "active"
    bench.advance(0.2)
    assert loaded(bench) == "r"


def test_a_lost_device_ends_the_phase() -> None:
    bench = begun(RunPhase("clear"))
    bench.lose("plc")
    bench.advance(0.01)
    assert waits(bench) == ["Changeover to r: plc: cable"]


# --- download ---


def test_every_value_is_written_in_the_unit_of_its_signal_and_read_back() -> None:
    bench = begun(Download(), parameters=PARAMETERS)
    written = {order.signal: order.value for order in bench.orders if isinstance(order, Write)}
    assert written == {"laser.power": 1450.0, "plc.count": 24, "plc.name": "MOD-12", "plc.clamp": True}
    assert "Changeover to r: laser.power = 1.45 to be read back" in waits(bench)
    assert {one.state for one in shown(bench).downloads} == {"writing"}
    assert loaded(bench) is None
    bench.advance(0.01)
    assert loaded(bench) == "r"
    assert [(one.parameter, one.wanted, one.found, one.unit, one.state) for one in shown(bench).downloads] == [
        ("power", 1.45, 1.45, "kW", "equal"),
        ("points", 24, 24, "", "equal"),
        ("product", "MOD-12", "MOD-12", "", "equal"),
        ("clamp", True, True, "", "equal"),
    ]


def test_a_recipe_without_steps_is_downloaded() -> None:
    bench = begun(parameters=PARAMETERS)
    assert [step.kind for step in shown(bench).steps] == ["download"]
    bench.advance(0.01)
    assert loaded(bench) == "r"


def unverified(order: Any) -> Done:
    return Done(order.id, Outcome.CONFIRMED)


def different(order: Any) -> Done:
    return Done(order.id, Outcome.UNKNOWN, {"read_back": 1400}, "read back 1400 W")


@pytest.mark.parametrize(
    ("answer", "state", "found", "reason"),
    [
        (different, "different", 1.4, "power: wanted 1.45 kW, found 1.4"),
        (refuse, "failed", None, "power: wanted 1.45 kW, device says no"),
        (unverified, "failed", None, "power: wanted 1.45 kW, it was not read back"),
    ],
)
def test_a_value_that_is_not_equal_loads_nothing(
    answer: Callable[[Any], Done], state: str, found: float | None, reason: str
) -> None:
    bench = cell(Download(), parameters=PARAMETERS)
    bench.answers["laser.power"] = answer
    bench.ask(StartChangeover("r"))
    bench.advance(0.5)
    assert loaded(bench) is None
    assert shown(bench).failed == reason
    assert (shown(bench).downloads[0].found, shown(bench).downloads[0].state) == (found, state)
    assert waits(bench) == [f"Changeover to r: {reason}"]
    del bench.answers["laser.power"]
    assert asked(bench, ConfirmStep(0)) is None
    bench.advance(0.5)
    assert loaded(bench) == "r"


def test_what_failed_first_is_told() -> None:
    bench = cell(Download(), parameters=PARAMETERS)
    bench.answers |= {"laser.power": refuse, "plc.count": different}
    bench.ask(StartChangeover("r"))
    bench.advance(0.5)
    assert shown(bench).failed == "power: wanted 1.45 kW, device says no"
    assert [entry["reason"] for entry in bench.noted("changeover.failed")] == [
        "power: wanted 1.45 kW, device says no",
        "points: wanted 24, found 1400",
    ]


def test_the_answer_to_an_earlier_try_is_not_taken() -> None:
    bench = cell(Download(), parameters=PARAMETERS)
    bench.answers |= {"laser.power": refuse, "plc.count": never}
    bench.ask(StartChangeover("r"))
    bench.advance(0.1)
    old = bench.sent("plc.count")[0].id
    bench.answers["laser.power"] = never
    bench.ask(ConfirmStep(0))
    bench.step(Done(old, Outcome.CONFIRMED))
    bench.advance(0.1)
    assert loaded(bench) is None
    assert {one.parameter for one in shown(bench).downloads if one.state == "writing"} == {"power", "points"}


# --- first article ---


def test_the_first_article_is_part_of_production() -> None:
    bench = begun(FirstArticle(2, "quality"), Prepare("Bring the plate"))
    assert [(step.kind, step.text, step.state) for step in shown(bench).steps] == [
        ("first_article", "Make 2 and have it approved by quality", "done"),
        ("do", "Bring the plate", "active"),
    ]
    bench.ask(ConfirmStep(1))
    assert loaded(bench) == "r"
    assert [step.state for step in shown(bench).steps] == ["active", "done"]
    assert shown(begun(FirstArticle())).steps[0].text == "Make 1 and have it approved"


# --- when it is possible ---


def test_an_unknown_recipe_is_refused() -> None:
    assert asked(cell(), StartChangeover("x")) == "there is no recipe 'x'; there are r, other"


@pytest.mark.parametrize("state", State)
def test_it_begins_where_nothing_moves(state: State) -> None:
    bench = Bench(equipment(clear), state=state, connected=False)
    refused = asked(bench, StartChangeover("r"))
    if state in (State.STOPPED, State.IDLE, State.COMPLETED):
        assert refused is None
    else:
        assert refused == (f"a changeover is not possible in state {state.title}; it is in Stopped, Idle, Completed")


def test_it_does_not_begin_with_a_part_inside() -> None:
    bench = begun()
    bench.advance(0.1)
    bench.produce(seconds=0.1)
    bench.fire(Command.STOP)
    bench.until(State.STOPPED)
    assert (
        asked(bench, StartChangeover("other")) == "part J-0001 is still in process: Reset, Start, Complete finishes it"
    )
    assert loaded(bench) == "r"


def test_one_at_a_time() -> None:
    bench = begun(Prepare("Bring the plate"))
    assert asked(bench, StartChangeover("other")) == "the changeover to r is in work"


@pytest.mark.parametrize("command", [Command.RESET, Command.START])
def test_meanwhile_the_cell_does_not_start(command: Command) -> None:
    bench = Bench(
        equipment(clear, changeover=(Prepare("Bring the plate"),)),
        state=State.STOPPED if command is Command.RESET else State.IDLE,
    )
    bench.ask(StartChangeover("r"))
    answer = bench.fire(command).answer
    assert isinstance(answer, Refused)
    assert answer.reason == f"{command.title} is not possible: the changeover to r is in work; end it first"
    bench.ask(ConfirmStep(0))
    assert isinstance(bench.fire(command).answer, Receipt)


# --- giving it up ---


def test_a_cancelled_changeover_leaves_no_recipe_loaded() -> None:
    bench = begun(Prepare("Bring the plate"))
    bench.ask(ConfirmStep(0))
    assert loaded(bench) == "r"
    bench.ask(StartChangeover("r"))
    assert loaded(bench) is None
    assert asked(bench, CancelChangeover()) is None
    assert (loaded(bench), bench.view().changeover) == (None, None)
    assert bench.noted("changeover.cancelled") == [{"recipe": "r", "reason": "cancelled by anna"}]


def test_a_phase_that_is_running_is_ended_and_made_safe() -> None:
    bench = begun(RunPhase("clear"))
    bench.ask(CancelChangeover())
    assert [order.name for order in bench.orders] == ["off"]
    bench.advance(1)
    assert loaded(bench) is None


def test_it_ends_when_the_cell_leaves_the_state_for_it() -> None:
    bench = begun(Prepare("Bring the plate"))
    bench.fire(Command.ABORT)
    assert bench.noted("changeover.cancelled")[0]["reason"] == "the cell left the state for it"
    assert bench.view().changeover is None


@pytest.mark.parametrize("action", [ConfirmStep(0), CancelChangeover()])
def test_without_one_there_is_nothing_to_confirm_or_cancel(action: Action) -> None:
    assert asked(cell(), action) == "no changeover is in work"
    bench = begun()
    bench.advance(0.1)
    assert asked(bench, action) == "no changeover is in work"
    bench.fire(Command.RESET)
    assert loaded(bench) == "r"
