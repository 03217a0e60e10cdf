"""Jobs: which orders are taken, in which order they are worked off, and how far each is."""

from dataclasses import replace
from typing import Any

import pytest

from cellctl import phase
from cellctl.core.job import JOBS_MAX, Job
from cellctl.core.messages import AddJob, CancelJob, Receipt, Refused, StartChangeover
from cellctl.core.packml import State
from cellctl.core.recipe import RecipeParameter

from .bench import Bench, equipment


@phase(station="s1")
async def load(c):
    await c.sleep("100 ms")


@phase(station="s2", uses=["robot"])
async def carry(c):
    await c.robot.goto("a")


@phase(station="s2")
async def test(c):
    await c.sleep("300 ms")


def log(bench: Bench, kind: str, *keys: str) -> list[tuple[object, ...]]:
    return [tuple(entry[key] for key in keys) for entry in bench.noted(kind)]


def test_a_job_is_finished_when_all_its_parts_are() -> None:
    job = Job("J", "r", 2)
    assert (job.done, job.all_started, job.finished) == (0, False, False)
    job.started, job.good = 2, 1
    assert (job.done, job.all_started, job.finished) == (1, True, False)
    job.reject = 1
    assert (job.done, job.finished) == (2, True)


def test_of_a_cancelled_job_only_what_was_begun_is_finished() -> None:
    job = Job("J", "r", 9, started=1, cancelled=True)
    assert (job.all_started, job.finished) == (True, False)
    job.good = 1
    assert job.finished
    assert Job("K", "r", 9, cancelled=True).finished


def test_a_part_without_own_values_takes_those_of_the_recipe() -> None:
    job = Job("J", "r", 3, ({"name": "a"}, {}))
    assert [job.values_of(number) for number in (1, 2, 3)] == [{"name": "a"}, {}, {}]


def refusal(bench: Bench, **job: Any) -> str:
    answer = bench.ask(AddJob(**{"job": "K", "recipe": "r", "quantity": 1} | job)).answer
    assert isinstance(answer, Refused)
    return answer.reason


PER_PART = {
    "points": RecipeParameter("points", 3, low=1, high=9, per_part=True),
    "name": RecipeParameter("name", "", per_part=True),
    "power": RecipeParameter("power", 5.0),
}


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        ({"recipe": "x"}, "there is no recipe 'x'; there are r, other"),
        ({"quantity": 0}, "a job needs a quantity of at least 1"),
        ({"job": "J"}, "there is or was a job 'J' already"),
        ({"job": ""}, "a job needs an id"),
        ({"parts": ({"power": 1.0},)}, "part 1: 'power' is not a per-part parameter of r"),
        ({"quantity": 2, "parts": ({}, {"points": 10})}, "part 2: points: 10 is outside 1..9"),
        ({"parts": ({"points": "many"},)}, "part 1: points: 'many' is not of the kind of 3"),
        ({"parts": ({}, {})}, "there are values for 2 parts, but the quantity is 1"),
    ],
)
def test_a_job_that_cannot_be_taken_is_refused_with_the_reason(job: dict[str, Any], reason: str) -> None:
    bench = Bench(equipment(load, parameters=PER_PART))
    assert isinstance(bench.ask(AddJob("J", "r", 1)).answer, Receipt)
    assert refusal(bench, **job) == reason
    assert [one.id for one in bench.view().jobs] == ["J"]


def test_a_cell_without_recipes_takes_no_job() -> None:
    bench = Bench(replace(equipment(load), recipes={}))
    assert refusal(bench) == "there is no recipe 'r'; there are none"


def test_the_queue_is_bounded() -> None:
    bench = Bench(equipment(load))
    for number in range(JOBS_MAX):
        assert bench.cell.production.add(AddJob(f"J{number}", "r", 1)) is None
    assert refusal(bench) == "the queue is full: 1000 jobs"


def test_jobs_are_worked_off_in_their_order_and_the_cell_completes_by_itself() -> None:
    bench = Bench(equipment(load))
    bench.ask(AddJob("A", "r", 2))
    bench.ask(AddJob("B", "r", 1))
    bench.ask(AddJob("C", "other", 1))
    bench.ask(StartChangeover("r"))
    bench.start()
    bench.until(State.COMPLETED)
    assert log(bench, "part.done", "part", "result") == [("A-0001", "good"), ("A-0002", "good"), ("B-0001", "good")]
    assert log(bench, "job.done", "job", "good", "reject") == [("A", 2, 0), ("B", 1, 0)]
    assert [job.id for job in bench.view().jobs] == ["C"]
    assert bench.view().good == 3


def test_the_next_job_begins_while_the_last_one_ends() -> None:
    bench = Bench(equipment(load, carry, test, wip=2))
    bench.ask(AddJob("A", "r", 1))
    bench.ask(AddJob("B", "r", 1))
    bench.ask(StartChangeover("r"))
    bench.start()
    bench.advance(0.2)
    assert [part.job for part in bench.view().parts] == ["A", "B"]


def test_a_cell_that_was_started_without_a_job_waits_for_one() -> None:
    bench = Bench(equipment(load))
    bench.produce()
    bench.until(State.COMPLETED)
    bench.start()
    bench.advance(1)
    assert bench.cell.state is State.EXECUTE
    assert bench.view().why[0].text == "There is no job"
    bench.ask(AddJob("K", "r", 1))
    bench.until(State.COMPLETED)


def test_a_job_for_another_recipe_waits_for_the_changeover() -> None:
    bench = Bench(equipment(load))
    bench.ask(AddJob("K", "other", 1))
    bench.start()
    bench.advance(0.5)
    assert bench.view().why[0].text == "The job K needs other, but no recipe is loaded"
    assert bench.view().parts == ()


def test_a_cancelled_job_begins_no_further_part_and_finishes_those_it_has() -> None:
    bench = Bench(equipment(load, test))
    bench.produce(quantity=5, seconds=0.15)
    assert isinstance(bench.ask(CancelJob("J")).answer, Receipt)
    bench.until(State.COMPLETED)
    assert log(bench, "job.done", "job", "good") == [("J", 1)]
    again = bench.ask(CancelJob("J")).answer
    assert isinstance(again, Refused)
    assert again.reason == "there is no open job 'J'"


def test_a_cancelled_job_without_parts_is_gone_at_once() -> None:
    bench = Bench(equipment(load))
    bench.ask(AddJob("A", "r", 1))
    bench.ask(AddJob("B", "r", 1))
    bench.ask(CancelJob("B"))
    assert [job.id for job in bench.view().jobs] == ["A"]


def test_the_id_of_an_ended_job_is_not_taken_again_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellctl.core.memory.JOB_IDS_KEPT", 2)
    production = Bench(equipment()).cell.production
    for name in ("A", "B"):
        assert production.add(AddJob(name, "r", 1)) is None
        assert production.cancel(name) is None
    assert production.add(AddJob("A", "r", 1)) == "there is or was a job 'A' already"
    assert production.add(AddJob("C", "r", 1)) is None
    assert production.add(AddJob("A", "r", 1)) is None
