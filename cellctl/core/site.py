"""What every room of a running cell stands on: its equipment, its process image, its memory, and the turn's outbox."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cellctl.core.context import Surroundings
from cellctl.core.equipment import Equipment
from cellctl.core.execution import PhaseRun
from cellctl.core.memory import Memory
from cellctl.core.outbox import Outbox
from cellctl.core.parameter import bind
from cellctl.core.part import Part
from cellctl.core.phase import PhaseFault
from cellctl.core.progress import Progress
from cellctl.core.signal import Image, Value


@dataclass(frozen=True, slots=True)
class Site:
    """Equipment, image, memory and outbox of one cell."""

    equipment: Equipment
    image: Image
    memory: Memory
    outbox: Outbox

    def enter(self, phase: str, parameters: Mapping[str, Value], part: Part | None = None, path: str = "") -> PhaseRun:
        """Begin a phase, or enter it again: with the memory of the part's step `path`, if there is one.

        PhaseFault if the parameters do not fit the phase.
        """
        definition = self.equipment.phases[phase]
        progress = Progress() if part is None else part.enter(path)
        try:
            bound = bind(definition.parameters, parameters)
        except ValueError as error:
            raise PhaseFault("error", f"{phase}: {error}") from error
        about = {"phase": phase} if part is None else {"part": part.serial, "step": path}

        def note(kind: str, data: Mapping[str, Any]) -> None:
            self.outbox.note(kind, **about, **data)
            if part is None:  # what a state's phase does is forgotten with the phase
                progress.apply(kind, data)

        return PhaseRun(definition, Surroundings(self.equipment, self.image, progress, note, part, bound), self.outbox)
