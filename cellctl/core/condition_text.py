"""The text form of conditions: ``plc.air_pressure > 5.2 bar for 2 s and not plc.door_open``.

The rule kept here: the language is closed. Comparisons of one signal with one value, ``and or not``, parentheses and
``for T``; no arithmetic, no functions, nothing that could run on. `for` belongs to the comparison, negation or
parenthesis before it; `not` binds tighter than `and`, `and` tighter than `or`.
"""

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from cellctl.core.condition import And, Compare, Condition, For, Not, Or, Ref, Truth
from cellctl.core.signal import Signal, Value
from cellctl.core.units import UnitError, convert, dimension_of, duration_ns

#: Longer than any condition a person can read; bounds the work of parsing.
LENGTH_MAX = 1000
#: Deeper than any condition a person can read; far from the interpreter's recursion limit.
DEPTH_MAX = 16

_KEYWORDS = frozenset({"and", "or", "not", "for", "true", "false"})
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?")
_TOKEN = re.compile(
    r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<operator>==|!=|<=|>=|<|>)"
    r"|(?P<bracket>[()])"
    r"|(?P<ref>\$[a-z][a-z0-9_]*)"
    r"|(?P<word>[A-Za-z_%°µ][A-Za-z0-9_./%°µ]*)"
)
#: What people write out of habit, and what it is called here.
_HABITS: Mapping[str, tuple[str, str]] = {
    "=": ("a single '=' is not a comparison", "write '=='"),
    "&": ("'&' is not part of conditions", "write 'and'"),
    "|": ("'|' is not part of conditions", "write 'or'"),
    "!": ("'!' is not part of conditions", "write 'not'"),
    "'": ("the text has no closing quote", "end it with '"),
    '"': ("the text has no closing quote", 'end it with "'),
    "$": ("'$' must be followed by a name", "write it as $token"),
} | {sign: ("conditions have no arithmetic", "compare one signal with one value") for sign in "+-*/"}


