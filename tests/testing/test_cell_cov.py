"""Cell coverage: what there is to cover, and that a run of tests is told, page and limit, just what it exercised."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from cellctl.core.condition import Ref
from cellctl.core.equipment import Equipment
from cellctl.core.messages import Entry
from cellctl.core.packml import Mode, ModeRule, State
from cellctl.core.phase import PhaseDefinition
from cellctl.core.procedure import ForEach, Parallel, PhaseStep, Sequence, With
from cellctl.core.recipe import MasterRecipe, RecipeParameter
from cellctl.runtime.ledger import Row
from cellctl.testing import cell_model
from cellctl.testing.coverage import items as asked
from cellctl.testing.coverage.collected import Collected
from cellctl.testing.coverage.items import Item, items
from cellctl.testing.coverage.witness import Witness

#: The report is compared as it stands in a terminal of this width.
WIDE = {**os.environ, "COLUMNS": "80"}


def names(equipment: Equipment, section: str, group: str | None = None) -> list[str]:
    """The items of a section, in their order."""
    return [item.name for item in items(equipment) if item.section == section and group in (None, item.group)]


# --- what there is to cover -------------------------------------------------------------------------------------------


def bare(**further: object) -> Equipment:
    """A cell without devices."""
    return Equipment("x", "X", {}, **further)  # type: ignore[arg-type]


def test_a_state_that_no_mode_has_cannot_be_reached() -> None:
    assert names(bare(), asked.STATES) == [state.title for state in State]
    suspend = frozenset({State.SUSPENDING, State.SUSPENDED, State.UNSUSPENDING})
    assert names(bare(modes={Mode.PRODUCTION: ModeRule(suspend)}), asked.STATES) == [
        state.title for state in State if state not in suspend
    ]
    both = {Mode.PRODUCTION: ModeRule(suspend), Mode.MANUAL: ModeRule()}
    assert "Suspended" in names(bare(modes=both), asked.STATES)


def test_a_disabled_acting_state_is_passed_and_its_wait_state_reached() -> None:
    equipment = bare(modes={Mode.PRODUCTION: ModeRule(frozenset({State.HOLDING}))})
    assert "Holding" not in names(equipment, asked.STATES)
    assert "Held" in names(equipment, asked.STATES)
    assert "Holding" not in names(equipment, asked.TRANSITIONS, "SC")
    assert "Execute" in names(equipment, asked.TRANSITIONS, "Hold")


def test_nobody_has_to_stop_a_state_that_lasts_no_turn() -> None:
    assert not {"Resetting", "Starting"} & set(names(bare(), asked.TRANSITIONS, "Stop"))
    phases = {State.RESETTING: ("home",)}
    assert "Resetting" in names(bare(states=phases), asked.TRANSITIONS, "Stop")
    assert {"Holding", "Completing", "Execute"} <= set(names(bare(), asked.TRANSITIONS, "Stop"))
    assert "Resetting" in names(bare(), asked.TRANSITIONS, "SC")


def recipe(*steps: object, **values: RecipeParameter) -> Equipment:
    """A cell with one recipe `r` of phases that declare a fault."""
    phases = {
        name: PhaseDefinition(name, None, faults={"odd": ("retry", "scrap")})  # type: ignore[arg-type]
        for name in ("a", "b", "c")
    }
    made = MasterRecipe("r", "1", parameters=values, procedure=Sequence(steps))  # type: ignore[arg-type]
    return bare(phases=phases, recipes={"r": made})


def test_rounds_of_a_loop_are_one_and_branches_are_each_their_own() -> None:
    equipment = recipe(
        ForEach("loop", "n", (1, 2, 3), Sequence((PhaseStep("a", "a"),))),
        Parallel("both", {"left": Sequence((PhaseStep("a", "a"),)), "right": Sequence((PhaseStep("b", "b"),))}),
    )
    assert (
        names(equipment, asked.BEGUN) == ["loop/*/a", "both/left/a", "both/right/b"] == names(equipment, asked.FINISHED)
    )
    assert asked.place("loop/2/a") == "loop/*/a"
    assert names(equipment, asked.RECOVERIES) == ["odd: retry", "odd: scrap"] * 2


def test_a_background_is_ended_and_need_not_come_to_its_end() -> None:
    equipment = recipe(With("w", Sequence((PhaseStep("a", "a"),)), Sequence((PhaseStep("b", "b"),))))
    assert names(equipment, asked.BEGUN) == ["w/background/a", "w/do/b"]
    assert names(equipment, asked.FINISHED) == ["w/do/b"]


def test_a_step_that_is_never_made_is_not_asked_for() -> None:
    values = {
        "no": RecipeParameter("no", False),
        "some": RecipeParameter("some", False, per_part=True),
        "yes": RecipeParameter("yes", True),
    }
    equipment = recipe(
        *(PhaseStep(phase, phase, when=Ref(name)) for phase, name in zip("abc", values, strict=True)), **values
    )
    assert names(equipment, asked.BEGUN) == ["b", "c"]


def test_the_bundled_cell_has_this_to_cover() -> None:
    equipment = cell_model("battery-module").equipment
    assert names(equipment, asked.CHANGEOVER, "module-8s") == [
        "1 Bring clamp plate F-8S to the cell", "2 run clear_stations", "3 Fit clamp plate F-8S", "4 download",
    ]  # fmt: skip
    assert names(equipment, asked.POLICIES, "module-8s") == ["weld_busbars weak_weld", "weld_busbars no_reply"]
    assert names(equipment, asked.RECOVERIES, "weld_busbars") == [
        "weak_weld: retry", "weak_weld: skip", "weak_weld: scrap",
    ]  # fmt: skip
    assert names(equipment, asked.ALARMS, "window_dirty") == ["raised", "returned"]
    assert names(equipment, asked.INTERLOCKS, "guard") == ["fulfilled", "not fulfilled"]
    every = list(items(equipment))
    assert len(every) == len(set(every))


def test_what_processes_collected_merges_in_any_order() -> None:
    model = cell_model("battery-module")
    held, idle = Item(asked.STATES, "", "Held"), Item(asked.STATES, "", "Idle")
    parts = []
    for test, seen in (("one", [held]), ("two", [held, idle, Item(asked.STATES, "", "Nowhere")])):
        part = Collected()
        part.ran(model, test)
        part.add("bm1", test, seen, ["unplug"])
        parts.append(part.plain())
    merged = []
    for order in (parts, parts[::-1]):
        whole = Collected()
        for part in order:
            whole.merge(part)
        merged.append(whole.plain())
        assert whole.count == (2, len(list(items(model.equipment))))
    assert merged[0] == merged[1]
    assert whole.cells["bm1"].tests[held] == {"one", "two"}
    assert whole.cells["bm1"].faults == {"unplug": {"one", "two"}}


def witness(*entries: Entry, ending: int | None = None) -> Witness:
    """What is seen of these entries; with `ending`, control was told to end after so many."""
    made = Witness(cell_model("battery-module"))
    made.begin()
    for number, entry in enumerate(entries, 1):
        if ending is not None and number == ending + 1:
            made.ending(ending)
        made.kept(Row(number, 0, entry))
    return made


def state(name: str) -> Entry:
    return Entry("state", {"state": name, "number": 0})


def test_a_state_is_left_by_the_command_before_it_or_by_itself() -> None:
    seen = witness(
        Entry("start", {"state": "Stopped", "clean": True}),
        Entry("command", {"command": "Reset", "by": "", "cause": "", "state": "Stopped"}),
        state("Resetting"),
        state("Idle"),
    ).seen
    assert {(item.group, item.name) for item in seen if item.section == asked.TRANSITIONS} == {
        ("Reset", "Stopped"), ("SC", "Resetting"),
    }  # fmt: skip
    assert {item.name for item in seen if item.section == asked.STATES} == {"Stopped", "Resetting", "Idle"}


def test_a_killed_control_left_no_state() -> None:
    started = Entry("start", {"state": "Aborted", "clean": False})
    seen = witness(Entry("start", {"state": "Stopped", "clean": True}), started).seen
    assert [item for item in seen if item.section == asked.TRANSITIONS] == []


def test_what_is_written_while_control_ends_does_not_count_but_what_it_had_decided_before_does() -> None:
    entries = [Entry("start", {"state": "Stopped", "clean": True}), state("Idle"), state("Held")]
    assert {item.name for item in witness(*entries, ending=2).seen if item.section == asked.STATES} == {
        "Stopped", "Idle",
    }  # fmt: skip


def test_a_fault_counts_for_its_recipe_and_its_recovery_for_its_phase() -> None:
    part, step = "j-0001", "weld_busbars"
    begun = [
        Entry("part", {"part": part, "job": "j", "recipe": "module-8s", "version": "3"}),
        Entry("phase", {"part": part, "step": step, "phase": "weld_busbars"}),
    ]

    def recovery(key: str, choice: str) -> Entry:
        return Entry("recovery", {"part": part, "step": step, "key": key, "choice": choice})

    seen = witness(*begun, recovery("step:3/weak_weld#2", "skip")).seen
    assert Item(asked.RECOVERIES, "weld_busbars", "weak_weld: skip") in seen
    assert Item(asked.POLICIES, "module-8s", "weld_busbars weak_weld") in seen
    seen = witness(*begun, recovery("step:3/laser.fire#1", "redo")).seen
    assert Item(asked.POLICIES, "module-8s", "weld_busbars in_doubt") in seen
    question = {"part": part, "question": f"{part}/{step}/step:3/weak_weld#1", "text": ""}
    seen = witness(*begun, Entry("question", question)).seen
    assert Item(asked.POLICIES, "module-8s", "weld_busbars weak_weld") in seen


# --- a run of tests ---------------------------------------------------------------------------------------------------

TESTS = '''
"""Two cells."""
import sys
import pytest


@pytest.mark.cell("battery-module", recipe="module-8s", state="Idle", seed=1)
async def test_scrap(cell, clock, operator, world, faults):
    world.set("laser.weak_rate", 1.0)
    job = await cell.produce("module-8s", 1)
    await clock.until(lambda: cell.questions, limit="2 min")
    operator.answer("scrap")
    await clock.until(job.done, limit="2 min")
    faults.set("plc.air_pressure", to=4.0, for_="20 s")
    await clock.until(lambda: "air_falling" in cell.bench.control.cell.alarms.active, limit="1 min")


@pytest.mark.cell("battery-module", recipe="module-8s", state="Idle", seed=1)
async def test_hold(cell, clock, operator):
    await cell.produce("module-8s", 1)
    await clock.advance("5 s")
    operator.press("hold")
    await clock.until("Held", limit="10 s")


@pytest.mark.cell("small")
async def test_small(cell, clock):
    await cell.bring("Idle")


def test_of_no_cell():
    assert sys.version_info


async def test_of_no_cell_in_real_time():
    assert sys.version_info
'''

SMALL = """
cellctl: 1
cell: {id: small, name: A small one}
devices: {}
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What pytest answered."""

    code: int
    out: str

    def section(self, cell: str) -> dict[str, str]:
        """The rows of the report on a cell: ``{"states": "12/17 70.5 % Held, Idle"}``, without line breaks."""
        (block,) = re.findall(rf"\n[^\n]*\({cell}\), [^\n]*\n(.*?)\n\n", self.out, flags=re.DOTALL)
        name, rows = "", {"": ""}
        for line in block.splitlines()[1:]:
            if line.startswith(" "):
                rows[name] += " " + line.strip()
            else:
                name = (re.match(r"[a-zA-Z]+( [a-z]+)*", line) or [""])[0]
                rows[name] = " ".join(line[len(name) :].split())
        return rows


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Somebody's repository: two cells, tests, and settings of its own."""
    files: Mapping[str, str] = {
        "pyproject.toml": '[tool.pytest.ini_options]\nasyncio_mode = "auto"\n',
        "tests/test_cells.py": TESTS,
        "small/cell.yaml": SMALL,
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def run(repository: Path, *arguments: str) -> Run:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=100, check=False, env=WIDE)
    return Run(done.returncode, done.stdout + done.stderr)


