"""What the author of a phase writes, and what is made of it."""

import pytest

from cellctl import PhaseFault, param, phase
from cellctl.core.parameter import Parameter
from cellctl.core.phase import BUILT_IN_FAULTS


def test_a_phase_is_declared_by_its_signature() -> None:
    @phase(station="weld", uses=["laser"], faults={"weak_weld": ["retry", "skip"]}, always=True)
    async def weld(c, power: float = param("W", 1200, 1600), points: int = 3, name: str = param(), dry: bool = False):
        """Weld the module."""

    assert (weld.name, weld.station, weld.uses, weld.always) == ("weld", "weld", frozenset({"laser"}), True)
    assert weld.text == "Weld the module."
    assert weld.faults == {"weak_weld": ("retry", "skip")}
    assert weld.parameters == {
        "power": Parameter("power", "float", "W", 1200, 1600),
        "points": Parameter("points", "int", default=3),
        "name": Parameter("name", "text"),
        "dry": Parameter("dry", "bool", default=False),
    }


def test_a_phase_may_declare_nothing() -> None:
    @phase()
    async def wait(c):
        pass

    assert (wait.station, wait.uses, wait.faults, wait.parameters, wait.always, wait.text) == (
        None,
        None,
        {},
        {},
        False,
        "",
    )


def plain(c):
    pass


async def no_context():
    pass


async def untyped(c, power):
    pass


async def odd_type(c, power: complex):
    pass


async def many(c, *powers: int):
    pass


async def by_position(c, power: int, /):
    pass


async def by_name(c, *, power: int):
    pass


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (plain, "the phase 'plain' must be an 'async def'"),
        (7, "the phase 7 must be an 'async def'"),
        (no_context, "the phase 'no_context' needs the context as its first parameter"),
        (untyped, "the parameter 'power' of 'untyped' needs a type: one of bool, int, float, str"),
        (odd_type, "the parameter 'power' of 'odd_type' needs a type: one of bool, int, float, str"),
        (many, "the parameter 'powers' of 'many' must be a plain one"),
        (by_position, "the parameter 'c' of 'by_position' must be a plain one"),
        (by_name, "the parameter 'power' of 'by_name' must be a plain one"),
    ],
)
def test_what_is_no_phase_is_refused_with_the_reason(function: object, reason: str) -> None:
    with pytest.raises(TypeError) as caught:
        phase()(function)
    assert reason in str(caught.value)


def test_a_person_may_choose_from_the_declared_recoveries_or_the_usual_ones() -> None:
    @phase(faults={"weak": ("retry", "skip"), "timeout": ("skip",)})
    async def weld(c):
        pass

    assert weld.recoveries("weak") == ("retry", "skip")
    assert weld.recoveries("timeout") == ("skip",)
    assert weld.recoveries("no_reply") == ("retry", "scrap")
    assert weld.recoveries("in_doubt") == ("done", "redo", "scrap")
    with pytest.raises(KeyError):
        weld.recoveries("strong")
    assert [weld.knows(kind) for kind in ("weak", "no_reply", "strong")] == [True, True, False]


def test_scrapping_the_part_spares_no_phase_that_runs_for_scrapped_parts_too() -> None:
    @phase(always=True, faults={"stuck": ("retry", "scrap")})
    async def unload(c):
        pass

    assert all("scrap" not in unload.recoveries(kind) for kind in BUILT_IN_FAULTS)
    assert unload.recoveries("stuck") == ("retry", "scrap")


def test_a_fault_carries_its_kind_and_its_text() -> None:
    fault = PhaseFault("timeout", "too long")
    assert (fault.kind, fault.text, str(fault)) == ("timeout", "too long", "too long")
