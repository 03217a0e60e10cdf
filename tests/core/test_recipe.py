"""Recipe parameters: what may stand for the value of one part."""

import math

import pytest

from cellctl.core.recipe import RecipeParameter
from cellctl.core.signal import Value

POWER = RecipeParameter("power", 1450, "W", low=1300, high=1550)
POINTS = RecipeParameter("points", 24)


@pytest.mark.parametrize(
    ("parameter", "value", "problem"),
    [
        (POWER, 1300, None),
        (POWER, 1550.0, None),
        (POINTS, -1e6, None),
        (RecipeParameter("name", "x"), "y", None),
        (RecipeParameter("test", True), False, None),
        (POWER, 1551, "1551 W is outside 1300..1550 W"),
        (POWER, math.nan, "nan W is outside 1300..1550 W"),
        (POINTS, math.inf, "inf is outside -inf..inf"),
        (POINTS, True, "True is not of the kind of 24"),
        (POINTS, "24", "'24' is not of the kind of 24"),
        (RecipeParameter("test", True), 1, "1 is not of the kind of True"),
        (RecipeParameter("name", "x"), 1, "1 is not of the kind of 'x'"),
    ],
)
def test_the_own_value_of_a_part(parameter: RecipeParameter, value: Value, problem: str | None) -> None:
    assert parameter.problem(value) == problem
