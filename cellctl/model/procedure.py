"""The procedure of a recipe: from YAML steps to the tree that the core walks.

The rule kept here: the grammar is closed. A step is a phase with its parameters, `parallel`, `with ... do` or
`for_each ... do`; nothing in it looks at a live signal, so the whole procedure is known before it starts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cellctl.core.condition import Ref
from cellctl.core.fault import REACTIONS, parse_policy
from cellctl.core.parameter import Parameter
from cellctl.core.phase import AUTOMATIC, BUILT_IN_FAULTS, PhaseDefinition
from cellctl.core.procedure import ForEach, Parallel, PhaseStep, Sequence, Step, With
from cellctl.core.signal import Value
from cellctl.model.phases import Phases
from cellctl.model.problems import Place, Report, Wrong, did_you_mean
from cellctl.model.quantity import Amount, check_name, fit, read_amount
from cellctl.model.shapes import RecipeFile
from cellctl.model.yaml_source import Document, KeyPath

#: The kinds of a step that is no phase -> the keys that may stand in it.
_GROUPS: Mapping[str, frozenset[str]] = {
    "parallel": frozenset({"parallel", "id", "when"}),
    "with": frozenset({"with", "do", "id", "when"}),
    "for_each": frozenset({"for_each", "do", "id", "when"}),
}
_OF_PHASE = ("id", "when", "on_fault")


@dataclass(frozen=True, slots=True)
class Use:
    """A recipe parameter is given to a phase parameter at one place of the procedure."""

    phase: str
    parameter: Parameter
    place: Place


@dataclass(slots=True)
class Uses:
    """Where each recipe parameter is used; `flags` and `counts` are those in `when` and `for_each`."""

    values: dict[str, list[Use]] = field(default_factory=dict)
    flags: dict[str, list[Place]] = field(default_factory=dict)
    counts: dict[str, list[Place]] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """The parameters that are used at all."""
        return frozenset({*self.values, *self.flags, *self.counts})


class ProcedureReader:
    """Reads the steps of one recipe; what they need of its parameters is collected in `uses`.

    In an abstract recipe a child may bring parameters that are not there yet.
    """

    def __init__(self, document: Document, file: RecipeFile, phases: Phases, report: Report) -> None:
        self.uses = Uses()
        self._document = document
        self._parameters = frozenset(document.data.get("parameters") or ())
        self._abstract = file.recipe.abstract
        self._phases = phases
        self._report = report
        self._loops: dict[str, list[Use]] = {}

    def read(self, steps: object, path: KeyPath) -> Sequence:
        """The steps at `path`, one after another."""
        if not isinstance(steps, list):
            self._add(path, Wrong("E506", "this is not a list of steps", "begin each step with '- '"))
            return Sequence()
        found: dict[str, Step] = {}
        for number, item in enumerate(steps):
            here = (*path, number)
            step = self._step(item, here)
            if step is None:
                continue
            if step.id in found:
                hint = f"add 'id: {step.id}_2' to one of them"
                self._add(here, Wrong("E513", f"two steps beside each other have the id {step.id!r}", hint))
            found[step.id] = step
        return Sequence(tuple(found.values()))

    def phase(self, name: str, given: object, path: KeyPath) -> tuple[PhaseDefinition | None, dict[str, Value | Ref]]:
        """The phase that stands as key at `path`, and its parameters."""
        definition = self._phases.definitions.get(name)
        if definition is None:
            if self._phases.complete:
                hint = did_you_mean(name, self._phases.definitions, "write it as 'async def' in phases/")
                place = self._document.key(*path) if path[-1] == name else self._document.at(*path)
                self._report.add(place, Wrong("E507", f"there is no phase {name!r}", hint))
            return None, {}
        if given is not None and not isinstance(given, dict):
            hint = f"write '- {name}: {{}}', with its parameters in the braces"
            self._add(path, Wrong("E506", f"the parameters of {name!r} are not a mapping", hint))
            return definition, {}
        return definition, self._arguments(definition, given or {}, path)

    def _step(self, item: object, path: KeyPath) -> Step | None:
        if not isinstance(item, dict) or not item:
            hint = f"write '- {item}: {{}}'" if isinstance(item, str) else "write '- phase: {parameters}'"
            self._add(path, Wrong("E506", "this is not a step", hint))
            return None
        kind = next((each for each in _GROUPS if each in item), "")
        keys = [key for key in item if key not in _OF_PHASE]
        allowed = _GROUPS[kind] if kind else {*_OF_PHASE, *keys[:1]}
        for key in item:
            if key not in allowed:
                wrong = Wrong("E121", f"the key {key!r} is not known here", did_you_mean(key, sorted(allowed)))
                self._report.add(self._document.key(*path, key), wrong)
        if not keys:
            self._add(path, Wrong("E506", "the step names no phase", "write '- phase: {parameters}'"))
            return None
        name = self._id(item, kind or keys[0], path)
        when = self._when(item.get("when"), (*path, "when"))
        match kind:
            case "parallel":
                return self._parallel(item["parallel"], (*path, "parallel"), name, when)
            case "with":
                self._needs_do(item, path)
                background = self.read(item["with"], (*path, "with"))
                return With(name, background, self.read(item.get("do", []), (*path, "do")), when)
            case "for_each":
                self._needs_do(item, path)
                return self._for_each(item, path, name, when)
            case _:
                definition, arguments = self.phase(keys[0], item[keys[0]], (*path, keys[0]))
                faults = self._on_fault(item.get("on_fault"), definition, (*path, "on_fault"))
                return PhaseStep(name, keys[0], arguments, faults, when)

    def _parallel(self, branches: object, path: KeyPath, name: str, when: Ref | None) -> Parallel | None:
        if not isinstance(branches, dict) or not branches:
            self._add(path, Wrong("E506", "the branches have no names", "write 'name: [steps]' for each branch"))
            return None
        return Parallel(name, {key: self.read(steps, (*path, key)) for key, steps in branches.items()}, when)

    def _for_each(self, item: Mapping[str, Any], path: KeyPath, name: str, when: Ref | None) -> ForEach | None:
        loop, here = item["for_each"], (*path, "for_each")
        if not isinstance(loop, dict) or len(loop) != 1:
            self._add(here, Wrong("E520", "this names no variable", "write 'for_each: {n: [1, 2, 3]}'"))
            return None
        variable, given = next(iter(loop.items()))
        if variable in self._parameters or variable in self._loops:
            wrong = Wrong("E520", f"{variable!r} is the name of a parameter already", "choose another name")
            self._report.add(self._document.key(*here, variable), wrong)
        self._loops[variable] = []
        do = self.read(item.get("do", []), (*path, "do"))
        uses = self._loops.pop(variable)
        place = self._document.at(*here, variable)
        try:
            values = self._counted(given, uses, place) if isinstance(given, str) else _listed(given, uses)
        except Wrong as wrong:
            self._report.add(place, wrong)
            return None
        return ForEach(name, variable, values, do, when)

    def _counted(self, given: str, uses: list[Use], place: Place) -> Ref:
        """``$points``: the numbers from 1 to the value of a whole-number parameter."""
        if not given.startswith("$"):
            raise Wrong("E520", f"{given!r} is no list", "write [1, 2, 3], or $name of a parameter")
        self._known(given[1:], place)
        self.uses.counts.setdefault(given[1:], []).append(place)
        for use in uses:
            if use.parameter.type not in ("int", "float") or use.parameter.unit:
                hint = f"write the values of {use.parameter.name!r} out as a list"
                raise Wrong("E520", f"{given} counts 1, 2, 3, ...; {use.phase} needs another value", hint)
        return Ref(given[1:])

    def _arguments(self, phase: PhaseDefinition, given: Mapping[str, Any], path: KeyPath) -> dict[str, Value | Ref]:
        found: dict[str, Value | Ref] = {}
        for name, value in given.items():
            parameter = phase.parameters.get(name)
            if parameter is None:
                hint = did_you_mean(name, phase.parameters, f"{phase.name} has no parameters")
                wrong = Wrong("E508", f"the phase {phase.name!r} has no parameter {name!r}", hint)
                self._report.add(self._document.key(*path, name), wrong)
                continue
            place = self._document.at(*path, name)
            try:
                found[name] = self._argument(Use(phase.name, parameter, place), value)
            except Wrong as misfit:
                self._report.add(place, misfit)
        for name, parameter in phase.parameters.items():
            if parameter.default is None and name not in given:
                example = f"{name}: ... {parameter.unit}".rstrip()
                wrong = Wrong("E509", f"the phase {phase.name!r} needs {name!r}", f"add '{example}', or {name}: $name")
                self._report.add(self._document.key(*path), wrong)
        return found

    def _argument(self, use: Use, value: object) -> Value | Ref:
        if isinstance(value, str) and value.startswith("$"):
            name = value[1:]
            if name in self._loops:
                self._loops[name].append(use)
            else:
                self._known(name, use.place)
                self.uses.values.setdefault(name, []).append(use)
            return Ref(name)
        return fitted(read_amount(value), use)

    def _known(self, name: str, place: Place) -> None:
        if name not in self._parameters and not self._abstract:
            known = [f"${each}" for each in (*self._parameters, *self._loops)]
            hint = did_you_mean(f"${name}", known, "add it to 'parameters'")
            self._report.add(place, Wrong("E511", f"there is no parameter ${name}", hint))

    def _when(self, when: object, path: KeyPath) -> Ref | None:
        if when is None:
            return None
        if not isinstance(when, str) or not when.startswith("$") or not when[1:].isidentifier():
            hint = "write 'when: $name'; what depends on a live signal stands in a phase"
            self._add(path, Wrong("E517", "'when' takes one true-or-false parameter of the recipe", hint))
            return None
        place = self._document.at(*path)
        self._known(when[1:], place)
        self.uses.flags.setdefault(when[1:], []).append(place)
        return Ref(when[1:])

    def _on_fault(self, given: object, phase: PhaseDefinition | None, path: KeyPath) -> dict[str, str]:
        if given is None or phase is None:
            return {}
        if not isinstance(given, dict):
            self._add(path, Wrong("E515", "this is not a policy for each fault", "write {no_reply: retry 2 then hold}"))
            return {}
        for kind, policy in given.items():
            if kind not in phase.faults and kind not in BUILT_IN_FAULTS:
                hint = did_you_mean(kind, [*phase.faults, *BUILT_IN_FAULTS])
                wrong = Wrong("E514", f"the phase {phase.name!r} has no fault {kind!r}", hint)
                self._report.add(self._document.key(*path, kind), wrong)
                continue
            for wrong in _policy_problems(str(policy), kind, phase):
                self._add((*path, kind), wrong)
        return {kind: str(policy) for kind, policy in given.items()}

    def _id(self, item: Mapping[str, Any], default: str, path: KeyPath) -> str:
        given = item.get("id", default)
        try:
            return check_name(given if isinstance(given, str) else str(given))
        except Wrong as wrong:
            self._add((*path, "id") if "id" in item else path, wrong)
            return default

    def _needs_do(self, item: Mapping[str, Any], path: KeyPath) -> None:
        if "do" not in item:
            self._add(path, Wrong("E506", "'do' is missing", "add 'do: [steps]'"))

    def _add(self, path: KeyPath, wrong: Wrong) -> None:
        self._report.add(self._document.at(*path), wrong)


def fitted(amount: Amount, use: Use) -> Value:
    """The value in the unit of the phase's parameter; Wrong if it does not fit, or lies outside the bounds."""
    parameter = use.parameter
    value = fit(amount, parameter.type, parameter.unit)
    if problem := parameter.problem(value):
        raise Wrong("E510", f"{parameter.name} of {use.phase}: {problem}", "stay inside what the phase allows")
    return value


