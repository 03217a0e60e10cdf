"""Production: the jobs in their queue, the parts in process, the stations and devices that their phases claim.

The rules kept here: never two parts in a station, never two phases at a device, and every part that was begun ends
as good, as scrap, or stays visible with what it waits for. A phase that was interrupted keeps its station and its
devices until it is finished: what a gripper holds it still holds.
"""

from collections import OrderedDict
from collections.abc import Iterator

from cellctl.core.execution import PhaseRun
from cellctl.core.fault import Cause, Question
from cellctl.core.job import JOB_IDS_KEPT, JOBS_MAX, Job
from cellctl.core.messages import AddJob, Done
from cellctl.core.packml import Command
from cellctl.core.part import Part
from cellctl.core.phase import PhaseDefinition, PhaseFault
from cellctl.core.procedure import PhaseStep, phases_of, resolve
from cellctl.core.recipe import FirstArticle, MasterRecipe
from cellctl.core.recovery import Recovery
from cellctl.core.site import Site
from cellctl.core.wait import ForAnswer

#: A cell whose parts go on more often than this within one turn runs in a circle: the rest waits for the next turn.
ROUNDS_PER_TURN = 100


class Production:
    """All orders and all parts of one cell."""

    def __init__(self, site: Site) -> None:
        self.jobs: list[Job] = []
        self.parts: list[Part] = []
        self.loaded: str | None = None
        self.good = 0
        self.reject = 0
        self.articles = 0  # so many first articles are still to be approved
        self.approval: Question | None = None
        self.ended_jobs = 0
        self.stations: dict[str, Part] = {}
        self.recovery = Recovery(site)
        self._next: Part | None = None
        self._job_ids: OrderedDict[str, None] = OrderedDict()
        self._site = site

    # --- jobs ---------------------------------------------------------------------------------------------------

    @property
    def job(self) -> Job | None:
        """The order in work: the first of the queue."""
        return self.jobs[0] if self.jobs else None

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
        if order.job in self._job_ids:
            return f"there is or was a job {order.job!r} already"
        if len(self.jobs) >= JOBS_MAX:
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
        self._job_ids[order.job] = None
        if len(self._job_ids) > JOB_IDS_KEPT:
            self._job_ids.popitem(last=False)
        self.jobs.append(Job(order.job, order.recipe, order.quantity, order.parts))
        self._site.outbox.note("job", job=order.job, recipe=order.recipe, quantity=order.quantity)
        return None

    def cancel(self, job_id: str) -> str | None:
        """Begin no further part of the order; None, or why there is nothing to cancel."""
        for job in self.jobs:
            if job.id == job_id:
                job.cancelled = True
                self._site.outbox.note("job.cancelled", job=job.id)
                self._retire_jobs()
                return None
        return f"there is no open job {job_id!r}"

    # --- the walk through the procedures ------------------------------------------------------------------------

    @property
    def runs(self) -> list[PhaseRun]:
        """All phases that are running."""
        return [run for part in self.parts for run in part.runs.values()]

    @property
    def worked_off(self) -> bool:
        """Whether the jobs of the loaded recipe came to their end since `ended_jobs` was last set to 0."""
        left = any(job.recipe == self.loaded and not job.all_started for job in self.jobs)
        return self.ended_jobs > 0 and not self.parts and not left

    @property
    def idle(self) -> bool:
        """Whether no phase is running."""
        return not any(part.runs for part in self.parts)

    def walk(self, *, begin: bool, enter: bool = True) -> None:
        """Let every part go on as far as it can; `begin` new parts, and `enter` new phases, only if told so."""
        for _ in range(ROUNDS_PER_TURN):
            moved = False
            for part in list(self.parts):
                moved = self._advance(part) or moved
            if enter and self.recovery.demand is None:
                for part in list(self.parts):
                    moved = self._enter_due(part) or moved
                moved = (begin and self._begin()) or moved
            if not moved:
                return

    def wind_down(self) -> None:
        """Close every phase, once the pulse that it may be executing has come to its end."""
        for part in self.parts:
            for path, run in list(part.runs.items()):
                if run.wind_down():
                    self._leave(part, path)

    def close(self) -> None:
        """Close every phase now."""
        for part in self.parts:
            for path in list(part.runs):
                self._leave(part, path)

    def answer(self, done: Done) -> None:
        """Take the answer to an order, also one of a phase that was closed meanwhile."""
        for part in self.parts:
            for run in (*part.runs.values(), *part.late.values()):
                run.answer(done)
            for path in [path for path, run in part.late.items() if run.order == done.id]:
                del part.late[path]

    def lose(self, device: str, reason: str) -> None:
        """A device is gone."""
        for run in self.runs:
            run.lose(device, reason)

    def recover(self, question_id: str, choice: str) -> str | None:
        """Take the answer to an open question; None, or why it is not one."""
        if self.approval is not None and self.approval.id == question_id:
            return self._approve(self.approval, choice)
        for part in self.parts:
            for question in part.questions.values():
                if question.id == question_id:
                    return self.recovery.answer(part, question, choice)
        return f"there is no open question {question_id!r}"

    @property
    def questions(self) -> list[Question]:
        """What waits for a person."""
        asked = [question for part in self.parts for question in part.questions.values()]
        return asked if self.approval is None else [self.approval, *asked]

    def load(self, recipe: MasterRecipe | None) -> None:
        """Make a recipe the loaded one (None: no recipe), with its first articles still to be approved."""
        self.loaded = None if recipe is None else recipe.id
        self.approval = None
        steps = () if recipe is None else recipe.changeover
        self.articles = sum(step.parts for step in steps if isinstance(step, FirstArticle))

    def why_no_part(self) -> Iterator[Cause]:
        """Why no further part is begun, first cause first."""
        job = self.job
        if job is None:
            yield Cause("job", "no_job", "There is no job", "Add a job.")
        elif job.recipe != self.loaded:
            loaded = self.loaded or "no recipe"
            text = f"The job {job.id} needs {job.recipe}, but {loaded} is loaded"
            yield Cause("changeover", job.recipe, text, f"Change over to {job.recipe}.")

    # --- parts --------------------------------------------------------------------------------------------------

    def _begin(self) -> bool:
        """Begin the next part of the order, if there is room for it."""
        job = next((job for job in self.jobs if not job.all_started), None)
        if job is None or job.recipe != self.loaded or self.approval is not None or (self.articles and self.parts):
            return False
        recipe = self._site.equipment.recipes[job.recipe]
        if len(self.parts) >= recipe.wip:
            return False
        if self._next is None or self._next.job is not job:
            self._next = self._prepared(job, recipe)
        part = self._next
        first = next((self._station_of(step) for step in phases_of(part.procedure)), None)
        if first in self.stations:
            return False
        self._next = None
        job.started += 1
        part.started_ns = self._site.outbox.now
        self.parts.append(part)
        self._site.outbox.note("part", part=part.serial, job=job.id, recipe=recipe.id, version=recipe.version)
        return True

    def _prepared(self, job: Job, recipe: MasterRecipe) -> Part:
        """The next part of the order, with its control recipe, before anything is made of it."""
        number = job.started + 1
        values = {name: parameter.value for name, parameter in recipe.parameters.items()} | dict(job.values_of(number))
        return Part(f"{job.id}-{number:04d}", job, recipe, resolve(recipe.procedure, values), values)

    def _station_of(self, step: PhaseStep) -> str | None:
        return self._site.equipment.phases[step.phase].station

    def _enter_due(self, part: Part) -> bool:
        """Enter the phases whose turn it is and whose station and devices are free; end the part after its last."""
        moved = False
        for path, step in part.due.items():
            definition = self._site.equipment.phases[step.phase]
            if part.scrapped and not definition.always:
                part.finish(path)
                moved = True
            elif path not in part.runs and path not in part.questions and self._claim(part, path, step):
                moved = True
        if part.complete:
            self._end(part)
            moved = True
        return moved

    def _claim(self, part: Part, path: str, step: PhaseStep) -> bool:
        """Enter the phase if nothing is in its way."""
        if self._obstacle(part, path, step) is not None:
            return False
        definition = self._site.equipment.phases[step.phase]
        try:
            run = self._site.enter(step.phase, _resolved(step), part, path)
        except PhaseFault as fault:
            self.recovery.faulted(part, path, step, fault)
            return True
        part.runs[path] = run
        if definition.station and definition.station not in part.stations:
            part.stations.append(definition.station)
            self.stations[definition.station] = part
        self._site.outbox.note("phase", part=part.serial, step=path, phase=step.phase)
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
        occupant = self.stations.get(definition.station or "", part)
        if occupant is not part:
            return f"station {definition.station}, where {occupant.serial} is"
        needed = self._uses(definition)
        for holder, held, other in self._begun():
            if (holder is not part or held != path) and (taken := needed & self._uses(other)):
                return f"{min(taken)}, which {other.name} uses"
        return "the end of its last order" if self._under_way(part, path) else None

    def _begun(self) -> Iterator[tuple[Part, str, PhaseDefinition]]:
        """The steps that were begun and are not finished, whether they run or were interrupted."""
        for part in self.parts:
            for path in part.progress:
                if step := part.due.get(path):
                    yield part, path, self._site.equipment.phases[step.phase]

    def _uses(self, definition: PhaseDefinition) -> frozenset[str]:
        """The devices that the phase needs for itself alone."""
        if definition.uses is not None:
            return definition.uses
        return self._site.equipment.stations[definition.station].uses if definition.station else frozenset()

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
        part.finish(path)
        self._site.outbox.note("phase.done", part=part.serial, step=path)
        here = run.definition.station
        if here is not None:
            occupied = {other.definition.station for other in part.runs.values()} | {here}
            self._free(part, [station for station in part.stations if station not in occupied])

    def _leave(self, part: Part, path: str) -> None:
        """Take a phase out of its place, ended or not; an answer that is still under way will be heard."""
        run = part.runs.pop(path)
        run.close()
        if run.busy and run.order is not None:
            part.late[path] = run

    def _free(self, part: Part, stations: list[str]) -> None:
        for station in stations:
            part.stations.remove(station)
            del self.stations[station]

    def _end(self, part: Part) -> None:
        for path in list(part.runs):
            self._leave(part, path)  # the background of a `with` that was the last step
        self._free(part, list(part.stations))
        self.parts.remove(part)
        if part.good:
            part.job.good += 1
            self.good += 1
        else:
            part.job.reject += 1
            self.reject += 1
        result = "good" if part.good else "scrap"
        self._site.outbox.note("part.done", part=part.serial, job=part.job.id, result=result)
        self._retire_jobs()
        if self.articles:
            self._ask_approval(part)

    def _ask_approval(self, part: Part) -> None:
        """Hold the cell until somebody has approved the first article."""
        article = next(step for step in part.recipe.changeover if isinstance(step, FirstArticle))
        text = f"First article {part.serial}: {', '.join(article.checks) or 'is it good'}?"
        self.approval = Question(
            f"first_article/{part.serial}", "first_article", text, ("approve", "reject"), part.serial
        )
        self.recovery.demand = (Command.HOLD, Cause("first_article", self.approval.id, text))
        self._site.outbox.note("question", part=part.serial, question=self.approval.id, text=text)

    def _approve(self, question: Question, choice: str) -> str | None:
        if choice not in question.choices:
            return f"{choice!r} is not possible; choose {' or '.join(question.choices)}"
        self.articles -= choice == "approve"
        self.approval = None
        self._site.outbox.note("answer", part=question.part, question=question.id, choice=choice)
        return None

    def _retire_jobs(self) -> None:
        for job in [job for job in self.jobs if job.finished]:
            self.jobs.remove(job)
            self.ended_jobs += 1
            self._site.outbox.note("job.done", job=job.id, good=job.good, reject=job.reject)


def _resolved(step: PhaseStep) -> dict[str, bool | int | float | str]:
    return {name: value for name, value in step.parameters.items() if isinstance(value, bool | int | float | str)}
