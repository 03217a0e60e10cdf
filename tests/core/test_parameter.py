"""Declared parameters: what may be given, and what is sent."""

import math

import pytest

from cellctl.core.parameter import Parameter, bind

POWER = Parameter("power", "float", "W", 10, 2000)
POINT = Parameter("point", "int", choices={"home": 1, "weld": 2})


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (POWER, 10),
        (POWER, 2000.0),
        (Parameter("n", "int"), -3),
        (Parameter("on", "bool"), False),
        (Parameter("name", "text"), ""),
        (POINT, "home"),
    ],
)
def test_what_fits_has_no_problem(parameter: Parameter, value: object) -> None:
    assert parameter.problem(value) is None


@pytest.mark.parametrize(
    ("parameter", "value", "problem"),
    [
        (POWER, 9.9, "9.9 W is outside 10..2000 W"),
        (POWER, 2001, "2001 W is outside 10..2000 W"),
        (POWER, True, "True is not of type float"),
        (POWER, "10", "'10' is not of type float"),
        (POWER, None, "None is not of type float"),
        (POWER, math.nan, "nan is not a finite number"),
        (POWER, math.inf, "inf is not a finite number"),
        (Parameter("n", "int"), 2.0, "2.0 is not of type int"),
        (Parameter("n", "int", low=1), 0, "0 is outside 1..inf"),
        (Parameter("n", "int", high=1), 2, "2 is outside -inf..1"),
        (Parameter("on", "bool"), 1, "1 is not of type bool"),
        (Parameter("name", "text"), 1, "1 is not of type text"),
        (POINT, "away", "'away' is not one of home, weld"),
        (POINT, 1, "1 is not one of home, weld"),
    ],
)
def test_what_does_not_fit_says_why(parameter: Parameter, value: object, problem: str) -> None:
    assert parameter.problem(value) == problem


def test_a_choice_is_sent_as_what_it_stands_for() -> None:
    assert [POINT.sent("weld"), POWER.sent(5.0), Parameter("name", "text").sent("x")] == [2, 5.0, "x"]


def test_bind_fills_in_the_defaults() -> None:
    parameters = {"power": POWER, "time": Parameter("time", "float", "ms", default=80)}
    assert bind(parameters, {"power": 100}) == {"power": 100, "time": 80}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"powr": 1}, "there is no parameter 'powr'; there are power"),
        ({}, "the parameter 'power' is missing"),
        ({"power": None}, "the parameter 'power' is missing"),
        ({"power": 1}, "power: 1 W is outside 10..2000 W"),
    ],
)
def test_bind_names_what_is_wrong(given: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}$"):
        bind({"power": POWER}, given)


def test_bind_of_nothing() -> None:
    with pytest.raises(ValueError, match="there are none"):
        bind({}, {"power": 1})
