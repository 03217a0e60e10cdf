"""Procedures: a tree of steps, what of it may run, and that any way through it comes to its end."""

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellctl.core.condition import Ref
from cellctl.core.procedure import ForEach, Parallel, PhaseStep, Sequence, Step, With, complete, frontier, phases_of
from cellctl.core.procedure import resolve as resolved


def phase(name: str, **parameters: object) -> PhaseStep:
    return PhaseStep(name, name, parameters)  # type: ignore[arg-type]


def seq(*steps: Step | str) -> Sequence:
    return Sequence(tuple(phase(step) if isinstance(step, str) else step for step in steps))


def may_run(sequence: Sequence, *finished: str) -> list[str]:
    return [path for path, _ in frontier(sequence, set(finished))]


def test_a_sequence_is_one_step_after_another() -> None:
    tree = seq("a", "b")
    assert may_run(tree) == ["a"]
    assert may_run(tree, "a") == ["b"]
    assert may_run(tree, "a", "b") == []
    assert complete(tree, {"a", "b"})
    assert not complete(tree, {"a"})


def test_a_sequence_in_a_sequence_has_its_own_place() -> None:
    tree = seq(Sequence((phase("a"), phase("b")), "inner"), "a")
    assert may_run(tree) == ["inner/a"]
    assert may_run(tree, "inner/a", "inner/b") == ["a"]


def test_branches_run_side_by_side_and_are_joined() -> None:
    tree = seq(Parallel("both", {"left": seq("a", "b"), "right": seq("c")}), "d")
    assert may_run(tree) == ["both/left/a", "both/right/c"]
    assert may_run(tree, "both/left/a") == ["both/left/b", "both/right/c"]
    assert may_run(tree, "both/left/a", "both/left/b") == ["both/right/c"]
    assert may_run(tree, "both/left/a", "both/left/b", "both/right/c") == ["d"]


def test_a_background_lasts_as_long_as_what_it_is_for() -> None:
    tree = seq(With("cure", seq("vacuum", "hold"), seq("heat", "cool")), "d")
    assert may_run(tree) == ["cure/background/vacuum", "cure/do/heat"]
    assert may_run(tree, "cure/background/vacuum") == ["cure/background/hold", "cure/do/heat"]
    assert may_run(tree, "cure/do/heat") == ["cure/background/vacuum", "cure/do/cool"]
    assert may_run(tree, "cure/do/heat", "cure/do/cool") == ["d"]


@pytest.mark.parametrize("step", [phase("p"), Parallel("p", {"x": seq("a")}), With("p", seq("a"), seq("b"))])
def test_when_decides_before_the_part_starts(step: PhaseStep | Parallel | With) -> None:
    tree = seq(type(step)(**{name: getattr(step, name) for name in step.__slots__} | {"when": Ref("wanted")}), "end")
    assert may_run(resolved(tree, {"wanted": False})) == ["end"]
    assert may_run(resolved(tree, {"wanted": True}))[0].startswith("p")
    with pytest.raises(KeyError):
        resolved(tree, {})


def test_every_reference_is_filled_in() -> None:
    tree = seq(phase("weld", power=Ref("power"), time=80), Sequence((phase("a", n=Ref("power")),), "inner"))
    steps = list(phases_of(resolved(tree, {"power": 1450})))
    assert [step.parameters for step in steps] == [{"power": 1450, "time": 80}, {"n": 1450}]


def test_for_each_is_unrolled_over_a_list_or_a_count() -> None:
    listed = seq(ForEach("each", "n", (7, "x"), seq(phase("a", at=Ref("n")))))
    tree = resolved(listed, {})
    assert may_run(tree) == ["each/0/a"]
    assert may_run(tree, "each/0/a") == ["each/1/a"]
    assert may_run(tree, "each/0/a", "each/1/a") == []
    assert [step.parameters["at"] for step in phases_of(tree)] == [7, "x"]
    counted = seq(ForEach("each", "n", Ref("points"), seq(phase("a", at=Ref("n"))), when=Ref("wanted")))
    tree = resolved(counted, {"points": 3, "wanted": True})
    assert [step.parameters["at"] for step in phases_of(tree)] == [1, 2, 3]
    assert list(phases_of(resolved(counted, {"points": 3, "wanted": False}))) == []
    assert may_run(resolved(counted, {"points": 0, "wanted": True})) == []


