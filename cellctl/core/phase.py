"""What the author of a phase sees: `@phase`, `param`, and the faults a phase may meet.

A phase is written as `async def`, but it never meets asyncio: every `await` yields a wish (`context.py`) to the core,
which drives the coroutine by hand (`execution.py`). The rule kept here: a phase is deterministic and re-entrant; what
it did is remembered outside of it (`progress.py`).
"""

import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cellctl.core.parameter import TYPES, Parameter
from cellctl.core.signal import Value

PhaseFunction = Callable[..., Coroutine[Any, Any, None]]

#: Troubles that any phase may meet at any `await`, and what a person may choose then.
BUILT_IN_FAULTS: Mapping[str, tuple[str, ...]] = {
    "no_reply": ("retry", "scrap"),
    "timeout": ("retry", "scrap"),
    "mismatch": ("retry", "scrap"),
    "refused": ("retry", "scrap"),
    "in_doubt": ("done", "redo", "scrap"),
    "error": ("retry", "scrap"),
}


#: Nobody knows whether a pulse was done.
IN_DOUBT = "in_doubt"

#: Recoveries that a policy may choose, so that nobody is asked.
AUTOMATIC = frozenset({"retry", "skip", "scrap"})


class PhaseFault(Exception):  # noqa: N818 - a fault in the sense of the field, not a programming error
    """An `await` of a phase could not be fulfilled. `kind` is one of `BUILT_IN_FAULTS`; may be caught by the phase."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


@dataclass(frozen=True, slots=True)
class PhaseDefinition:
    """An equipment phase: its code, the station it claims, the devices it uses there, its parameters and faults.

    `uses` None means all that the station uses. `faults` maps each declared trouble to the recoveries a person may
    choose from. `always`: it runs for a scrapped part too (what takes a part out of the cell). `human_only`: the
    kinds of faults about which only a person decides, whatever the policy of a step says.
    """

    name: str
    function: PhaseFunction
    station: str | None = None
    uses: frozenset[str] | None = None
    faults: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    always: bool = False
    text: str = ""
    human_only: frozenset[str] = frozenset()

    def automatic(self, kind: str) -> frozenset[str]:
        """The recoveries from `kind` that a policy may choose: none if a person must, and no retry of a doubt."""
        if kind in self.human_only:
            return frozenset()
        return frozenset({"scrap"}) if kind == IN_DOUBT else AUTOMATIC

    def knows(self, kind: str) -> bool:
        """Whether `kind` is a fault that the phase declares, or one that any phase may meet."""
        return kind in self.faults or kind in BUILT_IN_FAULTS

    def recoveries(self, kind: str) -> tuple[str, ...]:
        """What a person may choose when `kind` happens; KeyError if neither declared nor built in.

        A phase that runs for scrapped parts too cannot be spared by scrapping the part.
        """
        if kind in self.faults:
            return self.faults[kind]
        return tuple(one for one in BUILT_IN_FAULTS[kind] if one != "scrap" or not self.always)


@dataclass(frozen=True, slots=True)
class _Param:
    """What `param` leaves in the signature until `phase` reads it."""

    unit: str
    low: float | None
    high: float | None
    default: Value | None


def param(unit: str = "", lo: float | None = None, hi: float | None = None, default: Value | None = None) -> Any:
    """Declare a phase parameter: its unit, the bounds of the equipment in that unit, and a default if it has one."""
    return _Param(unit, lo, hi, default)


def phase(
    *,
    station: str | None = None,
    uses: Iterable[str] | None = None,
    faults: Mapping[str, Iterable[str]] | None = None,
    always: bool = False,
    human_only: Iterable[str] = (),
) -> Callable[[PhaseFunction], PhaseDefinition]:
    """Make an equipment phase of an ``async def f(c, ...)``. TypeError if it is not one, or a parameter has no type."""

    def declare(function: PhaseFunction) -> PhaseDefinition:
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"the phase {getattr(function, '__name__', function)!r} must be an 'async def'")
        return PhaseDefinition(
            name=function.__name__,
            function=function,
            station=station,
            uses=None if uses is None else frozenset(uses),
            faults={kind: tuple(recoveries) for kind, recoveries in (faults or {}).items()},
            parameters=_parameters(function),
            always=always,
            text=inspect.getdoc(function) or "",
            human_only=frozenset(human_only),
        )

    return declare


def _parameters(function: PhaseFunction) -> dict[str, Parameter]:
    declared = list(inspect.signature(function, eval_str=True).parameters.values())
    if not declared:
        raise TypeError(f"the phase {function.__name__!r} needs the context as its first parameter: (c, ...)")
    names = {python: name for name, python in TYPES.items()}
    found = {}
    for one in declared:
        if one.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
            raise TypeError(f"the parameter {one.name!r} of {function.__name__!r} must be a plain one, without * or /")
    for one in declared[1:]:
        if one.annotation not in names:
            wanted = ", ".join(python.__name__ for python in names)
            raise TypeError(f"the parameter {one.name!r} of {function.__name__!r} needs a type: one of {wanted}")
        default = one.default
        if not isinstance(default, _Param):
            default = _Param("", None, None, None if default is inspect.Parameter.empty else default)
        found[one.name] = Parameter(
            one.name, names[one.annotation], default.unit, default.low, default.high, default.default
        )
    return found
