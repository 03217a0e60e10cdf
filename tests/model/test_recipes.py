"""Recipes: values laid over values, units converted once, procedures of every kind, hashes."""

import shutil
from pathlib import Path

import pytest

from cellctl.core.condition import Ref
from cellctl.core.procedure import ForEach, Parallel, PhaseStep, With
from cellctl.core.recipe import Download, FirstArticle, Prepare, RunPhase
from cellctl.model import check, load

CELL = Path(__file__).parents[2] / "recipes" / "battery-module"
HEAD = 'cellctl: 1\nrecipe: {id: trial, version: "1"}\n'


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    """A copy of the bundled cell."""
    return Path(shutil.copytree(CELL, tmp_path / "cell", ignore=shutil.ignore_patterns("__pycache__")))


def write(cell: Path, text: str, name: str = "trial") -> Path:
    """Add a recipe to the cell."""
    file = cell / "recipes" / f"{name}.yaml"
    file.write_text(text, "utf-8")
    return cell


def codes(cell: Path) -> list[str]:
    """The codes that a check gives."""
    return [problem.code for problem in check(cell).problems]


def test_a_child_changes_values_and_keeps_the_rest():
    recipe = load(CELL).equipment.recipes["module-12s"]
    power = recipe.parameters["weld_power"]
    assert (power.value, power.unit, power.low, power.high, power.tune_low, power.to) == (
        1450, "W", 1300, 1550, 1430, "laser.power",
    )  # fmt: skip
    assert recipe.parameters["weld_time"].value == 80
    assert (recipe.wip, recipe.ideal_cycle_ns, recipe.product) == (2, 20_000_000_000, "MOD-12S-A")
    assert [step.id for step in recipe.procedure.steps] == [
        "load_module", "place_module", "weld_busbars", "move_to_test", "hipot", "unload_module",
    ]  # fmt: skip


def test_a_grandchild_changes_one_value_of_a_row(cell: Path):
    head = 'cellctl: 1\nrecipe: {id: trial, version: "1", extends: module-12s}\n'
    write(cell, f"{head}parameters:\n  weld_power: {{value: 1440 W}}\n  weld_time: 90 ms\n")
    parameters = load(cell).equipment.recipes["trial"].parameters
    assert (parameters["weld_power"].value, parameters["weld_power"].tune_low) == (1440, 1430)
    assert (parameters["weld_time"].value, parameters["points"].value) == (90, 24)


def test_values_are_converted_to_the_unit_of_their_users(cell: Path):
    file = cell / "recipes" / "module-12s.yaml"
    text = file.read_text("utf-8").replace("1450 W, limits: 1300..1550 W", "1.45 kW, limits: 1.3..1.55 kW")
    file.write_text(text, "utf-8")
    power = load(cell).equipment.recipes["module-12s"].parameters["weld_power"]
    assert (power.value, power.unit, power.low, power.high) == (1450, "W", 1300, 1550)


def test_every_kind_of_step(cell: Path):
    write(
        cell,
        HEAD + "parameters:\n  points: 3\n  test: true\nprocedure:\n"
        "  - parallel:\n      left: [load_module: {}]\n      right: [place_module: ]\n"
        "    when: $test\n"
        "  - with: [move_to_test: {}]\n    do: [load_module: {}]\n    id: meanwhile\n"
        "  - for_each: {v: [0.5 kV, 600 V]}\n"
        "    do: [hipot: {voltage: $v, time: 2 s, min_resistance: 1 GOhm}]\n"
        "  - for_each: {n: $points}\n    id: again\n    do: [weld_busbars: {power: 1.4 kW, time: 80 ms, points: $n}]\n",
    )
    assert codes(cell) == []
    parallel, background, each, again = load(cell).equipment.recipes["trial"].procedure.steps
    assert isinstance(parallel, Parallel)
    assert parallel.when == Ref("test")
    assert parallel.branches["right"].steps == (PhaseStep("place_module", "place_module"),)
    assert isinstance(background, With)
    assert (background.id, background.do.steps[0].id) == ("meanwhile", "load_module")
    assert isinstance(each, ForEach)
    assert (each.name, each.values) == ("v", (500, 600))
    assert each.do.steps[0].parameters["min_resistance"] == 1000  # type: ignore[union-attr]
    assert isinstance(again, ForEach)
    assert again.values == Ref("points")


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ("  - {}\n", "E506"),
        ("  - when: $points\n", "E506"),
        ("  - load_module: 5\n", "E506"),
        ("  - parallel: [load_module: {}]\n", "E506"),
        ("  - with: [load_module: {}]\n", "E506"),
        ("  - parallel: {a: load_module}\n", "E506"),
        ("  - load_module: {}\n    id: Load It\n", "E128"),
        ("  - load_module: {}\n    on_fault: ask\n", "E515"),
        ("  - load_module: {}\n    when: not $points\n", "E517"),
        ("  - for_each: {v: }\n    do: [load_module: {}]\n", "E520"),
        ("  - for_each: {v: points}\n    do: [load_module: {}]\n", "E520"),
        ("  - for_each: {points: [1]}\n    do: [load_module: {}]\n", "E520"),
        ("  - for_each: {v: $point}\n    do: [load_module: {}]\n", "E511"),
        ("  - for_each: {v: $points}\n    do: [hipot: {voltage: $v, time: 2 s, min_resistance: 1 GOhm}]\n", "E520"),
        ("  - for_each: {v: [5000 V]}\n    do: [hipot: {voltage: $v, time: 2 s, min_resistance: 1 GOhm}]\n", "E510"),
        ("  - for_each: {v: [500]}\n    do: [hipot: {voltage: $v, time: 2 s, min_resistance: 1 GOhm}]\n", "E131"),
        ("  - for_each: {v: [500 V]}\n    do: [hipot: {voltage: $v, time: $v, min_resistance: 1 GOhm}]\n", "E520"),
    ],
)
def test_a_procedure_outside_the_grammar(cell: Path, steps: str, code: str):
    write(cell, f"{HEAD}parameters: {{points: {{value: 3, per: part}}}}\nprocedure:\n{steps}")
    assert code in codes(cell)


