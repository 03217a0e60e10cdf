"""Entering a phase: with the memory of its step, and a fault if its parameters do not fit."""

import pytest

from cellctl import PhaseFault, param, phase
from cellctl.core.job import Job
from cellctl.core.messages import Entry
from cellctl.core.part import Part
from cellctl.core.procedure import PhaseStep, Sequence
from cellctl.core.recipe import MasterRecipe
from cellctl.core.site import Site

from .bench import site_of


@phase()
async def weld(c, power: float = param("W", 1200, 1600)):
    c.keep("power", power)


@pytest.fixture
def site() -> Site:
    return site_of(weld)


@pytest.fixture
def part(site: Site) -> Part:
    steps = Sequence((PhaseStep("a", "weld"), PhaseStep("b", "weld")))
    made = Part("J-0001", Job("J", "r", 1), MasterRecipe("r", "1"), steps, {}, 0)
    site.memory.parts.append(made)
    return made


def test_entries_name_the_part_and_the_step_or_the_phase(site: Site, part: Part) -> None:
    site.enter("weld", {"power": 1300}, part, "a").advance()
    site.enter("weld", {"power": 1400}).advance()
    assert site.outbox.take() == [
        Entry("kept", {"part": "J-0001", "step": "a", "name": "power", "value": 1300}),
        Entry("kept", {"phase": "weld", "name": "power", "value": 1400}),
    ]


def test_each_step_of_a_part_has_one_memory_until_it_is_finished(site: Site, part: Part) -> None:
    site.enter("weld", {"power": 1300}, part, "a").advance()
    site.enter("weld", {"power": 1400}, part, "a").advance()
    assert part.progress["a"].kept == {"power": 1300}
    assert list(part.due) == ["a"]
    part.finish("a")
    assert (part.progress, list(part.due), part.complete) == ({}, ["b"], False)
    part.finish("b")
    assert part.complete


def test_parameters_that_do_not_fit_are_a_fault(site: Site, part: Part) -> None:
    with pytest.raises(PhaseFault, match=r"weld: power: 5 W is outside 1200\.\.1600 W"):
        site.enter("weld", {"power": 5}, part, "a")
    assert "a" in part.progress, "its retries are counted"


def test_a_part_is_good_until_it_is_scrapped(part: Part) -> None:
    assert part.good
    part.scrapped = True
    assert not part.good