def test_a_for_each_inside_another_sees_both_names() -> None:
    inner = ForEach("col", "x", (1, 2), seq(phase("a", x=Ref("x"), y=Ref("y"))))
    tree = resolved(seq(ForEach("row", "y", (1, 2), seq(inner))), {})
    assert [tuple(step.parameters.values()) for step in phases_of(tree)] == [(1, 1), (2, 1), (1, 2), (2, 2)]


def test_a_for_each_that_was_not_unrolled_cannot_be_walked() -> None:
    tree = seq(ForEach("each", "n", (1,), seq("a")))
    with pytest.raises(ValueError, match="unrolled"):
        may_run(tree)
    with pytest.raises(ValueError, match="unrolled"):
        may_run(seq(Parallel("p", {"x": seq("b")}), ForEach("each", "n", (1,), seq("a"))), "p/x/b")


def test_the_phases_of_a_tree_in_the_order_of_its_text() -> None:
    tree = seq(
        "a",
        Parallel("p", {"x": seq("b"), "y": seq("c")}),
        With("w", seq("d"), seq("e")),
        ForEach("f", "n", (1,), seq("g")),
        Sequence((phase("h"),), "s"),
    )
    assert "".join(step.phase for step in phases_of(tree)) == "abcdegh"


# --- any tree -----------------------------------------------------------------------------------------------------

FLAGS = {"yes": True, "no": False, "count": 2}


def _steps(inner: st.SearchStrategy[Sequence]) -> st.SearchStrategy[Step]:
    when = st.sampled_from([None, Ref("yes"), Ref("no")])
    values = st.sampled_from([(), (1,), (1, 2, 3), Ref("count")])
    return st.one_of(
        st.builds(lambda: phase("p")),
        inner,
        st.builds(Parallel, st.just("both"), st.dictionaries(st.sampled_from("xyz"), inner, min_size=1), when),
        st.builds(With, st.just("with"), inner, inner, when),
        st.builds(ForEach, st.just("each"), st.just("n"), values, inner, when),
    )


def _numbered(steps: list[Step]) -> Sequence:
    """A sequence in which every step has an id of its own."""
    named = []
    for number, step in enumerate(steps):
        fields = {name: getattr(step, name) for name in step.__slots__} | {"id": f"s{number}"}
        named.append(type(step)(**fields))
    return Sequence(tuple(named))


TREES = st.recursive(
    st.just(Sequence((phase("p"),))),
    lambda inner: st.lists(_steps(inner), max_size=3).map(_numbered),
    max_leaves=10,
)


def leaves(step: Step, path: str = "", order: tuple[int, ...] = ()) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Every phase with its path, and for each sequence around it its number there (None: may be cut short)."""
    here = "/".join(name for name in (path, step.id) if name)
    match step:
        case PhaseStep():
            yield here, order
        case Sequence(steps):
            for number, each in enumerate(steps):
                yield from leaves(each, here, (*order, here, number))  # type: ignore[arg-type]
        case Parallel():
            for name, branch in step.branches.items():
                yield from leaves(branch, f"{here}/{name}", order)
        case With():
            yield from leaves(step.background, f"{here}/background", (*order, "background", 0))  # type: ignore[arg-type]
            yield from leaves(step.do, f"{here}/do", order)


def before(first: tuple[object, ...], second: tuple[object, ...]) -> bool:
    """Whether the one comes before the other in the innermost sequence that both are in."""
    for (name, number), (other_name, other_number) in zip(
        zip(first[::2], first[1::2], strict=True), zip(second[::2], second[1::2], strict=True), strict=False
    ):
        if name != other_name:
            return False
        if number != other_number:
            return bool(number < other_number)  # type: ignore[operator]
    return False


@given(TREES, st.integers(0, 2**32))
def test_any_way_through_any_tree_ends_repeats_nothing_and_keeps_the_order(tree: Sequence, seed: int) -> None:
    tree = resolved(tree, FLAGS)
    places = dict(leaves(tree))
    assert len(places) == len(list(phases_of(tree)))
    choose, finished, open_ = Random(seed), [], may_run(tree)
    while open_:
        assert set(open_) <= set(places) - set(finished)
        for path in open_:
            for other, place in places.items():
                may_be_left_out = "background" in place
                assert may_be_left_out or other in finished or not before(place, places[path]), (other, path)
        finished.append(choose.choice(open_))
        open_ = may_run(tree, *finished)
        assert (open_ == []) is complete(tree, finished)
    assert len(finished) == len(set(finished))
    assert {path for path, place in places.items() if "background" not in place} <= set(finished)
