"""Recovery: the policy of a step, the choice of a person, and what a fault demands of the cell."""

from dataclasses import replace

import pytest

from cellctl import PhaseFault, phase
from cellctl.core.messages import Recover, Refused
from cellctl.core.packml import Command, Mode, ModeRule, State
from cellctl.core.phase import PhaseDefinition
from cellctl.core.procedure import Parallel, PhaseStep, Sequence

from .bench import Bench, equipment

#: How many times the phase still goes wrong.
TROUBLE: list[str] = []


@pytest.fixture(autouse=True)
def no_trouble_left() -> None:
    TROUBLE.clear()


@phase(station="s1", faults={"weak": ("retry", "skip", "scrap"), "odd": ("skip",)})
async def weld(c):
    """A declared fault for each word in TROUBLE, until one is answered otherwise than by a retry."""
    await c.sleep("10 ms")
    while TROUBLE:
        if await c.fault(TROUBLE.pop(0), peak=900) != "retry":
            break
        await c.sleep("10 ms")


@phase(station="s1")
async def work(c):
    """A fault that ends the phase for each word in TROUBLE."""
    await c.sleep("10 ms")
    if TROUBLE:
        raise PhaseFault(TROUBLE.pop(0), "it went wrong")


@phase(station="s2")
async def pack(c):
    await c.sleep("10 ms")


@phase(station="s2", always=True, faults={"stuck": ("retry", "scrap")})
async def unload(c):
    c.record("good", c.part.good)
    await c.sleep("10 ms")
    if TROUBLE and TROUBLE[0] == "stuck":
        c.record("chosen", await c.fault(TROUBLE.pop(0)))
    elif TROUBLE:
        raise PhaseFault(TROUBLE.pop(0), "it went wrong")


def cell(
    *phases: PhaseDefinition, trouble: str = "", on_fault: dict[str, str] | None = None, quantity: int = 1
) -> Bench:
    TROUBLE.extend(trouble.split())
    bench = Bench(equipment(*phases, on_fault=on_fault or {}))
    bench.produce(quantity=quantity, seconds=0.2)
    return bench


def questions(bench: Bench) -> list[tuple[str, tuple[str, ...]]]:
    return [(question.kind, question.choices) for question in bench.view().questions]


def choose(bench: Bench, choice: str) -> str:
    """Answer the open question; "" or why it is refused."""
    answer = bench.ask(Recover(bench.view().questions[0].id, choice)).answer
    return answer.reason if isinstance(answer, Refused) else ""


def results(bench: Bench) -> list[object]:
    return [part["result"] for part in bench.noted("part.done")]


# --- faults that the phase declares ---------------------------------------------------------------------------


def test_without_a_policy_a_person_is_asked_and_the_cell_goes_on() -> None:
    bench = cell(weld, trouble="weak")
    assert bench.cell.state is State.EXECUTE
    (question,) = bench.view().questions
    assert (question.text, question.station, question.data) == ("weld: weak (peak 900)", "s1", {"peak": 900})
    assert questions(bench) == [("weak", ("retry", "skip", "scrap"))]
    assert choose(bench, "done") == "'done' is not possible; choose retry or skip or scrap"
    assert choose(bench, "skip") == ""
    bench.until(State.COMPLETED)
    assert results(bench) == ["good"]


def test_retry_n_then_ask() -> None:
    bench = cell(weld, trouble="weak weak weak", on_fault={"weak": "retry 2 then ask"})
    assert [entry["choice"] for entry in bench.noted("recovery")] == ["retry", "retry"]
    assert questions(bench) == [("weak", ("retry", "skip", "scrap"))]
    choose(bench, "retry")
    bench.until(State.COMPLETED)


@pytest.mark.parametrize(("policy", "result"), [("skip", "good"), ("scrap", "scrap"), ("retry 1 then scrap", "scrap")])
def test_a_recovery_that_needs_nobody(policy: str, result: str) -> None:
    bench = cell(weld, pack, trouble="weak weak", on_fault={"weak": policy})
    bench.until(State.COMPLETED)
    assert results(bench) == [result]
    assert bench.noted("question") == []


def test_a_recovery_that_the_phase_does_not_offer_is_asked_about() -> None:
    bench = cell(weld, trouble="odd", on_fault={"odd": "scrap"})
    assert bench.cell.state is State.EXECUTE
    assert questions(bench) == [("odd", ("skip",))]


@pytest.mark.parametrize(
    ("reaction", "state"), [("hold", State.HELD), ("stop", State.STOPPED), ("abort", State.ABORTED)]
)
def test_a_reaction_of_the_cell_leaves_the_question_open(reaction: str, state: State) -> None:
    bench = cell(weld, trouble="weak", on_fault={"weak": reaction})
    bench.until(state)
    assert bench.view().why[0].text == "weld: weak (peak 900)"
    assert questions(bench) == [("weak", ("retry", "skip", "scrap"))]


