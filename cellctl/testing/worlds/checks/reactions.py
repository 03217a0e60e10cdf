"""What the cell does when an interlock opens or a device is lost, and what it shows meanwhile."""

from collections.abc import Sequence

from cellctl.core.condition import Watch
from cellctl.core.interlock import MOVING, PRODUCING
from cellctl.core.messages import (
    Alive,
    Call,
    CommandClass,
    Effect,
    Entry,
    Input,
    LinkChanged,
    LinkState,
    Samples,
    Write,
)
from cellctl.core.packml import State
from cellctl.core.signal import Image
from cellctl.testing.bench import Bench
from cellctl.testing.worlds.checks import Check
from cellctl.testing.worlds.plan import Plan

#: Where an open interlock of each reaction must not leave the cell.
_NOT_IN = {"abort": MOVING, "stop": MOVING, "hold": PRODUCING, "suspend": frozenset({State.EXECUTE})}

#: In these nothing moves and nothing has energy in it, after so many seconds (a device that is lost sees to it itself).
_SAFE_IN = frozenset({State.ABORTED, State.STOPPED, State.HELD})
_SAFE_S = 2.5

#: A device that answers is connected again after so many seconds: the longest pause, and what it takes to connect.
_BACK_S = 8.0


#: Faults that cut a device off, and when that must be noticed at the latest.
_SILENT = ("unplug", "black_hole", "partition")
_NOTICED_S = 6.0


class Interlocks(Check):
    """With an interlock open, the cell is not where it would not have to react; with one that aborts, only stops go."""

    def begin(self) -> None:
        """An image of its own."""
        self._image: Image | None = None

    def turn(self, now: int, inputs: Sequence[Input], effects: Sequence[Effect]) -> None:
        """Judge each interlock from what came in, and look where the cell is after the turn."""
        assert self.bench is not None
        equipment = self.bench.setup.model.equipment
        if self._image is None:
            self._image = Image(equipment.signals.values())
            self._watches = [(one, Watch(one.need)) for one in equipment.interlocks]
        image = self._image
        for each in inputs:
            match each:
                case Samples(samples):
                    for sample in samples:
                        image.take(sample)
                case Alive(device, time_ns, signals):
                    image.confirm(device, time_ns, signals)
                case LinkChanged(device, LinkState.LOST | LinkState.WRONG_DEVICE, reason):
                    image.lose(device, now, reason)
        state = self.bench.control.cell.state
        for interlock, watch in self._watches:
            if watch.update(image, now) is not True:
                if state in _NOT_IN[interlock.reaction]:
                    self.find(f"the cell is {state.title} although {interlock.id} is open")
                if interlock.reaction == "abort":
                    self._only_stops(interlock.id, state, effects)

    def _only_stops(self, interlock: str, state: State, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Write | Call) and effect.command_class is not CommandClass.STOP and state in MOVING:
                self.find(f"order {effect.id} to {effect.device} was given although {interlock} is open")


class Losses(Check):
    """Without a device that its stations use, no cell produces."""

    def begin(self) -> None:
        """Nothing is connected yet."""
        self._there: set[str] = set()

    def turn(self, now: int, inputs: Sequence[Input], effects: Sequence[Effect]) -> None:
        """Look where the cell is after the turn."""
        assert self.bench is not None
        for each in inputs:
            if isinstance(each, LinkChanged):
                (self._there.add if each.state is LinkState.CONNECTED else self._there.discard)(each.device)
        state = self.bench.control.cell.state
        if state in PRODUCING:
            for station in self.bench.setup.model.equipment.stations.values():
                for device in station.uses - self._there:
                    self.find(f"the cell is {state.title} without {device}, which station {station.id} uses")


class Links(Check):
    """What is not known is not shown as known, and a device that answers again is connected again."""

    def begin(self) -> None:
        """Nothing is connected yet."""
        self._away_s: dict[str, float] = {}  # since when it could be connected, and is not
        self._silent_s: dict[int, float] = {}  # since when a fault is seen that cuts a device off

    async def look(self, bench: Bench) -> None:
        """Look at the values of devices that are not there, and for devices that should be."""
        if not bench.alive:
            return
        cell, now_s = bench.control.cell, bench.time_s()
        running = {each.number: each.fault for each in bench.simulation.faults.running}
        if running:
            self._away_s.clear()
        self._silent_s = {number: self._silent_s.get(number, now_s) for number in running}
        for number, since_s in self._silent_s.items():
            if running[number].kind in _SILENT and now_s - since_s > _NOTICED_S:
                for device in running[number].devices:
                    if cell.links[device].state is LinkState.CONNECTED:
                        self.find(f"{device} is shown as connected {_NOTICED_S:g} s after: {running[number]}")
        for device, link in cell.links.items():
            if link.state is LinkState.CONNECTED:
                self._away_s.pop(device, None)
                continue
            if link.state is not LinkState.CONNECTING:
                for name, signal in cell.equipment.signals.items():
                    if signal.device == device and cell.image.read(name).good:
                        self.find(f"{name} is shown as good although {device} is {link.state.value}")
            if now_s - self._away_s.setdefault(device, now_s) > _BACK_S:
                self.find(f"{device} has been {link.state.value} for {_BACK_S:g} s without a fault: {link.reason}")


class SafeOutputs(Check):
    """Where a cell is safe nothing has energy in it, by the truth of its world."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._told = False

    def begin(self) -> None:
        """Before control runs nothing is promised."""
        self._since_s = 0.0

    def turn(self, now: int, inputs: Sequence[Input], effects: Sequence[Effect]) -> None:
        """Since when the cell is in its state."""
        assert self.bench is not None
        if any(isinstance(effect, Entry) and effect.kind == "state" for effect in effects) or not self._since_s:
            self._since_s = self.bench.time_s()

    async def look(self, bench: Bench) -> None:
        """Ask the world. A device that lies is its own business."""
        if not bench.alive or self.plan.lying or self._told:
            return
        state = bench.control.cell.state
        if state in _SAFE_IN and bench.time_s() - self._since_s > _SAFE_S:
            bench.simulation.settle()
            for what in bench.simulation.world.energised():
                self._told = True
                self.find(f"the cell has been {state.title} since {self._since_s:.3f} s, and {what}")