def _listed(given: object, uses: list[Use]) -> tuple[Value, ...]:
    if not isinstance(given, list) or not given:
        raise Wrong("E520", "this is no list of values", "write [1, 2, 3], or $name of a parameter")
    units = {(use.parameter.type, use.parameter.unit) for use in uses}
    if len(units) > 1:
        raise Wrong("E520", "the phases in it need different units", "write one for_each for each of them")
    amounts = [read_amount(value) for value in given]
    for use in uses[1:]:
        for amount in amounts:
            fitted(amount, use)
    return tuple(fitted(amount, uses[0]) if uses else amount.value for amount in amounts)


def _policy_problems(text: str, kind: str, phase: PhaseDefinition) -> Iterator[Wrong]:
    recoveries = phase.recoveries(kind)
    try:
        policy = parse_policy(text)
    except ValueError:
        yield Wrong("E515", f"{text!r} is not a policy", "write 'retry 2 then hold', or one of " + ", ".join(REACTIONS))
        return
    if policy.then not in REACTIONS:
        yield Wrong("E515", f"{policy.then!r} is not a reaction", did_you_mean(policy.then, REACTIONS))
        return
    named = {policy.then, "retry"} if policy.retries else {policy.then}
    for word in sorted(named & AUTOMATIC):
        if word not in phase.automatic(kind):
            hint = "a person decides about it: write ask, hold, stop or abort"
            yield Wrong("E524", f"{word!r} of {kind!r} cannot be left to the phase {phase.name!r}", hint)
        elif kind in phase.faults and word not in recoveries:
            hint = f"it offers {', '.join(recoveries)}; add {word!r} in the phase, or choose another"
            yield Wrong("E516", f"the phase {phase.name!r} offers no {word!r} for {kind!r}", hint)
