"""How long everything takes: the real cell makes a few parts of each recipe on its simulated devices.

The rule kept here: a duration is one that was seen, whole. What was interrupted or asked about is not counted.
"""

import asyncio
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from cellctl.core.messages import JSON, Effect, Entry, Input
from cellctl.core.packml import STATE_COMPLETE, Command, State
from cellctl.model import CellModel
from cellctl.testing.bench import Bench, Setup
from cellctl.testing.virtual import VirtualLoop
from cellctl.testing.watch import Watcher
from cellctl.testing.whatif.places import placed
from cellctl.testing.work import STATE_S
from cellctl.testing.worlds.attendant import LOOK_S, Attendant

#: So many parts of each recipe are made: enough for the cell to be full for most of them.
PARTS = 12

#: The parts of all recipes are made within this, virtual s; else the cell does not work at all.
PATIENCE_S = 24 * 3600.0

_STATES = {state.title: state for state in State}
#: Only here do phases of parts run; whatever leads out of it interrupts them.
_WORKING = frozenset({State.EXECUTE, State.COMPLETING})


_WITHOUT = "Name one in its profile (sim:), or say how long every phase of the recipe 'takes:' in the file of --vary."


class CalibrationFailed(Exception):  # noqa: N818 - what is the case
    """The simulated cell does not make the parts that are to be timed: what it was at."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was seen, in ns. `places`: the durations of each step, none for one that ends only with what it goes along
    with. `states`: of the acting states; `changeovers`: of the steps (recipe, index)."""

    places: Mapping[str, tuple[int, ...]]
    states: Mapping[State, int]
    changeovers: Mapping[tuple[str, int], int]


def calibrate(model: CellModel, recipes: Sequence[str], wip: int | None = None, parts: int = PARTS) -> Calibration:
    """Make `parts` of each of the recipes on simulated devices in virtual time; CalibrationFailed if it cannot."""
    if without := sorted(set(model.equipment.devices) - set(model.models)):
        raise CalibrationFailed(f"the device {without[0]} has no model to simulate it\n{_WITHOUT}")
    loop, stopwatch = VirtualLoop(), _Stopwatch()
    timed = replace(model, equipment=placed(model.equipment, wip).equipment)
    with tempfile.TemporaryDirectory(prefix="cellctl-whatif-") as folder:
        bench_of = Setup(timed, Path(folder))
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(_produce(bench_of, [(recipe, parts) for recipe in recipes], stopwatch))
    return stopwatch.calibration()


async def _produce(setup: Setup, jobs: list[tuple[str, int]], stopwatch: "_Stopwatch") -> None:
    async with Bench(setup, [stopwatch]) as bench:
        attendant = Attendant(bench, tuple(jobs), Random(setup.seed))
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not attendant.done:
                    await attendant.look()
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            hours = PATIENCE_S / 3600
            raise CalibrationFailed(f"not all parts were made in {hours:g} virtual hours\n{bench.told()}") from None
        await bench.fire(Command.ABORT)
        await bench.wait_until(lambda: bench.control.cell.state is State.ABORTED, STATE_S, "the cell is aborted")
        await bench.fire(Command.CLEAR)
        await bench.wait_until(lambda: bench.control.cell.state is State.STOPPED, STATE_S, "the cell is cleared")


class _Stopwatch(Watcher):
    """Takes the times of what begins and ends, by the entries that the cell writes."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], tuple[str, int]] = {}  # (part, step) -> place, begin
        self._spoilt: set[tuple[str, str]] = set()
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        self._states: defaultdict[State, list[int]] = defaultdict(list)
        self._changeovers: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
        self._state, self._state_ns, self._step_ns = State.STOPPED, 0, 0

    def turn(self, now: int, inputs: Sequence[Input], effects: Sequence[Effect]) -> None:
        """Look at what was decided."""
        for effect in effects:
            if isinstance(effect, Entry):
                self._take(effect, now)

    def calibration(self) -> Calibration:
        """What was seen so far."""
        return Calibration(
            {place: tuple(seen) for place, seen in self._places.items()},
            {state: round(statistics.median(seen)) for state, seen in self._states.items() if state in STATE_COMPLETE},
            {step: round(statistics.median(seen)) for step, seen in self._changeovers.items()},
        )

    def _take(self, entry: Entry, now: int) -> None:
        data = entry.data
        match entry.kind:
            case "phase":
                place = str(data["phase"])
                self._open[_step(data)] = place, now
                self._places[place] += ()  # it has begun, at least
            case "phase.done":
                step = _step(data)
                place, begin_ns = self._open.pop(step, ("", 0))
                if place and step not in self._spoilt:
                    self._places[place].append(now - begin_ns)
            case "fault" | "recovery" if "part" in data:
                self._spoilt.add(_step(data))
            case "state":
                self._enter(_STATES[str(data["state"])], now)
            case "changeover":
                self._step_ns = now
            case "changeover.step":
                self._changeovers[str(data["recipe"]), int(str(data["index"]))].append(now - self._step_ns)
                self._step_ns = now

    def _enter(self, state: State, now: int) -> None:
        self._states[self._state].append(now - self._state_ns)
        self._state, self._state_ns = state, now
        if state not in _WORKING:
            self._spoilt.update(self._open)


def _step(data: Mapping[str, JSON]) -> tuple[str, str]:
    return str(data["part"]), str(data["step"])