class ConditionError(ValueError):
    """A condition that cannot be read: what is wrong, at which offset (from 0) of its text, and what would be right."""

    def __init__(self, message: str, offset: int, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.hint = hint


def parse(text: str, *, signals: Mapping[str, Signal], device: str = "") -> Condition:
    """Read `text`; ConditionError if it is wrong.

    Every name must be one of `signals`; values are checked against it and converted to its unit. `device` completes
    names that have no device of their own.
    """
    if len(text) > LENGTH_MAX:
        raise ConditionError(f"the condition has {len(text)} characters; at most {LENGTH_MAX}", 0, "make it shorter")
    return _Parser(text, signals, device).whole()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # number text operator bracket ref word end
    text: str
    offset: int


class _Parser:
    def __init__(self, text: str, signals: Mapping[str, Signal], device: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._signals = signals
        self._device = device

    def whole(self) -> Condition:
        if self._next.kind == "end":
            _fail("the condition is empty", self._next, "name a signal, such as plc.guard_closed")
        condition = self._either(0)
        if self._next.kind != "end":
            self._fail_after_part(self._next)
        return condition

    def _either(self, depth: int) -> Condition:
        parts = [self._all(depth)]
        while self._take("or"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self, depth: int) -> Condition:
        parts = [self._lasting(depth)]
        while self._take("and"):
            parts.append(self._lasting(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _lasting(self, depth: int) -> Condition:
        part = self._negated(depth)
        if not self._take("for"):
            return part
        number, unit = self._next, self._peek(1)
        if number.kind != "number":
            _fail("'for' needs a length of time", number, "write it as 'for 2 s'")
        written = f"{number.text} {unit.text}" if unit.kind == "word" and unit.text not in _KEYWORDS else number.text
        try:
            duration = duration_ns(written)
        except UnitError as error:
            _fail(str(error), number, "write it as 'for 2 s'")
        self._at += 2
        return For(part, duration)

    def _negated(self, depth: int) -> Condition:
        if depth > DEPTH_MAX:
            _fail(f"the condition is nested more than {DEPTH_MAX} deep", self._next, "make it flatter")
        if self._take("not"):
            return Not(self._negated(depth + 1))
        opening = self._next
        if not self._take("("):
            return self._comparison()
        part = self._either(depth + 1)
        if not self._take(")"):
            if self._next.kind == "end":
                _fail("the parenthesis is never closed", opening, "add ')'")
            self._fail_after_part(self._next)
        return part

    def _comparison(self) -> Condition:
        name = self._next
        if name.kind != "word" or name.text in _KEYWORDS:
            self._fail_no_signal(name)
        if self._peek(1).text == "(":
            _fail("conditions have no functions", name, "compare one signal with one value")
        signal = self._signal(name)
        self._at += 1
        operator = self._next
        if operator.kind != "operator":
            if signal.type != "bool":
                _fail(f"{name.text} is {_kind(signal)}: compare it with a value", name, _example(name.text, signal))
            return Truth(signal.id)
        self._at += 1
        first = self._next
        value, unit = self._value(name.text)
        value = _Comparison(name.text, signal, operator, first).fit(value, unit)
        if self._next.kind == "operator":
            _fail(
                "comparisons cannot be chained",
                self._next,
                f"write '{name.text} > 1 and {name.text} < 2' with your values",
            )
        return Compare(signal.id, operator.text, value)

    def _signal(self, name: _Token) -> Signal:
        if not _NAME.fullmatch(name.text):
            _fail(f"{name.text!r} is not the name of a signal", name, _lower_case(name.text))
        full = f"{self._device}.{name.text}" if self._device and "." not in name.text else name.text
        if full not in self._signals:
            _fail(f"there is no signal {name.text!r}", name, self._nearest(full))
        return self._signals[full]

    def _nearest(self, full: str) -> str:
        near = difflib.get_close_matches(full, self._signals, 1)
        near = near or [each for each in self._signals if each.partition(".")[2] == full.rpartition(".")[2]]
        if not near:
            return "name it as device.signal"
        return f"did you mean {near[0].removeprefix(f'{self._device}.')!r}?"

    def _value(self, signal: str) -> tuple[Value | Ref, str]:
        token = self._next
        self._at += 1
        match token.kind:
            case "ref":
                return Ref(token.text[1:]), ""
            case "text":
                return token.text[1:-1], ""
            case "number":
                return _number(token), self._unit()
            case "word" if token.text in ("true", "false"):
                return token.text == "true", ""
            case "word" if token.text.lower() in ("nan", "inf", "infinity"):
                _fail(f"{token.text} is not a number to compare with", token, "write a finite number")
            case "word" if token.text not in _KEYWORDS:
                hint = f"put text in quotes: '{token.text}'"
                _fail(f"{signal} can be compared with a value only, not with {token.text}", token, hint)
            case _:
                _fail("a value is missing here", token, f"complete the comparison of {signal}")

    def _unit(self) -> str:
        token = self._next
        if token.kind != "word" or token.text in _KEYWORDS:
            return ""
        try:
            dimension_of(token.text)
        except UnitError as error:
            _fail(str(error), token, "write a unit such as bar, ms, degC or %")
        self._at += 1
        return token.text

    def _take(self, text: str) -> bool:
        if self._next.text == text and self._next.kind in ("word", "bracket"):
            self._at += 1
            return True
        return False

    @property
    def _next(self) -> _Token:
        return self._peek(0)

    def _peek(self, ahead: int) -> _Token:
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def _fail_after_part(self, token: _Token) -> NoReturn:
        if token.text == ")":
            _fail("this ')' closes nothing", token, "remove it, or add '('")
        if token.text == "for":
            _fail("'for' stands twice", token, "keep one length of time")
        hint = _lower_case(token.text) if token.text.lower() in _KEYWORDS else "join parts with 'and' or 'or'"
        _fail(f"{token.text!r} is not expected here", token, hint)

    def _fail_no_signal(self, token: _Token) -> NoReturn:
        if token.kind == "end":
            _fail("the condition ends too early", token, "a signal is missing at its end")
        hint = "begin a comparison with the signal" if token.kind in ("number", "text") else "name a signal"
        _fail(f"a signal must stand here, not {token.text!r}", token, hint)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """The check of a value against the declared signal that it is compared with."""

    name: str
    signal: Signal
    operator: _Token
    value: _Token

    def fit(self, value: Value | Ref, unit: str) -> Value | Ref:
        """The value in the signal's unit."""
        if self.signal.type in ("bool", "text") and self.operator.text not in ("==", "!="):
            _fail(f"{self.name} is {_kind(self.signal)}: it has no order", self.operator, "compare with == or !=")
        if isinstance(value, Ref):
            return value
        wanted = {"bool": bool, "text": str}.get(self.signal.type, (int, float))
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            hint = _example(self.name, self.signal)
            _fail(
                f"{self.name} is {_kind(self.signal)}: {self.value.text} cannot be compared with it", self.value, hint
            )
        if isinstance(value, bool | str) or unit == self.signal.unit:
            return value
        return self._converted(value, unit)

    def _converted(self, number: float, unit: str) -> float:
        if not unit:
            text = f"{self.value.text} {self.signal.unit}"
            _fail(f"the value has no unit; {self.name} is in {self.signal.unit}", self.value, f"write '{text}'")
        if not self.signal.unit:
            _fail(f"{self.name} has no unit, the value is in {unit}", self.value, f"write '{self.value.text}'")
        try:
            return convert(number, unit, self.signal.unit)
        except UnitError as error:
            _fail(str(error), self.value, f"give the value in {self.signal.unit}")


def _tokens(text: str) -> list[_Token]:
    found, offset = [], 0
    while offset < len(text):
        if text[offset].isspace():
            offset += 1
            continue
        match = _TOKEN.match(text, offset)
        if match is None:
            message, hint = _HABITS.get(text[offset], (f"{text[offset]!r} is not part of conditions", "remove it"))
            raise ConditionError(message, offset, hint)
        found.append(_Token(str(match.lastgroup), match[0], offset))
        offset = match.end()
    return [*found, _Token("end", "", len(text))]


def _number(token: _Token) -> int | float:
    number = float(token.text)
    if not math.isfinite(number):
        _fail(f"{token.text} is not a finite number", token, "write a smaller number")
    return number if any(sign in token.text for sign in ".eE") else int(token.text)


def _kind(signal: Signal) -> str:
    if signal.type in ("bool", "text"):
        return {"bool": "true or false", "text": "text"}[signal.type]
    return f"a number in {signal.unit}" if signal.unit else "a number"


def _example(name: str, signal: Signal) -> str:
    match signal.type:
        case "bool":
            return f"write '{name}' or 'not {name}'"
        case "text":
            return f"write {name} == 'text', with quotes"
        case _:
            return f"write '{name} > {f'1 {signal.unit}'.rstrip()}' with your value"


def _lower_case(text: str) -> str:
    return f"write {text.lower()!r}: names and words are in lower case"


def _fail(message: str, token: _Token, hint: str) -> NoReturn:
    raise ConditionError(message, token.offset, hint)
