"""Recipes of ISA-88: the master recipe as it was written and checked, and the control recipe of one part.

The rule kept here: a control recipe is frozen with every value resolved, so that the whole procedure of a part is
known before its first phase starts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, isfinite

from cellctl.core.condition import Condition
from cellctl.core.procedure import Sequence
from cellctl.core.signal import Value


@dataclass(frozen=True, slots=True)
class RecipeParameter:
    """A value of the recipe in `unit`, the process limits, the band a panel may tune in, all in `unit`.

    `per_part` values may differ part by part; `to` is the signal that changeover downloads the value to.
    """

    name: str
    value: Value
    unit: str = ""
    low: float | None = None
    high: float | None = None
    tune_low: float | None = None
    tune_high: float | None = None
    per_part: bool = False
    to: str = ""
    label: str = ""

    def problem(self, value: Value) -> str | None:
        """Why `value` (in `unit`) cannot stand for a part's own value, or None."""
        if isinstance(value, bool) != isinstance(self.value, bool) or isinstance(value, str) != isinstance(
            self.value, str
        ):
            return f"{value!r} is not of the kind of {self.value!r}"
        if isinstance(value, str):
            return None
        low = -inf if self.low is None else self.low
        high = inf if self.high is None else self.high
        if not (low <= value <= high and isfinite(value)):
            return f"{value:g} {self.unit}".rstrip() + f" is outside {low:g}..{high:g} {self.unit}".rstrip()
        return None


@dataclass(frozen=True, slots=True)
class Prepare:
    """A person does something; done when confirmed: by a tick, a scan of `scan`, or the condition `signal`."""

    text: str
    external: bool = False
    expect_ns: int = 0
    scan: str = ""
    signal: Condition | None = None
    photo: str = ""


@dataclass(frozen=True, slots=True)
class RunPhase:
    """The cell runs a phase."""

    phase: str
    parameters: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Download:
    """Every parameter with a target is written to its device, read back, and compared."""


@dataclass(frozen=True, slots=True)
class FirstArticle:
    """The first `parts` parts are released one by one by somebody with the role `approve`."""

    parts: int = 1
    approve: str = ""
    checks: tuple[str, ...] = ()


ChangeoverStep = Prepare | RunPhase | Download | FirstArticle


@dataclass(frozen=True, slots=True)
class MasterRecipe:
    """The checked text of one recipe version. `hash` identifies the exact content (SHA-256, hex)."""

    id: str
    version: str
    product: str = ""
    wip: int = 1
    ideal_cycle_ns: int = 0
    parameters: Mapping[str, RecipeParameter] = field(default_factory=dict)
    procedure: Sequence = field(default_factory=Sequence)
    changeover: tuple[ChangeoverStep, ...] = ()
    hash: str = ""
