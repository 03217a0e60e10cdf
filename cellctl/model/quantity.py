"""Values as they stand in files: quantities with units, times, ranges, texts for people, names.

The rule kept here: a number is never guessed. Without its unit, with a wrong one, or out of a range it is a `Wrong`
that proposes what to write. The annotated types at the end put these readers into the shapes of the files.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from cellctl.core.signal import FAR_NS, Value
from cellctl.core.units import UNITS, UnitError, convert, dimension_of, duration_ns, parse_quantity
from cellctl.model.problems import Wrong, did_you_mean

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_ID = re.compile(r"[a-z0-9][a-z0-9_.-]*\Z")
_LANGUAGE = re.compile(r"[a-z]{2}\Z")
_NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
_UNIT = r"[A-Za-z%°µ][A-Za-z0-9/%]*"
_RANGE = re.compile(rf"\s*({_NUMBER})\s*({_UNIT})?\s*\.\.\s*({_NUMBER})\s*({_UNIT})?\s*\Z")
_LIKE_QUANTITY = re.compile(rf"\s*{_NUMBER}\s*({_UNIT})\s*\Z")
_COMMA = re.compile(rf"\s*([+-]?\d[\d.]*,[\d.,]*\d)\s*({_UNIT})?\s*\Z")
#: No length of time in a cell is longer; it keeps nanoseconds well inside 64 bits.
TIME_MAX_NS = 10 * 366 * 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Amount:
    """A value with the unit it was written in: ``1450 W``, ``24``, ``true``, ``MOD-12S-A``."""

    value: Value
    unit: str = ""

    def __str__(self) -> str:
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        return f"{self.value} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Bounds:
    """``low..high`` in `unit`, both ends included."""

    low: float
    high: float
    unit: str = ""

    def to(self, unit: str) -> "Bounds":
        """The same in `unit`; a range without a unit is taken to be in it. Wrong if it cannot be converted."""
        if self.unit in ("", unit):
            return Bounds(self.low, self.high, unit)
        return Bounds(_converted(self.low, self.unit, unit), _converted(self.high, self.unit, unit), unit)

    def contains(self, other: "Bounds") -> bool:
        """Whether `other`, in the same unit, lies inside."""
        return self.low <= other.low and other.high <= self.high

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g} {self.unit}".rstrip()


def read_duration(value: object) -> int:
    """A length of time in ns: ``80 ms``."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise Wrong("E131", f"{value} has no unit; a length of time needs one", f"write '{value} ms' or '{value} s'")
    if not isinstance(value, str):
        raise Wrong("E132", f"{_shown(value)} is not a length of time", "write it as '80 ms' or '2 s'")
    no_comma(value)
    try:
        duration = duration_ns(value)
    except UnitError as error:
        if re.fullmatch(_NUMBER, value.strip()):
            hint = f"write '{value.strip()} ms' or '{value.strip()} s'"
            raise Wrong("E131", f"{value} has no unit; a length of time needs one", hint) from error
        code = "E133" if "cannot be expressed" in str(error) else "E132"
        raise Wrong(code, str(error), "write it as '80 ms' or '2 s'") from error
    except OverflowError:
        duration = TIME_MAX_NS + 1
    if duration > TIME_MAX_NS:
        raise Wrong("E132", f"{value} is longer than ten years", "write a length of time such as '2 s'")
    return duration


def read_lasting(value: object) -> int:
    """How long something lasts, in ns: ``10 s``, or ``never`` for what never ends."""
    return FAR_NS if value == "never" else read_duration(value)


def read_amount(value: object) -> Amount:
    """A value with or without a unit; text that is no quantity stays text."""
    if isinstance(value, bool | int | float):
        return Amount(value)
    if not isinstance(value, str):
        raise Wrong("E132", f"{_shown(value)} is not a value", "write a number with its unit, true, false, or a text")
    like = _LIKE_QUANTITY.match(value)
    if like is None or like[1] not in UNITS:
        return Amount(value)
    quantity = parse_quantity(value)
    number = value.strip().removesuffix(quantity.unit).strip()
    return Amount(int(number) if re.fullmatch(r"[+-]?\d+", number) else quantity.number, quantity.unit)


