"""What a phase does with its context `c`, as far as its source shows it.

The rule kept here: only what is certain is told. A name that is computed, or belongs to a device whose profile is
wrong, is left to the run.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from cellctl.core.equipment import CommandSpec
from cellctl.core.parameter import Parameter
from cellctl.core.signal import Signal
from cellctl.model.conditions import Known
from cellctl.model.problems import ONE_OF_THEM, Place, Report, Wrong, did_you_mean
from cellctl.model.quantity import read_duration

#: The words of the context that are awaited, and those that are not.
AWAITED = frozenset({"until", "sleep", "fault", "ask"})
WORDS = AWAITED | {"safe", "steps", "keep", "record", "progress", "part", "parameters", "forever"}
_OF_SIGNAL = ("value", "quality", "age", "set", "on", "off")
_WRITES = ("set", "on", "off")

Node = ast.expr | ast.stmt | ast.arg
PlaceOf = Callable[[Node], Place]


@dataclass(frozen=True, slots=True)
class _Use:
    """``c.device.name.word``, perhaps called, at one place of the source."""

    node: ast.Attribute
    chain: tuple[str, ...]
    call: ast.Call | None
    parents: tuple[ast.AST, ...]  # nearest first, from above the call if there is one


class ContextCheck:
    """Looks at one function that is given the context."""

    def __init__(self, place: PlaceOf, known: Known, report: Report, coroutines: set[str]) -> None:
        self._place = place
        self._known = known
        self._report = report
        self._coroutines = coroutines
        self._claimed: frozenset[str] | None = None
        self._faults: frozenset[str] | None = None

    def check(self, function: ast.AsyncFunctionDef, decorator: ast.Call | None) -> None:
        """Look at `function`; with its `decorator` it is a phase, without one a part of phases."""
        if decorator is not None:
            self._claimed = _claimed(decorator, self._known)
            self._faults = _faults(decorator)
        context = function.args.args[0].arg
        for node, parents in _nodes(function):
            match node:
                case ast.While() if not _waits(node):
                    hint = "let it wait: await c.until(...), await c.sleep('100 ms') or a device"
                    self._add(node, Wrong("E405", "this loop never waits and would stop the cell", hint))
                case ast.With():
                    self._plain_with(node, context)
                case ast.Call(func=ast.Name(id=name)) if name in self._coroutines:
                    self._awaited(node, parents, name)
                case ast.Attribute() if not (parents and isinstance(parents[0], ast.Attribute)):
                    chain = _chain(node, context)
                    if chain:
                        called = parents and isinstance(parents[0], ast.Call) and parents[0].func is node
                        call = parents[0] if called and isinstance(parents[0], ast.Call) else None
                        self._use(_Use(node, chain, call, parents[1:] if call else parents))
                case _:
                    pass

    def _use(self, use: _Use) -> None:
        word = use.chain[0]
        if word in WORDS:
            self._word(word, use)
        elif word in self._known.incomplete:
            return
        elif word not in self._known.devices:
            hint = did_you_mean(word, [*self._known.devices, *WORDS])
            self._add(use.node, Wrong("E407", f"there is no device {word!r}", hint))
        elif len(use.chain) > 1:
            name = f"{word}.{use.chain[1]}"
            if name in self._known.signals:
                self._signal(self._known.signals[name], use)
            elif name in self._known.commands:
                self._command(self._known.commands[name], use)
            else:
                wrong = Wrong(
                    "E407",
                    f"the device {word!r} has no signal or command {use.chain[1]!r}",
                    did_you_mean(use.chain[1], self._known.of_device(word)),
                )
                self._add(use.node, wrong)

    def _word(self, word: str, use: _Use) -> None:
        if use.call is None:
            return
        if word in AWAITED:
            self._awaited(use.call, use.parents, f"c.{word}(...)")
        self._timeout(use.call)
        first = use.call.args[0] if use.call.args else None
        match word:
            case "until" if isinstance(first, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Attribute):
                hint = 'write it as text: await c.until("plc.air_pressure > 5 bar")'
                self._add(first, Wrong("E418", "the condition is computed before the wait begins", hint))
            case "until" if (text := _text(first)) is not None and first is not None:
                place = self._place(first)
                inside = Place(place.file, place.line, place.column, text, quoted=True)
                self._known.condition(text, inside, self._report)
            case "sleep":
                self._duration(first)
            case "fault":
                self._fault(first)
            case "safe":
                self._safe(use, first)

    def _fault(self, first: ast.expr | None) -> None:
        kind = _text(first)
        if first is not None and kind is not None and self._faults is not None and kind not in self._faults:
            hint = did_you_mean(kind, self._faults, f"add faults={{'{kind}': ('retry', 'scrap')}} to @phase")
            self._add(first, Wrong("E416", f"the phase declares no fault {kind!r}", hint))

    def _safe(self, use: _Use, action: ast.expr | None) -> None:
        if isinstance(action, ast.Call):
            hint = f"leave the parentheses out: c.safe({ast.unparse(action.func)})"
            self._add(action, Wrong("E406", "the safe action is called at once instead of at the end", hint))
        if not (use.parents and isinstance(use.parents[0], ast.withitem)):
            hint = f"write 'async with {ast.unparse(use.node)}(...):'"
            self._add(use.node, Wrong("E406", "c.safe(...) does nothing by itself", hint))

    def _signal(self, signal: Signal, use: _Use) -> None:
        word = use.chain[2] if len(use.chain) > 2 else ""
        name = f"c.{signal.id}"
        if not word:
            if use.call is not None:
                hint = f"write {name}.value, or await {name}.set(...)"
                self._add(use.node, Wrong("E407", f"{signal.id} is a signal, it cannot be called", hint))
            return
        if word not in _OF_SIGNAL:
            self._add(use.node, Wrong("E407", f"a signal has no {word!r}", did_you_mean(word, _OF_SIGNAL)))
        if word not in _WRITES:
            return
        if not signal.writable:
            hint = "choose a signal that has 'write:' in its profile"
            self._add(use.node, Wrong("E419", f"{signal.id} cannot be written", hint))
        elif word != "set" and signal.type != "bool":
            self._add(use.node, Wrong("E419", f"{signal.id} is not true or false", f"write {name}.set(...)"))
        self._claim(use)
        if use.call is not None:
            self._awaited(use.call, use.parents, f"{name}.{word}(...)")
            self._written(signal, use.call)

    def _written(self, signal: Signal, call: ast.Call) -> None:
        value = call.args[0] if call.args else None
        allowed = Parameter(signal.name, signal.type, signal.unit, signal.low, signal.high)
        if isinstance(value, ast.Constant) and (problem := allowed.problem(value.value)):
            hint = f"{signal.id} is {signal.type}, in {signal.unit}" if signal.unit else f"{signal.id} is {signal.type}"
            self._add(value, Wrong("E420", problem, hint))

    def _command(self, command: CommandSpec, use: _Use) -> None:
        if len(use.chain) > 2:
            hint = f"write: answer = await c.{command.id}(...)"
            self._add(use.node, Wrong("E407", f"{command.id} is a command, it has no {use.chain[2]!r}", hint))
            return
        self._claim(use)
        if use.call is not None:
            self._awaited(use.call, use.parents, f"c.{command.id}(...)")
            self._timeout(use.call)
            self._arguments(command, use.call)

    def _arguments(self, command: CommandSpec, call: ast.Call) -> None:
        known = list(command.parameters)
        if len(call.args) > len(known):
            hint = f"it takes {', '.join(known)}" if known else "it takes none"
            self._add(call.args[len(known)], Wrong("E420", f"{command.id} takes {len(known)} values", hint))
            return
        given = dict(zip(known, call.args, strict=False))
        for keyword in call.keywords:
            if keyword.arg is not None and keyword.arg not in (*known, "timeout"):
                hint = did_you_mean(keyword.arg, [*known, "timeout"])
                self._add(keyword.value, Wrong("E420", f"{command.id} has no parameter {keyword.arg!r}", hint))
            given[keyword.arg or "**"] = keyword.value
        for name, parameter in command.parameters.items():
            value = given.get(name)
            if value is None and parameter.default is None and "**" not in given:
                self._add(call, Wrong("E420", f"{command.id} needs {name!r}", f"write {name}=..."))
            elif isinstance(value, ast.Constant) and (problem := parameter.problem(value.value)):
                kind = f"write it in {parameter.unit}" if parameter.unit else f"it is {parameter.type}"
                otherwise = ONE_OF_THEM if parameter.choices else kind
                hint = did_you_mean(str(value.value), parameter.choices, otherwise)
                self._add(value, Wrong("E420", f"{name}: {problem[:200]}", hint))

    def _claim(self, use: _Use) -> None:
        device = use.chain[0]
        if self._claimed is not None and device not in self._claimed:
            hint = f"add {device!r} to uses=(...) of @phase, and to the station"
            self._add(use.node, Wrong("E417", f"the phase commands {device!r} without claiming it", hint))

    def _awaited(self, call: ast.Call, parents: tuple[ast.AST, ...], what: str) -> None:
        if parents and isinstance(parents[0], ast.Await):
            return
        if any(isinstance(parent, ast.Lambda) for parent in parents) or _in_safe(parents):
            return
        self._add(call, Wrong("E404", f"{what} is not awaited: it would do nothing", "write 'await' before it"))

    def _plain_with(self, node: ast.With, context: str) -> None:
        for item in node.items:
            called = item.context_expr.func if isinstance(item.context_expr, ast.Call) else item.context_expr
            if isinstance(called, ast.Attribute) and _chain(called, context) == ("safe",):
                self._add(node, Wrong("E406", "a plain 'with' cannot be used for c.safe", "write 'async with'"))

    def _timeout(self, call: ast.Call) -> None:
        for keyword in call.keywords:
            if keyword.arg == "timeout":
                self._duration(keyword.value)

    def _duration(self, node: ast.expr | None) -> None:
        if isinstance(node, ast.Constant) and node.value is not None:
            try:
                read_duration(node.value)
            except Wrong as wrong:
                self._add(node, Wrong("E421", wrong.message, wrong.hint.replace("'", '"')))

    def _add(self, node: Node, wrong: Wrong) -> None:
        self._report.add(self._place(node), wrong)


def _nodes(function: ast.AsyncFunctionDef) -> Iterator[tuple[ast.AST, tuple[ast.AST, ...]]]:
    """Every node of the function's body with its parents, nearest first; functions inside it are left out."""
    pending: list[tuple[ast.AST, tuple[ast.AST, ...]]] = [(statement, ()) for statement in reversed(function.body)]
    while pending:
        node, parents = pending.pop()
        yield node, parents
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            pending.extend((child, (node, *parents)) for child in reversed(list(ast.iter_child_nodes(node))))


