"""What only a person decides: kinds of faults that no policy retries or passes over, and doubts."""

import pytest

from cellctl import PhaseFault, phase
from cellctl.core.messages import Recover
from cellctl.core.packml import State
from cellctl.core.phase import PhaseDefinition

from .bench import Bench, equipment

#: How many times the phase still goes wrong.
TROUBLE: list[str] = []


@phase(station="s1")
async def work(c):
    """A fault that ends the phase for each word in TROUBLE."""
    await c.sleep("10 ms")
    if TROUBLE:
        raise PhaseFault(TROUBLE.pop(0), "it went wrong")


def made(definition: PhaseDefinition, trouble: str, on_fault: dict[str, str]) -> Bench:
    TROUBLE[:] = [trouble]
    bench = Bench(equipment(definition, on_fault=on_fault))
    bench.produce(seconds=0.2)
    return bench


def questions(bench: Bench) -> list[tuple[str, tuple[str, ...]]]:
    return [(question.kind, question.choices) for question in bench.view().questions]


def results(bench: Bench) -> list[object]:
    return [part["result"] for part in bench.noted("part.done")]


@phase(station="s1", faults={"crack": ("retry", "skip", "scrap")}, human_only=("crack", "timeout"))
async def look(c):
    """A declared fault, or one that ends the phase: only a person decides about them."""
    await c.sleep("10 ms")
    if TROUBLE and TROUBLE[0] == "crack":
        await c.fault(TROUBLE.pop(0))
    elif TROUBLE:
        raise PhaseFault(TROUBLE.pop(0), "it went wrong")


@pytest.mark.parametrize("kind", ["crack", "timeout"])
@pytest.mark.parametrize("policy", ["retry 3 then ask", "retry 1 then scrap", "skip", "scrap", "ask"])
def test_whatever_the_policy_says_a_person_is_asked(kind: str, policy: str) -> None:
    bench = made(look, kind, {kind: policy})
    assert [one for one, _ in questions(bench)] == [kind]
    assert bench.noted("recovery") == []
    bench.ask(Recover(bench.view().questions[0].id, "retry"))
    bench.until(State.COMPLETED)
    assert results(bench) == ["good"]


def test_the_cell_may_be_held_for_it() -> None:
    bench = made(look, "crack", {"crack": "retry 1 then hold"})
    bench.until(State.HELD)
    assert questions(bench) == [("crack", ("retry", "skip", "scrap"))]


@pytest.mark.parametrize("policy", ["retry 3 then ask", "retry 3 then skip"])
def test_a_doubt_is_never_retried_nor_passed_over_without_a_person(policy: str) -> None:
    bench = made(work, "in_doubt", {"in_doubt": policy})
    assert questions(bench) == [("in_doubt", ("done", "redo", "scrap"))]


def test_a_recipe_may_scrap_a_part_for_a_doubt() -> None:
    bench = made(work, "in_doubt", {"in_doubt": "retry 3 then scrap"})
    bench.until(State.COMPLETED)
    assert results(bench) == ["scrap"]
