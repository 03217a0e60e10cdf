"""The changeover of a recipe: the steps from the last product to this one.

The rule kept here: a step is done by a person, who confirms it, or by the cell, which proves it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cellctl.core.condition import Condition, Ref
from cellctl.core.recipe import ChangeoverStep, Download, FirstArticle, Prepare, RecipeParameter, RunPhase
from cellctl.core.signal import Value
from cellctl.model.conditions import Known
from cellctl.model.problems import Report, Wrong, did_you_mean
from cellctl.model.procedure import ProcedureReader
from cellctl.model.quantity import plain
from cellctl.model.shape import validate
from cellctl.model.shapes import CHANGEOVER, DownloadStep, FirstArticleStep, PersonStep, RunStep
from cellctl.model.source import inside
from cellctl.model.yaml_source import Document, KeyPath


@dataclass(slots=True)
class ChangeoverReader:
    """Reads the steps of one recipe; `words` collects the texts of its steps, by number."""

    folder: Path
    document: Document
    known: Known
    report: Report
    procedure: ProcedureReader
    words: dict[int, Mapping[str, str]] = field(default_factory=dict)

    def read(self, steps: list[Any], parameters: Mapping[str, RecipeParameter]) -> tuple[ChangeoverStep, ...]:
        """The steps in their order; those that are wrong are reported and left out."""
        found = (self._step(number, item, parameters) for number, item in enumerate(steps))
        return tuple(step for step in found if step is not None)

    def _step(self, number: int, item: object, parameters: Mapping[str, RecipeParameter]) -> ChangeoverStep | None:
        path: KeyPath = ("changeover", number)
        kind = next((key for key in CHANGEOVER if isinstance(item, dict) and key in item), None)
        if kind is None:
            given = str(next(iter(item), "")) if isinstance(item, dict) else str(item)
            self._add(path, Wrong("E519", "this is not a step of a changeover", did_you_mean(given, CHANGEOVER)))
            return None
        shaped = validate(self.document.below(*path), CHANGEOVER[kind], self.report)
        match shaped.shape if shaped else None:
            case PersonStep() as step:
                return self._prepare(step, number, path)
            case RunStep(run=run):
                return self._run(run, (*path, "run"), parameters)
            case DownloadStep():
                return Download()
            case FirstArticleStep(first_article=row):
                return FirstArticle(row.parts, row.approve, tuple(row.checks))
            case _:
                return None

    def _prepare(self, step: PersonStep, number: int, path: KeyPath) -> Prepare:
        words = step.prepare or step.do or {}
        self.words[number] = words
        if step.photo and not inside(self.folder / step.photo, self.folder):
            self._add(
                (*path, "photo"), Wrong("E111", "the photo lies outside the cell's folder", "copy it into the folder")
            )
        elif step.photo and not (self.folder / step.photo).is_file():
            wrong = Wrong("W523", f"there is no file {step.photo!r} in the cell's folder", "check its name")
            self._add((*path, "photo"), wrong)
        scan, signal = self._confirm(step.confirm, (*path, "confirm"))
        return Prepare(plain(words), step.external, step.expect, scan, signal, step.photo)

    def _confirm(self, text: str, path: KeyPath) -> tuple[str, Condition | None]:
        """What proves the step: the text to scan, or a condition; neither for a tick."""
        word, _, rest = text.strip().partition(" ")
        rest = rest.strip()
        if word == "signal" and rest:
            place = self.document.at(*path)
            return "", self.known.condition(rest, place.within(text.index(rest)), self.report)
        if word == "scan" and rest:
            return rest, None
        if text.strip() != "tick":
            hint = "write tick, or 'scan F-12S', or 'signal plc.clamp_id == 12'"
            self._add(path, Wrong("E519", f"{text!r} is no way to confirm a step", hint))
        return "", None

    def _run(self, run: object, path: KeyPath, parameters: Mapping[str, RecipeParameter]) -> RunPhase | None:
        if isinstance(run, str):
            name, given, here = run, None, path
        elif isinstance(run, dict) and len(run) == 1:
            name, given = next(iter(run.items()))
            here = (*path, name)
        else:
            self._add(path, Wrong("E519", "this names no phase", "write 'run: phase' or 'run: {phase: {parameters}}'"))
            return None
        definition, arguments = self.procedure.phase(name, given, here)
        if definition is None:
            return None
        return RunPhase(name, {key: _value(value, parameters) for key, value in arguments.items()})

    def _add(self, path: KeyPath, wrong: Wrong) -> None:
        self.report.add(self.document.at(*path), wrong)


def _value(given: Value | Ref, parameters: Mapping[str, RecipeParameter]) -> Value:
    """The value now: a changeover runs once, before any part has values of its own."""
    if not isinstance(given, Ref):
        return given
    return parameters[given.name].value if given.name in parameters else ""
