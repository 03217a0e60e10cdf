"""The context `c` of a phase: its whole vocabulary, and the wishes that its awaits yield to the core.

The rule kept here: the context changes nothing by itself. What a phase wants goes out as a wish; what it did goes
into its progress, with an entry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

from cellctl.core.condition_text import ConditionError, parse
from cellctl.core.parameter import bind
from cellctl.core.phase import PhaseFault
from cellctl.core.signal import Quality, Value
from cellctl.core.units import UnitError, duration_ns

if TYPE_CHECKING:
    from cellctl.core.condition import Condition
    from cellctl.core.equipment import CommandSpec, Equipment
    from cellctl.core.progress import Progress
    from cellctl.core.signal import Image, Signal

#: How long a wait may last when the phase does not say: long enough for a movement, short enough to be noticed.
DEFAULT_TIMEOUT_NS = 30_000_000_000
#: How long a write may take until it is confirmed.
WRITE_TIMEOUT_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class SetSignal:
    """Wish: write a signal and have it confirmed."""

    signal: Signal
    value: Value
    timeout_ns: int = WRITE_TIMEOUT_NS


@dataclass(frozen=True, slots=True)
class Invoke:
    """Wish: execute a device command to its end. `key` names this execution within the phase."""

    spec: CommandSpec
    arguments: Mapping[str, Value]
    timeout_ns: int
    key: str


@dataclass(frozen=True, slots=True)
class Until:
    """Wish: wait for a condition. `timeout_ns` None waits for ever."""

    condition: Condition
    timeout_ns: int | None


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wish: let time pass."""

    duration_ns: int


@dataclass(frozen=True, slots=True)
class RaiseFault:
    """Wish: a declared trouble happened; what shall be done?"""

    kind: str
    data: Mapping[str, Value]
    key: str


@dataclass(frozen=True, slots=True)
class AskPerson:
    """Wish: a person answers a question."""

    text: str
    choices: tuple[str, ...]
    key: str


Wish = SetSignal | Invoke | Until | Sleep | RaiseFault | AskPerson


class Await:
    """Something to be awaited by a phase. One that is made and never awaited is a mistake that the core reports."""

    __slots__ = ("_open", "wish")

    def __init__(self, wish: Wish, open_: list[Await]) -> None:
        self.wish = wish
        self._open = open_
        open_.append(self)

    def __await__(self) -> Generator[Wish, Any, Any]:
        """Yield the wish to the core; the result is what the core sends."""
        self._open.remove(self)
        return (yield self.wish)


class PartView(Protocol):
    """What a phase may know of its part."""

    @property
    def serial(self) -> str:
        """The serial of the part."""

    @property
    def good(self) -> bool:
        """Whether nothing is known against it."""

    @property
    def values(self) -> Mapping[str, Value]:
        """The values of its control recipe."""


@dataclass(slots=True)
class Surroundings:
    """All that a context sees of the cell: read-only but for `progress` and `note`, which writes an entry."""

    equipment: Equipment
    image: Image
    progress: Progress
    note: Callable[[str, Mapping[str, Any]], None]
    part: PartView | None = None
    parameters: Mapping[str, Value] = field(default_factory=dict)


class Forever:
    """The explicit absence of a timeout."""


