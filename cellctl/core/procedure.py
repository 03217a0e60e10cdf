"""The procedure of one part as data: a tree of steps, and the frontier that follows from what is finished.

The rule kept here: a procedure has no state of its own. Which phases may run now is a function of the tree and the
set of finished steps, so a job survives anything that its journal survives.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

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
    """`do` once for every value, which stands in it as ``$name``; unrolled before the part starts.

    `values` may be a reference to an int parameter n: then they are 1 to n.
    """

    id: str
    name: str
    values: tuple[Value, ...] | Ref
    do: Sequence
    when: Ref | None = None


Step = PhaseStep | Sequence | Parallel | With | ForEach


def resolve(sequence: Sequence, values: Mapping[str, Value]) -> Sequence:
    """The same tree with every value filled in: `when` decided, `for_each` unrolled. KeyError for an unknown name."""
    return replace(sequence, steps=tuple(step for each in sequence.steps for step in _resolved(each, values)))


def frontier(sequence: Sequence, finished: Collection[str], path: str = "") -> Iterator[tuple[str, PhaseStep]]:
    """The phases of a resolved tree that may run now, with their paths, given the paths of those that are finished."""
    for step in sequence.steps:
        if not complete(step, finished, path):
            yield from _front(step, finished, path)
            return


def complete(step: Step, finished: Collection[str], path: str = "") -> bool:
    """Whether all that `step` asks for is finished."""
    here = _join(path, step.id)
    match step:
        case PhaseStep():
            return here in finished
        case Sequence(steps):
            return all(complete(each, finished, here) for each in steps)
        case Parallel():
            return all(complete(branch, finished, _join(here, name)) for name, branch in step.branches.items())
        case With():
            return complete(step.do, finished, _join(here, "do"))
        case ForEach():
            return False
        case _:
            assert_never(step)


def phases_of(sequence: Sequence) -> Iterator[PhaseStep]:
    """Every phase step of the tree, in the order of its text."""
    for step in sequence.steps:
        match step:
            case PhaseStep():
                yield step
            case Sequence():
                yield from phases_of(step)
            case Parallel():
                for branch in step.branches.values():
                    yield from phases_of(branch)
            case With():
                yield from phases_of(step.background)
                yield from phases_of(step.do)
            case ForEach():
                yield from phases_of(step.do)
            case _:
                assert_never(step)


def _front(step: Step, finished: Collection[str], path: str) -> Iterator[tuple[str, PhaseStep]]:
    here = _join(path, step.id)
    match step:
        case PhaseStep():
            yield here, step
        case Sequence():
            yield from frontier(step, finished, here)
        case Parallel():
            for name, branch in step.branches.items():
                yield from frontier(branch, finished, _join(here, name))
        case With():
            yield from frontier(step.background, finished, _join(here, "background"))
            yield from frontier(step.do, finished, _join(here, "do"))
        case ForEach():
            raise ValueError("a for_each is unrolled before the procedure is walked")
        case _:
            assert_never(step)


def _resolved(step: Step, values: Mapping[str, Value]) -> Iterator[Step]:
    if isinstance(step, Sequence):
        yield resolve(step, values)
        return
    if step.when is not None and not values[step.when.name]:
        return
    match step:
        case PhaseStep():
            yield replace(step, parameters={name: _value(each, values) for name, each in step.parameters.items()})
        case Parallel():
            yield replace(step, branches={name: resolve(branch, values) for name, branch in step.branches.items()})
        case With():
            yield replace(step, background=resolve(step.background, values), do=resolve(step.do, values))
        case ForEach():
            listed = step.values if isinstance(step.values, tuple) else range(1, int(values[step.values.name]) + 1)
            rounds = (resolve(step.do, {**values, step.name: value}) for value in listed)
            yield Sequence(tuple(replace(each, id=str(n)) for n, each in enumerate(rounds)), step.id)
        case _:
            assert_never(step)


def _value(given: Value | Ref, values: Mapping[str, Value]) -> Value:
    return values[given.name] if isinstance(given, Ref) else given


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path and name else path or name
