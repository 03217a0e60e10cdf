"""Production: the jobs in their queue, the parts in process, the stations and devices that their phases claim.

What is to be remembered is in the memory of the cell, and changes with its entry. The rules kept here: never two
parts in a station, never two phases at a device, and every part that was begun ends as good, as scrap, or stays visible
with what it waits for. A phase that was interrupted keeps its station and its devices until it is finished: what a
gripper holds it still holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cellctl.core.execution import PhaseRun
from cellctl.core.fault import Cause, Question
from cellctl.core.job import JOBS_MAX, Job
from cellctl.core.messages import AddJob, Done
from cellctl.core.packml import Command
from cellctl.core.part import Part
from cellctl.core.phase import PhaseDefinition, PhaseFault
from cellctl.core.procedure import PhaseStep, phases_of, resolve
from cellctl.core.recipe import FirstArticle, MasterRecipe
from cellctl.core.recovery import Recovery, ask
from cellctl.core.signal import Value
from cellctl.core.site import Site
from cellctl.core.wait import ForAnswer

#: A cell whose parts go on more often than this within one turn runs in a circle: the rest waits for the next turn.
ROUNDS_PER_TURN = 100


class Production:
    """All orders and all parts of one cell."""

    def __init__(self, site: Site) -> None:
        self.memory = site.memory
        self.recovery = Recovery(site)
        self._next: _Next | None = None
        self._site = site

    # --- jobs ---------------------------------------------------------------------------------------------------

    def add(self, order: AddJob) -> str | None:
        """Put an order at the end of the queue; None, or why it cannot be taken."""
        recipe = self._site.equipment.recipes.get(order.recipe)
        if recipe is None:
            known = ", ".join(self._site.equipment.recipes) or "none"
            return f"there is no recipe {order.recipe!r}; there are {known}"
        if order.quantity < 1:
            return "a job needs a quantity of at least 1"
        if not order.job:
            return "a job needs an id"
        if order.job in self.memory.job_ids:
            return f"there is or was a job {order.job!r} already"
        if len(self.memory.jobs) >= JOBS_MAX:
            return f"the queue is full: {JOBS_MAX} jobs"
        free = {name for name, parameter in recipe.parameters.items() if parameter.per_part}
        for number, values in enumerate(order.parts, 1):
            if unknown := sorted(set(values) - free):
                return f"part {number}: {unknown[0]!r} is not a per-part parameter of {recipe.id}"
            for name, value in values.items():
                if problem := recipe.parameters[name].problem(value):
                    return f"part {number}: {name}: {problem}"
        if len(order.parts) > order.quantity:
            return f"there are values for {len(order.parts)} parts, but the quantity is {order.quantity}"
        parts = [dict(values) for values in order.parts]
        self._site.outbox.note("job", job=order.job, recipe=order.recipe, quantity=order.quantity, parts=parts)
        return None

    def cancel(self, job_id: str) -> str | None:
        """Begin no further part of the order; None, or why there is nothing to cancel."""
        for job in self.memory.jobs:
            if job.id == job_id:
                self._site.outbox.note("job.cancelled", job=job.id)
                self._retire_jobs()
                return None
        return f"there is no open job {job_id!r}"

    # --- the walk through the procedures ------------------------------------------------------------------------

    @property
    def runs(self) -> list[PhaseRun]:
        """All phases that are running."""
        return [run for part in self.memory.parts for run in part.runs.values()]

    @property
    def worked_off(self) -> bool:
        """Whether the jobs of the loaded recipe came to their end since the last Start."""
        memory = self.memory
        left = any(job.recipe == memory.loaded and not job.all_started for job in memory.jobs)
        return memory.ended_jobs > 0 and not memory.parts and not left

    @property
    def idle(self) -> bool:
        """Whether no phase is running."""
        return not any(part.runs for part in self.memory.parts)

    def walk(self, *, begin: bool, enter: bool = True) -> None:
        """Let every part go on as far as it can; `begin` new parts, and `enter` new phases, only if told so."""
        for _ in range(ROUNDS_PER_TURN):
            moved = False
            for part in list(self.memory.parts):
                moved = self._advance(part) or moved
            if enter and self.recovery.demand is None:
                for part in list(self.memory.parts):
                    moved = self._enter_due(part) or moved
                moved = (begin and self._begin()) or moved
            if not moved:
                return

    def wind_down(self) -> None:
        """Close every phase, once the pulse that it may be executing has come to its end."""
        for part in self.memory.parts:
            for path, run in list(part.runs.items()):
                if run.wind_down():
                    self._leave(part, path)

    def close(self) -> None:
        """Close every phase now."""
        for part in self.memory.parts:
            for path in list(part.runs):
                self._leave(part, path)

    def answer(self, done: Done) -> None:
        """Take the answer to an order, also one of a phase that was closed meanwhile."""
        for part in self.memory.parts:
            for run in (*part.runs.values(), *part.late.values()):
                run.answer(done)
            for path in [path for path, run in part.late.items() if run.order == done.id]:
                del part.late[path]

    def lose(self, device: str, reason: str) -> None:
        """A device is gone."""
        for run in self.runs:
            run.lose(device, reason)

    def recover(self, question_id: str, choice: str, by: str) -> str | None:
        """Take the answer to an open question; None, or why it is not one."""
        approval = self.memory.approval
        if approval is not None and approval.id == question_id:
            return self._approve(approval, choice, by)
        for part in self.memory.parts:
            for question in part.questions.values():
                if question.id == question_id:
                    return self.recovery.answer(part, question, choice, by)
        return f"there is no open question {question_id!r}"

    def load(self, recipe: MasterRecipe) -> None:
        """Make a recipe the loaded one, with its first articles still to be approved."""
        articles = sum(step.parts for step in recipe.changeover if isinstance(step, FirstArticle))
        self._site.outbox.note("recipe", recipe=recipe.id, version=recipe.version, hash=recipe.hash, articles=articles)

    def discard(self) -> None:
        """Count every part in process as scrap: they were taken out of the cell by hand."""
        for part in list(self.memory.parts):
            self._site.outbox.note("part.scrap", part=part.serial)
            self._end(part)

    def unload(self) -> None:
        """No recipe is loaded any more: the devices are others than those that it was downloaded to."""
        if self.memory.loaded is not None:
            self._site.outbox.note("recipe.unloaded", recipe=self.memory.loaded)

    def why_no_part(self) -> Iterator[Cause]:
        """Why no further part is begun, first cause first."""
        job = self.memory.job
        if job is None:
            yield Cause("job", "no_job", "There is no job", "Add a job.")
        elif job.recipe != self.memory.loaded:
            loaded = self.memory.loaded or "no recipe"
            text = f"The job {job.id} needs {job.recipe}, but {loaded} is loaded"
            yield Cause("changeover", job.recipe, text, f"Change over to {job.recipe}.")

    # --- parts --------------------------------------------------------------------------------------------------

    def _begin(self) -> bool:
        """Begin the next part of the order, if there is room for it."""
        memory = self.memory
        job = next((job for job in memory.jobs if not job.all_started), None)
        if job is None or job.recipe != memory.loaded or memory.approval is not None:
            return False
        recipe = self._site.equipment.recipes[job.recipe]
        if len(memory.parts) >= (1 if memory.articles else recipe.wip):
            return False
        serial = f"{job.id}-{job.started + 1:04d}"
        if self._next is None or self._next.serial != serial:
            self._next = self._prepared(serial, job, recipe)
        if self._next.station in memory.stations:
            return False
        self._site.outbox.note(
            "part",
            part=serial,
            job=job.id,
            recipe=recipe.id,
            version=recipe.version,
            hash=recipe.hash,
            values=self._next.values,
        )
        return True

    def _prepared(self, serial: str, job: Job, recipe: MasterRecipe) -> "_Next":
        """The next part of the order, before anything is made of it."""
        own = job.values_of(job.started + 1)
        values = {name: parameter.value for name, parameter in recipe.parameters.items()} | dict(own)
        steps = phases_of(resolve(recipe.procedure, values))
        return _Next(serial, values, next((self._station_of(step) for step in steps), None))

    def _station_of(self, step: PhaseStep) -> str | None:
        return self._site.equipment.phases[step.phase].station

    def _enter_due(self, part: Part) -> bool:
        """Enter the phases whose turn it is and whose station and devices are free; end the part after its last."""
        moved = False
        for path, step in part.due.items():
            definition = self._site.equipment.phases[step.phase]
            if part.scrapped and not definition.always:
                self._site.outbox.note("phase.skipped", part=part.serial, step=path)
                moved = True
            elif path not in part.runs and path not in part.questions and self._claim(part, path, step):
                moved = True
        if part.complete:
            self._end(part)
            if self.memory.articles:
                self._ask_approval(part)
            moved = True
        return moved

    def _claim(self, part: Part, path: str, step: PhaseStep) -> bool:
        """Enter the phase if nothing is in its way."""
        if self._obstacle(part, path, step) is not None:
            return False
        station = self._station_of(step) or ""
        self._site.outbox.note("phase", part=part.serial, step=path, phase=step.phase, station=station)
        try:
            part.runs[path] = self._site.enter(step.phase, _resolved(step), part, path)
        except PhaseFault as fault:
            self.recovery.faulted(part, path, step, fault)
        return True

    def waits_for(self, part: Part) -> Iterator[str]:
        """What the part waits for, in words: what its phases wait for, and what keeps the next ones from beginning."""
        for run in part.runs.values():
            yield from run.waits_for()
        for path, step in part.due.items():
            if path not in part.runs and path not in part.questions and (obstacle := self._obstacle(part, path, step)):
                yield f"{step.phase}: waits for {obstacle}"

    def _obstacle(self, part: Part, path: str, step: PhaseStep) -> str | None:
        """What the phase has to wait for before it can begin, or None."""
        definition = self._site.equipment.phases[step.phase]
        occupant = self.memory.stations.get(definition.station or "", part)
        if occupant is not part:
            return f"station {definition.station}, where {occupant.serial} is"
        needed = self._site.equipment.uses(definition)
        for holder, held, other in self._begun():
            if (holder is not part or held != path) and (taken := needed & self._site.equipment.uses(other)):
                return f"{min(taken)}, which {other.name} uses"
        return "the end of its last order" if self._under_way(part, path) else None

    def _begun(self) -> Iterator[tuple[Part, str, PhaseDefinition]]:
        """The steps that were begun and are not finished, whether they run or were interrupted."""
        for part in self.memory.parts:
            for path in part.progress:
                if step := part.due.get(path):
                    yield part, path, self._site.equipment.phases[step.phase]

    def _under_way(self, part: Part, path: str) -> bool:
        """Whether the device may be executing a pulse of the step just now: before its answer nothing is known."""
        late = part.late.get(path)
        return late is not None and late.wake_at is not None and self._site.outbox.now < late.wake_at

    def _advance(self, part: Part) -> bool:
        """Let the part's running phases go on; True if one of them ended or got its answer."""
        moved = False
        steps = part.due
        for path, run in list(part.runs.items()):
            if path not in steps or (part.scrapped and not run.definition.always):
                self._leave(part, path)  # the background of a `with` ends with what it was for
                continue
            run.advance()
            if isinstance(run.wait, ForAnswer) and path not in part.questions:
                moved = self.recovery.react(part, path, steps[path], run.wait) or moved
            if run.ended is not None:
                moved = True
                self._leave(part, path)
                if isinstance(run.ended, PhaseFault):
                    self.recovery.faulted(part, path, steps[path], run.ended)
                else:
                    self._finish(part, path, run)
        return moved

    def _finish(self, part: Part, path: str, run: PhaseRun) -> None:
        here, left = run.definition.station, {}
        if here is not None:
            occupied = {other.definition.station for other in part.runs.values()} | {here}
            freed = [station for station in part.stations if station not in occupied]
            left = {"freed": freed} if freed else {}
        self._site.outbox.note("phase.done", part=part.serial, step=path, **left)

    def _leave(self, part: Part, path: str) -> None:
        """Take a phase out of its place, ended or not; an answer that is still under way will be heard."""
        run = part.runs.pop(path)
        run.close()
        if run.busy and run.order is not None:
            part.late[path] = run

    def _end(self, part: Part) -> None:
        for path in list(part.runs):
            self._leave(part, path)  # the background of a `with` that was the last step
        result = "good" if part.good else "scrap"
        self._site.outbox.note("part.done", part=part.serial, job=part.job.id, result=result)
        self._retire_jobs()

    def _ask_approval(self, part: Part) -> None:
        """Hold the cell until somebody has approved the first article."""
        article = next(step for step in part.recipe.changeover if isinstance(step, FirstArticle))
        text = f"First article {part.serial}: {', '.join(article.checks) or 'is it good'}?"
        question = Question(f"first_article/{part.serial}", "first_article", text, ("approve", "reject"), part.serial)
        self.recovery.demand = (Command.HOLD, Cause("first_article", question.id, text))
        ask(self._site, part, "", question)

    def _approve(self, question: Question, choice: str, by: str) -> str | None:
        if choice not in question.choices:
            return f"{choice!r} is not possible; choose {' or '.join(question.choices)}"
        self._site.outbox.note("answer", part=question.part, question=question.id, choice=choice, by=by)
        return None

    def _retire_jobs(self) -> None:
        for job in [job for job in self.memory.jobs if job.finished]:
            self._site.outbox.note("job.done", job=job.id, good=job.good, reject=job.reject)


@dataclass(frozen=True, slots=True)
class _Next:
    """The part that is begun next: its values, and the first station that it needs."""

    serial: str
    values: dict[str, Value]
    station: str | None


def _resolved(step: PhaseStep) -> dict[str, bool | int | float | str]:
    return {name: value for name, value in step.parameters.items() if isinstance(value, bool | int | float | str)}
