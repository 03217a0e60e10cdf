"""Many alarms at once: the first of a stop is marked, a flood is told, and nothing is lost."""

from dataclasses import replace

from cellctl import phase
from cellctl.core.alarm_book import FLOOD_NS
from cellctl.core.condition_text import parse
from cellctl.core.equipment import AlarmSpec, Interlock
from cellctl.core.messages import Acknowledge, Samples, Shelve
from cellctl.core.packml import Command, State
from cellctl.core.signal import Quality, Sample, Signal

from .bench import SIGNALS, Bench, S, equipment

MANY = {f"oven.t{number}": Signal(f"oven.t{number}", "float", "degC") for number in range(200)}
KNOWN = SIGNALS | MANY
HOT = [
    AlarmSpec(f"t{number}", parse(f"oven.t{number} > 90 degC", signals=KNOWN), "medium", "Hot", "Look.", 3600 * S)
    for number in range(200)
]
OTHERS = [
    AlarmSpec("air", parse("plc.air < 5.5 bar", signals=KNOWN), "low", "Air", "Look."),
    AlarmSpec("air_low", parse("plc.air < 5 bar", signals=KNOWN), "high", "Low", "Look."),
    AlarmSpec("horn", parse("plc.horn", signals=KNOWN), "info", "Horn", "Look."),
]


@phase(station="s1")
async def work(c):
    await c.sleep("1 h")


def cell() -> Bench:
    low = Interlock("air", parse("plc.air > 5 bar", signals=KNOWN), "hold", "Air is low")
    made = replace(equipment(work), signals=KNOWN, alarms=(*HOT, *OTHERS), interlocks=(low,))
    return Bench(made)


def producing() -> Bench:
    bench = cell()
    bench.produce(seconds=0.1)
    assert bench.cell.state is State.EXECUTE
    return bench


def heat(bench: Bench, *numbers: int, value: float = 95.0) -> None:
    """Hot in just this order, all heard in one turn."""
    heard = [
        Sample(f"oven.t{number}", value, Quality.GOOD, bench.now, bench.now + order)
        for order, number in enumerate(numbers)
    ]
    bench.now += len(numbers)
    bench.step(Samples(tuple(heard)))


def first(bench: Bench) -> list[str]:
    view = bench.view()
    return [alarm.id for alarm in (*view.alarms, *view.hidden_alarms) if alarm.first_out]


def test_the_first_of_a_stop_is_marked_until_the_cell_goes_on() -> None:
    bench = producing()
    heat(bench, 7)
    bench.advance(60, tick=S)
    bench.values |= {"plc.air": 5.3, "plc.horn": True}
    bench.advance(1)
    assert first(bench) == []
    bench.values["plc.air"] = 4.8
    bench.advance(0.5)
    heat(bench, 3)
    assert first(bench) == ["air"]
    bench.values["plc.air"] = 6.0
    bench.advance(0.5)
    bench.ask(Acknowledge(("air", "air_low")))
    states = {alarm.id: alarm.state for alarm in bench.view().alarms}
    assert (first(bench), states["air"]) == (["air"], "normal")
    bench.fire(Command.UNHOLD)
    bench.advance(0.1)
    assert (bench.cell.state, first(bench)) == (State.EXECUTE, [])
    assert [alarm.id for alarm in bench.view().alarms] == ["t7", "t3"]
    assert bench.noted("alarm.first") == [{"alarm": "air"}]


def test_of_those_that_came_in_one_turn_the_first_heard_is_the_first() -> None:
    bench = cell()
    heat(bench, 150, 3, 20)
    assert first(bench) == ["t150"]
    assert [entry["alarm"] for entry in bench.noted("alarm")] == ["t150", "t3", "t20"]


def test_in_a_cell_that_stands_the_next_trouble_has_its_own_first() -> None:
    bench = cell()
    bench.values["plc.horn"] = True
    heat(bench, 5)
    heat(bench, 5, value=20.0)
    bench.ask(Acknowledge(("t5",)))
    assert first(bench) == []
    heat(bench, 6)
    assert first(bench) == ["t6"]
    bench.ask(Shelve("t6", S, "known"))
    assert first(bench) == []
    heat(bench, 8)
    assert first(bench) == ["t8"]


def test_a_flood_is_told_with_its_first_and_nothing_is_lost() -> None:
    bench = cell()
    order = [(number * 77) % 200 for number in range(200)]
    heat(bench, *order[:10])
    assert not bench.view().flood
    heat(bench, *order[10:])
    view = bench.view()
    assert (view.flood, len(view.alarms), first(bench)) == (True, 200, [f"t{order[0]}"])
    assert len(bench.cell.memory.alarms.raised) == 11
    bench.ask(Acknowledge(tuple(alarm.id for alarm in view.alarms)))
    heat(bench, *range(200), value=20.0)
    assert [alarm.id for alarm in bench.view().alarms] == []
    assert bench.cell.alarms.wake_at is not None
    assert bench.cell.alarms.wake_at <= bench.now + FLOOD_NS
    bench.now += FLOOD_NS
    bench.step()
    assert not bench.view().flood
    assert bench.noted("alarm.flood") == [{"active": True}, {"active": False}]


def test_what_is_hidden_or_only_informs_makes_no_flood() -> None:
    bench = cell()
    for _ in range(12):
        bench.values["plc.horn"] = not bench.values["plc.horn"]
        bench.advance(0.01)
    bench.ask(Shelve("t1", 3600 * S, "it flutters"))
    for value in (95.0, 20.0) * 12:
        heat(bench, 1, value=value)
    assert not bench.view().flood
