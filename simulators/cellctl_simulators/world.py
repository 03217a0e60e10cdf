"""Device models and the world that wires them: the ground truth of a simulated cell.

The rules kept here: pure. Time is an argument (ns of world time), randomness is seeded and handed in, nothing waits.
What happens between two calls happens in the order of its time, so the truth does not depend on how often the
world is looked at. Only those models are updated for which something is new: a model does not notice what it is not
told.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from random import Random
from typing import Any, Protocol, runtime_checkable

from cellctl.driver import Value
from cellctl_simulators.wire import Wire

#: Events in one `advance` and rounds until the models rest: more is a model that never comes to an end.
EVENTS_MAX = 100_000
ROUNDS_MAX = 20


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a model tells its world: values by name, and when it wants to be updated again (None: only on change)."""

    outputs: Mapping[str, Value] = field(default_factory=dict)
    call_at_ns: int | None = None


class Model(Protocol):
    """One simulated device: physical inputs and outputs on one side, a wire on the other.

    `inputs` names every input with its first value. `update` brings the model to `now_ns`, takes what came in on the
    wire and fills it; called again with the same time and inputs it changes nothing. The `inputs` it is given stay the
    world's: they change with it.
    """

    inputs: Mapping[str, Value]
    wire: Wire

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the device to `now_ns`."""


@runtime_checkable
class Retaining(Protocol):
    """A model that keeps something without power: it is handed to the one that takes its place when it restarts."""

    retained: Any


ModelFactory = Callable[[Random], Model]


class World:
    """Models side by side. A cell's own world connects them (`connect`) and keeps what became of parts (`changed`).

    What is the world's own has names with two underscores: a cell's world may use any other.
    Inputs and outputs are named ``device.name``. `speed` is how many seconds go by here in one second of the
    clients outside; a model that waits for its client (a watchdog) finds it among its inputs as ``speed``.
    """

    def __init__(self, models: Mapping[str, Model], *, speed: float = 1.0) -> None:
        self.models = dict(models)
        self.speed = speed
        self.now_ns = 0
        self.outputs: dict[str, Value] = {}
        self.inputs: dict[str, Value] = _Inputs(
            {f"{device}.{name}": value for device, model in models.items() for name, value in model.inputs.items()},
            self.__input_changed,
        )
        self.__given: dict[str, dict[str, Value]] = {
            device: {**model.inputs, "speed": speed} for device, model in models.items()
        }
        self.__told: dict[str, dict[str, Value]] = {device: {} for device in models}
        self.__due_ns: dict[str, int] = {}
        self.__next_ns: int | None = None
        self.__open = set(models)  # to be updated before the world rests
        self.__moved = True  # an output has changed since the last `connect`
        self.__updated: set[str] = set()

    def connect(self) -> None:
        """Set the inputs that follow from outputs and from the state of the world."""

    def changed(self, name: str, value: Value) -> None:
        """Draw the physical consequence of an output that has just changed."""

    def truth(self) -> dict[str, object]:
        """What really is, as JSON."""
        return {"time_s": self.now_ns / 1e9}

    def energised(self) -> list[str]:
        """What has energy in it now that could harm a product or a machine, in words; a cell's world tells it."""
        return []

    def compare(self, parts: Sequence[Mapping[str, Any]]) -> list[str]:
        """What the records of finished parts say that is not so, in words; a cell's world tells it."""
        return []

    def tidy(self) -> None:
        """A person takes all parts out of the machine; a cell's world knows how."""

    def advance(self, now_ns: int, devices: Iterable[str] | None = None) -> int | None:
        """Bring the world to `now_ns`, event by event; tells when the next thing happens by itself.

        Of `devices` (None: of all) is asked what they are like at `now_ns`; the others are as they were when something
        last happened to them.
        """
        if self.__open:  # the beginning, or an input that was set meanwhile
            self.__settle(self.now_ns)
        for _ in range(EVENTS_MAX):
            due_ns = self.__next_ns
            if due_ns is None or due_ns >= now_ns:
                break
            self.__settle(max(due_ns, self.now_ns))
        else:
            raise RuntimeError("the models call for more and more updates and never get to the present")
        self.__open.update(self.models if devices is None else devices)
        self.__settle(max(now_ns, self.now_ns))
        return self.__next_ns

    def renew(self, device: str, model: Model) -> None:
        """The device starts anew, as `model`: it has forgotten everything; its inputs are what they are."""
        self.models[device] = model
        self.__told[device].clear()
        self.__due_ns.pop(device, None)
        self.__open.add(device)

    @property
    def due(self) -> Mapping[str, int]:
        """The devices that will do something by themselves, and when."""
        return self.__due_ns

    def updated(self) -> set[str]:
        """The devices that were updated since this was last asked: what they show may be new."""
        updated, self.__updated = self.__updated, set()
        return updated

    def set(self, name: str, value: Value) -> None:
        """Set an input; ValueError with a hint for a name or a type that does not fit."""
        self.inputs[name] = self.fitting(name, value)
        self.__moved = True  # what follows from it is for `connect` to say

    def fitting(self, name: str, value: Value) -> Value:
        """The value as the input takes it; ValueError with a hint for a name or a type that does not fit."""
        if name not in self.inputs:
            raise ValueError(f"there is no input {name!r}{hint(name, self.inputs)}")
        kind = type(self.inputs[name])
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise ValueError(f"{name} is of type {kind.__name__}, {value!r} is not")
        return value

    def get(self, name: str) -> Value:
        """The present value of an input or output; ValueError with a hint for a name that is none."""
        known = self.outputs | self.inputs
        if name not in known:
            raise ValueError(f"there is no input or output {name!r}{hint(name, known)}")
        return known[name]

    def __settle(self, now_ns: int) -> None:
        """Update at `now_ns` what is due or open, and whatever follows from it, until nothing does."""
        self.now_ns = now_ns
        if self.__next_ns is not None and self.__next_ns <= now_ns:
            self.__open.update(device for device, due_ns in self.__due_ns.items() if due_ns <= now_ns)
        for _ in range(ROUNDS_MAX):
            if self.__moved:
                self.__moved = False
                self.connect()
            if not self.__open:
                self.__next_ns = min(self.__due_ns.values(), default=None)
                return
            for device, model in self.models.items():
                if device in self.__open:
                    self.__open.remove(device)
                    self.__update(device, model)
        raise RuntimeError("the models answer each other for ever and do not come to rest")

    def __update(self, device: str, model: Model) -> None:
        result = model.update(self.now_ns, self.__given[device])
        self.__updated.add(device)
        self.__due_ns.pop(device, None)
        if result.call_at_ns is not None:
            self.__due_ns[device] = max(result.call_at_ns, self.now_ns + 1)
        told, outputs = self.__told[device], self.outputs
        changes = [(name, value) for name, value in result.outputs.items() if told.get(name) != value]
        told.update(changes)
        for name, value in changes:
            outputs[f"{device}.{name}"] = value
        for name, value in changes:
            self.__moved = True
            self.changed(f"{device}.{name}", value)

    def __input_changed(self, name: str, value: Value) -> None:
        device, _, input = name.partition(".")
        self.__given[device][input] = value
        self.__open.add(device)


class _Inputs(dict[str, Value]):
    """All inputs by name; tells which of them gets another value."""

    def __init__(self, values: Mapping[str, Value], changed: Callable[[str, Value], None]) -> None:
        super().__init__(values)
        self._changed = changed

    def __setitem__(self, name: str, value: Value) -> None:
        if name not in self or self[name] != value:
            super().__setitem__(name, value)
            self._changed(name, value)

    def update(self, *others: Any, **more: Any) -> None:
        """Set each."""
        for name, value in dict(*others, **more).items():
            self[name] = value

    def __ior__(self, other: Any) -> "_Inputs":  # type: ignore[override,misc]
        self.update(other)
        return self


def hint(name: str, known: Iterable[str]) -> str:
    """The end of a sentence that says `name` is not known: what was meant, or all that is known."""
    names = sorted(known)
    nearest = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean {nearest[0]!r}?" if nearest else f"; known are {', '.join(names)}"
