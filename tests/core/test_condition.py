"""Conditions: three-valued truth, `for`, freshness, and the reasons why one does not hold."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellctl.core.condition import (
    OPERATORS,
    And,
    Compare,
    Condition,
    For,
    Not,
    Or,
    Ref,
    Truth,
    Watch,
    fill,
    refs_of,
    signals_of,
    text,
    value_text,
)
from cellctl.core.signal import Image, Quality, Sample, Signal, Value

MS = 1_000_000

SIGNALS = [
    Signal("plc.a", "bool"),
    Signal("plc.b", "bool"),
    Signal("plc.n", "float", "bar"),
    Signal("plc.m", "int"),
    Signal("plc.t", "text"),
]

A, B = Truth("plc.a"), Truth("plc.b")


def image(at: int = 0, **values: Value | None) -> Image:
    """An image in which these signals of the plc are good (None: bad) and the others were never read."""
    made = Image(SIGNALS)
    made.now_ns = at
    tell(made, at, **values)
    return made


def tell(into: Image, at: int, **values: Value | None) -> None:
    for name, value in values.items():
        quality = Quality.BAD if value is None else Quality.GOOD
        into.take(Sample(f"plc.{name}", value, quality, at, at, "" if value is not None else "cable"))


def truth(condition: Condition, **values: Value | None) -> bool | None:
    return Watch(condition).update(image(1, **values), 1)


# --- truth ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "known"), [(True, True), (False, False), (None, None)])
def test_a_signal_is_true_false_or_unknown(value: bool | None, known: bool | None) -> None:
    assert truth(A, a=value) is known
    assert truth(Not(A), a=value) is (None if known is None else not known)


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("value", [4.0, 5.0, 6.0])
def test_comparisons(op: str, value: float) -> None:
    assert truth(Compare("plc.n", op, 5.0), n=value) is eval(f"{value} {op} 5.0")
    assert truth(Compare("plc.n", op, 5.0), n=None) is None


def test_text_is_compared_with_text_only() -> None:
    assert truth(Compare("plc.t", "==", "DONE"), t="DONE") is True
    assert truth(Compare("plc.t", "==", "DONE"), t=1) is None
    assert truth(Compare("plc.m", "<", 3), m="x") is None


def test_an_uncertain_value_is_unknown() -> None:
    made = image()
    made.take(Sample("plc.a", True, Quality.UNCERTAIN, 1, 1))
    assert Watch(A).update(made, 1) is None


_LEAVES = st.one_of(
    st.sampled_from([A, B]),
    st.builds(Compare, st.sampled_from(["plc.n", "plc.m"]), st.sampled_from(list(OPERATORS)), st.integers(0, 3)),
)
TREES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)
BOOLS = st.sampled_from([True, False, None])
NUMBERS = st.sampled_from([0, 1, 2, 3, None])


def naive(condition: Condition, values: dict[str, Value | None]) -> float:
    """Kleene's logic in numbers: 1 true, 0 false, a half unknown."""
    match condition:
        case Truth(signal):
            value = values[signal]
            return 0.5 if value is None else float(bool(value))
        case Compare(signal, op, wanted):
            value = values[signal]
            return 0.5 if value is None else float(OPERATORS[op](value, wanted))
        case Not(part):
            return 1 - naive(part, values)
        case And(parts):
            return min(naive(part, values) for part in parts)
        case Or(parts):
            return max(naive(part, values) for part in parts)
        case _:
            raise AssertionError(condition)


@given(TREES, BOOLS, BOOLS, NUMBERS, NUMBERS)
def test_any_tree_is_as_true_as_a_naive_evaluation_says(
    tree: Condition, a: bool | None, b: bool | None, n: int | None, m: int | None
) -> None:
    expected = {1: True, 0: False, 0.5: None}[naive(tree, {"plc.a": a, "plc.b": b, "plc.n": n, "plc.m": m})]
    watch, made = Watch(tree), image(1, a=a, b=b, n=n, m=m)
    assert watch.update(made, 1) is expected
    assert watch.value is expected
    assert watch.wake_at is None
    assert (watch.why(made, 1) == []) is (expected is True)
    assert all(isinstance(line, str) and line for line in watch.why(made, 1))


# --- for --------------------------------------------------------------------------------------------------------


def test_for_asks_for_an_uninterrupted_time() -> None:
    watch, made = Watch(For(A, 20 * MS)), image(a=True)
    assert [watch.update(made, at * MS) for at in (0, 10, 19)] == [False, False, False]
    assert watch.wake_at == 20 * MS
    assert watch.update(made, 20 * MS) is True
    assert watch.wake_at is None
    tell(made, 21 * MS, a=False)
    assert watch.update(made, 21 * MS) is False
    tell(made, 22 * MS, a=True)
    assert [watch.update(made, at * MS) for at in (22, 41, 42)] == [False, False, True]
    tell(made, 43 * MS, a=None)
    assert watch.update(made, 43 * MS) is None


def test_the_next_of_several_times_wakes() -> None:
    watch = Watch(And((For(A, 30 * MS), For(B, 20 * MS), For(A, 40 * MS))))
    watch.update(image(a=True, b=True), 0)
    assert watch.wake_at == 20 * MS