def test_after_the_hold_the_answer_is_found_where_the_question_was() -> None:
    bench = cell(weld, trouble="weak", on_fault={"weak": "hold"})
    bench.until(State.HELD)
    bench.fire(Command.UNHOLD)
    bench.advance(0.5)
    assert bench.view().parts[0].phases == (), "not entered before the question is answered"
    TROUBLE.append("weak")
    choose(bench, "skip")
    bench.until(State.COMPLETED)
    assert len(bench.noted("question")) == 1


# --- faults that end the phase --------------------------------------------------------------------------------


def test_without_a_policy_the_cell_is_held_and_the_phase_entered_again_after_it() -> None:
    bench = cell(work, trouble="timeout")
    bench.until(State.HELD)
    told = {"part": "J-0001", "step": "work", "fault": "timeout", "text": "it went wrong", "retry": 0}
    assert bench.noted("fault") == [told]
    assert questions(bench) == []
    bench.fire(Command.UNHOLD)
    bench.until(State.COMPLETED)
    assert results(bench) == ["good"]


def test_retry_n_then_hold_counts_anew_after_the_hold() -> None:
    bench = cell(work, trouble="timeout " * 6, on_fault={"timeout": "retry 2 then hold"})
    bench.until(State.HELD)
    assert len(bench.noted("fault")) == 3
    bench.fire(Command.UNHOLD)
    bench.advance(0.1)
    bench.until(State.HELD)
    assert len(bench.noted("fault")) == 6


@pytest.mark.parametrize(("choice", "result", "entered"), [("retry", "good", 2), ("scrap", "scrap", 1)])
def test_ask_about_a_built_in_fault(choice: str, result: str, entered: int) -> None:
    bench = cell(work, trouble="no_reply", on_fault={"no_reply": "ask"})
    assert bench.cell.state is State.EXECUTE
    assert questions(bench) == [("no_reply", ("retry", "scrap"))]
    assert bench.view().questions[0].station == "s1"
    assert bench.view().why[0].text == "it went wrong"
    choose(bench, choice)
    bench.until(State.COMPLETED)
    assert results(bench) == [result]
    assert len(bench.noted("phase")) == entered


def test_a_person_may_skip_where_the_phase_offers_it() -> None:
    @phase(station="s1", faults={"timeout": ("retry", "skip")})
    async def test(c):
        await c.until("not plc.guard", timeout="10 ms")

    bench = cell(test, on_fault={"timeout": "ask"})
    choose(bench, "skip")
    bench.until(State.COMPLETED)
    assert results(bench) == ["good"]
    assert len(bench.noted("phase")) == 1


@pytest.mark.parametrize(("policy", "result"), [("skip", "good"), ("scrap", "scrap")])
def test_a_built_in_fault_may_skip_or_scrap_by_itself(policy: str, result: str) -> None:
    bench = cell(work, pack, trouble="error", on_fault={"error": policy})
    bench.until(State.COMPLETED)
    assert results(bench) == [result]
    assert [entry["step"] for entry in bench.noted("phase")] == (["work", "pack"] if policy == "skip" else ["work"])


@pytest.mark.parametrize(
    ("policy", "state"), [("stop", State.STOPPED), ("abort", State.ABORTED), ("retry", State.HELD)]
)
def test_a_fault_may_stop_or_abort_and_an_endless_retry_holds(policy: str, state: State) -> None:
    bench = cell(work, trouble="error", on_fault={"error": policy})
    bench.until(state)
    assert bench.view().why[0].text == "it went wrong"
    assert bench.cell.production.recovery.demand is None


def test_of_several_faults_at_once_the_most_severe_demand_counts() -> None:
    @phase(uses=["laser"])
    async def first(c):
        raise ValueError("one")

    @phase(uses=["robot"])
    async def second(c):
        raise ValueError("two")

    for policies, state in [
        (("hold", "abort"), State.ABORTED),
        (("abort", "hold"), State.ABORTED),
        (("hold", "hold"), State.HELD),
    ]:
        branches = {
            name: Sequence((PhaseStep(name, name, on_fault={"error": policy}),))
            for name, policy in zip(("first", "second"), policies, strict=True)
        }
        bench = Bench(equipment(first, second, procedure=Sequence((Parallel("both", branches),))))
        bench.produce()
        bench.until(state)


def test_of_several_questions_each_has_its_own_answer() -> None:
    @phase(station="s1")
    async def load(c):
        c.record("loaded", await c.ask("Is it in?", ("yes", "no")))

    @phase(station="s2")
    async def carry(c):
        await c.sleep("10 ms")

    @phase(station="s2")
    async def test(c):
        c.record("tested", await c.ask("Is it good?", ("yes", "no")))

    bench = Bench(equipment(load, carry, test, wip=2))
    bench.produce(quantity=2, seconds=0.1)
    choose(bench, "yes")
    bench.advance(0.1)
    first, second = bench.view().questions
    assert (first.part, first.text, second.part, second.text) == ("J-0001", "Is it good?", "J-0002", "Is it in?")
    bench.ask(Recover(second.id, "no"))
    bench.advance(0.1)
    assert bench.view().questions == (first,)
    assert [(entry["part"], entry["value"]) for entry in bench.noted("record")] == [("J-0001", "yes"), ("J-0002", "no")]


