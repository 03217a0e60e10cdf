"""A cell at rest is plain data: a copy goes on as the original does, also with other equipment."""

from copy import deepcopy
from dataclasses import replace

from cellctl.core.cell import Cell
from cellctl.core.condition_text import parse
from cellctl.core.context import PhaseContext
from cellctl.core.equipment import AlarmSpec, Equipment, Interlock
from cellctl.core.messages import AddJob, Operate, Request, StartChangeover
from cellctl.core.packml import Command, State
from cellctl.core.phase import phase
from cellctl.core.signal import Signal
from cellctl.core.view import view_of

from .bench import SIGNALS, Bench, S, equipment


@phase(station="s1")
async def work(c: PhaseContext) -> None:
    await c.sleep("1 s")


def copied(cell: Cell, other: Equipment) -> Cell:
    copy = deepcopy(cell, {id(cell.equipment): other})
    copy.refit()
    return copy


def begun() -> Bench:
    bench = Bench(equipment(work))
    bench.ask(StartChangeover("r"))
    bench.advance(0.1)
    bench.ask(AddJob("j", "r", 2))
    return bench


def test_a_cell_is_at_rest_while_no_phase_runs() -> None:
    bench = begun()
    assert bench.cell.at_rest
    bench.fire(Command.RESET)
    bench.fire(Command.START)
    bench.advance(0.5)
    assert bench.cell.state is State.EXECUTE
    assert not bench.cell.at_rest
    bench.fire(Command.HOLD)
    bench.advance(0.1)
    assert bench.cell.at_rest


def test_a_copy_decides_as_the_original_does() -> None:
    bench = begun()
    copy = copied(bench.cell, bench.cell.equipment)
    for number, command in enumerate((Command.RESET, Command.START)):
        request = Request(f"r{number}", Operate(command), "anna", "test")
        samples = bench.samples()
        assert copy.step(bench.now, [samples, request]) == bench.step(samples, request)
    assert view_of(copy) == view_of(bench.cell)
    assert copy.wake_at == bench.cell.wake_at


def test_a_copy_knows_since_when_its_conditions_have_held() -> None:
    bench = begun()
    patient = parse("plc.air > 5 bar for 1 min", signals=SIGNALS)
    quick = parse("plc.air > 5 bar for 1 s", signals=SIGNALS)
    specs = tuple(Interlock(name, need, "hold", name) for name, need in (("air", quick), ("slow", patient)))
    copy = copied(bench.cell, replace(bench.cell.equipment, interlocks=specs))
    assert copy.interlocks.fulfilled("air"), "it has held for longer already"
    assert not copy.interlocks.fulfilled("slow")
    assert copy.interlocks.wake_at == bench.now + 60 * S


def test_a_copy_keeps_the_alarms_that_there_still_are() -> None:
    bench = begun()
    bench.values["laser.peak"] = 1950.0
    bench.advance(0.1)
    since_ns = bench.cell.alarms.active["hot"].since_ns
    bench.advance(0.1)
    assert copied(bench.cell, bench.cell.equipment).alarms.active["hot"].since_ns == since_ns
    others = (AlarmSpec("open", parse("not plc.guard", signals=SIGNALS), "low", "Open", "Close it."),)
    assert copied(bench.cell, replace(bench.cell.equipment, alarms=others)).alarms.active == {}


def test_a_copy_takes_in_new_signals_and_devices() -> None:
    bench = begun()
    more = replace(
        bench.cell.equipment,
        signals=SIGNALS | {"oven.temp": Signal("oven.temp", "float")},
        devices=bench.cell.equipment.devices | {"oven": "The oven"},
    )
    copy = copied(bench.cell, more)
    assert copy.image.read("oven.temp").reason == "no value yet"
    assert copy.image.read("plc.air").value == 6.0
    assert copy.links["oven"].reason == "not tried yet"
