"""The work of each state: its phases, the safe outputs first, and an end of Stop and Abort within a bound."""

from dataclasses import replace
from typing import Any

import pytest

from cellctl import PhaseFault, phase
from cellctl.core.messages import Call, CommandClass, Done, Entry, LinkChanged, LinkState, Outcome, SetMode, Write
from cellctl.core.operation import SAFE_TIMEOUT_NS, STOPPING_TIMEOUT_NS
from cellctl.core.packml import Command, Mode, ModeRule, State

from .bench import MS, Bench, S, equipment, never, refuse

S_ = State


@phase(station="s1")
async def work(c):
    async with c.safe(c.plc.clamp.off), c.safe(c.laser.off):
        await c.plc.clamp.on()
        await c.sleep("60 s")


@phase()
async def home(c):
    await c.robot.goto("a")
    await c.sleep("100 ms")


@phase()
async def look(c):
    await c.until("laser.ready")


@phase()
async def fails(c):
    raise PhaseFault("timeout", "no way home")


@phase()
async def asks(c):
    await c.ask("Is it empty?")


@phase()
async def long(c):
    async with c.safe(c.plc.clamp.off):
        await c.sleep("60 s")


@phase()
async def needy(c, power: float):
    await c.sleep("1 s")


def cell(**states: tuple[Any, ...]) -> Bench:
    """A cell whose acting states run these phases."""
    phases = {one.name: one for many in states.values() for one in many}
    named = {State[state.upper()]: tuple(one.name for one in many) for state, many in states.items()}
    return Bench(equipment(work, *phases.values(), states=named))


def orders(effects: list[Any]) -> list[tuple[str, CommandClass]]:
    return [(one.name, one.command_class) for one in effects if isinstance(one, Write | Call)]


# --- phases of states ---


def test_an_acting_state_without_phases_completes_at_once() -> None:
    bench = cell()
    bench.fire(Command.RESET)
    bench.fire(Command.START)
    bench.fire(Command.STOP)
    assert bench.states() == ["Resetting", "Idle", "Starting", "Execute", "Stopping"]


def test_the_phases_of_a_state_run_one_after_another() -> None:
    bench = cell(resetting=(home, look))
    bench.values["laser.ready"] = False
    bench.fire(Command.RESET)
    bench.advance(0.05)
    assert bench.view().why[0].text.startswith("The cell is Resetting: home: waits ")
    bench.advance(0.5)
    assert bench.cell.state is State.RESETTING
    assert bench.view().why[0].text.startswith("The cell is Resetting: look: waits for laser.ready, it is false")
    bench.values["laser.ready"] = True
    bench.until(State.IDLE)


@pytest.mark.parametrize("broken", [(fails,), (asks,), (needy,), (home, fails)])
def test_a_fault_in_the_phases_of_a_cell_about_to_go_stops_it(broken: tuple[Any, ...]) -> None:
    bench = cell(resetting=broken)
    bench.fire(Command.RESET)
    bench.until(State.STOPPED)
    texts = {
        "fails": "Resetting: no way home",
        "asks": "Resetting: asks asks, but nobody can answer it here",
        "needy": "Resetting: needy: the parameter 'power' is missing",
    }
    assert bench.view().why[0].text == texts[broken[-1].name]
    assert bench.states() == ["Resetting", "Stopping", "Stopped"]


def test_a_fault_in_starting_goes_through_stopping_in_the_same_turn() -> None:
    bench = cell(starting=(fails,))
    bench.fire(Command.RESET)
    bench.fire(Command.START)
    assert bench.cell.state is State.STOPPING


def test_a_fault_in_the_phases_of_a_cell_that_comes_to_rest_is_told_and_passed_over() -> None:
    bench = cell(aborting=(fails,))
    bench.fire(Command.ABORT)
    bench.until(State.ABORTED)
    assert bench.view().why[0].text == "Aborting: no way home"
    assert bench.noted("fault") == [{"state": "Aborting", "text": "no way home"}]