class PhaseContext:
    """`c`: devices by name (``c.laser.power.set(1450)``), waits, steps, records and questions."""

    def __init__(self, around: Surroundings) -> None:
        self.safe_orders: list[SetSignal | Invoke] = []
        self.open_awaits: list[Await] = []
        self.progress_text = ""
        self._around = around
        self._scope = ""
        self._counts: Counter[str] = Counter()

    @property
    def part(self) -> PartView:
        """The part in work: `serial`, `values`, `good`. PhaseFault in a phase that runs without one."""
        if self._around.part is None:
            raise PhaseFault("error", "this phase runs without a part")
        return self._around.part

    @property
    def parameters(self) -> Mapping[str, Value]:
        """The phase's parameters by name, in their declared units."""
        return self._around.parameters

    def __getattr__(self, device: str) -> DeviceView:
        """A device of the cell by its id."""
        if device.startswith("_") or device not in self._around.equipment.devices:
            raise AttributeError(f"the cell has no device {device!r}")
        view = self.__dict__[device] = DeviceView(device, self)  # the next time it is an ordinary attribute
        return view

    def until(self, condition: str, timeout: str | Forever | None = None) -> Await:
        """Wait for a condition such as ``"oven.temp > 180 degC for 5 s"``; PhaseFault timeout after `timeout`."""
        try:
            parsed = parse(condition, signals=self._around.equipment.signals)
        except ConditionError as error:
            raise PhaseFault("error", f"until({condition!r}): {error}") from error
        limit = None if isinstance(timeout, Forever) else self.duration(timeout, DEFAULT_TIMEOUT_NS)
        return self.wish(Until(parsed, limit))

    def forever(self) -> Forever:
        """For a wait that may last as long as it likes: ``timeout=c.forever()``."""
        return Forever()

    def sleep(self, duration: str) -> Await:
        """Let time pass: ``await c.sleep("2 s")``."""
        return self.wish(Sleep(self.duration(duration, 0)))

    def safe(self, action: Callable[[], Await]) -> SafeExit:
        """``async with c.safe(c.laser.off):`` the action is done when the block is left in any way."""
        return SafeExit(self, action)

    def steps(self, items: Iterable[object], name: str = "step") -> Iterator[Any]:
        """The items that are not finished yet; one is finished when the loop comes back for the next."""
        for item in items:
            key = f"{self._scope}{name}:{item}"
            if key in self._around.progress.items:
                continue
            outer, self._scope = self._scope, f"{key}/"
            try:
                yield item
                self._around.note("item", {"item": key})
            finally:
                self._scope = outer

    def keep(self, name: str, value: Value) -> Value:
        """Remember a value over interruptions: the first call stores `value`, later ones return what was stored."""
        kept = self._around.progress.kept
        key = f"{self._scope}{name}"
        if key not in kept:
            self._around.note("kept", {"name": key, "value": value})
        return kept[key]

    def record(self, name: str, value: Value, unit: str = "", **labels: Value) -> None:
        """Write a value into the history of the part. An interrupted phase that comes by again writes what is new."""
        key, records = self._key(name), self._around.progress.records
        if key not in records or records[key] != value:
            self._around.note("record", {"key": key, "name": name, "value": value, "unit": unit, "labels": labels})

    def progress(self, text: str) -> None:
        """Say in a few words how far the phase is."""
        self.progress_text = text

    def fault(self, kind: str, **data: Value) -> Await:
        """Tell a declared trouble; the await gives the recovery that the recipe or a person chose."""
        return self.wish(RaiseFault(kind, data, self._key(kind)))

    def ask(self, text: str, choices: Iterable[str] = ("ok",)) -> Await:
        """Ask a person; the await gives the choice. PhaseFault error if there is nothing to choose from."""
        offered = () if isinstance(choices, str) else tuple(choices)
        if not offered:
            raise PhaseFault("error", f"ask({text!r}) needs choices, such as ('yes', 'no')")
        return self.wish(AskPerson(text, offered, self._key("ask")))

    def wish(self, wish: Wish) -> Await:
        """Something to be awaited."""
        return Await(wish, self.open_awaits)

    def invoke(self, spec: CommandSpec, arguments: Mapping[str, Any], timeout: str | None) -> Await:
        """A command of a device as something to be awaited; PhaseFault error if an argument is wrong."""
        try:
            bound = bind(spec.parameters, arguments)
        except ValueError as error:
            raise PhaseFault("error", f"{spec.id}: {error}") from error
        return self.wish(Invoke(spec, bound, self.duration(timeout, spec.timeout_ns), self._key(spec.id)))

    def duration(self, text: object, default: int) -> int:
        """Read a length of time in a phase; PhaseFault error if it is none."""
        if text is None:
            return default
        if not isinstance(text, str):
            raise PhaseFault("error", f"{text!r} is not a length of time, such as '2 s'")
        try:
            return duration_ns(text)
        except UnitError as error:
            raise PhaseFault("error", f"{text!r}: {error}") from error

    @property
    def around(self) -> Surroundings:
        """What the device views look at."""
        return self._around

    def _key(self, name: str) -> str:
        """The name of this place: the item it is in, and its number within the item."""
        place = f"{self._scope}{name}"
        self._counts[place] += 1
        return f"{place}#{self._counts[place]}"


