"""Units: exact conversion, durations, and errors that say what would be right."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellctl.core.units import (
    UNITS,
    Quantity,
    UnitError,
    convert,
    dimension_of,
    duration_ns,
    duration_text,
    parse_quantity,
)


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("5.2 bar", 5.2, "bar"),
        ("80ms", 80, "ms"),
        (" -1.5e3 ", -1500, ""),
        (".5 %", 0.5, "%"),
        ("+3. m/min", 3, "m/min"),
    ],
)
def test_a_quantity_is_a_number_with_its_unit(text: str, number: float, unit: str) -> None:
    assert parse_quantity(text) == Quantity(number, unit)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("fast", "'fast' is not a number with a unit, such as '80 ms'"),
        ("", "'' is not a number with a unit, such as '80 ms'"),
        ("1 bar 2", "'1 bar 2' is not a number with a unit, such as '80 ms'"),
        ("1e999 s", "'1e999 s' is not a finite number"),
        ("3 Bar", "the unit 'Bar' is not known; did you mean 'bar'?"),
        ("3 sec", "the unit 'sec' is not known; did you mean 's'?"),
        ("3 foo", "the unit 'foo' is not known"),
    ],
)
def test_what_is_no_quantity_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse_quantity(text)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("number", "unit", "to", "result"),
    [
        (1, "bar", "psi", 14.503773773),
        (100, "degC", "degF", 212),
        (0, "K", "degC", -273.15),
        (1, "kWh", "J", 3.6e6),
        (60, "m/min", "mm/s", 1000),
        (50, "%", "%", 50),
        (180, "deg", "rad", math.pi),
    ],
)
def test_conversion(number: float, unit: str, to: str, result: float) -> None:
    assert convert(number, unit, to) == pytest.approx(result)
    assert Quantity(number, unit).to(to) == pytest.approx(result)


@given(st.sampled_from(sorted(UNITS)), st.sampled_from(sorted(UNITS)), st.floats(-1e6, 1e6))
def test_a_conversion_and_its_way_back_meet(unit: str, other: str, number: float) -> None:
    if dimension_of(unit) != dimension_of(other):
        with pytest.raises(UnitError, match="cannot be expressed in"):
            convert(number, unit, other)
        return
    there = convert(number, unit, other)
    assert convert(there, other, unit) == pytest.approx(number, rel=1e-6, abs=1e-3)


def test_a_bare_number_is_no_measure() -> None:
    with pytest.raises(UnitError, match=r"a bare number cannot be expressed in bar \(pressure\)"):
        convert(1, "", "bar")
    with pytest.raises(UnitError, match="the unit 'barr' is not known"):
        convert(1, "barr", "bar")


@pytest.mark.parametrize(
    ("text", "result"), [("1.5 s", 1_500_000_000), ("0 ms", 0), ("2 min", 120_000_000_000), ("1 us", 1_000)]
)
def test_a_length_of_time_is_whole_nanoseconds(text: str, result: int) -> None:
    assert duration_ns(text) == result


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("80", "a time needs a unit: '80 ms' or '80 s'?"),
        ("-1 s", "a length of time cannot be negative"),
        ("1e300 h", "1e300 h is too long"),
        ("3 bar", "bar (pressure) cannot be expressed in s (time)"),
    ],
)
def test_what_is_no_length_of_time_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UnitError) as caught:
        duration_ns(text)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (0, "0 ms"),
        (250_000_000, "250 ms"),
        (1_234_000_000, "1.23 s"),
        (119_000_000_000, "119 s"),
        (3 * 10**11, "5 min"),
    ],
)
def test_a_length_of_time_in_words(duration: int, text: str) -> None:
    assert duration_text(duration) == text


def test_a_quantity_in_words() -> None:
    assert [str(Quantity(5.20, "bar")), str(Quantity(3.0))] == ["5.2 bar", "3"]
