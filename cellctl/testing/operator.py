"""The operator of a test: presses, answers, scans and confirms as a person at the panel does.

The rule kept here: what the operator does must be accepted. A refusal that the test does not look at fails it, at the
next moment in which the test lets time pass.
"""

import asyncio
from collections.abc import Generator
from functools import partial
from typing import Any

from cellctl.core.changeover import Changeover
from cellctl.core.messages import (
    Acknowledge,
    Action,
    CancelChangeover,
    ConfirmStep,
    Operate,
    Receipt,
    Recover,
    Refused,
    Shelve,
)
from cellctl.core.recipe import Prepare
from cellctl.testing.bench import Bench, NotAccepted
from cellctl.testing.clock import Duration, seconds
from cellctl.testing.names import command_of, known, mode_of

#: A test that fails shows its own line, not those in here.
__tracebackhide__ = True

#: How long (virtual seconds) one step of a changeover may take that no person does.
STEP_S = 600.0


def _left(bench: Bench, changeover: Changeover, index: int) -> bool:
    """Whether the changeover is no longer at the step."""
    return changeover.index != index or bool(changeover.failed) or changeover is not bench.control.cell.changeover


class Answer:
    """What the cell says to what the operator did: await it for the receipt; NotAccepted if it was refused."""

    def __init__(self, bench: Bench, action: Action, what: str) -> None:
        self._what = what
        self._task = asyncio.ensure_future(bench.submit(action))
        self.seen = False

    @property
    def done(self) -> bool:
        """Whether it is answered."""
        return self._task.done()

    @property
    def refusal(self) -> str:
        """Why it was refused; "" if it was not, or is not answered yet."""
        if not self._task.done() or self._task.cancelled() or self._task.exception():
            return ""
        answer = self._task.result()
        return f"{self._what} was refused: {answer.reason}" if isinstance(answer, Refused) else ""

    def __await__(self) -> Generator[Any, None, Receipt]:
        """Wait for the answer."""
        self.seen = True
        answer = yield from self._task.__await__()
        if isinstance(answer, Refused):
            raise NotAccepted(f"{self._what} was refused: {answer.reason}")
        return answer

    async def refused(self) -> str:
        """Wait for the refusal that the test expects; the reason. AssertionError if it was accepted."""
        self.seen = True
        answer = await self._task
        assert isinstance(answer, Refused), f"{self._what} was accepted"
        return answer.reason


class Operator:
    """`operator`: the person at the panel."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def press(self, command: str) -> Answer:
        """A PackML command: start, hold, unhold, stop, abort, clear, reset, suspend, unsuspend, complete."""
        return self._act(Operate(command_of(command)), f"the operator's {command}")

    def mode(self, name: str) -> Answer:
        """Change the unit mode: production, maintenance, manual."""
        return self._act(mode_of(name), f"the operator's change to mode {name}")

    def answer(self, choice: str, question: str | None = None) -> Answer:
        """Answer an open question: the one of that id, or the first."""
        questions = {one.id: one for one in self._bench.control.cell.memory.questions}
        if not questions:
            raise NotAccepted(f"the operator answers {choice!r}, but nothing is asked")
        wanted = next(iter(questions)) if question is None else known("open question", question, questions)
        known("choice", choice, questions[wanted].choices)
        return self._act(Recover(wanted, choice), f"the operator's answer {choice!r}")

    def acknowledge(self, *alarms: str) -> Answer:
        """Acknowledge these alarms; all that are shown if none is named."""
        named = alarms or tuple(alarm.id for alarm in self._bench.control.cell.alarms.shown)
        return self._act(Acknowledge(named), f"the operator's acknowledgement of {', '.join(named) or 'nothing'}")

    def shelve(self, alarm: str, for_: Duration, reason: str = "a test") -> Answer:
        """Shelve an alarm for some time."""
        asked = Shelve(alarm, round(seconds(for_) * 1e9), reason)
        return self._act(asked, f"the operator's shelving of {alarm}")

    def badge(self, name: str) -> None:
        """Somebody else comes to the panel: `name` stands in the journal from now on."""
        self._bench.by = name

    def scan(self, text: str) -> Answer:
        """Scan something, as the present step of the changeover asks for."""
        return self._act(ConfirmStep(self._step(), text), f"the operator's scan of {text!r}")

    def confirm(self) -> Answer:
        """Tick the present step of the changeover; a step that failed is tried again."""
        return self._act(ConfirmStep(self._step()), "the operator's tick")

    def cancel_changeover(self) -> Answer:
        """Give the changeover up."""
        return self._act(CancelChangeover(), "the operator's cancelling of the changeover")

    async def confirm_steps(self) -> None:
        """Lead the changeover to its end: do each step and give the evidence that it asks for."""
        bench = self._bench
        while (changeover := bench.control.cell.changing_over) is not None:
            if changeover.failed:
                raise NotAccepted(f"the changeover failed: {changeover.failed}")
            index, step = changeover.index, changeover.steps[changeover.index]
            if isinstance(step, Prepare) and step.signal is None:
                await bench.do(ConfirmStep(index, step.scan))
                continue
            await bench.wait_until(
                partial(_left, bench, changeover, index), STEP_S, f"step {index + 1} of the changeover is done"
            )

        await bench.written()

    def _step(self) -> int:
        changeover = self._bench.control.cell.changing_over
        if changeover is None:
            raise NotAccepted("no changeover is in work")
        return changeover.index

    def _act(self, action: Action, what: str) -> Answer:
        answer = Answer(self._bench, action, what)
        self._bench.answers.append(answer)
        return answer
