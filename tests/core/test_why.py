"""Why the cell is not running: first things first, each with what to do about it."""

from dataclasses import replace

import pytest

from cellctl import phase
from cellctl.core.condition_text import parse
from cellctl.core.equipment import Interlock
from cellctl.core.messages import AddJob, LinkChanged, LinkState, SetMode, StartChangeover
from cellctl.core.packml import Command, Mode, State

from .bench import SIGNALS, Bench, equipment


@phase(station="s1", faults={"weak": ("retry", "skip")})
async def weld(c):
    await c.sleep("1 s")
    await c.fault("weak")


@phase()
async def home(c):
    await c.until("not laser.ready")


def why(bench: Bench) -> list[str]:
    return [cause.text for cause in bench.view().why]


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
