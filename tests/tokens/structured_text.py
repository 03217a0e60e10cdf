"""A small interpreter of the Structured Text that the token block is written in: assignments, IF, FOR, functions.

The rule kept here: precedence is that of IEC 61131-3, and a number that its type cannot hold is an error.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

RANGES = {"UINT": 65_535, "WORD": 65_535, "UDINT": 2**32 - 1}
_TOKEN = re.compile(r"\s*(16#[0-9A-F]+|\d+|[A-Za-z_]\w*|:=|<>|<=|>=|[-+*=<>(),;:])")
_SECTIONS = {"VAR_INPUT", "VAR_OUTPUT", "VAR_IN_OUT", "VAR"}
_LEVELS: tuple[dict[str, Callable[[Any, Any], Any]], ...] = (
    {"OR": lambda a, b: a or b if isinstance(a, bool) else a | b},
    {"XOR": lambda a, b: a ^ b},
    {"AND": lambda a, b: a and b if isinstance(a, bool) else a & b},
    {"=": lambda a, b: a == b, "<>": lambda a, b: a != b},
    {"<": lambda a, b: a < b, ">": lambda a, b: a > b, "<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b},
    {"+": lambda a, b: a + b, "-": lambda a, b: a - b},
    {"*": lambda a, b: a * b, "MOD": lambda a, b: a % b if a >= 0 else -(-a % b)},
)
_LIBRARY: Mapping[str, Callable[..., Any]] = {
    "UINT_TO_WORD": lambda value: value,
    "UINT_TO_DINT": lambda value: value,
    "SHR": lambda IN, N: IN >> N,  # noqa: N803 - as the standard calls them
}


@dataclass
class Unit:
    """A function or function block: its variables with their types and first values, and its text from its body on."""

    name: str
    tokens: list[str]
    types: dict[str, str] = field(default_factory=dict)
    first: dict[str, Any] = field(default_factory=dict)
    retained: set[str] = field(default_factory=set)
    at: int = 0


def units(text: str) -> dict[str, Unit]:
    """All functions and function blocks of a text."""
    bare = re.sub(r"\(\*.*?\*\)", " ", text, flags=re.DOTALL)
    found = {}
    for kind, name, body in re.findall(r"(FUNCTION|FUNCTION_BLOCK) (\w+)(.*?)END_\1\b", bare, flags=re.DOTALL):
        unit = Unit(name, _TOKEN.findall(body))
        assert "".join(body.split()) == "".join(unit.tokens), f"{name} has a sign that is not known here"
        if kind == "FUNCTION":
            unit.types[name] = unit.tokens[1]
            unit.at = 2
        _declare(unit)
        found[name] = unit
    return found


def _declare(unit: Unit) -> None:
    tokens = unit.tokens
    while tokens[unit.at] in _SECTIONS:
        unit.at += 1
        retain = tokens[unit.at] == "RETAIN"
        unit.at += retain
        while tokens[unit.at] != "END_VAR":
            end = tokens.index(";", unit.at)
            name, colon, kind, *value = tokens[unit.at : end]
            assert colon == ":"
            unit.types[name] = kind
            unit.first[name] = _constant(value[1]) if value else (False if kind == "BOOL" else 0)
            unit.retained |= {name} if retain else set()
            unit.at = end + 1
        unit.at += 1


def _constant(text: str) -> Any:
    if text in ("TRUE", "FALSE"):
        return text == "TRUE"
    return int(text[3:], 16) if text.startswith("16#") else int(text)


class Run:
    """One run through the body of a unit, over `values`, which it changes."""

    def __init__(self, program: Mapping[str, Unit], unit: Unit, values: dict[str, Any]) -> None:
        self._program, self._unit, self._tokens = program, unit, unit.tokens
        self._at, self.values = unit.at, values
        self._block(True)
        assert self._at == len(self._tokens), f"{unit.name}: {self._tokens[self._at :][:5]}"

    @property
    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, *wanted: str) -> str:
        token = self._next
        assert not wanted or token in wanted, f"{self._unit.name}: {token} instead of {wanted}"
        self._at += 1
        return token

    def _block(self, live: bool) -> None:
        if not live:
            self._pass_over()
        while self._next and self._next not in ("ELSIF", "ELSE", "END_IF", "END_FOR"):
            {"IF": self._if, "FOR": self._for}.get(self._next, self._assign)(live)

    def _pass_over(self) -> None:
        """To the end of a branch that is not taken."""
        depth = 0
        while depth or self._next not in ("ELSIF", "ELSE", "END_IF", "END_FOR"):
            depth += {"IF": 1, "FOR": 1, "END_IF": -1, "END_FOR": -1}.get(self._take(), 0)

    def _if(self, live: bool) -> None:
        open_ = live
        while self._take("IF", "ELSIF", "ELSE", "END_IF") != "END_IF":
            condition = True
            if self._tokens[self._at - 1] != "ELSE":
                condition = self._expression()
                assert isinstance(condition, bool), f"{self._unit.name}: a condition that is no BOOL"
                self._take("THEN")
            self._block(open_ and condition)
            open_ = open_ and not condition
        self._take(";")

    def _for(self, live: bool) -> None:
        self._take("FOR")
        name = self._take()
        self._take(":=")
        first = self._expression()
        self._take("TO")
        last = self._expression()
        self._take("DO")
        begin = self._at
        for number in range(first, last + 1):
            self._at = begin
            self._put(name, number, live)
            self._block(live)
        self._take("END_FOR")
        self._take(";")

    def _assign(self, live: bool) -> None:
        name = self._take()
        self._take(":=")
        self._put(name, self._expression(), live)
        self._take(";")

    def _put(self, name: str, value: Any, live: bool) -> None:
        if not live:
            return
        kind = self._unit.types[name]
        assert isinstance(value, bool) == (kind == "BOOL"), f"{name} is a {kind}, {value!r} is not"
        assert kind not in RANGES or 0 <= value <= RANGES[kind], f"{name} cannot hold {value}"
        self.values[name] = value

    def _expression(self, level: int = 0) -> Any:
        if level == len(_LEVELS):
            return self._unary()
        value = self._expression(level + 1)
        while self._next in _LEVELS[level]:
            operate = _LEVELS[level][self._take()]
            other = self._expression(level + 1)
            assert isinstance(value, bool) == isinstance(other, bool), f"{self._unit.name}: a BOOL beside a number"
            value = operate(value, other)
        return value

    def _unary(self) -> Any:
        token = self._take()
        if token == "NOT":
            value = self._unary()
            assert isinstance(value, bool), "NOT of a number"
            return not value
        if token == "(":
            value = self._expression()
            self._take(")")
            return value
        if token[0].isdigit() or token in ("TRUE", "FALSE"):
            return _constant(token)
        if self._next == "(":
            self._take("(")
            return self._call(token, dict(self._arguments()))
        return self.values[token]

    def _arguments(self) -> Iterator[tuple[str, Any]]:
        while True:
            named = self._tokens[self._at + 1] == ":="
            name = self._take() if named else ""
            if named:
                self._take(":=")
            yield name, self._expression()
            if self._take(",", ")") == ")":
                return

    def _call(self, name: str, given: dict[str, Any]) -> Any:
        if name in _LIBRARY:
            return _LIBRARY[name](**given) if "" not in given else _LIBRARY[name](given[""])
        unit = self._program[name]
        return Run(self._program, unit, {**unit.first, **given}).values[name]
