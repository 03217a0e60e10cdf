"""Every step of every recipe as a phase of its own, so that what each of them takes can be told apart.

The rule kept here: only names change. The same phase takes another time in another recipe, or with other values, or at
another place of the procedure; station, devices, faults and code stay what they are.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never

from cellctl.core.equipment import Equipment
from cellctl.core.phase import PhaseDefinition
from cellctl.core.procedure import ForEach, Parallel, PhaseStep, Sequence, Step, With


@dataclass(frozen=True, slots=True)
class Place:
    """One step of one recipe: `name` is unique in the cell, `phase` is what the step was written with."""

    name: str
    recipe: str
    phase: str


@dataclass(frozen=True, slots=True)
class Placed:
    """The equipment with one phase for each step, and what each of these phases stands for."""

    equipment: Equipment
    places: dict[str, Place]


def placed(equipment: Equipment, wip: int | None = None) -> Placed:
    """The same equipment with its steps told apart; with `wip` parts in process, if it is given."""
    places: dict[str, Place] = {}
    phases = dict(equipment.phases)
    recipes = {}
    for recipe in equipment.recipes.values():

        def named(step: PhaseStep, recipe: str = recipe.id) -> PhaseStep:
            name = f"{recipe}/{len(places)}/{step.phase}"
            places[name] = Place(name, recipe, step.phase)
            phases[name] = equipment.phases[step.phase]
            return replace(step, phase=name)

        procedure = each_step(recipe.procedure, named)
        recipes[recipe.id] = replace(recipe, procedure=procedure, wip=wip or recipe.wip)
    return Placed(replace(equipment, phases=phases, recipes=recipes), places)


def each_step(sequence: Sequence, change: Callable[[PhaseStep], PhaseStep]) -> Sequence:
    """The same procedure with every phase step changed, in the order of the text."""
    return replace(sequence, steps=tuple(_changed(step, change) for step in sequence.steps))


def uses_of(equipment: Equipment, definition: PhaseDefinition) -> frozenset[str]:
    """The devices that the phase needs for itself alone: its own choice, or all that its station has."""
    if definition.uses is not None:
        return definition.uses
    return equipment.stations[definition.station].uses if definition.station else frozenset()


def _changed(step: Step, change: Callable[[PhaseStep], PhaseStep]) -> Step:
    match step:
        case PhaseStep():
            return change(step)
        case Sequence():
            return each_step(step, change)
        case Parallel():
            return replace(step, branches={name: each_step(branch, change) for name, branch in step.branches.items()})
        case With():
            return replace(step, background=each_step(step.background, change), do=each_step(step.do, change))
        case ForEach():
            return replace(step, do=each_step(step.do, change))
        case _:
            assert_never(step)