@given(st.integers(0, 60), st.lists(st.tuples(st.integers(1, 30), BOOLS), min_size=1, max_size=20))
def test_for_under_random_toggling_equals_a_reference(duration: int, changes: list[tuple[int, bool | None]]) -> None:
    watch, made, now, held_from = Watch(For(A, duration)), image(), 0, None
    for step, value in changes:
        now += step
        tell(made, now, a=value)
        held_from = (now if held_from is None else held_from) if value else None
        expected = value if held_from is None else now - held_from >= duration
        assert watch.update(made, now) is expected
        waits = held_from is not None and not expected
        assert watch.wake_at == (held_from + duration if waits and held_from is not None else None)


# --- freshness --------------------------------------------------------------------------------------------------


def test_what_was_read_before_does_not_count() -> None:
    made = image(10, a=True)
    watch = Watch(A, since_ns=11)
    assert watch.update(made, 12) is None
    assert watch.why(made, 12) == ["plc.a has not been read since"]
    tell(made, 11, a=True)
    assert watch.update(made, 12) is True


def test_a_sign_of_life_counts_as_read() -> None:
    made = image(10, a=True)
    watch = Watch(A, since_ns=11)
    made.confirm("plc", 11)
    assert watch.update(made, 12) is True


# --- words ------------------------------------------------------------------------------------------------------


def words(condition: Condition, **values: Value | None) -> list[str]:
    watch, made = Watch(condition), image(5 * MS, **values)
    watch.update(made, 5 * MS)
    return watch.why(made, 8 * MS)


@pytest.mark.parametrize(
    ("condition", "missing"),
    [
        (A, ["plc.a, it is false"]),
        (Not(B), ["not plc.b, it is true"]),
        (Not(And((B, Truth("plc.b")))), ["not (plc.b and plc.b), it is true"]),
        (Compare("plc.n", ">", 5.2), ["plc.n > 5.2 bar, it is 4.9 bar"]),
        (Compare("plc.m", "==", 3), ["plc.m == 3, it is 2"]),
        (Compare("plc.t", "==", "DONE"), ["plc.t == 'DONE', it is 'BUSY'"]),
        (Compare("plc.b", "==", False), ["plc.b == false, it is true"]),
        (And((A, B, Compare("plc.m", ">", 2))), ["plc.a, it is false", "plc.m > 2, it is 2"]),
        (Or((A, Compare("plc.m", ">", 2))), ["plc.a, it is false or plc.m > 2, it is 2"]),
        (For(B, 5 * MS), ["plc.b, 3 ms of 5 ms"]),
        (For(A, 5 * MS), ["plc.a, it is false"]),
        (B, []),
        (Or((A, B)), []),
    ],
)
def test_why_names_the_missing_parts(condition: Condition, missing: list[str]) -> None:
    assert words(condition, a=False, b=True, n=4.9, m=2, t="BUSY") == missing


def test_why_tells_what_is_not_known() -> None:
    assert words(A) == ["plc.a is not known: no value yet"]
    assert words(A, a=None) == ["plc.a is not known: cable"]
    made = image()
    made.take(Sample("plc.a", True, Quality.UNCERTAIN, 1, 1))
    assert Watch(Not(A)).why(made, 1) == ["plc.a is not known: uncertain"]
    assert words(Not(And((B, A))), b=True) == ["plc.a is not known: no value yet"]


@pytest.mark.parametrize(
    ("condition", "written"),
    [
        (Compare("plc.m", "==", Ref("token")), "plc.m == $token"),
        (For(Or((A, B)), 2 * 10**9), "(plc.a or plc.b) for 2 s"),
        (And((Or((A, B)), Not(A))), "(plc.a or plc.b) and not plc.a"),
        (Or((And((A, B)), For(A, MS))), "(plc.a and plc.b) or plc.a for 1 ms"),
    ],
)
def test_a_condition_as_a_person_writes_it(condition: Condition, written: str) -> None:
    assert text(condition, image()) == written


def test_a_value_in_words() -> None:
    made = image(a=True, n=5.25, t="x")
    assert [value_text(f"plc.{name}", made) for name in "antm"] == ["true", "5.25 bar", "'x'", "unknown"]


# --- names in it ------------------------------------------------------------------------------------------------

WITH_REFS = And(
    (
        Compare("plc.m", "==", Ref("token")),
        Or((A, Not(Compare("plc.n", "<", Ref("low"))))),
        For(Compare("plc.n", ">", 1), 5),
    )
)


def test_signals_and_refs_in_the_order_of_the_text() -> None:
    assert list(signals_of(WITH_REFS)) == ["plc.m", "plc.a", "plc.n", "plc.n"]
    assert list(refs_of(WITH_REFS)) == ["token", "low"]


def test_fill_replaces_every_name() -> None:
    filled = fill(WITH_REFS, {"token": 7, "low": 2.5})
    assert filled == And(
        (
            Compare("plc.m", "==", 7),
            Or((A, Not(Compare("plc.n", "<", 2.5)))),
            For(Compare("plc.n", ">", 1), 5),
        )
    )
    assert list(refs_of(filled)) == []
    with pytest.raises(KeyError):
        fill(WITH_REFS, {"token": 7})


def below(condition: Condition) -> Iterator[Condition]:
    yield condition
    match condition:
        case Not(part) | For(part=part):
            yield from below(part)
        case And(parts) | Or(parts):
            for part in parts:
                yield from below(part)


@given(TREES)
def test_a_watch_looks_at_exactly_the_signals_of_its_leaves(tree: Condition) -> None:
    leaves = {leaf.signal for leaf in below(tree) if isinstance(leaf, Truth | Compare)}
    assert Watch(tree).signals == leaves
    assert fill(tree, {}) == tree
