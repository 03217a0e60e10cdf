"""The procedure of one part as data: a tree of steps, and the frontier that follows from what is finished.

The rule kept here: a procedure has no state of its own. Which phases may run now is a function of the tree and the
set of finished steps, so a job survives anything that its journal survives.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cellctl.core.condition import Ref
from cellctl.core.signal import Value


@dataclass(frozen=True, slots=True)
class PhaseStep:
    """Run `phase`. `id` is unique among its siblings; `when` refers to a bool recipe parameter; `on_fault` maps a
    fault kind to a policy such as ``retry 1 then ask``."""

    id: str
    phase: str
    parameters: Mapping[str, Value | Ref] = field(default_factory=dict)
    on_fault: Mapping[str, str] = field(default_factory=dict)
    when: Ref | None = None


@dataclass(frozen=True, slots=True)
class Sequence:
    """One step after another."""

    steps: "tuple[Step, ...]" = ()
    id: str = ""


@dataclass(frozen=True, slots=True)
class Parallel:
    """Named branches side by side; done when all are."""

    id: str
    branches: Mapping[str, Sequence]
    when: Ref | None = None


@dataclass(frozen=True, slots=True)
class With:
    """`background` runs for as long as `do` does, and is ended with it."""

    id: str
    background: Sequence
    do: Sequence
    when: Ref | None = None


@dataclass(frozen=True, slots=True)
class ForEach:
    """`do` once for every value, which stands in it as ``$name``; unrolled before the part starts."""

    id: str
    name: str
    values: tuple[Value, ...] | Ref
    do: Sequence
    when: Ref | None = None


Step = PhaseStep | Sequence | Parallel | With | ForEach
