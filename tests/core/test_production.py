"""Production: parts in flight, their stations and devices, and what ends when."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from cellctl import param, phase
from cellctl.core.condition import Ref
from cellctl.core.messages import AddJob, Recover, Refused, StartChangeover, Write
from cellctl.core.packml import Command, State
from cellctl.core.phase import PhaseDefinition, PhaseFault
from cellctl.core.procedure import ForEach, Parallel, PhaseStep, Sequence, With
from cellctl.core.production import ROUNDS_PER_TURN
from cellctl.core.recipe import FirstArticle, MasterRecipe, RecipeParameter

from .bench import Bench, equipment, unknown


@phase(station="s1")
async def load(c):
    await c.sleep("100 ms")


@phase(station="s2", uses=["robot"])
async def carry(c):
    await c.robot.goto("a")


@phase(station="s2")
async def test(c):
    await c.sleep("300 ms")


def step(name: str, /, **parameters: Any) -> PhaseStep:
    return PhaseStep(name, name, parameters)


def log(bench: Bench, kind: str, *keys: str) -> list[tuple[object, ...]]:
    return [tuple(entry[key] for key in keys) for entry in bench.noted(kind)]


PER_PART = {
    "points": RecipeParameter("points", 3, low=1, high=9, per_part=True),
    "name": RecipeParameter("name", "", per_part=True),
}


# --- parts ----------------------------------------------------------------------------------------------------


def test_every_part_has_its_own_values() -> None:
    seen: list[tuple[object, ...]] = []

    @phase(station="s1")
    async def engrave(c, name: str, n: int):
        seen.append((c.part.serial, name, n))

    each = ForEach("each", "n", Ref("points"), Sequence((step("engrave", name=Ref("name"), n=Ref("n")),)))
    bench = Bench(
        equipment(
            engrave,
            procedure=Sequence((each,)),
            parameters=PER_PART,
        )
    )
    bench.ask(AddJob("J", "r", 3, ({"name": "a", "points": 1}, {"points": 2}, {"points": 1})))
    bench.ask(StartChangeover("r"))
    bench.start()
    bench.until(State.COMPLETED)
    assert seen == [("J-0001", "a", 1), ("J-0002", "", 1), ("J-0002", "", 2), ("J-0003", "", 1)]


def test_parameters_that_do_not_fit_the_phase_are_a_fault_of_the_step() -> None:
    @phase(station="s1")
    async def weld(c, power: float = param("W", 1200, 1600)):
        pass

    bench = Bench(
        equipment(weld, procedure=Sequence((PhaseStep("weld", "weld", {"power": 5}, {"error": "retry 1 then hold"}),)))
    )
    bench.produce()
    bench.until(State.HELD)
    assert [fault["text"] for fault in bench.noted("fault")] == ["weld: power: 5 W is outside 1200..1600 W"] * 2
    assert bench.view().why[0].text == "weld: power: 5 W is outside 1200..1600 W"


@pytest.mark.parametrize(("wip", "most"), [(1, 1), (2, 2), (5, 2)])
def test_parts_overlap_as_far_as_wip_and_stations_allow(wip: int, most: int) -> None:
    bench = Bench(equipment(load, carry, test, wip=wip))
    bench.produce(quantity=4)
    seen = 0
    while bench.cell.state is State.EXECUTE:
        bench.advance(0.01)
        seen = max(seen, len(bench.cell.memory.parts))
    assert seen == most
    assert log(bench, "part.done", "part") == [(f"J-{number:04d}",) for number in range(1, 5)]


def test_a_part_keeps_its_station_until_it_is_taken_over_in_the_next() -> None:
    bench = Bench(equipment(load, carry, wip=2))
    bench.answers["robot.goto"] = unknown
    bench.produce(quantity=2, seconds=0.1)
    assert [(station.id, station.part) for station in bench.view().stations] == [
        ("s1", "J-0001"),
        ("s2", "J-0001"),
    ]
    assert len(bench.view().parts) == 1


def test_a_device_serves_one_phase_at_a_time() -> None:
    @phase(station="s1")
    async def weld(c):
        await c.sleep("200 ms")

    bench = Bench(
        equipment(
            weld,
            carry,
            procedure=Sequence((Parallel("p", {"a": Sequence((step("weld"),)), "b": Sequence((step("carry"),))}),)),
        )
    )
    bench.produce(seconds=0.05)
    (part,) = bench.view().parts
    assert part.waits == ("weld: waits 150 ms", "carry: waits for robot, which weld uses")
    assert bench.sent("robot.goto") == []
    bench.until(State.COMPLETED)
    assert len(bench.sent("robot.goto")) == 1


def test_a_part_waits_for_a_station_that_is_occupied() -> None:
    bench = Bench(equipment(load, carry, test, wip=2))
    bench.produce(quantity=2, seconds=0.35)
    first, second = bench.view().parts
    assert (first.phases, second.phases) == (("test",), ())
    assert second.waits == ("carry: waits for station s2, where J-0001 is",)


def test_a_phase_without_a_station_needs_only_its_devices() -> None:
    @phase(uses=["laser"])
    async def warm(c):
        await c.sleep("100 ms")

    @phase()
    async def think(c):
        await c.sleep("100 ms")

    side_by_side = Parallel("p", {name: Sequence((step(name),)) for name in ("warm", "think")})
    bench = Bench(equipment(warm, think, procedure=Sequence((side_by_side,))))
    bench.produce(seconds=0.05)
    assert bench.view().parts[0].phases == ("warm", "think")
    assert bench.view().parts[0].station == ""
    bench.until(State.COMPLETED)


@pytest.mark.parametrize("after", [("load",), ()])
def test_a_background_phase_ends_with_what_it_was_for(after: tuple[str, ...]) -> None:
    @phase(station="s1")
    async def vacuum(c):
        async with c.safe(c.plc.clamp.off):
            await c.plc.clamp.on()
            await c.until("not plc.guard", timeout=c.forever())

    cure = With("cure", Sequence((step("vacuum"),)), Sequence((step("test"),)))
    bench = Bench(equipment(vacuum, test, load, procedure=Sequence((cure, *map(step, after)))))
    bench.produce(seconds=0.2)
    assert bench.view().parts[0].phases == ("vacuum", "test")
    bench.until(State.COMPLETED)
    assert [order.value for order in bench.sent("plc.clamp")] == [True, False]
    assert log(bench, "phase.done", "step") == [("cure/do/test",), *((name,) for name in after)]


def test_a_background_phase_is_safe_before_the_next_phase_acts() -> None:
    @phase(station="s1", uses=())
    async def vacuum(c):
        async with c.safe(c.plc.clamp.off):
            await c.plc.clamp.on()
            await c.until("not plc.guard", timeout=c.forever())

    @phase(station="s2", uses=())
    async def sound(c):
        await c.plc.horn.on()

    cure = With("cure", Sequence((step("vacuum"),)), Sequence((step("test"),)))
    bench = Bench(equipment(vacuum, test, sound, procedure=Sequence((cure, step("sound")))))
    bench.produce()
    bench.until(State.COMPLETED)
    told = [(order.signal, order.value) for order in bench.orders if isinstance(order, Write)]
    assert told[-3:] == [("plc.clamp", True), ("plc.clamp", False), ("plc.horn", True)]


def test_a_background_phase_that_was_tried_again_ends_with_what_it_was_for() -> None:
    tries: list[int] = []

    @phase(station="s1", faults={"leak": ("retry",)})
    async def vacuum(c):
        tries.append(1)
        await c.sleep("10 ms")
        if len(tries) == 1:
            raise PhaseFault("leak", "it leaks")
        await c.until("not plc.guard", timeout=c.forever())

    again = PhaseStep("vacuum", "vacuum", on_fault={"leak": "retry 1 then hold"})
    cure = With("cure", Sequence((again,)), Sequence((step("test"),)))
    bench = Bench(equipment(vacuum, test, procedure=Sequence((cure,))))
    bench.produce()
    bench.until(State.COMPLETED)
    assert len(tries) == 2
    assert log(bench, "phase.done", "step") == [("cure/do/test",)]


def test_the_question_of_a_background_phase_ends_with_it() -> None:
    @phase(station="s1")
    async def watch(c):
        await c.ask("Is it still there?")

    cure = With("cure", Sequence((step("watch"),)), Sequence((step("test"),)))
    bench = Bench(equipment(watch, test, load, procedure=Sequence((cure, step("load")))))
    bench.produce(seconds=0.1)
    assert len(bench.view().questions) == 1
    bench.advance(0.3)
    assert bench.view().questions == ()
    bench.until(State.COMPLETED)


def test_a_turn_is_bounded_and_the_rest_is_done_in_the_next() -> None:
    @phase(station="s1")
    async def quick(c, n: int):
        c.keep("n", n)

    each = ForEach("each", "n", tuple(range(2 * ROUNDS_PER_TURN)), Sequence((step("quick", n=Ref("n")),)))
    bench = Bench(equipment(quick, procedure=Sequence((each,))))
    bench.produce()
    first = len(bench.noted("phase"))
    assert 0 < first <= ROUNDS_PER_TURN
    bench.until(State.COMPLETED)
    assert len(bench.noted("phase")) == 2 * ROUNDS_PER_TURN


# --- the end and the states -----------------------------------------------------------------------------------


def test_complete_finishes_the_parts_in_process_and_begins_none() -> None:
    bench = Bench(equipment(load, test))
    bench.produce(quantity=5, seconds=0.05)
    bench.fire(Command.COMPLETE)
    bench.until(State.COMPLETED)
    assert log(bench, "part.done", "part") == [("J-0001",)]
    assert [(job.quantity, job.started, job.done) for job in bench.view().jobs] == [(5, 1, 1)]


def test_stop_keeps_the_parts_and_start_goes_on() -> None:
    bench = Bench(equipment(load, test))
    bench.produce(quantity=2, seconds=0.15)
    bench.fire(Command.STOP)
    bench.until(State.STOPPED)
    (part,) = bench.view().parts
    assert (part.serial, part.station, part.phases) == ("J-0001", "s2", ())
    bench.start()
    bench.until(State.COMPLETED)
    assert log(bench, "phase", "part", "step") == [
        ("J-0001", "load"),
        ("J-0001", "test"),
        ("J-0001", "test"),
        ("J-0002", "load"),
        ("J-0002", "test"),
    ]


def test_suspending_lets_the_phases_end_and_begins_none() -> None:
    bench = Bench(equipment(load, test))
    bench.produce(seconds=0.05)
    bench.fire(Command.SUSPEND)
    assert bench.cell.state is State.SUSPENDING
    bench.until(State.SUSPENDED)
    assert log(bench, "phase.done", "step") == [("load",)]
    bench.advance(1)
    assert len(bench.noted("phase")) == 1
    bench.fire(Command.UNSUSPEND)
    bench.until(State.COMPLETED)


# --- first articles -------------------------------------------------------------------------------------------


def articles(bench: Bench) -> Iterator[str]:
    for question in bench.view().questions:
        yield question.text


def test_first_articles_are_approved_one_by_one() -> None:
    bench = Bench(equipment(load, wip=2, changeover=(FirstArticle(2, "quality", ("pull force", "look")),)))
    bench.produce(quantity=4)
    bench.until(State.HELD)
    assert list(articles(bench)) == ["First article J-0001: pull force, look?"]
    question = bench.view().questions[0]
    wrong = bench.ask(Recover(question.id, "maybe")).answer
    assert isinstance(wrong, Refused)
    assert wrong.reason == "'maybe' is not possible; choose approve or reject"
    bench.ask(Recover(question.id, "reject"))
    for serial in ("J-0002", "J-0003"):
        bench.fire(Command.UNHOLD)
        bench.until(State.HELD)
        assert list(articles(bench)) == [f"First article {serial}: pull force, look?"]
        bench.ask(Recover(bench.view().questions[0].id, "approve"))
    bench.fire(Command.UNHOLD)
    bench.until(State.COMPLETED)
    assert bench.view().good == 4


def test_no_part_is_begun_before_the_first_article_is_approved() -> None:
    bench = Bench(equipment(load, changeover=(FirstArticle(),)))
    bench.produce(quantity=2)
    bench.until(State.HELD)
    bench.fire(Command.UNHOLD)
    bench.advance(1)
    assert bench.cell.state is State.EXECUTE
    assert len(bench.noted("part")) == 1
    assert list(articles(bench)) == ["First article J-0001: is it good?"]
    bench.ask(Recover(bench.view().questions[0].id, "approve"))
    bench.until(State.COMPLETED)


def test_an_unknown_question_is_refused() -> None:
    answer = Bench(equipment(load)).ask(Recover("x", "y")).answer
    assert isinstance(answer, Refused)
    assert answer.reason == "there is no open question 'x'"


def test_a_recipe_without_steps_makes_its_parts_at_once() -> None:
    nothing: tuple[PhaseDefinition, ...] = ()
    bench = Bench(replace(equipment(*nothing), recipes={"r": MasterRecipe("r", "1")}))
    bench.produce(quantity=3)
    bench.until(State.COMPLETED)
    assert bench.view().good == 3
