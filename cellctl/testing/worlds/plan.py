"""What happens in a random world, as plain data: a function of the seed, the cell and the level, and of nothing else.

The rule kept here: what is drawn is drawn at once, before anything runs, so that any part of it can be left out to see
whether it matters.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from cellctl.core.condition import signals_of
from cellctl.core.packml import Command
from cellctl.core.signal import Value
from cellctl.faults import ANSWERS, CONTROL, KINDS, LINK, REQUESTS, Fault, fault
from cellctl.model import CellModel

Level = Literal["direct", "wire"]

#: Things go wrong in so many seconds from the first Start on.
SPAN_S = 45.0

#: Under these a device, or its line, tells what is not so, does not what it was told, or forgets: no controller can
#: know, and what it believes need not be true.
LIES = frozenset({"frozen", "stuck", "clamp", "corrupt", "truncate", "reorder", "duplicate", "garbage", "reboot"})

#: How often one thing is followed by another within a second.
_NOT_ALONE = 0.4

#: How much of the worlds has lies in it.
_LYING = 0.2

_PRESSES = (Command.HOLD, Command.SUSPEND, Command.STOP, Command.ABORT, Command.COMPLETE, Command.START, Command.RESET)


@dataclass(frozen=True, slots=True)
class Break:
    """A fault happens; all end by themselves."""

    at_s: float
    fault: Fault

    def __str__(self) -> str:
        return f"{self.at_s:7.3f} s  {self.fault}"


@dataclass(frozen=True, slots=True)
class Press:
    """Somebody sends a command at the wrong moment; `twice`: the same request comes two times."""

    at_s: float
    command: Command
    twice: bool = False

    def __str__(self) -> str:
        return f"{self.at_s:7.3f} s  {self.command.title}{', the same request twice' if self.twice else ''}"


@dataclass(frozen=True, slots=True)
class Kill:
    """Control dies when so many more entries are on disk, and is started again after `off_s`."""

    at_s: float
    after: int
    off_s: float

    def __str__(self) -> str:
        return f"{self.at_s:7.3f} s  kill after {self.after} more entries, off for {self.off_s:g} s"


Act = Break | Press | Kill


@dataclass(frozen=True, slots=True)
class Plan:
    """A world: the parts to make (recipe and quantity, in order), what is so at the beginning, and what happens.

    `choices` seeds what the attendant answers.
    """

    seed: int
    level: Level
    jobs: tuple[tuple[str, int], ...]
    conditions: tuple[tuple[str, Value], ...]
    acts: tuple[Act, ...]

    @property
    def lying(self) -> bool:
        """Whether what is told need not be true."""
        return any(isinstance(act, Break) and act.fault.kind in LIES for act in self.acts)

    def with_acts(self, acts: Iterable[Act]) -> "Plan":
        """The same world, in which only these things happen."""
        return replace(self, acts=tuple(acts))

    def told(self) -> str:
        """All of it, a line each."""
        jobs = ", ".join(f"{quantity} x {recipe}" for recipe, quantity in self.jobs)
        lines = [f"seed {self.seed}, {self.level}: {jobs}"]
        lines += [f"  at first  {name} = {value!r}" for name, value in self.conditions]
        return "\n".join([*lines, *(f"  {act}" for act in self.acts)])


def drawn(seed: int, model: CellModel, level: Level, inputs: Mapping[str, Value]) -> Plan:
    """The world of a seed. `inputs`: those of the cell's world that somebody may set, with their first values."""
    random = Random(f"{seed}/{level}/{model.equipment.id}")
    recipes = sorted(model.equipment.recipes)
    count = random.randint(1, 2) if recipes else 0  # a cell of devices only has nothing to make
    jobs = tuple((random.choice(recipes), random.randint(1, 2)) for _ in range(count))
    watched = {signal for interlock in model.equipment.interlocks for signal in signals_of(interlock.need)}
    conditions = tuple(
        (name, _other(random, value))
        for name, value in inputs.items()
        if isinstance(value, float) and name not in watched and random.random() < 0.2
    )
    draw = _Draw(random, model, level, inputs)
    acts = sorted((draw.act(at_s) for at_s in _times(random)), key=lambda act: act.at_s)
    return Plan(seed, level, jobs, conditions, tuple(acts))