def read_bounds(value: object) -> Bounds:
    """A range: ``1300..1550 W``; a single value is a range of its own."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Bounds(value, value)
    match = _RANGE.match(value) if isinstance(value, str) else None
    if match is None:
        single = read_amount(value) if isinstance(value, str) else Amount("")
        if isinstance(single.value, str | bool):
            raise Wrong("E134", f"{_shown(value)} is not a range", "write it as '0..100' or '1300..1550 W'")
        return Bounds(single.value, single.value, single.unit)
    low, low_unit, high, unit = _number(match[1]), match[2], _number(match[3]), match[4] or ""
    for each in (low_unit, unit):
        known_unit(each or "")
    if low_unit:
        low = _converted(low, low_unit, unit)
    if low > high:
        raise Wrong("E134", f"the range {value} begins above its end", f"write '{match[3]}..{match[1]} {unit}'".strip())
    return Bounds(low, high, unit)


def fit(amount: Amount, kind: str, unit: str) -> Value:
    """The value as one of type `kind` (``bool int float text``) in `unit`; Wrong if it is none."""
    value = amount.value
    match kind:
        case "bool":
            if not isinstance(value, bool):
                raise Wrong("E136", f"{amount} is neither true nor false", "write true or false")
            return value
        case "text":
            if not isinstance(value, str):
                raise Wrong("E124", f"{amount} is not a text", f'put it in quotes: "{amount}"')
            return value
        case _:
            return _fit_number(amount, kind, unit)


def _fit_number(amount: Amount, kind: str, unit: str) -> int | float:
    value = amount.value
    if isinstance(value, str | bool):
        like = _LIKE_QUANTITY.match(value) if isinstance(value, str) else None
        if like is not None:
            known_unit(like[1])
        if isinstance(value, str):
            no_comma(value)
        hint = f"write a number with its unit, as '5 {unit}' is one" if unit else "write it in digits, without quotes"
        raise Wrong("E136", f"{_shown(value)} is not a number", hint)
    if unit and not amount.unit:
        raise Wrong("E131", f"{value} has no unit; it is needed in {unit}", f"write '{value} {unit}'")
    if amount.unit and not unit:
        raise Wrong("E133", f"{amount} has a unit where a bare number is needed", f"write '{value}'")
    number = value if amount.unit == unit else _converted(value, amount.unit, unit)
    if kind == "int":
        if number != round(number):
            raise Wrong("E136", f"{amount} is not a whole number", f"write '{round(number)} {unit}'".rstrip(" '") + "'")
        return round(number)
    return number


def _converted(number: float, unit: str, to: str) -> float:
    try:
        return float(f"{convert(number, unit, to):.12g}")
    except UnitError as error:
        raise Wrong("E133", str(error), f"give the value in {to}" if to else "leave the unit out") from error


def read_words(value: object) -> dict[str, str]:
    """A text for people: language -> text; one plain text, for all languages, has the language ''."""
    if isinstance(value, str):
        return {"": value}
    if not isinstance(value, dict):
        code, hint = ("E123", "write {en: ..., cy: ...}") if value is None else ("E124", f'put it in quotes: "{value}"')
        raise Wrong(code, f"{_shown(value)} is not a text", hint)
    for language, text in value.items():
        if not _LANGUAGE.match(language):
            raise Wrong("E135", f"{language!r} is not a language", "write {en: ..., cy: ...}; put quotes around a ','")
        if not isinstance(text, str) or not text.strip():
            raise Wrong("E135", f"the text for {language!r} is missing", f'write {language}: "..."')
    if not value:
        raise Wrong("E135", "the text is empty", "write {en: ..., cy: ...}")
    return value


def plain(words: Mapping[str, str]) -> str:
    """The English text, or the only one."""
    return words.get("en") or next(iter(words.values()), "")


def check_name(value: str) -> str:
    """The name of a device, signal, station, ...: it is used as a Python name, too."""
    if _NAME.match(value):
        return value
    proposal = re.sub(r"[^a-z0-9_]+", "_", value.lower()).strip("_").lstrip("0123456789")
    raise Wrong("E128", f"{value!r} is not a name", f"small letters, digits and '_': {proposal or 'name_1'}")


def check_id(value: str) -> str:
    """The id of a profile or recipe: a name in which '-' and '.' may stand."""
    if _ID.match(value):
        return value
    proposal = re.sub(r"[^a-z0-9_.-]+", "-", value.lower()).strip("-")
    raise Wrong("E128", f"{value!r} is not an id", f"small letters, digits, '-', '_' and '.': {proposal or 'name-1'}")


def no_comma(text: str) -> None:
    """Wrong, with the number in digits and a point, if `text` is a number with a comma in it: ``1.450,5 W``."""
    match = _COMMA.match(text)
    if match is None:
        return
    number, unit = match[1], match[2] or ""
    whole, sign, rest = number[: (last := max(map(number.rfind, ".,")))], number[last], number[last + 1 :]
    digits = re.sub(r"[.,]", "", whole)
    readings = [] if sign in whole else [f"{digits}.{rest}"]
    if sign in whole or (len(rest) == 3 and digits == whole):
        readings.append(f"{digits}{rest}")
    hint = " or ".join(f"{each} {unit}".rstrip() for each in readings)
    raise Wrong("E132", f"{text.strip()!r} is a number with a comma", f"use a point for decimals: {hint}")


def known_unit(value: str) -> str:
    """The unit, if it is one; Wrong with what may have been meant."""
    try:
        dimension_of(value)
    except UnitError as error:
        message, _, meant = str(error).partition("; ")
        raise Wrong("E132", message, meant or did_you_mean(value, UNITS, "use an SI unit")) from error
    return value


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Wrong("E108", f"{text} is not a finite number", "write a smaller number")
    return int(number) if number.is_integer() and re.fullmatch(r"[+-]?\d+", text) else number


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case dict() | list():
            return "a mapping" if isinstance(value, dict) else "a list"
        case _:
            return repr(value)


Duration = Annotated[int, BeforeValidator(read_duration), WithJsonSchema({"type": "string", "examples": ["80 ms"]})]
#: A length of time in which something must happen: never zero.
Period = Annotated[Duration, Field(gt=0)]
Lasting = Annotated[
    int,
    BeforeValidator(read_lasting),
    Field(gt=0),
    WithJsonSchema({"type": "string", "examples": ["10 s", "never"]}),
]
Range = Annotated[
    Bounds, BeforeValidator(read_bounds), WithJsonSchema({"type": ["string", "number"], "examples": ["1300..1550 W"]})
]
AmountText = Annotated[
    Amount,
    BeforeValidator(read_amount),
    WithJsonSchema({"type": ["string", "number", "boolean"], "examples": ["1450 W"]}),
]
Words = Annotated[
    dict[str, str],
    BeforeValidator(read_words),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}]}),
]
Name = Annotated[str, AfterValidator(check_name)]
Id = Annotated[str, AfterValidator(check_id)]
Unit = Annotated[str, AfterValidator(known_unit)]