def test_every_kind_of_changeover_step(cell: Path):
    write(
        cell,
        HEAD + "parameters: {voltage: 500 V}\nprocedure: [load_module: {}]\nchangeover:\n"
        "  - prepare: Bring the plate\n    external: true\n"
        "  - do: Fit it\n    confirm: signal plc.recipe_points == 12\n    expect: 90 s\n"
        "  - run: {hipot: {voltage: $voltage, time: 2 s, min_resistance: 1 GOhm}}\n"
        "  - download: verify\n"
        "  - first_article: {parts: 2, approve: quality, checks: [weld pull force > 60 N]}\n",
    )
    assert codes(cell) == []
    prepare, fit, run, download, first = load(cell).equipment.recipes["trial"].changeover
    assert prepare == Prepare("Bring the plate", external=True)
    assert isinstance(fit, Prepare)
    assert fit.signal is not None
    assert run == RunPhase("hipot", {"voltage": 500, "time": 2, "min_resistance": 1000})
    assert isinstance(download, Download)
    assert first == FirstArticle(2, "quality", ("weld pull force > 60 N",))


def test_a_value_is_downloaded_only_to_where_it_can_be_read_back(cell: Path):
    profile = cell / "profiles" / "bm1-plc.yaml"
    profile.write_text(profile.read_text("utf-8").replace("range: 0..96, verify: 0", "range: 0..96"), "utf-8")
    problems = check(cell).problems
    assert {(problem.code, Path(problem.file).name) for problem in problems} == {
        ("E518", "module-12s.yaml"),
        ("E518", "module-8s.yaml"),
    }
    assert all("verify" in problem.hint for problem in problems)


@pytest.mark.parametrize("run", ["[clear_stations]", "{clear_stations: {}, home_all: {}}"])
def test_a_changeover_step_runs_one_phase(cell: Path, run: str):
    write(cell, f"{HEAD}procedure: [load_module: {{}}]\nchangeover: [{{run: {run}}}]\n")
    assert codes(cell)[0] in ("E123", "E519")


def test_an_abstract_recipe_may_leave_parameters_to_its_children(cell: Path):
    head = 'cellctl: 1\nrecipe: {id: base, version: "1", abstract: true}\n'
    write(cell, f"{head}procedure:\n  - hipot: {{voltage: $v, time: 2 s, min_resistance: 1 GOhm}}\n", "base")
    child = 'cellctl: 1\nrecipe: {id: trial, version: "1", extends: base}\n'
    write(cell, f"{child}parameters: {{v: 500 V}}\n")
    assert codes(cell) == []
    assert "base" not in load(cell).equipment.recipes
    write(cell, child)
    assert codes(cell) == ["E511"]


def test_a_hash_names_the_content_and_nothing_else(cell: Path):
    first = load(cell).equipment.recipes["module-12s"].hash
    file = cell / "recipes" / "module-12s.yaml"
    file.write_text("# a comment\n" + file.read_text("utf-8"), "utf-8")
    assert load(cell).equipment.recipes["module-12s"].hash == first == load(CELL).equipment.recipes["module-12s"].hash
    file.write_text(file.read_text("utf-8").replace("1450 W", "1451 W"), "utf-8")
    assert load(cell).equipment.recipes["module-12s"].hash != first
    assert len(first) == 64
