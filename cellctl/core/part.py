"""A part in process: where it is in its procedure, what its phases remember, and what was recorded of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cellctl.core.execution import PhaseRun
from cellctl.core.fault import Question
from cellctl.core.job import Job
from cellctl.core.procedure import PhaseStep, Sequence, frontier
from cellctl.core.progress import Progress
from cellctl.core.recipe import MasterRecipe
from cellctl.core.signal import Value


@dataclass(slots=True)
class Part:
    """One unit of product with its serial, its control recipe, and its progress."""

    serial: str
    job: Job
    recipe: MasterRecipe
    procedure: Sequence
    values: Mapping[str, Value]
    started_ns: int
    scrapped: bool = False
    stations: list[str] = field(default_factory=list)
    finished: set[str] = field(default_factory=set)
    progress: dict[str, Progress] = field(default_factory=dict)
    runs: dict[str, PhaseRun] = field(default_factory=dict)
    questions: dict[str, Question] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether nothing is known against the part."""
        return not self.scrapped

    def due(self) -> list[tuple[str, PhaseStep]]:
        """The steps that may run now, with their paths."""
        return list(frontier(self.procedure, self.finished))
