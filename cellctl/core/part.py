"""A part in process: where it is in its procedure, what its phases remember, and what was recorded of it."""

from collections.abc import Iterator, Mapping
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
    """One unit of product with its serial, its control recipe, and its progress.

    `due`: the steps that may run now. `late`: closed phases with a pulse whose answer is still on its way.
    """

    serial: str
    job: Job
    recipe: MasterRecipe
    procedure: Sequence
    values: Mapping[str, Value]
    started_ns: int = 0
    scrapped: bool = False
    stations: list[str] = field(default_factory=list)
    finished: set[str] = field(default_factory=set)
    progress: dict[str, Progress] = field(default_factory=dict)
    runs: dict[str, PhaseRun] = field(default_factory=dict)
    late: dict[str, PhaseRun] = field(default_factory=dict)
    questions: dict[str, Question] = field(default_factory=dict)
    due: dict[str, PhaseStep] = field(init=False)

    def __post_init__(self) -> None:
        self.due = dict(frontier(self.procedure, self.finished))

    @property
    def good(self) -> bool:
        """Whether nothing is known against the part."""
        return not self.scrapped

    @property
    def complete(self) -> bool:
        """Whether the whole procedure is done."""
        return not self.due

    @property
    def doubts(self) -> Iterator[tuple[str, str]]:
        """Of which pulses nobody knows whether they are done, nor waits for the answer: step and key."""
        for path, progress in self.progress.items():
            if path not in self.runs and path not in self.late:
                yield from ((path, key) for key in progress.doubts)

    def enter(self, path: str) -> Progress:
        """The step at `path` is begun, or entered again; what it remembers."""
        return self.progress.setdefault(path, Progress())

    def finish(self, path: str) -> None:
        """The step at `path` is done, or left out."""
        self.finished.add(path)
        self.progress.pop(path, None)
        self.due = dict(frontier(self.procedure, self.finished))
        self.questions = {place: asked for place, asked in self.questions.items() if place in self.due}