def test_a_lost_device_ends_the_wait_of_a_state() -> None:
    bench = cell(resetting=(look,))
    bench.values["laser.ready"] = False
    bench.advance(0.1)
    bench.fire(Command.RESET)
    bench.advance(0.1)
    bench.lose("laser")
    bench.until(State.STOPPED)
    assert bench.view().why[0].text == "Resetting: laser: cable"


def test_leaving_a_state_ends_its_phases_and_what_is_safe_goes_first() -> None:
    bench = cell(resetting=(long,))
    bench.fire(Command.RESET)
    bench.advance(0.1)
    bench.fire(Command.ABORT)
    assert [order.command_class for order in bench.sent("plc.clamp")] == [CommandClass.STOP]
    bench.until(State.ABORTED)


# --- safe outputs ---


@pytest.mark.parametrize("command", [Command.STOP, Command.ABORT])
def test_what_is_safe_precedes_everything_else_and_innermost_goes_first(command: Command) -> None:
    bench = cell(stopping=(home,), aborting=(home,))
    bench.produce(seconds=0.1)
    bench.orders.clear()
    effects = bench.fire_effects(command)
    stop = CommandClass.STOP
    assert orders(effects) == [("off", stop), ("clamp", stop), ("horn", stop), ("off", stop)]
    bench.advance(0.5)
    assert [order.name for order in bench.orders[4:]] == ["goto"], "the phases of the state begin when all is safe"
    kinds = [one.kind for one in effects if isinstance(one, Entry)]
    assert kinds.index("command") < kinds.index("state")


def test_hold_makes_safe_when_the_phases_have_ended() -> None:
    bench = cell()
    bench.produce(seconds=0.1)
    effects = bench.fire_effects(Command.HOLD)
    assert [name for name, _ in orders(effects)] == ["off", "clamp", "horn", "off"]
    bench.until(State.HELD)
    assert bench.noted("safe.unconfirmed") == []


@pytest.mark.parametrize("command", [Command.STOP, Command.ABORT, Command.HOLD])
def test_outputs_that_do_not_answer_delay_the_state_by_their_time_and_no_longer(command: Command) -> None:
    bench = cell()
    bench.produce(seconds=0.1)
    bench.answers |= dict.fromkeys(("laser.off", "plc.horn", "plc.clamp"), never)
    bench.fire(command)
    began = bench.now
    bench.advance(1.9)
    assert bench.cell.state in (State.STOPPING, State.ABORTING, State.HOLDING)
    assert bench.cell.wake_at <= began + SAFE_TIMEOUT_NS
    bench.advance(0.11)
    assert bench.cell.state in (State.STOPPED, State.ABORTED, State.HELD)
    assert bench.noted("safe.unconfirmed") == [{"orders": 4}]


def test_a_refused_safe_output_is_told() -> None:
    bench = cell()
    bench.produce(seconds=0.1)
    bench.answers["laser.off"] = refuse
    bench.fire(Command.STOP)
    bench.until(State.STOPPED)
    assert [entry["reason"] for entry in bench.noted("safe.unconfirmed")] == ["device says no"]


@pytest.mark.parametrize("command", [Command.STOP, Command.ABORT])
def test_stop_and_abort_end_within_their_bound_whatever_happens(command: Command) -> None:
    bench = cell(stopping=(home, long), aborting=(home, long))
    bench.produce(seconds=0.1)
    bench.answers |= dict.fromkeys(("laser.off", "plc.horn", "plc.clamp"), never)
    bench.fire(command)
    began = bench.now
    while bench.cell.state in (State.STOPPING, State.ABORTING):
        assert bench.now <= began + STOPPING_TIMEOUT_NS
        assert bench.cell.wake_at > bench.now
        bench.advance(0.01)
    assert bench.view().why[0].text.endswith("its phases took too long")
    assert bench.sent("plc.clamp")[-1].command_class is CommandClass.STOP


def test_a_long_pulse_does_not_cost_the_safe_outputs_their_time() -> None:
    @phase(station="s1")
    async def fire(c):
        await c.laser.fire(time=50)

    bench = Bench(equipment(fire))
    bench.answers |= {
        "laser.fire": lambda order: bench.later(2500, Done(order.id, Outcome.CONFIRMED)),
        "plc.horn": never,
    }
    bench.produce(seconds=0.1)
    bench.fire(Command.HOLD)
    bench.advance(3)
    assert bench.cell.state is State.HOLDING
    assert bench.noted("safe.unconfirmed") == []
    bench.until(State.HELD, 2)


