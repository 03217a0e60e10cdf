"""Recovery: what is done when a phase is in trouble, by the policy of its step or by the decision of a person."""

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from cellctl.core.context import AskPerson, Invoke, RaiseFault
from cellctl.core.fault import Cause, Policy, Question, parse_policy
from cellctl.core.packml import Command
from cellctl.core.part import Part
from cellctl.core.phase import AUTOMATIC, IN_DOUBT, PhaseDefinition, PhaseFault
from cellctl.core.procedure import PhaseStep
from cellctl.core.progress import command_of, place_of
from cellctl.core.signal import Value
from cellctl.core.site import Site
from cellctl.core.wait import ForAnswer

#: Reactions of the cell that a policy may name, and the PackML command that each becomes.
DEMANDS = {"hold": Command.HOLD, "stop": Command.STOP, "abort": Command.ABORT}
#: What is asked about a pulse with an unknown end.
DOUBT = "{}: nobody knows whether {} was done"
_SEVERITY = tuple(DEMANDS.values())


class Recovery:
    """Applies policies and answers. `demand` is a command that a fault asks of the cell, with its cause."""

    def __init__(self, site: Site) -> None:
        self.demand: tuple[Command, Cause] | None = None
        self._site = site

    def react(self, part: Part, path: str, step: PhaseStep, wait: ForAnswer) -> bool:
        """A phase asks what to do: answer by the step's policy (True), or put the question to a person (False)."""
        wish, definition = wait.wish, self._site.equipment.phases[step.phase]
        about = Question(_id(part, path, wait.key), "", "", (), part.serial, definition.station or "")
        match wish:
            case AskPerson(text, choices):
                ask(self._site, part, path, replace(about, kind="ask", text=text, choices=choices))
                return False
            case RaiseFault(kind, data):
                question = replace(about, kind=kind, text=_told(step.phase, kind, data), data=data)
            case Invoke(key=key):
                seen = part.progress[path].pulses[key].seen
                question = replace(about, kind=IN_DOUBT, text=DOUBT.format(step.phase, command_of(key)), seen=seen)
            case _:
                assert_never(wish)
        question = replace(question, choices=definition.recoveries(question.kind))
        policy = _policy(step.on_fault.get(question.kind, "ask"), definition, question.kind)
        retries, place = part.progress[path].retries, place_of(wait.key)
        if isinstance(wish, RaiseFault) and retries[place] < policy.retries:
            self._choose(part, path, wait.key, "retry", retries[place] + 1)
            return True
        if policy.then in question.choices:
            self._choose(part, path, wait.key, policy.then)
            return True
        ask(self._site, part, path, question)
        if policy.then in DEMANDS:
            self._demand(policy.then, question.id, question.text)
        return False

    def faulted(self, part: Part, path: str, step: PhaseStep, fault: PhaseFault) -> None:
        """A fault ended the phase: apply the step's policy. A phase that is not asked about is entered again."""
        definition = self._site.equipment.phases[step.phase]
        policy = _policy(step.on_fault.get(fault.kind, "hold"), definition, fault.kind)
        before = part.progress[path].retries[fault.kind]
        retry = before + 1 if before < policy.retries else 0
        about = {"part": part.serial, "step": path}
        self._site.outbox.note("fault", **about, fault=fault.kind, text=fault.text, retry=retry)
        if retry:
            return
        identity = _id(part, path, "")
        match policy.then:
            case "ask":
                choices = definition.recoveries(fault.kind)
                station = definition.station or ""
                ask(self._site, part, path, Question(identity, fault.kind, fault.text, choices, part.serial, station))
            case "skip":
                self._skip(part, path)
            case "scrap" if not definition.always:
                self._scrap(part)
            case _:
                self._demand(policy.then, identity, fault.text)

    def answer(self, part: Part, question: Question, choice: str, by: str) -> str | None:
        """A person decided; None, or why the choice cannot be taken."""
        if choice not in question.choices:
            return f"{choice!r} is not possible; choose {' or '.join(question.choices)}"
        path = next(path for path, asked in part.questions.items() if asked is question)
        self._site.outbox.note("answer", part=part.serial, question=question.id, choice=choice, by=by)
        key = question.id.removeprefix(_id(part, path, ""))
        if key:
            self._choose(part, path, key, choice)
        elif choice == "scrap":
            self._scrap(part)
        elif choice == "skip":
            self._skip(part, path)
        return None

    def _choose(self, part: Part, path: str, key: str, choice: str, retry: int | None = None) -> None:
        """`retry`: how often the place was retried without asking, if that changes."""
        if retry is None:
            retry = part.progress[path].retries[place_of(key)]
        self._site.outbox.note("recovery", part=part.serial, step=path, key=key, choice=choice, retry=retry)
        if choice == "scrap":
            self._scrap(part)

    def _scrap(self, part: Part) -> None:
        """Nothing more is made of the part; only what takes it out of the cell still runs for it."""
        self._site.outbox.note("part.scrap", part=part.serial)

    def _skip(self, part: Part, path: str) -> None:
        self._site.outbox.note("phase.skipped", part=part.serial, step=path)

    def _demand(self, reaction: str, identity: str, text: str) -> None:
        """Ask a command of the cell, a hold at least; of several faults at once the most severe one counts."""
        command = DEMANDS.get(reaction, Command.HOLD)
        if self.demand is None or _SEVERITY.index(command) > _SEVERITY.index(self.demand[0]):
            self.demand = (command, Cause("fault", identity, text))


def _policy(text: str, definition: PhaseDefinition, kind: str) -> Policy:
    """The policy, without what only a person may choose: that is asked instead."""
    policy, allowed = parse_policy(text), definition.automatic(kind)
    then = "ask" if policy.then in AUTOMATIC - allowed else policy.then
    return Policy(policy.retries if "retry" in allowed else 0, then)


def ask(site: Site, part: Part, path: str, question: Question) -> None:
    """Put a question about the step `path` of a part, or about the part itself."""
    site.outbox.note(
        "question",
        part=part.serial,
        step=path,
        question=question.id,
        about=question.kind,
        text=question.text,
        choices=list(question.choices),
        station=question.station,
        data=dict(question.data),
        **({"seen": dict(question.seen)} if question.seen else {}),
    )


def _id(part: Part, path: str, key: str) -> str:
    return f"{part.serial}/{path}/{key}"


def _told(phase: str, kind: str, data: Mapping[str, Value]) -> str:
    shown = ", ".join(f"{name} {value}" for name, value in data.items())
    return f"{phase}: {kind.replace('_', ' ')}" + (f" ({shown})" if shown else "")