def test_a_run_tells_of_each_cell_what_was_exercised_and_names_what_is_missing(repository: Path) -> None:
    told = run(repository, "--cell-cov", "--cell-cov-html", "pages", "--cell-cov-fail-under", "10")
    assert told.code == 0, told.out
    rows = told.section("bm1")
    states = "9/17 52.9 % Clearing, Suspended, Stopping, Aborting, Aborted, Unholding, Suspending, Unsuspending"
    assert rows["states"] == states, "the stop at the end of a test does not count"
    assert "Stop: all" in rows["transitions"]
    assert "Hold: Suspended;" in rows["transitions"]
    assert rows["steps begun"] == "5/12 41.6 % module-12s: all; module-8s: hipot"
    assert rows["steps finished"] == "4/12 33.3 % module-12s: all; module-8s: weld_busbars, hipot"
    assert rows["changeover steps"] == "4/8 50 % module-12s: all"
    assert rows["fault policies"] == "1/4 25 % module-12s: all; module-8s: weld_busbars no_reply"
    assert rows["recoveries"] == "2/5 40 % weld_busbars: weak_weld: skip; hipot: all"
    assert rows["alarms"] == "1/4 25 % window_dirty: all; air_falling: returned"
    assert rows["interlocks"] == "4/6 66.6 % guard: not fulfilled; infeed: not fulfilled"
    assert rows["let happen on purpose"] == ": set"
    assert told.section("small")["states"].startswith("3/17 17.6 %")
    assert "of what the cells have was exercised." in told.out
    page = (repository / "pages" / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"https?:|<script|<link|src=|@import|url\(", page) == []
    assert 'title="tests/test_cells.py::test_hold\ntests/test_cells.py::test_scrap">load_module<b>2</b>' in page
    assert 'class="item missed" title="no test">air_falling' not in page
    assert "A small one" in page
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(re.findall(r'id="([^"]*)"', page))


