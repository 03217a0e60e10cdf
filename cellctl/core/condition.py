"""Conditions: a closed expression over signals, its three-valued evaluation, and why it does not hold.

The rule kept here: a signal of bad or stale quality is *unknown*, and unknown is never true. `for T` asks that the
inner condition has held without interruption for T.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cellctl.core.signal import Value

OPERATORS: Mapping[str, Callable[[object, object], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Ref:
    """A value that is filled in later: ``$name``."""

    name: str


@dataclass(frozen=True, slots=True)
class Truth:
    """A bool signal that must be true."""

    signal: str


@dataclass(frozen=True, slots=True)
class Compare:
    """A signal against a value; the value is in `unit` until the condition is bound, then in the signal's."""

    signal: str
    op: str
    value: Value | Ref
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; of unknown: unknown."""

    part: "Condition"


@dataclass(frozen=True, slots=True)
class And:
    """All of the parts."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of the parts."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class For:
    """The part, uninterrupted for `duration_ns`."""

    part: "Condition"
    duration_ns: int


Condition = Truth | Compare | Not | And | Or | For
