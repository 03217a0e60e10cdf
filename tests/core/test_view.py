"""What people are shown: one snapshot of a cell at rest and at work."""

from dataclasses import replace

from cellctl import phase
from cellctl.core.view import JobView, RecipeView

from .bench import Bench, equipment


@phase(station="s1", faults={"weak": ("retry", "skip")})
async def weld(c):
    c.progress("point 3 of 24")
    await c.sleep("1 s")
    await c.fault("weak")


def test_a_cell_at_rest() -> None:
    bench = Bench(replace(equipment(weld, product="MOD"), simulated=frozenset({"laser"})))
    view = bench.view()
    assert (view.id, view.name, view.time_ns, view.simulated) == ("c1", "Cell 1", bench.now, False)
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


def test_a_cell_is_simulated_if_nothing_of_it_is_real() -> None:
    for devices, simulated in ({"plc", "laser"}, False), ({"plc", "laser", "robot"}, True):
        assert Bench(replace(equipment(weld), simulated=frozenset(devices))).view().simulated is simulated


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
