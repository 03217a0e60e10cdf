"""The source of phases, looked at before it is run: what must not stand in it.

The rule kept here: a phase meets nothing but its context. What a reader can see to be wrong (a forgotten await, a
device that does not exist, a loop that never waits) is told here, not on the machine.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cellctl.model.conditions import Known
from cellctl.model.phase_context import ContextCheck
from cellctl.model.problems import Place, Report, Wrong

_CLOCK = "the time belongs to the cell: use await c.sleep('2 s') or await c.until(...)"
_CHANCE = "a phase must do the same each time, or it cannot be continued after a restart"
_OUTSIDE = "a phase speaks to devices only, through c.<device>"
_PARALLEL = "write 'parallel:' in the recipe instead"
#: Modules that a phase must not import, and why.
_FORBIDDEN: Mapping[str, str] = (
    dict.fromkeys(("asyncio", "threading", "multiprocessing", "concurrent", "queue", "trio", "anyio"), _PARALLEL)
    | dict.fromkeys(("time", "datetime", "sched", "signal"), _CLOCK)
    | dict.fromkeys(("random", "secrets", "uuid"), _CHANCE)
    | dict.fromkeys(("os", "sys", "io", "pathlib", "shutil", "subprocess", "socket", "select", "ssl"), _OUTSIDE)
    | dict.fromkeys(("urllib", "http", "requests", "httpx", "ctypes", "sqlite3", "logging", "tempfile"), _OUTSIDE)
    | dict.fromkeys(("importlib", "builtins", "pymodbus", "asyncua", "serial", "cellctl_drivers"), _OUTSIDE)
)
_CALLS: Mapping[str, str] = {
    "print": "use c.progress('...') for people, c.record(...) for the part",
    "input": "use await c.ask('...')",
} | dict.fromkeys(("open", "exec", "eval", "compile", "__import__", "breakpoint", "globals", "exit", "quit"), _OUTSIDE)

_DEFINITIONS = (
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
)
_TYPES = ("float", "int", "bool", "str")
#: Mistakes after which the file is not run, not even to see what it defines.
FATAL = frozenset({"E402", "E403", "E412", "E413", "E414"})


@dataclass(slots=True)
class PhaseSource:
    """One phase as it stands in its file: where its parts are."""

    file: "SourceFile"
    function: ast.AsyncFunctionDef
    decorator: ast.Call

    @property
    def place(self) -> Place:
        """The place of its name."""
        place = self.file.place(self.function)
        return Place(place.file, place.line, place.column + len("async def "))

    def argument(self, name: str) -> Place:
        """The place of an argument of the decorator."""
        found = [each.value for each in self.decorator.keywords if each.arg == name]
        return self.file.place(found[0]) if found else self.place

    def parameter(self, name: str) -> Place:
        """The place of a declared parameter."""
        found = [each for each in self.function.args.args if each.arg == name]
        return self.file.place(found[0]) if found else self.place


@dataclass(slots=True)
class SourceFile:
    """A parsed file of phases."""

    path: Path
    text: str
    tree: ast.Module
    phases: dict[str, PhaseSource] = field(default_factory=dict)
    fatal: bool = False

    def place(self, node: ast.expr | ast.stmt | ast.arg) -> Place:
        """The place of `node`, line and column from 1."""
        line = self.text.splitlines()[node.lineno - 1].encode()
        return Place(self.path, node.lineno, len(line[: node.col_offset].decode(errors="replace")) + 1)


class SourceCheck:
    """Looks at one file; what it finds goes into the report, and the phases into the file."""

    def __init__(self, file: SourceFile, known: Known, report: Report) -> None:
        self._file = file
        self._known = known
        self._report = report
        self._coroutines = {node.name for node in file.tree.body if isinstance(node, ast.AsyncFunctionDef)}

    def check(self) -> None:
        """Look at the whole file."""
        for statement in self._file.tree.body:
            self._definition(statement)
        for node in ast.walk(self._file.tree):
            match node:
                case ast.Import():
                    for alias in node.names:
                        self._import(node, alias.name)
                case ast.ImportFrom():
                    self._import(node, node.module or "")
                case ast.Call(func=ast.Name(id=name)) if name in _CALLS:
                    self._add(node, Wrong("E413", f"{name}() cannot be used in a phase", _CALLS[name]))
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._function(node)
                case _:
                    pass

    def _definition(self, statement: ast.stmt) -> None:
        docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        typing_only = isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test)
        if not (docstring or typing_only or isinstance(statement, _DEFINITIONS)):
            hint = "keep imports, constants and functions only; what shall be done stands in a phase"
            self._add(statement, Wrong("E412", "this would run while the file is read", hint))

    def _import(self, node: ast.stmt, module: str) -> None:
        root = module.partition(".")[0]
        if root in _FORBIDDEN:
            self._add(node, Wrong("E402", f"a phase cannot import {root}", _FORBIDDEN[root]))

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        decorators = [each for each in node.decorator_list if _is_phase(each)]
        for each in decorators:
            if not isinstance(each, ast.Call):
                self._add(each, Wrong("E414", "@phase needs its parentheses", "write '@phase()'"))
            elif isinstance(node, ast.AsyncFunctionDef):
                if node.name in self._file.phases:
                    first = self._file.phases[node.name].place.line
                    wrong = Wrong("E410", f"the phase {node.name!r} is defined twice", f"it stands in line {first} too")
                    self._add(node, wrong)
                else:
                    self._file.phases[node.name] = PhaseSource(self._file, node, each)
        if isinstance(node, ast.FunctionDef):
            if decorators:
                wrong = Wrong("E403", f"the phase {node.name!r} is a plain def", f"write 'async def {node.name}'")
                self._add(node, wrong)
        elif decorators and not node.args.args:
            wrong = Wrong("E414", f"the phase {node.name!r} has no context", f"write 'async def {node.name}(c)'")
            self._add(node, wrong)
        elif decorators or (node.args.args and node.args.args[0].arg == "c"):
            decorator = next((each for each in decorators if isinstance(each, ast.Call)), None)
            if decorator is not None:
                self._decorator(decorator)
                self._parameters(node)
            ContextCheck(self._file.place, self._known, self._report, self._coroutines).check(node, decorator)

    def _decorator(self, decorator: ast.Call) -> None:
        """What would be read letter by letter: a text where several names are needed."""
        for keyword in decorator.keywords:
            match keyword.arg, keyword.value:
                case "uses", ast.Constant(value=str(device)) as value:
                    self._add(value, Wrong("E414", "'uses' is not a list of devices", f"write uses=({device!r},)"))
                case "human_only", ast.Constant(value=str(kind)) as value:
                    self._add(value, Wrong("E414", "'human_only' is not a list of faults", f"write ({kind!r},)"))
                case "faults", ast.Dict(values=values):
                    for recoveries in values:
                        if isinstance(recoveries, ast.Constant):
                            hint = "write faults={'weak_weld': ('retry', 'scrap')}"
                            self._add(recoveries, Wrong("E414", "these are not the recoveries of a fault", hint))
                case _:
                    pass

    def _parameters(self, function: ast.AsyncFunctionDef) -> None:
        for argument in function.args.args[1:]:
            named = ast.unparse(argument.annotation).strip("'") if argument.annotation else ""
            if named not in _TYPES:
                hint = f"write '{argument.arg}: float = param(...)', or one of {', '.join(_TYPES)}"
                self._add(argument, Wrong("E414", f"the parameter {argument.arg!r} has no type that is known", hint))

    def _add(self, node: ast.expr | ast.stmt | ast.arg, wrong: Wrong) -> None:
        self._file.fatal |= wrong.code in FATAL
        self._report.add(self._file.place(node), wrong)


def _is_phase(decorator: ast.expr) -> bool:
    named = decorator.func if isinstance(decorator, ast.Call) else decorator
    match named:
        case ast.Name(id="phase") | ast.Attribute(attr="phase"):
            return True
        case _:
            return False
