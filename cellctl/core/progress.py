"""What one step of one part has done so far: the memory that lets a phase be interrupted and entered again.

The rules kept here: it changes by `apply` alone, with what goes into the journal; and a pulse that was sent is never
sent again before it is known what became of it. Keys are made of the item of `c.steps` in which something happened,
its name, and its number within the item, so that the same place of the same phase finds its own memory.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cellctl.core.signal import Value

#: The kinds of entries that tell what a phase did.
OF_A_STEP = frozenset({"item", "kept", "record", "intent", "intent.void", "done", "recovery", "fault"})


@dataclass(slots=True)
class Pulse:
    """One execution of a command that must not happen twice. `result` is None until it is known to be done.

    What was so when it was sent: `seen` is what the sensors around told, `before` the values its conditions ask for.
    """

    token: int
    result: Mapping[str, Value] | None = None
    seen: Mapping[str, Value] = field(default_factory=dict)
    before: Mapping[str, Value] = field(default_factory=dict)


@dataclass(slots=True)
class Progress:
    """Finished items, kept values, records, pulses, answers to faults and prompts, how often a fault was retried."""

    items: set[str] = field(default_factory=set)
    kept: dict[str, Value] = field(default_factory=dict)
    records: dict[str, Value] = field(default_factory=dict)
    pulses: dict[str, Pulse] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    retries: Counter[str] = field(default_factory=Counter)

    def apply(self, kind: str, data: Mapping[str, Any]) -> None:
        """Take an entry of the journal that is of this step. KeyError if it is not of this form."""
        match kind:
            case "item":
                self._finish(data["item"])
            case "kept":
                self.kept[data["name"]] = data["value"]
            case "record":
                self.records[data["key"]] = data["value"]
            case "intent":
                self._settle(data["key"], Pulse(data["token"], None, data.get("seen", {}), data.get("before", {})))
            case "intent.void":
                self.pulses.pop(data["key"], None)
            case "done":
                self._settle(data["key"], Pulse(data["token"], data["result"]))
            case "recovery":
                self.answers[data["key"]] = data["choice"]
                self._retry(place_of(data["key"]), data["retry"])
            case _:  # a fault
                self._retry(data["fault"], data["retry"])

    @property
    def doubts(self) -> Iterator[str]:
        """The keys of the pulses of which nobody knows whether they are done."""
        return (key for key, pulse in self.pulses.items() if pulse.result is None)

    def _finish(self, item: str) -> None:
        """The item is done; what happened inside it need not be remembered any longer."""
        self.items.add(item)
        for memory in (self.records, self.pulses, self.answers, self.retries):
            for key in [key for key in memory if key.startswith(f"{item}/")]:
                del memory[key]

    def _settle(self, key: str, pulse: Pulse) -> None:
        """The decision about an end in doubt holds for this once: the next execution may come in doubt too."""
        self.pulses[key] = pulse
        self.answers.pop(doubt_of(key), None)

    def _retry(self, place: str, count: int) -> None:
        if count:
            self.retries[place] = count
        else:
            del self.retries[place]


def doubt_of(key: str) -> str:
    """The key of the question what became of the pulse `key`."""
    return f"{key}?"


def command_of(key: str) -> str:
    """The command of the pulse `key`."""
    return place_of(key).rpartition("/")[2]


def place_of(key: str) -> str:
    """The place of a fault: its key without the number."""
    return key.rpartition("#")[0]
