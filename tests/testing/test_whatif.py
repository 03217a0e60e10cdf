"""Shifts that are played: they make what the simulated cell makes, and what is changed shows, no more and no less."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from cellctl.core.equipment import Equipment, Station
from cellctl.core.phase import phase
from cellctl.core.procedure import Parallel, PhaseStep, Sequence, With
from cellctl.core.recipe import FirstArticle, MasterRecipe
from cellctl.model import CellModel
from cellctl.model.whatif import PhaseChange, Span, WhatIf, read_whatif
from cellctl.testing import Setup, VirtualLoop, cell_model, on_bench
from cellctl.testing.whatif.calibration import Calibration, calibrate
from cellctl.testing.whatif.outcome import Outcome, quantiles
from cellctl.testing.whatif.places import placed
from cellctl.testing.whatif.run import outcome_of, plan_of, played
from cellctl.testing.whatif.shift import play
from cellctl.testing.whatif.tally import Shift
from cellctl.testing.whatif.timed import timed_cell

CELL = "battery-module"
RECIPES = ("module-12s", "module-8s")
ROBOT = ("place_module", "weld_busbars", "move_to_test", "unload_module")
S, MIN, H = 10**9, 60 * 10**9, 3600 * 10**9


@cache
def seen(wip: int) -> Calibration:
    """What the phases of the bundled cell take."""
    return calibrate(cell_model(CELL), RECIPES, wip)


def shift(folder: Path, text: str, wip: int = 2, number: int = 1) -> Shift:
    """One shift of the bundled cell, an hour unless the text says another length."""
    file = folder / "vary.yaml"
    file.write_text("cellctl: 1\n" + ("" if "shift:" in text else "shift: 1 h\n") + text)
    equipment = cell_model(CELL).equipment
    return play(timed_cell(placed(equipment, wip), seen(wip), read_whatif(file, equipment)), 1, number)


# --- the same as the simulation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("wip", [1, 3])
def test_without_variation_it_makes_what_the_simulated_cell_makes(wip: int, tmp_path: Path) -> None:
    model = cell_model(CELL)
    model = replace(model, equipment=placed(model.equipment, wip).equipment)
    assert shift(tmp_path, "", wip).parts_per_hour == pytest.approx(_simulated(model, tmp_path, 40), rel=0.03)


def _simulated(model: CellModel, folder: Path, parts: int) -> float:
    """Parts an hour on the bench, with the devices simulated."""

    async def produced() -> float:
        async with on_bench(Setup(model, folder)) as cell:
            job = await cell.produce("module-12s", parts)
            took_s = await cell.clock.until(job.done)
            assert job.good == parts
            return parts / took_s * 3600

    loop = VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(produced())


def test_every_step_of_every_recipe_is_timed_by_itself() -> None:
    names = {place.name: place for place in placed(cell_model(CELL).equipment).places.values()}
    times = seen(2).places
    assert set(times) == set(names)
    welds = {names[name].recipe: sum(each) / len(each) for name, each in times.items() if "weld_busbars" in name}
    assert welds["module-12s"] / welds["module-8s"] == pytest.approx(24 / 16, rel=0.1)  # by the points to be welded


# --- what is changed --------------------------------------------------------------------------------------------


def test_what_limits_halves_the_output_when_it_takes_twice_as_long(tmp_path: Path) -> None:
    as_it_is = shift(tmp_path, "", 3)
    assert as_it_is.busy["robot"] / as_it_is.planned_ns > 0.99
    slow = shift(tmp_path, "phases:\n" + "".join(f"  {name}: {{scale: 2}}\n" for name in ROBOT), 3)
    assert slow.good / as_it_is.good == pytest.approx(0.5, abs=0.01)
    elsewhere = shift(tmp_path, "phases: {load_module: {scale: 2}}", 3)
    assert elsewhere.good / as_it_is.good == pytest.approx(1.0, abs=0.01)


def test_more_parts_in_process_help_until_the_robot_has_no_rest(tmp_path: Path) -> None:
    made = [shift(tmp_path, "", wip).good for wip in (1, 2, 3, 4)]
    assert made[0] < made[1] < made[2]
    assert made[3] == pytest.approx(made[2], rel=0.01)


def test_a_phase_takes_what_the_file_says(tmp_path: Path) -> None:
    phases = "".join(f"  {name}: {{takes: 1 s}}\n" for name in (*ROBOT, "load_module")) + "  hipot: {takes: 5 s}\n"
    assert shift(tmp_path, f"phases:\n{phases}", 1).parts_per_hour == pytest.approx(360, rel=0.01)
    spread = phases.replace("takes: 5 s", "takes: 0..10 s, spread: 50 %")
    assert shift(tmp_path, f"shift: 8 h\nphases:\n{spread}", 1).parts_per_hour == pytest.approx(360, rel=0.05)


def test_what_was_interrupted_goes_on_where_it_was(tmp_path: Path) -> None:
    often = shift(tmp_path, "devices: {laser: {every: 1 min, lasts: 1 s}}")
    assert often.states["Held"] > 30 * S
    as_it_is = shift(tmp_path, "")
    assert often.good / often.states["Execute"] == pytest.approx(as_it_is.good / as_it_is.states["Execute"], rel=0.01)


def test_a_lost_device_holds_the_cell_until_somebody_comes(tmp_path: Path) -> None:
    lost = shift(
        tmp_path, "shift: 8 h\ndevices: {laser: {every: 20 min, lasts: 1 min}}\nperson: {reacts_within: 2..2 min}"
    )
    outages = lost.states["Held"] / (3 * MIN)
    assert 10 < outages < 35
    assert outages == pytest.approx(round(outages), abs=0.4)  # the last one may be cut off by the end of the shift
    assert lost.availability == pytest.approx(lost.states["Execute"] / (8 * H))


def test_a_device_that_no_station_uses_is_not_missed(tmp_path: Path) -> None:
    assert shift(tmp_path, "devices: {meter: {every: 5 min, lasts: 2 min}}") == shift(tmp_path, "")


@pytest.mark.parametrize(("interlock", "state"), [("infeed", "Suspended"), ("air", "Held"), ("guard", "Aborted")])
def test_an_interlock_has_the_reaction_of_the_cell(interlock: str, state: str, tmp_path: Path) -> None:
    text = f"interlocks: {{{interlock}: {{every: 10 min, lasts: 1 min}}}}\nperson: {{reacts_within: 1..1 min}}"
    tripped = shift(tmp_path, text)
    assert tripped.states[state] > MIN / 2
    assert not tripped.stood
    assert tripped.good > 100


def test_a_fault_is_answered_by_the_policy_of_the_recipe_and_then_by_a_person(tmp_path: Path) -> None:
    failing = "shift: 8 h\nphases: {weld_busbars: {fails: 30 %, redo: 1 s, scrap: SCRAP %}}"
    scrapped = shift(tmp_path, failing.replace("SCRAP", "100"))  # retry 1 then ask: two in a row are asked about
    assert scrapped.quality == pytest.approx(1 - 0.3 * 0.3, abs=0.02)
    assert shift(tmp_path, failing.replace("SCRAP", "0")).scrap == 0
    held = shift(tmp_path, "phases: {hipot: {fails: 5 %, fault: no_reply}}\nperson: {reacts_within: 1..1 min}")
    assert held.states["Held"] > 2 * MIN
    assert held.scrap == 0


def test_a_changeover_costs_the_steps_that_are_done_while_the_cell_stands(tmp_path: Path) -> None:
    jobs = "jobs: [{recipe: module-12s, quantity: 50}, {recipe: module-8s, quantity: 50}]"
    both = shift(tmp_path, jobs)
    changeovers = both.states["Completed"] / (90 * S)  # the plate is fitted in 90 s; bringing it is external
    assert changeovers == pytest.approx(round(changeovers), abs=0.05)
    assert 3 <= round(changeovers) <= 6


def test_the_first_article_waits_for_its_approval(tmp_path: Path) -> None:
    equipment = cell_model(CELL).equipment
    recipe = replace(equipment.recipes["module-12s"], changeover=(FirstArticle(2),))
    articles = replace(equipment, recipes={"module-12s": recipe})
    whatif = replace(read_whatif(None, articles), shift_ns=H, reaction=Span(5 * MIN, 5 * MIN))
    first = play(timed_cell(placed(articles, 2), seen(2), whatif), 1, 1)
    assert first.states["Held"] == pytest.approx(2 * 5 * MIN, rel=0.01)


def test_a_shift_that_can_never_go_on_says_why() -> None:
    crossed = _crossed()
    whatif = WhatIf(
        shift_ns=H,
        orders=read_whatif(None, crossed).orders,
        phases={name: PhaseChange(takes=Span(S, S)) for name in ("fill", "press")},
    )
    alone = play(timed_cell(placed(crossed, 1), Calibration({}, {}, {}), whatif), 1, 1)
    assert (alone.good, alone.stood) == (900, "")
    stuck = play(timed_cell(placed(crossed, 2), Calibration({}, {}, {}), whatif), 1, 1)
    assert stuck.good == 0
    assert "waits for station a, where job-1-0002 is" in stuck.stood


def test_branches_run_side_by_side_and_a_background_ends_with_what_it_goes_along_with() -> None:
    side_by_side = Parallel(
        "both", {"one": Sequence((PhaseStep("f", "fill"),)), "two": Sequence((PhaseStep("p", "press"),))}
    )
    along = With("along", background=Sequence((PhaseStep("s", "stir"),)), do=Sequence((PhaseStep("p", "press"),)))
    equipment = replace(_crossed(), phases={"fill": fill, "press": press, "stir": stir})
    equipment = replace(equipment, recipes={"r": MasterRecipe("r", "1", procedure=Sequence((side_by_side, along)))})
    times = {"r/0/fill": (S,), "r/1/press": (2 * S,), "r/2/stir": (), "r/3/press": (3 * S,)}
    whatif = replace(read_whatif(None, equipment), shift_ns=H)
    both = play(timed_cell(placed(equipment, 1), Calibration(times, {}, {}), whatif), 1, 1)
    assert both.good == 720  # 2 s, then 3 s
    assert both.phases["stir"] == pytest.approx(3 / 5 * H)
    assert both.busy["b station"] == pytest.approx(H)


@phase(station="a")
async def stir(c: object) -> None:
    """For as long as something else goes on."""


@phase(station="a")
async def fill(c: object) -> None:
    """At the first station."""


@phase(station="b")
async def press(c: object) -> None:
    """At the second."""


def _crossed() -> Equipment:
    """Parts go from a to b and back to a, so that two of them bar each other's way."""
    walk = (("first", "fill"), ("press", "press"), ("again", "press"), ("last", "fill"))
    steps = tuple(PhaseStep(name, phase) for name, phase in walk)
    return Equipment(
        "crossed",
        "Crossed",
        {},
        stations={"a": Station("a"), "b": Station("b")},
        phases={"fill": fill, "press": press},
        recipes={"r": MasterRecipe("r", "1", procedure=Sequence(steps))},
    )