def _times(random: Random) -> Iterator[float]:
    """When something happens, virtual s: trouble seldom comes alone."""
    for _ in range(random.choice((1, 2, 2, 3, 3, 4))):
        at_s = random.uniform(0.0, SPAN_S)
        yield round(at_s, 3)
        if random.random() < _NOT_ALONE:
            yield round(at_s + random.uniform(0.0, 1.0), 3)


class _Draw:
    """Draws what happens."""

    def __init__(self, random: Random, model: CellModel, level: Level, inputs: Mapping[str, Value]) -> None:
        self._random, self._model, self._inputs = random, model, inputs
        lying = random.random() < _LYING
        self._kinds = [
            name
            for name, kind in KINDS.items()
            if name != "kill"
            and (lying or name not in LIES)
            and (level == "wire" or not kind.needs_wire)
            and (inputs or name != "set")
        ]
        self._devices = sorted(model.models)

    def act(self, at_s: float) -> Act:
        """One thing."""
        random = self._random
        what = random.random()
        if what < 0.12:
            return Kill(at_s, random.randint(0, 12), random.choice((3.0, 8.0, 20.0)))
        if what < 0.3:
            return Press(at_s, random.choice(_PRESSES), twice=random.random() < 0.4)
        return Break(at_s, self._fault(random.choice(self._kinds)))

    def _fault(self, name: str) -> Fault:
        random, kind = self._random, KINDS[name]
        lasting = random.choice(("200 ms", "1 s", "3 s", "8 s", "20 s")) if kind.lasts else None
        if kind.of == CONTROL:
            options = {"slow_disk": {"by": random.choice(("50 ms", "700 ms", "3 s"))},
                       "clock_step": {"by": random.choice(("-1 h", "2 s", "1 d"))}}  # fmt: skip
            return fault(name, "", lasting, **options.get(name, {}))
        if kind.of == LINK:
            return self._on_link(name, lasting)
        if name == "set":
            target = random.choice(sorted(self._inputs))
            return fault(name, target, lasting, to=_other(random, self._inputs[target]))
        device = random.choice(self._identified if name == "wrong_identity" else self._devices)
        if name in ("wrong_identity", "reboot"):
            return fault(name, device, lasting)
        target, low, high = self._liar(name)
        return fault(name, target, lasting, **({"low": low, "high": high} if name == "clamp" else {}))

    def _on_link(self, name: str, lasting: str | None) -> Fault:
        random = self._random
        count = 2 if name == "partition" and len(self._devices) > 1 else 1
        target = ",".join(sorted(random.sample(self._devices, count)))
        options: dict[str, object] = {}
        if name == "delay":
            options = {"by": random.choice(("5 ms", "80 ms", "600 ms", "3 s")), "jitter": random.choice((0, "50 ms"))}
        elif name in ("slow", "flood"):
            options = {"rate": random.choice((30, 300, 3000))}
        elif name in ("cut", "hang"):
            options = {"after": random.randint(0, 40), "way": random.choice((REQUESTS, ANSWERS))}
        elif "share" in KINDS[name].options:
            options = {"share": random.choice((0.02, 0.2, 0.6))}
        return fault(name, target, lasting, **options)

    def _liar(self, name: str) -> tuple[str, float, float]:
        """A place that can be read (frozen) or written, but none that leads to the safe side; limits for it."""
        places = [
            f"{device}.{point}"
            for device in self._devices
            for point, row in self._model.devices[device].points.items()
            if (row.read if name == "frozen" else row.write)
        ]
        if name == "stuck":
            commands = self._model.equipment.commands.values()
            places += [spec.id for spec in commands if spec.id.partition(".")[0] in self._devices and not spec.safe]
        low = self._random.choice((0.0, 1.0, 10.0))
        return self._random.choice(sorted(places)), low, low + self._random.choice((0.0, 100.0))

    @property
    def _identified(self) -> Sequence[str]:
        return [device for device in self._devices if self._model.devices[device].identify] or self._devices


def _other(random: Random, value: Value) -> Value:
    """Another value of the same type, that may mean trouble."""
    match value:
        case bool():
            return not value
        case int():
            return random.choice((0, 1, 2 * value + 1))
        case float():
            return (
                random.choice((0.0, 0.2, 0.5)) if value == 0 else round(value * random.choice((0.0, 0.5, 0.8, 1.2)), 3)
            )
        case _:
            return random.choice(("", "X"))