def test_several_processes_tell_the_same_as_one(repository: Path) -> None:
    alone = run(repository, "--cell-cov")
    spread = run(repository, "--cell-cov", "--numprocesses=2", "--dist=load")
    assert (alone.code, spread.code) == (0, 0), spread.out
    for cell in ("bm1", "small"):
        assert alone.section(cell) == spread.section(cell)


def test_less_than_the_limit_fails_a_run_whose_tests_pass(repository: Path) -> None:
    for further in ((), ("--numprocesses=2",)):
        told = run(repository, "--cell-cov-fail-under=90", "-k", "hold or no_cell", *further)
        assert told.code == 1, told.out
        assert re.search(r"\nFAIL: [\d.]+ % of what the cells have was exercised; 90 % is required\.\n", told.out)
        assert "3 passed" in told.out
    nothing = run(repository, "--cell-cov-fail-under=1", "-k", "no_cell")
    assert (nothing.code, "No cell was tested." in nothing.out) == (1, True)


def test_a_worker_that_died_is_named(repository: Path) -> None:
    (repository / "tests" / "test_fatal.py").write_text("import os\n\ndef test_fatal():\n    os._exit(3)\n")
    told = run(repository, "--cell-cov", "--numprocesses=1")
    assert told.code == 1
    assert "The worker gw0 died: what its tests exercised is missing here." in told.out


def test_who_does_not_ask_gets_no_report_and_pays_nothing(repository: Path) -> None:
    (repository / "tests" / "test_last.py").write_text(
        "import sys\n\ndef test_last():\n    assert not [name for name in sys.modules if 'testing.coverage' in name]\n"
    )
    told = run(repository)
    assert told.code == 0, told.out
    assert "coverage" not in told.out


@pytest.mark.parametrize("given", ["much", "101"])
def test_a_limit_that_is_none_is_refused_at_once(repository: Path, given: str) -> None:
    told = run(repository, f"--cell-cov-fail-under={given}")
    assert told.code == 4
    assert f"{given!r} is no share in percent, 0 to 100" in told.out


def test_a_folder_that_cannot_be_made_is_refused_before_the_first_test(repository: Path) -> None:
    told = run(repository, "--cell-cov-html=pyproject.toml/pages")
    assert told.code == 4
    assert "--cell-cov-html: " in told.out
    assert "cannot be made" in told.out
    assert "passed" not in told.out