# --- many shifts ------------------------------------------------------------------------------------------------

VARIED = """cellctl: 1
shift: 15 min
wip: [1, 2]
phases: {weld_busbars: {spread: 10 %, fails: 2 %}}
devices: {laser: {every: 10 min, lasts: 1..3 min}}
person: {reacts_within: 2 min}
"""


@pytest.fixture
def vary(tmp_path: Path) -> Path:
    """A file that lets chance into everything."""
    file = tmp_path / "vary.yaml"
    file.write_text(VARIED)
    return file


def _outcome(vary: Path, seed: int = 1, shifts: int = 3) -> Outcome:
    plan = plan_of(CELL, vary, shifts, seed)
    return outcome_of(plan, played(plan, 1))


def test_a_seed_is_a_set_of_shifts(vary: Path) -> None:
    one = _outcome(vary)
    assert one == _outcome(vary)
    assert one.variants != _outcome(vary, seed=2).variants
    assert len({each.good for each in one.variants[0].shifts}) > 1
    assert [each.number for each in one.variants[0].shifts] == [1, 2, 3]


def test_the_order_in_which_pieces_are_ready_does_not_matter(vary: Path) -> None:
    plan = plan_of(CELL, vary, 3, 1)
    pieces = list(played(plan, 1))
    assert outcome_of(plan, iter(pieces)) == outcome_of(plan, reversed(pieces))