def test_phases_of_stopping_may_stop_devices_without_being_waited_for_as_safe_outputs() -> None:
    @phase()
    async def all_off(c):
        await c.sleep("3 s")
        await c.laser.off()
        await c.sleep("1 s")

    bench = cell(stopping=(all_off,))
    bench.produce(seconds=0.1)
    bench.fire(Command.STOP)
    bench.answers["laser.off"] = lambda order: bench.later(500, Done(order.id, Outcome.CONFIRMED))
    bench.advance(3.3)
    assert bench.cell.wake_at > bench.now
    bench.until(State.STOPPED)
    assert bench.noted("safe.unconfirmed") == []


@pytest.mark.parametrize(
    ("command", "passed", "state"),
    [
        (Command.STOP, {S_.STOPPING}, S_.STOPPED),
        (Command.ABORT, {S_.ABORTING}, S_.ABORTED),
        (Command.HOLD, {S_.HOLDING}, S_.HELD),
    ],
)
def test_a_mode_without_the_acting_state_is_made_safe_all_the_same(
    command: Command, passed: set[State], state: State
) -> None:
    bench = Bench(replace(equipment(work), modes={Mode.PRODUCTION: ModeRule(frozenset(passed))}))
    bench.produce(seconds=0.1)
    effects = bench.fire_effects(command)
    assert bench.cell.state is state
    assert [name for name, _ in orders(effects)] == ["off", "clamp", "horn", "off"]
    assert bench.cell.production.idle
    bench.advance(5)
    assert bench.cell.wake_at > bench.now


def test_a_mode_without_starting_waits_for_jobs_as_any_other() -> None:
    @phase(station="s1")
    async def quick(c):
        await c.sleep("10 ms")

    bench = Bench(replace(equipment(quick), modes={Mode.PRODUCTION: ModeRule(frozenset({State.STARTING}))}))
    bench.produce()
    bench.until(State.COMPLETED)
    bench.start()
    bench.advance(1)
    assert bench.cell.state is State.EXECUTE


# --- modes and causes ---


def test_only_in_production_mode_parts_are_made() -> None:
    bench = cell()
    bench.ask(SetMode(Mode.MANUAL))
    assert bench.noted("mode") == [{"mode": "Manual", "by": "anna"}]
    bench.produce(seconds=1)
    assert bench.cell.state is State.EXECUTE
    assert bench.view().parts == ()
    refused = bench.ask(SetMode(Mode.PRODUCTION)).answer
    assert "cannot be changed in state Execute" in getattr(refused, "reason", "")


def test_the_first_cause_stays_first_until_a_person_goes_on() -> None:
    bench = cell()
    bench.produce(seconds=0.1)
    bench.values["plc.air"] = 4.0
    bench.until(State.HELD)
    bench.values["plc.guard"] = False
    bench.advance(0.1)
    bench.fire(Command.ABORT)
    bench.until(State.ABORTED)
    assert [cause.id for cause in bench.view().why][:1] == ["air"]
    bench.values |= {"plc.air": 6.0, "plc.guard": True}
    bench.advance(1.1)
    assert [cause.id for cause in bench.view().why][:1] == ["air"]
    bench.fire(Command.CLEAR)
    assert [cause.id for cause in bench.view().why] == ["Stopped"]


def test_the_same_cause_is_told_once() -> None:
    bench = cell()
    bench.produce(seconds=0.1)
    bench.lose("laser")
    bench.until(State.HELD)
    bench.step(LinkChanged("laser", LinkState.CONNECTED))
    bench.fire(Command.UNHOLD)
    bench.lose("laser")
    bench.until(State.HELD)
    assert [cause.id for cause in bench.cell.operation.causes] == ["laser"]


def test_the_time_of_the_state_is_known() -> None:
    bench = cell()
    bench.fire(Command.RESET)
    assert bench.view().state_since_ns == bench.now
    assert bench.view().state_number == State.IDLE
    assert bench.now % S == 200 * MS
