"""What one step of one part has done so far: the memory that lets a phase be interrupted and entered again.

The rule kept here: a pulse that was sent is never sent again before it is known what became of it. Keys are made of
the item of `c.steps` in which something happened, its name, and its number within the item, so that the same place
of the same phase finds its own memory.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from cellctl.core.signal import Value


@dataclass(slots=True)
class Pulse:
    """One execution of a command that must not happen twice. `result` is None until it is known to be done."""

    token: int
    result: Mapping[str, Value] | None = None


@dataclass(slots=True)
class Progress:
    """Finished items, kept values, records, pulses, answers to faults and prompts, how often a fault was retried."""

    items: set[str] = field(default_factory=set)
    kept: dict[str, Value] = field(default_factory=dict)
    records: dict[str, Value] = field(default_factory=dict)
    pulses: dict[str, Pulse] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    retries: Counter[str] = field(default_factory=Counter)

    def finish(self, item: str) -> None:
        """The item is done; what happened inside it need not be remembered any longer."""
        self.items.add(item)
        for memory in (self.records, self.pulses, self.answers, self.retries):
            for key in [key for key in memory if key.startswith(f"{item}/")]:
                del memory[key]
