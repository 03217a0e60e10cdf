"""From raw values to samples, and back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellctl.driver import Outcome, Point, Quality, Signal, Value
from cellctl_drivers.wire.orders import OrderError
from cellctl_drivers.wire.reading import Reading


def reading(kind: str, equals: Value | None = None, **keys: object) -> Reading:
    of_signal = {key: keys.pop(key) for key in ("low", "high", "unit", "verify") if key in keys}
    signal = Signal("dev.a", kind, **of_signal)  # type: ignore[arg-type]
    return Reading(Point(signal, read="x", **keys), equals)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "raw", "value"),
    [
        (reading("int"), 5, 5),
        (reading("int"), "+0005", 5),
        (reading("int"), True, 1),
        (reading("int", scale=10), 5, 50),
        (reading("float"), 5, 5.0),
        (reading("float"), "1.5E-3", 0.0015),
        (reading("float", scale=0.1), 235, 23.5),
        (reading("float", scale=0.1), 3, 0.3),
        (reading("float", scale=0.5, offset=-40.0), 100, 10.0),
        (reading("bool"), 2, True),
        (reading("bool"), "0", False),
        (reading("bool"), "ON", True),
        (reading("bool", equals=2), 3, False),
        (reading("bool", equals=2), 2, True),
        (reading("text"), "MOD-12S", "MOD-12S"),
    ],
)
def test_a_raw_value_becomes_a_good_sample(made: Reading, raw: Value, value: Value) -> None:
    sample = made.sample(raw, 7)
    assert (sample.value, type(sample.value), sample.quality) == (value, type(value), Quality.GOOD)
    assert (sample.time_ns, sample.received_ns) == (7, 7)


@pytest.mark.parametrize(
    ("made", "raw", "says"),
    [
        (reading("float"), math.nan, "not a number"),
        (reading("float"), "inf", "not a number"),
        (reading("float"), "1,5", "'1,5'"),
        (reading("int"), math.inf, "not a number"),
        (reading("bool"), "maybe", "neither on nor off"),
        (reading("float", bad_if=(32767,)), 32767, "means a fault"),
        (reading("float", bad_if=(9.9e37,)), "9.9E37", "means a fault"),
    ],
)
def test_what_is_no_value_is_bad_and_the_last_one_is_kept(made: Reading, raw: Value, says: str) -> None:
    assert made.sample(raw, 7).value is None
    made.sample(1, 8)
    sample = made.sample(raw, 9)
    assert (sample.value, sample.quality) == (1, Quality.BAD)
    assert says in sample.reason


def test_a_value_outside_its_range_is_kept_and_bad() -> None:
    sample = reading("float", low=-20.0, high=250.0, unit="degC").sample(251, 7)
    assert (sample.value, sample.quality, sample.reason) == (251.0, Quality.BAD, "251 degC is outside -20..250")


@given(
    st.integers(-30000, 30000), st.sampled_from([1.0, 0.1, 0.01, 0.25, 2.0, 10.0]), st.sampled_from([0.0, -40.0, 5.0])
)
def test_what_is_written_is_read_again(raw: int, scale: float, offset: float) -> None:
    made = reading("float", scale=scale, offset=offset)
    value = made.sample(raw, 1).value
    assert value is not None
    assert round(made.raw(value)) == raw  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [math.nan, math.inf, 221.0, -1.0, "hot", True])
def test_what_may_not_be_written_is_refused(value: Value) -> None:
    with pytest.raises(OrderError) as caught:
        reading("float", low=0.0, high=220.0).raw(value)
    assert caught.value.outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    ("verify", "wanted", "read", "same"),
    [
        (0.0, 5.0, 5, True),
        (0.0, 5.0, 6, False),
        (1.0, 5.0, 6, True),
        (0.0, 0.1, 0.10000000149011612, True),
        (0.0, 1e6, 1e6 + 2, False),
    ],
)
def test_a_readback_is_compared_within_verify(verify: float, wanted: float, read: float, same: bool) -> None:
    made = reading("float", verify=verify)
    assert made.confirms(wanted, made.sample(read, 1)) is same


def test_a_bad_readback_confirms_nothing() -> None:
    made = reading("float", verify=0.0, high=4.0)
    assert not made.confirms(5.0, made.sample(5, 1))
    assert not made.confirms(5.0, made.bad("gone", 1))
