"""The person at the cell: comes when needed, does all that is to be done there, and goes.

The rule kept here: what is done is what the cell itself says is possible. Only the time until somebody comes, the time
that a changeover's steps take, and the choice between scrap and once more are drawn.
"""

from collections.abc import Callable
from itertools import cycle

from cellctl.core.cell import Cell
from cellctl.core.fault import Question
from cellctl.core.messages import Action, AddJob, ConfirmStep, Operate, Recover, StartChangeover
from cellctl.core.packml import STATE_COMPLETE, Command, State
from cellctl.core.recipe import Prepare
from cellctl.model.whatif import Order, Span
from cellctl.testing.whatif.chance import Chance, drawn

#: More parts than any shift can make.
NO_END = 10_000_000

#: What is pressed in a state in which the cell waits for a person.
_COMMANDS = {
    State.ABORTED: Command.CLEAR,
    State.STOPPED: Command.RESET,
    State.COMPLETED: Command.RESET,
    State.IDLE: Command.START,
    State.HELD: Command.UNHOLD,
}
#: Here a new job is given, and a changeover may begin.
_AT_REST = frozenset({State.STOPPED, State.COMPLETED})


class Person:
    """Looks after one cell. `due_ns`: when something is done next, None if nothing is to be done."""

    def __init__(
        self, orders: tuple[Order, ...], reaction: Span, scrap: Callable[[str], float], chance: Chance
    ) -> None:
        self.due_ns: int | None = None
        self._orders, self._jobs = cycle(orders), 0
        self._reaction, self._scrap = reaction, scrap
        self._coming, self._choice = chance.of("person"), chance.of("choice")
        self._there = True

    def look(self, cell: Cell, now: int) -> None:
        """See whether something is to be done."""
        action = self._wanted(cell)
        if action is None:
            self.due_ns = None
            self._there = self._there and (cell.state in STATE_COMPLETE or cell.changing_over is not None)
        elif self.due_ns is None:
            self.due_ns = now + (_takes(action, cell) if self._there else drawn(self._reaction, self._coming))

    def act(self, cell: Cell) -> Action | None:
        """Do it now; None if it has settled itself meanwhile."""
        self.due_ns, self._there = None, True
        action = self._wanted(cell)
        if isinstance(action, AddJob):
            order = next(self._orders)
            self._jobs += 1
            return AddJob(f"job-{self._jobs}", order.recipe, order.quantity or NO_END)
        if isinstance(action, Recover):
            return Recover(action.question, self._chosen(cell, action.question))
        return action

    def _wanted(self, cell: Cell) -> Action | None:
        memory, state = cell.memory, cell.state
        if (changeover := cell.changing_over) is not None:
            manual = isinstance(changeover.steps[changeover.index], Prepare)
            return ConfirmStep(changeover.index) if manual else None
        if questions := memory.questions:
            return Recover(questions[0].id, questions[0].choices[0])
        if state in _AT_REST and not memory.parts:
            if memory.job is None:
                return AddJob("", "", NO_END)
            if memory.job.recipe != memory.loaded:
                return StartChangeover(memory.job.recipe)
        command = _COMMANDS.get(state)
        return None if command is None or cell.refusal(command) else Operate(command)

    def _chosen(self, cell: Cell, question: str) -> str:
        asked = next(one for one in cell.memory.questions if one.id == question)
        scrap = "scrap" in asked.choices and self._choice.random() < self._scrap(_place_of(cell, asked))
        others = [choice for choice in asked.choices if choice != "scrap"] or ["scrap"]
        return "scrap" if scrap else others[0]


def _place_of(cell: Cell, question: Question) -> str:
    """The place that the question comes from; "" if it is about a whole part."""
    for part in cell.memory.parts:
        for path, asked in part.questions.items():
            if asked is question:
                return part.due[path].phase
    return ""


def _takes(action: Action, cell: Cell) -> int:
    """How long it takes somebody who is there: what is done ahead of a changeover (`external`) takes none of it."""
    changeover = cell.changing_over
    if not isinstance(action, ConfirmStep) or changeover is None:
        return 0
    step = changeover.steps[action.index]
    return step.expect_ns if isinstance(step, Prepare) and not step.external else 0