def test_neither_the_processes_nor_the_hash_seed_matter(vary: Path) -> None:
    command = [sys.executable, "-m", "cellctl.cli", "whatif", CELL, "-n", "2", "--vary", str(vary), "--json"]
    told = [
        subprocess.run(
            [*command, "--processes", processes],
            env={**os.environ, "PYTHONHASHSEED": processes},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for processes in ("1", "2")
    ]
    assert told[0] == told[1]
    assert json.loads(told[0])["schema"] == "cellctl.whatif/1"


def test_the_gain_of_a_faster_phase_is_that_of_the_same_shifts(vary: Path) -> None:
    gains = _outcome(vary, shifts=6).variants[0].gains
    assert list(gains) == sorted([*ROBOT, "hipot", "load_module"])
    assert gains["weld_busbars"] == pytest.approx(0.05, abs=0.02)  # it works for about half of a cycle
    assert max(gains, key=lambda name: gains[name]) == "weld_busbars"


# --- figures ----------------------------------------------------------------------------------------------------


def _figures(**given: object) -> Shift:
    """The arbitrary shift by which OEE is checked: 480 min, 400 of them in Execute, 0.5 min a part, 680 of 700 good."""
    figures: Mapping[str, object] = {
        "number": 1, "planned_ns": 480 * MIN, "good": 680, "scrap": 20, "ideal_ns": 350 * MIN,
        "states": {"Execute": 400 * MIN, "Held": 80 * MIN}, "busy": {}, "phases": {},
    }  # fmt: skip
    return Shift(**{**figures, **given})  # type: ignore[arg-type]


def test_oee_is_availability_performance_and_quality() -> None:
    one = _figures()
    assert one.availability == pytest.approx(0.833333, abs=1e-6)
    assert one.performance == pytest.approx(0.875)
    assert one.quality == pytest.approx(0.971429, abs=1e-6)
    assert one.oee == pytest.approx(0.5 * 680 / 480)


def test_what_cannot_be_divided_has_no_value() -> None:
    assert _figures(ideal_ns=None).oee is None
    assert _figures(good=0, scrap=0).quality is None
    assert _figures(states={"Held": 480 * MIN}).performance is None


def test_quantiles_lie_between_values_by_their_distance() -> None:
    tens = quantiles(range(0, 110, 10))
    assert (tens.p10, tens.p50, tens.p90) == (10, 50, 90)
    assert quantiles([7.0]).p10 == 7.0
    with pytest.raises(ValueError, match="no values"):
        quantiles([])
