"""Random worlds: a function of their seed, small when they fail, and all that must hold holds in them."""

import json
from pathlib import Path

import pytest

from cellctl.core.packml import Command
from cellctl.faults import fault
from cellctl.testing import cell_model
from cellctl.testing.worlds import fuzz as fuzz_module
from cellctl.testing.worlds.plan import LIES, Break, Kill, Plan, Press
from cellctl.testing.worlds.play import Played, plan_of
from cellctl.testing.worlds.shrink import PLAYS_MAX, shrunk
from tests.cli.terminal import run

ACTS = (
    Break(1.0, fault("unplug", "laser", "2 s")),
    Press(2.0, Command.HOLD, twice=True),
    Kill(3.0, 4, 5.0),
    Press(4.0, Command.ABORT),
)
PLAN = Plan(7, "direct", (("module-8s", 2), ("module-12s", 1)), (("oven.air", 20.0),), ACTS)


@pytest.mark.parametrize("seeds", ["1..20", "21..40"])
def test_all_holds_without_protocols(seeds: str) -> None:
    done = run("fuzz", "battery-module", "--seeds", seeds, "--level", "direct", "--processes", "1")
    assert (done.code, done.out) == (0, ""), done.out
    assert "All held in 20 worlds" in done.err


@pytest.mark.parametrize("seeds", ["31..32", "33..34"])
def test_all_holds_over_the_protocols(seeds: str) -> None:
    done = run("fuzz", "battery-module", "--seeds", seeds, "--level", "wire", "--processes", "1")
    assert (done.code, done.out) == (0, ""), done.out


def test_a_cell_that_makes_nothing_yet_is_tried_too(tmp_path: Path) -> None:
    meter = 'meter: {profile: eastron.sdm630, at: "modbus://127.0.0.1:1"}'
    (tmp_path / "cell.yaml").write_text(f"cellctl: 1\ncell: {{id: x, name: X}}\ndevices:\n  {meter}\n")
    done = run("fuzz", str(tmp_path), "--seeds", "1..3", "--level", "direct", "--processes", "1")
    assert (done.code, done.out) == (0, ""), done.out


def test_a_plan_is_a_function_of_seed_cell_and_level() -> None:
    model = cell_model("battery-module")
    plans = [plan_of(seed, model, "direct") for seed in range(120)]
    assert plans == [plan_of(seed, model, "direct") for seed in range(120)]
    assert len({plan.told() for plan in plans}) == 120
    assert plan_of(3, model, "wire") != plans[3]
    acts = [act for plan in plans for act in plan.acts]
    assert {type(act) for act in acts} == {Break, Press, Kill}
    kinds = {act.fault.kind for act in acts if isinstance(act, Break)}
    assert len(kinds) >= 15
    assert 0 < sum(plan.lying for plan in plans) < 60
    assert all((plan.lying) == bool(kinds & LIES) for plan in plans for kinds in [_kinds(plan)])


def _kinds(plan: Plan) -> set[str]:
    return {act.fault.kind for act in plan.acts if isinstance(act, Break)}


def test_a_plan_is_told_in_full() -> None:
    assert PLAN.told().splitlines() == [
        "seed 7, direct: 2 x module-8s, 1 x module-12s",
        "  at first  oven.air = 20.0",
        "    1.000 s  unplug laser for 2 s",
        "    2.000 s  Hold, the same request twice",
        "    3.000 s  kill after 4 more entries, off for 5 s",
        "    4.000 s  Abort",
    ]


def test_the_shortest_is_what_matters() -> None:
    smallest = shrunk(PLAN, lambda plan: ACTS[2] in plan.acts and ("module-12s", 1) in plan.jobs)
    assert smallest == Plan(7, "direct", (("module-12s", 1),), (), (ACTS[2],))
    assert shrunk(PLAN, lambda plan: plan == PLAN) is PLAN


def test_shrinking_comes_to_an_end() -> None:
    plays = []
    many = PLAN.with_acts(Press(float(at), Command.HOLD) for at in range(200))
    shrunk(many, lambda plan: plays.append(plan) or len(plan.acts) == 200)  # type: ignore[func-returns-value]
    assert len(plays) == PLAYS_MAX


def test_a_world_that_fails_is_told_with_what_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from cellctl.testing.worlds.checks import Finding

    def ill(plan: Plan, model: object) -> Played:
        kills = any(isinstance(act, Kill) for act in plan.acts)
        return Played(plan, (Finding("Teeth", 1.5, "the cell bites"),) if kills else (), 9.0, "at 9 s the cell is Idle")

    monkeypatch.setattr(fuzz_module, "play", ill)
    done = run("fuzz", "battery-module", "--seeds", "1..30", "--level", "direct", "--processes", "1")
    assert done.code == 1
    assert "of 30 worlds failed." in done.err
    first = done.out.split("\n\n")[0].splitlines()
    assert first[0].startswith("Seed ")
    assert "  1.500 s  Teeth: the cell bites" in first
    shortest = first[first.index("The shortest that still fails:") + 1 : first.index("There:")]
    assert len(shortest) == 2, "one job of one part, and the kill"
    seed = first[0].split()[1].rstrip(",")
    assert first[-1] == f"To repeat it: cellctl fuzz battery-module --seeds {seed} --level direct"
    told = json.loads(
        run(
            "fuzz", "battery-module", "--seeds", "1..30", "--level", "direct", "--processes", "1", "--first", "--json"
        ).out
    )
    assert [one["seed"] for one in told["failed"]] == [int(seed)]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--seeds", "3..1"), 2, "the first seed is greater than the last"),
        (("--seeds", "x"), 2, "neither a seed nor A..B"),
        (("--level", "air"), 2, "'air' is not one of"),
    ],
)
def test_what_is_asked_wrongly_is_told(words: tuple[str, ...], code: int, told: str) -> None:
    done = run("fuzz", "battery-module", *words)
    assert done.code == code
    assert told in done.err


def test_a_cell_with_mistakes_is_not_played(tmp_path: Path) -> None:
    (tmp_path / "cell.yaml").write_text("cell: 3\n", encoding="utf-8")
    done = run("fuzz", str(tmp_path))
    assert done.code == 3
    assert "cell.yaml:1" in done.err
