"""Phases that only take their time, in a cell that is otherwise the real one.

The rule kept here: stations, devices that a phase claims, procedures, recoveries and interlocks are those of the files.
What is taken out is what needs a device: signals, commands, alarms, and the interlocks that the file does not trip.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cellctl.core.condition import Truth
from cellctl.core.context import PhaseContext, Sleep
from cellctl.core.equipment import Equipment, Interlock
from cellctl.core.packml import State
from cellctl.core.phase import BUILT_IN_FAULTS, PhaseDefinition, PhaseFault
from cellctl.core.procedure import PhaseStep
from cellctl.core.recipe import ChangeoverStep, Download, FirstArticle, MasterRecipe, Prepare, RunPhase
from cellctl.core.signal import FAR_NS, Signal
from cellctl.model.whatif import PhaseChange, WhatIf
from cellctl.testing.whatif.calibration import Calibration
from cellctl.testing.whatif.chance import SHORTEST_NS, Chance, Durations
from cellctl.testing.whatif.places import Place, Placed, each_step, uses_of
from cellctl.testing.whatif.tally import Tally

#: For ever: longer than any shift, and early enough for the core to add it to the time that it is.
_NO_END_NS = FAR_NS // 4

_UNCHANGED = PhaseChange()


def signal_of(interlock: str) -> str:
    """The signal that says, in a shift, whether an interlock is fulfilled: of no device that a cell can have."""
    return f"what-if.{interlock}"


@dataclass(frozen=True, slots=True)
class TimedCell:
    """What all shifts of one cell have in common. `fixed`: what takes always as long: states and changeovers, in ns."""

    equipment: Equipment
    places: Mapping[str, Place]
    durations: Mapping[str, tuple[int, ...]]
    fixed: Mapping[str, int]
    whatif: WhatIf

    def change(self, place: str) -> PhaseChange:
        """What the file says of the phase that the place stands for."""
        return self.whatif.phases.get(self.places[place].phase, _UNCHANGED)

    def for_shift(self, chance: Chance, tally: Tally) -> Equipment:
        """The equipment of one shift, whose phases draw from `chance` and tell `tally` when they work."""
        phases = {name: _fixed(name, duration_ns) for name, duration_ns in self.fixed.items()}
        for name, place in self.places.items():
            change = self.change(name)
            if name in self.durations or change.takes is not None:
                timed = _Timed(name, change, self.durations.get(name, ()), (chance, tally))
                phases[name] = replace(self.equipment.phases[place.name], function=timed.run, parameters={})
        return replace(self.equipment, phases=phases)


def timed_cell(cell: Placed, seen: Calibration, whatif: WhatIf) -> TimedCell:
    """Take out of a cell what needs a device, and put in how long everything takes."""
    equipment, fixed = cell.equipment, dict[str, int]()
    states: dict[State, tuple[str, ...]] = {}
    for state in equipment.states:
        if state in seen.states:
            name = f"state/{state.title}"
            fixed[name], states[state] = seen.states[state], (name,)
    recipes = {recipe.id: _bare(recipe, seen, fixed) for recipe in equipment.recipes.values()}
    phases = {
        name: replace(definition, uses=uses_of(equipment, definition))
        for name, definition in equipment.phases.items()
        if name in cell.places
    }
    bare = replace(
        equipment,
        signals={signal_of(name): Signal(signal_of(name), "bool", stale_after_ns=FAR_NS) for name in whatif.interlocks},
        commands={},
        alarms=(),
        interlocks=tuple(_tripped(one) for one in equipment.interlocks if one.id in whatif.interlocks),
        states=states,
        phases=phases,
        recipes=recipes,
    )
    return TimedCell(bare, cell.places, seen.places, fixed, whatif)


class _Timed:
    """One place. A part that was interrupted in it goes on where it was."""

    def __init__(self, name: str, change: PhaseChange, seen: Sequence[int], shift: tuple[Chance, Tally]) -> None:
        chance, self._tally = shift
        self._name, self._change = name, change
        self._durations = Durations(seen or (_NO_END_NS,), change, chance.of(f"takes/{name}"))
        self._fails = chance.of(f"fails/{name}")
        self._open: dict[str, _Work] = {}  # by the serial of the part

    async def run(self, c: PhaseContext) -> None:
        """Work, and perhaps fail, until it is done."""
        serial = c.part.serial
        work = self._open.get(serial)
        if work is None:
            work = self._open[serial] = _Work(self._durations.first())
        while True:
            if not work.failed:
                await self._work(c, work)
                work.failed = self._change.fails > 0 and self._fails.random() < self._change.fails
            if not work.failed or not await self._again(c, work):
                break
        del self._open[serial]

    async def _work(self, c: PhaseContext, work: "_Work") -> None:
        image = c.around.image
        begin_ns = image.now_ns
        self._tally.begin(self._name, begin_ns)
        try:
            await c.wish(Sleep(work.left_ns))
        finally:
            work.left_ns = max(0, work.left_ns - (image.now_ns - begin_ns))
            self._tally.end(self._name, image.now_ns)

    async def _again(self, c: PhaseContext, work: "_Work") -> bool:
        """Tell the fault as the real phase does; whether it is done again."""
        kind = self._change.fault
        if kind in BUILT_IN_FAULTS:
            work.failed, work.left_ns = False, self._durations.again()
            raise PhaseFault(kind, f"{self._name} failed")
        again: bool = await c.fault(kind) == "retry"
        work.failed, work.left_ns = False, self._durations.again()
        return again


class _Work:
    """What is left to do for a part, in ns, and whether it has failed and nobody has said yet what to do."""

    __slots__ = ("failed", "left_ns")

    def __init__(self, left_ns: int) -> None:
        self.left_ns, self.failed = left_ns, False


def _fixed(name: str, duration_ns: int) -> PhaseDefinition:
    """A phase without a part that takes always as long."""

    async def run(c: PhaseContext) -> None:
        await c.wish(Sleep(max(SHORTEST_NS, duration_ns)))

    return PhaseDefinition(name, run)


def _bare(recipe: MasterRecipe, seen: Calibration, fixed: dict[str, int]) -> MasterRecipe:
    """The recipe without values for devices; what a changeover has the cell do becomes time."""
    changeover: list[ChangeoverStep] = []
    for index, step in enumerate(recipe.changeover or (Download(),)):
        match step:
            case Prepare():
                changeover.append(replace(step, signal=None, scan=""))
            case FirstArticle():
                changeover.append(step)
            case RunPhase() | Download():
                name = f"changeover/{recipe.id}/{index}"
                fixed[name] = seen.changeovers.get((recipe.id, index), 0)
                changeover.append(RunPhase(name))
    return replace(
        recipe,
        parameters={name: replace(parameter, to="") for name, parameter in recipe.parameters.items()},
        procedure=each_step(recipe.procedure, _without_values),
        changeover=tuple(changeover),
    )


def _without_values(step: PhaseStep) -> PhaseStep:
    return replace(step, parameters={})


def _tripped(interlock: Interlock) -> Interlock:
    return replace(interlock, need=Truth(signal_of(interlock.id)))
