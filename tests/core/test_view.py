"""What people are shown: one snapshot, and the ordered answer to why the cell is not running."""

from dataclasses import replace

import pytest

from cellctl import phase
from cellctl.core.condition_text import parse
from cellctl.core.equipment import Interlock
from cellctl.core.messages import AddJob, LinkChanged, LinkState, SetMode, StartChangeover
from cellctl.core.packml import Command, Mode, State
from cellctl.core.view import JobView, RecipeView

from .bench import SIGNALS, Bench, equipment


@phase(station="s1", faults={"weak": ("retry", "skip")})
async def weld(c):
    c.progress("point 3 of 24")
    await c.sleep("1 s")
    await c.fault("weak")


@phase()
async def home(c):
    await c.until("not laser.ready")


def why(bench: Bench) -> list[str]:
    return [cause.text for cause in bench.view().why]


def test_a_cell_at_rest() -> None:
    bench = Bench(replace(equipment(weld, product="MOD"), simulated=frozenset({"laser"})))
    view = bench.view()
    assert (view.id, view.name, view.time_ns, view.simulated) == ("c1", "Cell 1", bench.now, True)
    assert (view.state, view.state_number, view.mode, view.mode_number) == ("Stopped", 2, "Production", 1)
    assert (view.recipe, view.recipes) == (None, (RecipeView("r", "1", "MOD"), RecipeView("other", "1", "")))
    assert (view.job, view.jobs, view.good, view.reject) == (None, (), 0, 0)
    assert (view.commands, view.refusals) == (("reset", "abort"), {})
    assert (view.parts, view.alarms, view.questions, view.changeover) == ((), (), (), None)
    assert [(one.id, one.text, one.part) for one in view.stations] == [("s1", "", ""), ("s2", "", "")]
    assert [(one.id, one.link, one.needed, one.simulated) for one in view.devices] == [
        ("plc", "connected", True, False),
        ("laser", "connected", True, True),
        ("robot", "connected", True, False),
    ]


def test_a_cell_at_work() -> None:
    bench = Bench(equipment(weld))
    bench.produce(quantity=3, seconds=0.5)
    view = bench.view()
    assert (view.state, view.simulated, view.why) == ("Execute", False, ())
    assert view.job == JobView("J", "r", 3, 1, 0, 0, 0)
    assert view.recipe == RecipeView("r", "1", "")
    assert view.commands == ("stop", "hold", "suspend", "abort", "complete")
    (part,) = view.parts
    assert (part.serial, part.job, part.recipe, part.station) == ("J-0001", "J", "r", "s1")
    assert (part.phases, part.progress, part.waits) == (("weld",), "point 3 of 24", ("weld: waits 500 ms",))
    assert part.started_ns == bench.now - 500_000_000
    assert view.stations[0].part == "J-0001"
    bench.advance(1)
    assert [cause.do for cause in bench.view().why] == ["Choose: retry, skip"]
    assert bench.view().parts[0].waits == ("weld: waits for a decision",)


@pytest.mark.parametrize(
    ("state", "after"),
    [
        (State.ABORTED, "Clear."),
        (State.STOPPED, "Reset."),
        (State.IDLE, "Start."),
        (State.HELD, "Unhold."),
        (State.SUSPENDED, "Unsuspend."),
        (State.COMPLETED, "Reset."),
    ],
)
def test_a_cell_that_waits_says_for_which_command(state: State, after: str) -> None:
    bench = Bench(equipment(), state=state, connected=False)
    assert [(cause.text, cause.do) for cause in bench.view().why if cause.kind == "state"] == [
        (f"The cell is {state.title}", after)
    ]


def test_an_acting_state_says_what_its_phases_wait_for() -> None:
    bench = Bench(equipment(weld, home, states={State.RESETTING: ("home",)}))
    bench.fire(Command.RESET)
    assert why(bench)[0] == "The cell is Resetting: home: waits for not laser.ready, it is true (30 s left)"
    assert State.CLEARING.title not in why(bench)
    bare = Bench(equipment(weld), state=State.CLEARING, connected=False)
    assert "The cell is Clearing" in why(bare)


def test_first_things_come_first() -> None:
    made = equipment(weld)
    named = Interlock("laser", parse("laser.ready", signals=SIGNALS), "suspend", "The laser is not ready")
    bench = Bench(replace(made, interlocks=(*made.interlocks, named)))
    bench.produce(seconds=1.1)
    bench.values |= {"plc.air": 4.0, "laser.ready": False}
    bench.until(State.HELD)
    bench.step(LinkChanged("laser", LinkState.LOST, "cable"))
    assert why(bench) == [
        "Air is low (plc.air > 5 bar, it is 4 bar)",
        "The laser is not connected: cable",
        "weld: weak",
        "The cell is Held",
    ]


def test_before_the_first_connection_every_device_is_told() -> None:
    bench = Bench(equipment(weld), connected=False)
    bench.step()
    assert why(bench) == [
        "The PLC is not connected: not tried yet",
        "The laser is not connected: not tried yet",
        "The robot is not connected: not tried yet",
        "The cell is Stopped",
        "There is no job",
    ]
    bench.step(LinkChanged("plc", LinkState.CONNECTING, ""))
    assert "The PLC is not connected: connecting" in why(bench)


def test_why_no_part_is_made() -> None:
    bench = Bench(equipment(weld))
    bench.ask(StartChangeover("other"))
    bench.ask(AddJob("J", "r", 1))
    bench.start()
    assert [(cause.text, cause.do) for cause in bench.view().why] == [
        ("The job J needs r, but other is loaded", "Complete. Change over to r.")
    ]


def test_in_another_mode_no_parts_are_made() -> None:
    bench = Bench(equipment(weld))
    bench.ask(SetMode(Mode.MANUAL))
    bench.produce()
    assert why(bench) == ["The mode is Manual: no parts are made"]