# --- scrapped parts -------------------------------------------------------------------------------------------


def test_for_a_scrapped_part_only_those_phases_run_that_always_do() -> None:
    bench = cell(weld, pack, unload, trouble="weak", on_fault={"weak": "scrap"})
    bench.until(State.COMPLETED)
    assert [entry["step"] for entry in bench.noted("phase")] == ["weld", "unload"]
    assert bench.noted("record")[0]["value"] is False
    view = bench.view()
    assert (results(bench), view.good, view.reject) == (["scrap"], 0, 1)


def test_a_phase_beside_the_one_that_scraps_is_ended() -> None:
    @phase(uses=["laser"])
    async def long(c):
        async with c.safe(c.laser.off):
            await c.sleep("60 s")

    branches = {
        "a": Sequence((PhaseStep("weld", "weld", on_fault={"weak": "scrap"}),)),
        "b": Sequence((PhaseStep("long", "long"),)),
    }

    @phase(station="s1", uses=[], faults={"weak": ("scrap",)})
    async def weld(c):
        await c.sleep("10 ms")
        await c.fault("weak")

    bench = Bench(equipment(weld, long, procedure=Sequence((Parallel("both", branches),))))
    bench.produce()
    bench.until(State.COMPLETED)
    assert results(bench) == ["scrap"]
    assert len(bench.sent("laser.off")) == 1


def test_a_part_scrapped_by_a_person_in_held_ends_after_unhold() -> None:
    bench = cell(weld, unload, trouble="weak", on_fault={"weak": "hold"})
    bench.until(State.HELD)
    choose(bench, "scrap")
    assert bench.view().parts[0].scrapped
    assert questions(bench) == []
    bench.fire(Command.UNHOLD)
    bench.until(State.COMPLETED)
    assert results(bench) == ["scrap"]


def test_the_phase_that_takes_a_scrapped_part_out_goes_on_with_what_was_chosen() -> None:
    bench = cell(unload, trouble="stuck", on_fault={"stuck": "scrap"})
    bench.until(State.COMPLETED)
    assert [(entry["name"], entry["value"]) for entry in bench.noted("record")] == [("good", True), ("chosen", "scrap")]
    assert results(bench) == ["scrap"]


def test_it_cannot_be_spared_by_scrapping_the_part_again() -> None:
    bench = cell(unload, trouble="error error", on_fault={"error": "scrap"})
    bench.until(State.HELD)
    bench.fire(Command.UNHOLD)
    bench.advance(0.1)
    bench.until(State.HELD)
    bench.fire(Command.UNHOLD)
    bench.until(State.COMPLETED)
    assert results(bench) == ["good"]


# --- when the cell obeys --------------------------------------------------------------------------------------


def test_a_hold_demanded_while_completing_becomes_a_stop() -> None:
    TROUBLE.append("error")
    bench = Bench(equipment(work))
    bench.produce(quantity=2)
    bench.fire(Command.COMPLETE)
    bench.until(State.STOPPED)
    assert bench.view().why[0].text == "it went wrong"
    bench.start()
    bench.until(State.COMPLETED)
    assert results(bench) == ["good", "good"], "the part that was begun, and the other one"


def test_a_hold_demanded_while_suspending_comes_when_suspended() -> None:
    TROUBLE.append("error")
    bench = Bench(equipment(work))
    bench.produce()
    bench.fire(Command.SUSPEND)
    bench.until(State.HELD)
    assert bench.states()[-5:] == ["Execute", "Suspending", "Suspended", "Holding", "Held"]


def test_a_demanded_hold_waits_while_the_state_does_not_allow_it() -> None:
    @phase(uses=["laser"])
    async def fails(c):
        await c.sleep("100 ms")
        raise ValueError("no")

    @phase(uses=["robot"])
    async def goes_on(c):
        await c.sleep("300 ms")

    for air, causes in [(6.0, ["J-0001/both/fails/fails/"]), (4.0, ["air", "J-0001/both/fails/fails/"])]:
        branches = {one.name: Sequence((PhaseStep(one.name, one.name),)) for one in (goes_on, fails)}
        bench = Bench(equipment(fails, goes_on, procedure=Sequence((Parallel("both", branches),))))
        bench.produce(seconds=0.05)
        bench.fire(Command.SUSPEND)
        bench.advance(0.15)
        assert (bench.cell.state, bench.cell.production.idle) == (State.SUSPENDING, False)
        bench.values["plc.air"] = air
        bench.until(State.HELD)
        assert [cause.id for cause in bench.cell.operation.causes] == causes
        assert bench.cell.production.recovery.demand is None


def test_a_hold_demanded_in_a_mode_that_cannot_hold_becomes_a_stop() -> None:
    TROUBLE.append("error")
    never_held = {Mode.PRODUCTION: ModeRule(frozenset({State.HOLDING, State.HELD, State.UNHOLDING}))}
    bench = Bench(replace(equipment(work), modes=never_held))
    bench.produce()
    bench.until(State.STOPPED)
