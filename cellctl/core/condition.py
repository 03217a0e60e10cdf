"""Conditions: a closed expression over signals, its three-valued evaluation, and why it does not hold.

The rule kept here: a signal of bad or stale quality is *unknown*, and unknown is never true. `for T` asks that the
inner condition has held without interruption for T.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from cellctl.core.signal import Image, Sample, Value
from cellctl.core.units import duration_text

#: How a comparison is written, and what it asks.
OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
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
    """A signal against a value, which is in the signal's unit."""

    signal: str
    op: str
    value: Value | Ref


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


def signals_of(condition: Condition) -> Iterator[str]:
    """The signals that the condition names, in the order of its text."""
    match condition:
        case Truth(signal) | Compare(signal=signal):
            yield signal
        case Not(part) | For(part=part):
            yield from signals_of(part)
        case And(parts) | Or(parts):
            for part in parts:
                yield from signals_of(part)
        case _:
            assert_never(condition)


def refs_of(condition: Condition) -> Iterator[str]:
    """The names that stand in the condition as ``$name``."""
    match condition:
        case Truth():
            return
        case Compare(value=value):
            if isinstance(value, Ref):
                yield value.name
        case Not(part) | For(part=part):
            yield from refs_of(part)
        case And(parts) | Or(parts):
            for part in parts:
                yield from refs_of(part)
        case _:
            assert_never(condition)


def fill(condition: Condition, values: Mapping[str, Value]) -> Condition:
    """The condition with every ``$name`` replaced by its value; KeyError for a name without one."""
    match condition:
        case Truth():
            return condition
        case Compare(signal, op, value):
            return Compare(signal, op, values[value.name]) if isinstance(value, Ref) else condition
        case Not(part):
            return Not(fill(part, values))
        case And(parts):
            return And(tuple(fill(part, values) for part in parts))
        case Or(parts):
            return Or(tuple(fill(part, values) for part in parts))
        case For(part, duration_ns):
            return For(fill(part, values), duration_ns)
        case _:
            assert_never(condition)


class Watch:
    """A condition being watched: its truth, since when its `for` parts have held, and why it does not hold.

    Samples received before `since_ns` count as unknown: what was read before an order says nothing about its effect.
    """

    def __init__(self, condition: Condition, since_ns: int = 0) -> None:
        self.condition = condition
        self.signals = frozenset(signals_of(condition))
        self.value: bool | None = None
        self.wake_at: int | None = None
        self._since_ns = since_ns
        self.held_from: dict[For, int] = {}

    def remember(self, other: "Watch") -> None:
        """Know since when those `for` parts have held that `other` has too."""
        self.held_from = dict(other.held_from)

    def update(self, image: Image, now: int) -> bool | None:
        """Evaluate at `now`; True, False, or None for unknown. `wake_at` tells when time alone may change it."""
        self.wake_at = None
        self.value = self._truth(self.condition, image, now)
        return self.value

    def why(self, image: Image, now: int) -> list[str]:
        """What is missing, in words: one line for each part that is not true. Empty if the condition holds."""
        return list(self._missing(self.condition, image, now))

    def _truth(self, condition: Condition, image: Image, now: int) -> bool | None:
        match condition:
            case Compare(signal, op, value):
                sample = image.read(signal)
                if not self._known(sample, image):
                    return None
                return _compare(sample.value, op, value)
            case Truth(signal):
                sample = image.read(signal)
                return bool(sample.value) if self._known(sample, image) else None
            case Not(part):
                inner = self._truth(part, image, now)
                return None if inner is None else not inner
            case And(parts):
                return _all([self._truth(part, image, now) for part in parts])
            case Or(parts):
                opposite = _all([_negated(self._truth(part, image, now)) for part in parts])
                return _negated(opposite)
            case For(part, duration_ns):
                return self._held(condition, self._truth(part, image, now), duration_ns, now)
            case _:
                assert_never(condition)

    def _held(self, condition: For, inner: bool | None, duration_ns: int, now: int) -> bool | None:
        if inner is not True:
            self.held_from.pop(condition, None)
            return inner
        due = self.held_from.setdefault(condition, now) + duration_ns
        if now >= due:
            return True
        self.wake_at = due if self.wake_at is None else min(self.wake_at, due)
        return False

    def _known(self, sample: Sample, image: Image) -> bool:
        return sample.good and (self._since_ns == 0 or image.seen_ns(sample.signal) >= self._since_ns)

    def _missing(self, condition: Condition, image: Image, now: int) -> Iterator[str]:
        if self._truth(condition, image, now) is True:
            return
        match condition:
            case And(parts):
                for part in parts:
                    yield from self._missing(part, image, now)
            case Or(parts):
                yield " or ".join(line for part in parts for line in self._missing(part, image, now))
            case For(part, duration_ns):
                lines = list(self._missing(part, image, now))
                held = now - self.held_from.get(condition, now)
                yield from lines or [f"{text(part, image)}, {duration_text(held)} of {duration_text(duration_ns)}"]
            case _:
                yield self._state_of(condition, image)

    def _state_of(self, condition: Truth | Compare | Not, image: Image) -> str:
        for signal in signals_of(condition):
            sample = image.read(signal)
            if not sample.good:
                return f"{signal} is not known: {sample.reason or sample.quality.name.lower()}"
            if not self._known(sample, image):
                return f"{signal} has not been read since"
        name = next(signals_of(condition))
        return f"{text(condition, image)}, it is {value_text(name, image)}"


def text(condition: Condition, image: Image) -> str:
    """The condition as a person writes it."""
    match condition:
        case Truth(signal):
            return signal
        case Compare(signal, op, value):
            shown = f"${value.name}" if isinstance(value, Ref) else _shown(value, image.signals[signal].unit)
            return f"{signal} {op} {shown}"
        case Not(part):
            return f"not {_grouped(part, image)}"
        case And(parts):
            return " and ".join(_grouped(part, image) for part in parts)
        case Or(parts):
            return " or ".join(_grouped(part, image) for part in parts)
        case For(part, duration_ns):
            return f"{_grouped(part, image)} for {duration_text(duration_ns)}"
        case _:
            assert_never(condition)


def value_text(signal: str, image: Image) -> str:
    """The value of a signal with its unit, for a person."""
    value = image.read(signal).value
    return "unknown" if value is None else _shown(value, image.signals[signal].unit)


def _shown(value: Value, unit: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return repr(value)
    return f"{value:.6g} {unit}".rstrip()


def _grouped(condition: Condition, image: Image) -> str:
    shown = text(condition, image)
    return f"({shown})" if isinstance(condition, And | Or) else shown


def _compare(left: object, op: str, right: object) -> bool | None:
    if isinstance(left, str) != isinstance(right, str):
        return None
    return OPERATORS[op](left, right)


def _all(parts: list[bool | None]) -> bool | None:
    if False in parts:
        return False
    return None if None in parts else True


def _negated(value: bool | None) -> bool | None:
    return None if value is None else not value
