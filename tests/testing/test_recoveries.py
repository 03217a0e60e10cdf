"""Every fault that the bundled cell knows, what a person may choose, and what comes of each choice: at once, answered
twice, and answered after the power of the controller was gone."""

import pytest

from cellctl.core.messages import Recover, Refused
from cellctl.core.packml import Command

#: What is wrong with the world -> the question, its choices, and how the world is well again.
CAUSES = {
    "weak_weld": (("laser.weak_rate", 1.0, 0.0), ("retry", "skip", "scrap")),
    "low_resistance": (("eol.insulation", 40.0, 850.0), ("retry", "scrap")),
}
OUTCOMES = [
    ("weak_weld", "retry", "good"),
    ("weak_weld", "skip", "good"),
    ("weak_weld", "scrap", "scrap"),
    ("low_resistance", "retry", "good"),
    ("low_resistance", "scrap", "scrap"),
]


@pytest.mark.cell("battery-module", recipe="module-8s", state="Idle")
@pytest.mark.parametrize("restarted", [False, True], ids=["at once", "after a restart"])
@pytest.mark.parametrize(("kind", "choice", "result"), OUTCOMES)
async def test_a_fault_is_asked_about_once_and_ends_as_chosen(
    cell, clock, world, journal, kind, choice, result, restarted
):
    (name, wrong, well), choices = CAUSES[kind]
    world.set(name, wrong)
    job = await cell.produce("module-8s", 1)
    await clock.until(lambda: cell.view.questions, limit="3 min")
    (question,) = cell.view.questions
    assert (question.kind, question.choices, question.part) == (kind, choices, "job-1-0001")
    world.set(name, well)
    if restarted:
        await power_fails(cell)
        assert cell.view.questions == (question,), "it comes up as it was"
        assert len([cause for cause in cell.view.why if cause.kind == "question"]) == 1
    first = await cell.bench.submit(Recover(question.id, choice))
    again = await cell.bench.submit(Recover(question.id, choices[0]))
    assert not isinstance(first, Refused)
    assert again.reason == f"there is no open question {question.id!r}"
    if restarted:
        await go_on(cell, clock)
    await clock.until(job.done, limit="5 min")
    assert (job.good, job.reject) == ((1, 0) if result == "good" else (0, 1))
    truth = world.truth()
    assert truth["violations"] == []
    assert [part["place"] for part in truth["parts"].values()] == ["outfeed" if result == "good" else "reject_bin"]
    (answer,) = journal.noted("answer")
    assert (answer["choice"], answer["by"]) == (choice, "operator")


@pytest.mark.cell("battery-module", recipe="module-8s", state="Idle")
@pytest.mark.parametrize("doing", ["plc.feed", "laser.fire", "eol.measure"])
async def test_what_was_under_way_when_the_power_failed_is_settled_by_the_devices(cell, clock, world, doing):
    job = await cell.produce("module-8s", 1)
    await clock.until(lambda: any(doing in wait for part in cell.view.parts for wait in part.waits), limit="3 min")
    await power_fails(cell)
    doubts = [doubt for part in cell.view.parts for doubt in part.doubts]
    assert [doubt.partition(" ")[0] for doubt in doubts] == ([] if doing == "eol.measure" else [doing])
    await go_on(cell, clock)
    await clock.until(lambda: job.done() or cell.view.questions, limit="5 min")
    assert (cell.view.questions, job.good, world.welds("part-1")) == ((), 1, list(range(1, 17)))
    assert world.truth()["violations"] == []


async def power_fails(cell):
    """Control is gone in this moment, and is switched on again."""
    await cell.bench.kill()
    await cell.clock.advance("5 s")
    await cell.bench.power_on()
    await cell.clock.until(lambda: not cell.bench.control.cell.missing, limit="30 s")
    assert cell.state == "Aborted"


async def go_on(cell, clock):
    """A person looks, and sets the cell going."""
    for command, state in ((Command.CLEAR, "Stopped"), (Command.RESET, "Idle"), (Command.START, "Execute")):
        await cell.bench.fire(command)
        await clock.until(state, limit="60 s")
