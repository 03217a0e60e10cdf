"""What the author of a phase sees: `@phase`, `param`, and the context `c`.

A phase is written as `async def`, but it never meets asyncio: every `await` yields a wish to the core, which drives
the coroutine by hand. The rule kept here: a phase is deterministic and re-entrant; what it did is remembered outside.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from cellctl.core.parameter import Parameter
from cellctl.core.signal import Value

PhaseFunction = Callable[..., Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class PhaseDefinition:
    """An equipment phase: its code, the station it claims, the devices it uses there, its parameters and faults.

    `uses` None means all that the station uses. `faults` maps each declared trouble to the recoveries a person may
    choose from. `always`: it runs for a scrapped part too (what takes a part out of the cell).
    """

    name: str
    function: PhaseFunction
    station: str | None = None
    uses: frozenset[str] | None = None
    faults: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    always: bool = False
    text: str = ""