class DeviceView:
    """A device as a phase sees it: its signals and commands as attributes."""

    def __init__(self, device: str, context: PhaseContext) -> None:
        self._device = device
        self._context = context

    def __getattr__(self, name: str) -> SignalView | CommandView:
        """A signal or command of the device."""
        full = f"{self._device}.{name}"
        equipment = self._context.around.equipment
        view: SignalView | CommandView
        if full in equipment.signals:
            view = SignalView(equipment.signals[full], self._context)
        elif full in equipment.commands:
            view = CommandView(equipment.commands[full], self._context)
        else:
            raise AttributeError(f"the device {self._device!r} has no signal or command {name!r}")
        self.__dict__[name] = view
        return view


class SignalView:
    """A signal as a phase sees it."""

    __slots__ = ("_context", "_signal")

    def __init__(self, signal: Signal, context: PhaseContext) -> None:
        self._signal = signal
        self._context = context

    @property
    def value(self) -> Value:
        """The value, if it is good; PhaseFault no_reply otherwise: a bad value is never acted upon."""
        sample = self._context.around.image.read(self._signal.id)
        if not sample.good or sample.value is None:
            raise PhaseFault("no_reply", f"{self._signal.id} is not known: {sample.reason}")
        return sample.value

    @property
    def quality(self) -> Quality:
        """The quality of the last sample."""
        return self._context.around.image.read(self._signal.id).quality

    @property
    def age(self) -> float:
        """Seconds since the value was last known to be true."""
        image = self._context.around.image
        return (image.now_ns - image.seen_ns(self._signal.id)) / 1e9

    def set(self, value: Value) -> Await:
        """Write the value (in the signal's unit) and read it back."""
        return self._context.wish(SetSignal(self._signal, value))

    def on(self) -> Await:
        """Write true."""
        return self.set(True)

    def off(self) -> Await:
        """Write false."""
        return self.set(False)


class CommandView:
    """A command of a device as a phase sees it: call it and await the result, whose values are attributes."""

    __slots__ = ("_context", "_spec")

    def __init__(self, spec: CommandSpec, context: PhaseContext) -> None:
        self._spec = spec
        self._context = context

    def __call__(self, *positional: Value, timeout: str | None = None, **arguments: Value) -> Await:
        """Execute the command; its parameters by name or in their declared order."""
        named = dict(zip(self._spec.parameters, positional, strict=False))
        if len(positional) > len(self._spec.parameters):
            raise PhaseFault("error", f"{self._spec.id} takes {len(self._spec.parameters)} values")
        return self._context.invoke(self._spec, {**named, **arguments}, timeout)


class SafeExit:
    """The block of `c.safe`. The core sends the action itself when the phase is closed from outside."""

    __slots__ = ("_action", "_context", "_order")

    def __init__(self, context: PhaseContext, action: Callable[[], Await]) -> None:
        planned = action()
        context.open_awaits.remove(planned)
        if not isinstance(planned.wish, SetSignal | Invoke):
            raise PhaseFault("error", "c.safe takes a command or a write, such as c.safe(c.laser.off)")
        self._order = planned.wish
        self._action = action
        self._context = context

    async def __aenter__(self) -> None:
        """Register what must be sent when the phase is left."""
        self._context.safe_orders.append(self._order)

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        """Send it, unless the core closed the phase and has done so already."""
        if kind is not GeneratorExit:
            await self._action()
            self._context.safe_orders.remove(self._order)


def result_of(values: Mapping[str, Value]) -> SimpleNamespace:
    """The values that a command answered, as attributes."""
    return SimpleNamespace(**values)
