"""The memory: the fold of the journal, whole snapshots, and a cell that goes on after the power was gone.

That memory and fold are equal is looked at after every step of every test (`bench.py`), and in the random worlds.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from cellctl import phase
from cellctl.core.cell import Cell
from cellctl.core.memory import FORMAT, Memory
from cellctl.core.memory_plain import fold, plain, remembered
from cellctl.core.messages import (
    CancelChangeover,
    ConfirmStep,
    Done,
    Operate,
    Outcome,
    Recover,
    Refused,
    StartChangeover,
)
from cellctl.core.outbox import SNAPSHOT
from cellctl.core.packml import Command, Mode, State
from cellctl.core.recipe import Download, FirstArticle, Prepare

from .bench import Bench, equipment, never


@phase(station="s1", faults={"weak": ("retry", "scrap")})
async def weld(c):
    c.keep("row", 3)
    for _ in c.steps(range(3)):
        shot = await c.laser.fire(time=50)
        c.record("peak", shot.peak, "W")
    await c.fault("weak")


@phase(station="s2", uses=["plc"])
async def pack(c):
    await c.plc.clamp.on()


def cell(*phases: Any, **recipe: Any) -> Bench:
    return armed(Bench(equipment(*phases, **recipe)))


def armed(bench: Bench) -> Bench:
    """The laser answers how strong it shot."""
    bench.answers["laser.fire"] = lambda order: Done(order.id, Outcome.CONFIRMED, {"peak": 1400.0})
    return bench


def again(bench: Bench, **changed: Any) -> Bench:
    """The same cell after a power cut, from what the journal tells."""
    made = replace(bench.cell.equipment, **changed)
    after = Bench(made, connected=False)
    after.now, after._requests = bench.now, bench._requests
    memory = remembered(json.loads(json.dumps(plain(bench.twin))), made)
    after.twin = remembered(json.loads(json.dumps(plain(bench.twin))), made)
    after.cell = Cell(memory, state=State.ABORTED)
    after.connect("plc", "laser", "robot")
    after.advance(1.2)
    return armed(after)


def resume(bench: Bench) -> None:
    bench.fire(Command.CLEAR)
    bench.until(State.STOPPED)
    bench.start()


def test_a_part_goes_on_where_it_was() -> None:
    bench = cell(weld, pack)
    bench.produce(2, seconds=0.5)
    assert bench.view().questions[0].kind == "weak"
    after = again(bench)
    (part,) = after.view().parts
    assert (part.serial, part.station, after.view().job) == ("J-0001", "s1", bench.view().job)
    resume(after)
    assert after.sent("laser.fire") == []  # every weld is done
    after.ask(Recover(after.view().questions[0].id, "scrap"))
    after.advance(1)
    after.ask(Recover(after.view().questions[0].id, "scrap"))
    after.until(State.COMPLETED)
    assert (after.view().reject, len(after.sent("laser.fire"))) == (2, 3)


def test_a_pulse_with_an_unknown_end_is_asked_about_after_a_power_cut() -> None:
    @phase(station="s1")
    async def punching(c):
        await c.robot.punch()

    bench = Bench(equipment(punching))
    bench.answers["robot.punch"] = never
    bench.produce(1, seconds=0.1)
    after = again(bench)
    assert after.view().parts[0].doubts == ("robot.punch (punching)",)
    assert [cause.text for cause in after.view().why if cause.kind == "in_doubt"] == [
        "J-0001: nobody knows whether robot.punch was done"
    ]
    resume(after)
    after.values["laser.ready"] = False
    after.advance(0.1)
    (question,) = after.view().questions
    assert (question.kind, question.choices) == ("in_doubt", ("done", "redo", "scrap"))
    assert [(one.signal, one.then, one.now) for one in question.sensors] == [("laser.ready", True, False)]
    after.lose("laser")
    assert after.view().questions[0].sensors[0].now is None
    assert [cause.kind for cause in after.view().why if cause.id.startswith("J-0001")] == ["question"]
    after.back("laser")
    after.advance(1.2)
    after.fire(Command.UNHOLD)
    after.ask(Recover(question.id, "done"))
    after.until(State.COMPLETED)
    assert (after.sent("robot.punch"), after.view().good) == ([], 1)


def test_a_repeated_request_gets_its_answer_also_after_a_power_cut() -> None:
    bench = cell(weld)
    taken, refused = bench.ask(Operate(Command.RESET), "a"), bench.ask(Operate(Command.CLEAR), "b")
    after = again(bench)
    assert after.ask(Operate(Command.RESET), "a") == taken
    assert after.ask(Operate(Command.CLEAR), "b") == refused
    assert after.states() == []


def test_the_mode_is_remembered_unless_the_cell_has_it_no_more() -> None:
    bench = cell(weld)
    bench.cell.operation.change_mode(Mode.MAINTENANCE, "anna")
    bench.step()
    assert again(bench).view().mode == "Maintenance"
    modes = {Mode.PRODUCTION: bench.cell.equipment.modes[Mode.PRODUCTION]}
    assert again(bench, modes=modes).view().mode == "Production"


def test_a_changeover_waits_at_its_step() -> None:
    bench = Bench(equipment(weld, changeover=(Prepare("Fit the nest"), Prepare("Fill", scan="A1"), Download())))
    bench.ask(StartChangeover("r"))
    bench.ask(ConfirmStep(0))
    after = again(bench)
    changeover = after.view().changeover
    assert changeover is not None
    assert (changeover.index, [step.state for step in changeover.steps]) == (1, ["done", "failed", "open"])
    assert after.ask(ConfirmStep(1)).answer.reason == "the changeover cannot go on in state Aborted"  # type: ignore[union-attr]
    after.fire(Command.CLEAR)
    after.until(State.STOPPED)
    assert isinstance(after.fire(Command.RESET).answer, Refused)
    after.ask(ConfirmStep(1))  # once more, from its beginning
    assert isinstance(after.ask(ConfirmStep(1, "B7")).answer, Refused)
    after.ask(ConfirmStep(1, "A1"))
    after.advance(0.1)
    assert after.cell.memory.loaded == "r"


def test_a_changeover_to_a_recipe_that_is_gone_is_over() -> None:
    bench = Bench(equipment(weld, changeover=(Prepare("Fit the nest"),)))
    bench.ask(StartChangeover("r"))
    after = again(bench, recipes={})
    assert after.view().changeover is None
    assert isinstance(after.ask(CancelChangeover()).answer, Refused)


def test_parts_that_do_not_fit_the_files_any_more_are_told_and_can_be_discarded() -> None:
    bench = cell(weld, pack)
    bench.produce(3, seconds=0.5)
    (part,) = bench.cell.memory.parts
    assert list(bench.cell.memory.misfits) == []
    begun = "Part J-0001 was begun with version 1 of the recipe r, and"
    for changed, told in (
        ({"recipes": {}}, begun),
        ({"recipes": {"r": replace(part.recipe, hash="x")}}, begun),
        ({"stations": {}}, "Part J-0001 is in station s1, which the cell's files do not have any more."),
    ):
        after = Cell(remembered(plain(bench.twin), replace(bench.cell.equipment, **changed)))  # type: ignore[arg-type]
        assert [line[: len(told)] for line in after.memory.misfits] == [told]
        after.production.discard()
        assert (after.memory.parts, after.memory.stations, after.memory.reject) == ([], {}, 1)
        for _ in range(2):
            after.production.unload()
            assert after.memory.loaded is None


def test_a_recipe_that_is_another_now_is_outdated() -> None:
    bench = cell(weld)
    assert not bench.cell.memory.outdated
    bench.ask(StartChangeover("r"))
    bench.advance(0.1)
    recipe = bench.cell.equipment.recipes["r"]
    for recipes, outdated in (({"r": recipe}, False), ({"r": replace(recipe, hash="x")}, True), ({}, True)):
        equipment = replace(bench.cell.equipment, recipes=recipes)
        assert remembered(plain(bench.twin), equipment).outdated is outdated


def test_a_discarded_part_asks_for_no_approval() -> None:
    bench = cell(weld, changeover=(FirstArticle(1),))
    bench.produce(1, seconds=0.5)
    after = again(bench)
    after.cell.production.discard()
    after.step()
    assert (after.view().reject, after.view().questions) == (1, ())


def test_now_and_then_the_whole_memory_is_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellctl.core.cell.SNAPSHOT_EVERY", 15)
    bench = cell(weld, pack, changeover=(FirstArticle(1, checks=("peak",)),))
    bench.produce(2, seconds=0.5)
    bench.ask(Recover(bench.view().questions[0].id, "retry"))
    bench.until(State.HELD)
    bench.advance(0.1)
    assert bench.view().questions[0].kind == "first_article"
    bench.fire(Command.ABORT)
    bench.advance(0.1)
    last = max(index for index, entry in enumerate(bench.entries) if entry.kind == SNAPSHOT)
    since = bench.entries[last:]
    assert len(since) <= 15 + 5
    memory = Memory(bench.cell.equipment)
    for entry in since:
        memory = fold(memory, entry.kind, json.loads(json.dumps(entry.data)), bench.now)
    assert plain(memory) == plain(bench.cell.memory)


def test_what_an_older_cellctl_wrote_is_forgotten_at_its_starts() -> None:
    memory = fold(Memory(equipment(weld)), "job", {"job": "J", "recipe": "r", "quantity": 1, "parts": []}, 0)
    assert fold(memory, "start", {"state": "Stopped", "clean": True, "format": FORMAT}, 0).job is not None
    assert fold(memory, "start", {"state": "Stopped", "clean": True}, 0).job is None


@pytest.mark.parametrize(
    ("kind", "data", "told"),
    [
        ("job", {"job": "J"}, "an entry 'job' cannot be read: KeyError('recipe')"),
        ("job.cancelled", {"job": "J"}, "there is no job 'J'"),
        ("phase.done", {"part": "J-0001", "step": "a", "freed": []}, "there is no part 'J-0001' in process"),
        ("tokens", [], "an entry 'tokens' cannot be read"),
        (SNAPSHOT, {"memory": {"format": FORMAT + 1}}, f"the snapshot has format {FORMAT + 1}; this cellctl reads"),
        (SNAPSHOT, {"memory": {"format": FORMAT}}, "the snapshot cannot be read: KeyError('mode')"),
    ],
)
def test_what_cannot_be_folded_is_told(kind: str, data: Mapping[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match="^" + told.replace("(", r"\(").replace(")", r"\)")):
        fold(Memory(equipment(weld)), kind, data, 0)


def test_what_a_phase_did_for_a_part_that_has_left_is_no_news() -> None:
    memory = Memory(equipment(weld))
    before = plain(memory)
    for kind in ("item", "kept", "done"):
        memory.apply(kind, {"part": "J-0001", "step": "a"}, 0)
    memory.apply("answer", {"part": "J-0001", "question": "q", "choice": "done"}, 0)
    memory.apply("state", {"state": "Idle"}, 0)
    assert plain(memory) == before
