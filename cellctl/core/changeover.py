"""Changeover: the guided way from one loaded recipe to another.

The rule kept here: a recipe is loaded only when every step has its evidence and every downloaded value was read back
and found equal; until then no recipe is loaded at all.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import assert_never

from cellctl.core.condition import Watch
from cellctl.core.context import WRITE_TIMEOUT_NS
from cellctl.core.messages import ConfirmStep, Done, Outcome
from cellctl.core.recipe import Download, FirstArticle, MasterRecipe, Prepare, RunPhase
from cellctl.core.routine import Routine
from cellctl.core.signal import Value
from cellctl.core.site import Site
from cellctl.core.units import convert


@dataclass(slots=True)
class Downloaded:
    """One value on its way to a device: what is wanted and what was read back."""

    parameter: str
    signal: str
    wanted: Value
    unit: str
    found: Value | None = None
    state: str = "writing"  # writing | equal | different | failed


class Changeover:
    """The walk through the steps of one recipe's changeover. `index` is the step in work; `failed` why it stands: then
    it goes on when the step is confirmed, with that step from its beginning."""

    def __init__(self, site: Site, recipe: MasterRecipe, index: int = 0, failed: str = "") -> None:
        self.recipe = recipe
        self.index = index
        self.failed = failed
        self.downloads: list[Downloaded] = []
        self._site = site
        self.steps = recipe.changeover or (Download(),)
        self._routine: Routine | None = None
        self._orders: dict[int, Downloaded] = {}
        self._watch: Watch | None = None
        if not failed:
            self._enter()

    @property
    def done(self) -> bool:
        """Whether every step is done."""
        return self.index >= len(self.steps)

    def confirm(self, step: ConfirmStep) -> str | None:
        """A person did a step, or wants a failed one tried again; None, or why it does not count."""
        if self.done or step.index != self.index:
            return f"step {step.index} is not in work; step {self.index} is"
        if self.failed:
            self._enter()
            return None
        current = self.steps[self.index]
        if not isinstance(current, Prepare) or current.signal is not None:
            return "this step needs no confirmation"
        if current.scan and step.evidence != current.scan:
            return f"wrong scan: wanted {current.scan!r}, found {step.evidence!r}"
        self._pass(step.evidence)
        return None

    def advance(self) -> None:
        """Go on as far as possible."""
        while not self.done and not self.failed and self._step_done():
            self._pass("")

    def answer(self, done: Done) -> None:
        """Take the answer to an order."""
        if self._routine is not None:
            self._routine.answer(done)
        if (value := self._orders.pop(done.id, None)) is None:
            return
        read_back = done.result.get("read_back")
        if read_back is not None:
            value.found = converted(read_back, self._site.equipment.signals[value.signal].unit, value.unit)
        if done.outcome is Outcome.CONFIRMED and read_back is not None:
            value.state = "equal"
            return
        value.state = "failed" if read_back is None else "different"
        found = done.reason or "it was not read back" if read_back is None else f"found {value.found}"
        self._fail(f"{value.parameter}: wanted {value.wanted} {value.unit}".rstrip() + f", {found}")

    def lose(self, device: str, reason: str) -> None:
        """A device is gone."""
        if self._routine is not None:
            self._routine.lose(device, reason)

    def close(self) -> None:
        """Give it up."""
        if self._routine is not None:
            self._routine.close()

    def waits_for(self) -> Iterator[str]:
        """What it waits for, in words."""
        if self.failed:
            yield self.failed
        elif self._routine is not None:
            yield from self._routine.waits_for()
        elif self._watch is not None:
            yield from self._watch.why(self._site.image, self._site.outbox.now)
        elif not self.done and isinstance(step := self.steps[self.index], Prepare):
            yield step.text
        yield from (f"{value.signal} = {value.wanted} to be read back" for value in self._orders.values())

    @property
    def awaited(self) -> Iterable[str]:
        """The signals that may let it go on."""
        yield from () if self._watch is None else self._watch.signals
        for run in () if self._routine is None else self._routine.runs:
            yield from run.awaited

    @property
    def wake_at(self) -> int | None:
        """When time alone may let it go on."""
        runs = self._routine.runs if self._routine is not None else ()
        watch = [self._watch.wake_at] if self._watch is not None else []
        return min((at for at in [*watch, *(run.wake_at for run in runs)] if at is not None), default=None)

    def _enter(self) -> None:
        """Begin the step `index`."""
        self.failed = ""
        self._routine, self._watch = None, None
        self._orders.clear()
        if self.done:
            return
        match self.steps[self.index]:
            case Prepare(signal=signal):
                self._watch = None if signal is None else Watch(signal)
            case RunPhase(phase, parameters):
                self._routine = Routine(self._site, [(phase, parameters)])
            case Download():
                self._download()
            case FirstArticle():
                pass
            case _ as step:
                assert_never(step)

    def _step_done(self) -> bool:
        match self.steps[self.index]:
            case Prepare():
                return self._watch is not None and self._watch.update(self._site.image, self._site.outbox.now) is True
            case RunPhase() if self._routine is not None:
                self._routine.advance()
                if self._routine.fault is not None:
                    self._fail(self._routine.fault.text)
                return self._routine.done
            case Download():
                return not self._orders
            case _:
                return True

    def _pass(self, evidence: str) -> None:
        self._site.outbox.note("changeover.step", recipe=self.recipe.id, index=self.index, evidence=evidence)
        self.index += 1
        self._enter()

    def _fail(self, reason: str) -> None:
        self.failed = self.failed or reason
        self._site.outbox.note("changeover.failed", recipe=self.recipe.id, index=self.index, reason=reason)

    def _download(self) -> None:
        """Write every value that has a target, all at once: the devices work side by side."""
        self.downloads = [
            Downloaded(name, parameter.to, parameter.value, parameter.unit)
            for name, parameter in self.recipe.parameters.items()
            if parameter.to
        ]
        for value in self.downloads:
            target = self._site.equipment.signals[value.signal]
            sent = converted(value.wanted, value.unit, target.unit)
            self._orders[self._site.outbox.write(value.signal, sent, WRITE_TIMEOUT_NS)] = value


def converted(value: Value, unit: str, to: str) -> Value:
    """`value` of `unit` in the unit `to`; texts and bools have none."""
    return value if isinstance(value, str | bool) else convert(value, unit, to)