def _waits(loop: ast.While) -> bool:
    return any(isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith) for node in ast.walk(loop))


def _chain(node: ast.expr, context: str) -> tuple[str, ...]:
    """The words of ``c.laser.power`` behind the context; empty if the expression does not begin with it."""
    words: list[str] = []
    while isinstance(node, ast.Attribute):
        words.insert(0, node.attr)
        node = node.value
    return tuple(words) if isinstance(node, ast.Name) and node.id == context else ()


def _in_safe(parents: tuple[ast.AST, ...]) -> bool:
    """Whether this is the argument of c.safe(...), which has its own message."""
    return any(
        isinstance(parent, ast.Call) and isinstance(parent.func, ast.Attribute) and parent.func.attr == "safe"
        for parent in parents
    )


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _literal(decorator: ast.Call, name: str) -> object:
    for keyword in decorator.keywords:
        if keyword.arg == name:
            try:
                return ast.literal_eval(keyword.value)
            except ValueError:
                return ...
    return None


def _claimed(decorator: ast.Call, known: Known) -> frozenset[str] | None:
    """The devices that the phase may command; None if that cannot be said."""
    station, uses = _literal(decorator, "station"), _literal(decorator, "uses")
    if isinstance(uses, tuple | list | set):
        return frozenset(str(each) for each in uses)
    if uses is None and isinstance(station, str) and station in known.stations:
        return known.stations[station].uses
    return None


def _faults(decorator: ast.Call) -> frozenset[str] | None:
    faults = _literal(decorator, "faults")
    if faults is None:
        return frozenset()
    return frozenset(str(each) for each in faults) if isinstance(faults, Mapping) else None
