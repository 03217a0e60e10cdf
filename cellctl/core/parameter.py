"""A declared parameter of a phase or of a device command, and the check of a value against it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cellctl.core.signal import Value

TYPES: Mapping[str, type] = {"bool": bool, "int": int, "float": float, "text": str}


@dataclass(frozen=True, slots=True)
class Parameter:
    """Name, type (``bool int float text``), unit, and the bounds in that unit. No default means: must be given.

    `choices` maps the names that may be given to what is sent, for device commands; empty: any value of the type.
    """

    name: str
    type: str = "float"
    unit: str = ""
    low: float | None = None
    high: float | None = None
    default: Value | None = None
    choices: Mapping[str, Value] = field(default_factory=dict)

    def sent(self, value: Value) -> Value:
        """What is sent to the device for `value`."""
        return self.choices.get(value, value) if isinstance(value, str) else value

    def problem(self, value: object) -> str | None:
        """Why `value` (a number in this parameter's unit) cannot be taken, or None."""
        if self.choices:
            return None if value in self.choices else f"{value!r} is not one of {', '.join(self.choices)}"
        wanted = TYPES[self.type]
        if isinstance(value, bool) != (wanted is bool) or not isinstance(
            value, (int, float) if wanted is float else wanted
        ):
            return f"{value!r} is not of type {self.type}"
        if isinstance(value, str | bool) or not isinstance(value, int | float):
            return None
        if not math.isfinite(value):
            return f"{value!r} is not a finite number"
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            return f"{value:g} {self.unit}".rstrip() + f" is outside {_bounds(self)}"
        return None


def bind(parameters: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Value]:
    """The full set of arguments: `given` over the defaults. ValueError names the first that is wrong or missing."""
    if unknown := [name for name in given if name not in parameters]:
        raise ValueError(f"there is no parameter {unknown[0]!r}; there are {', '.join(parameters) or 'none'}")
    values: dict[str, Value] = {}
    for name, parameter in parameters.items():
        value = given.get(name, parameter.default)
        if value is None:
            raise ValueError(f"the parameter {name!r} is missing")
        if problem := parameter.problem(value):
            raise ValueError(f"{name}: {problem}")
        values[name] = value
    return values


def _bounds(parameter: Parameter) -> str:
    low = "-inf" if parameter.low is None else f"{parameter.low:g}"
    high = "inf" if parameter.high is None else f"{parameter.high:g}"
    return f"{low}..{high} {parameter.unit}".rstrip()
