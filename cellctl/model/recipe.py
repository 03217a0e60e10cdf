"""Recipes: laid over what they extend, checked against phases and signals, hashed.

The rule kept here: three limits lie inside one another, what the phase allows, what the process allows (`limits`),
and what the panel may change (`tune`); and a child changes values, never the order.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from cellctl.core.recipe import MasterRecipe
from cellctl.model.changeover import ChangeoverReader
from cellctl.model.conditions import Known
from cellctl.model.parameters import ParameterReader
from cellctl.model.phases import Phases
from cellctl.model.problems import Report, Wrong, did_you_mean
from cellctl.model.procedure import ProcedureReader
from cellctl.model.profile import overlay
from cellctl.model.shape import Shaped, validate
from cellctl.model.shapes import RecipeFile
from cellctl.model.yaml_source import Document, read

Words = Mapping[str, str]


@dataclass(slots=True)
class Recipes:
    """The recipes of a cell, without the abstract ones, and their texts for people by id."""

    masters: dict[str, MasterRecipe] = field(default_factory=dict)
    words: dict[str, Words] = field(default_factory=dict)


class RecipeReader:
    """Reads all recipes of a cell."""

    def __init__(self, folder: Path, known: Known, phases: Phases, report: Report) -> None:
        self._folder = folder
        self._known = known
        self._phases = phases
        self._report = report
        self._documents: dict[str, Document] = {}
        self._unreadable: set[str] = set()

    def read(self, cell: str) -> Recipes:
        """All recipes in `recipes/` of the cell with this id."""
        for path in sorted((self._folder / "recipes").glob("*.yaml")):
            self._collect(path)
        recipes = Recipes()
        for name in self._documents:
            document = self._extended(name, ())
            shaped = validate(document, RecipeFile, self._report) if document else None
            if shaped is None:
                continue
            self._check_head(shaped, cell)
            master = _Recipe(self._folder, shaped, self._report, recipes.words).build(self._known, self._phases)
            if not shaped.shape.recipe.abstract:
                recipes.masters[master.id] = master
        return recipes

    def _collect(self, path: Path) -> None:
        document = read(path, self._folder, self._report)
        head = document.data.get("recipe") if document else None
        name = head.get("id") if isinstance(head, dict) else None
        if document is None:
            self._unreadable.add(path.stem)
        elif not isinstance(name, str):
            self._unreadable.add(path.stem)
            validate(document, RecipeFile, self._report)
        elif name in self._documents:
            hint = f"it stands in {self._documents[name].file.name} too; rename one of them"
            self._report.add(document.at("recipe", "id"), Wrong("E502", f"the recipe {name!r} stands here twice", hint))
        else:
            self._documents[name] = document

    def _extended(self, name: str, children: tuple[str, ...]) -> Document | None:
        document = _long_form(self._documents[name])
        parent = document.data["recipe"].get("extends")
        if not isinstance(parent, str):
            return document
        if parent in self._unreadable:
            return None
        place = document.at("recipe", "extends")
        if parent in (*children, name):
            self._report.add(place, Wrong("E501", f"{name!r} extends itself", "extend another recipe"))
            return None
        if parent not in self._documents:
            hint = did_you_mean(parent, self._documents)
            self._report.add(place, Wrong("E501", f"there is no recipe {parent!r}", hint))
            return None
        below = self._extended(parent, (*children, name))
        if below is None:
            return None
        if "procedure" in document.data and "procedure" in below.data:
            hint = f"remove it here, or do not extend {parent!r}"
            wrong = Wrong("E504", "a recipe that extends another changes values, not the procedure", hint)
            self._report.add(document.key("procedure"), wrong)
        head = {key: value for key, value in below.data["recipe"].items() if key != "abstract"}
        return overlay(replace(below, data=below.data | {"recipe": head}), document, ("parameters",))

    def _check_head(self, shaped: Shaped[RecipeFile], cell: str) -> None:
        head = shaped.shape.recipe
        if head.cell is not None and head.cell != cell:
            wrong = Wrong("E503", f"the recipe is for the cell {head.cell!r}", f"this cell is {cell!r}")
            self._report.add(shaped.document.at("recipe", "cell"), wrong)
        if shaped.shape.procedure is None and not head.abstract:
            hint = "add 'procedure:', or 'extends:' a recipe that has one, or 'abstract: true'"
            self._report.add(shaped.document.key("recipe"), Wrong("E505", "the recipe has no procedure", hint))


class _Recipe:
    """One recipe with all that it extends."""

    def __init__(self, folder: Path, shaped: Shaped[RecipeFile], report: Report, words: dict[str, Words]) -> None:
        self._folder = folder
        self._document = shaped.document
        self._file = shaped.shape
        self._report = report
        self._words = words

    def build(self, known: Known, phases: Phases) -> MasterRecipe:
        head, rows = self._file.recipe, self._file.parameters
        steps = ProcedureReader(self._document, self._file, phases, self._report)
        procedure = steps.read(self._file.procedure or [], ("procedure",))
        reader = ParameterReader(self._document, known, self._report)
        parameters = {name: reader.read(name, row, steps.uses) for name, row in rows.items()}
        changes = ChangeoverReader(self._folder, self._document, known, self._report, steps)
        changeover = changes.read(self._file.changeover, parameters)
        if not head.abstract and phases.complete:
            self._check_used(steps)
        prefix = f"recipe.{head.id}"
        self._words.update({f"{prefix}.{name}.label": row.label for name, row in rows.items() if row.label})
        self._words.update({f"{prefix}.changeover.{number}.text": words for number, words in changes.words.items()})
        master = MasterRecipe(
            id=head.id,
            version=head.version,
            product=head.product,
            wip=head.wip,
            ideal_cycle_ns=head.ideal_cycle,
            parameters=parameters,
            procedure=procedure,
            changeover=changeover,
        )
        return replace(master, hash=fingerprint(master))

    def _check_used(self, steps: ProcedureReader) -> None:
        for name, row in self._file.parameters.items():
            if name not in steps.uses.names and not row.to and row.per is None:
                hint = did_you_mean(name, [*steps.uses.names], f"give it to a phase as ${name}, or remove it")
                wrong = Wrong("W521", f"no step uses the parameter {name!r}", hint)
                self._report.add(self._document.key("parameters", name), wrong)


def fingerprint(recipe: MasterRecipe) -> str:
    """SHA-256 over the canonical JSON of the recipe's whole content, but for the hash itself."""
    text = json.dumps(_canonical(replace(recipe, hash="")), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    if is_dataclass(value):
        content = {each.name: _canonical(getattr(value, each.name)) for each in fields(value)}
        return {"is": type(value).__name__, **content}
    if isinstance(value, Mapping):
        return {str(key): _canonical(each) for key, each in value.items()}
    return [_canonical(each) for each in value] if isinstance(value, tuple | list) else value


def _long_form(document: Document) -> Document:
    """The document with ``name: value`` written as ``name: {value: value}``, so that rows can be laid over rows."""
    rows = document.data.get("parameters")
    if not isinstance(rows, dict):
        return document
    short = [name for name, row in rows.items() if not isinstance(row, dict)]
    values = {("parameters", name, "value"): document.values["parameters", name] for name in short}
    long = {name: {"value": row} if name in short else row for name, row in rows.items()}
    return replace(document, data=document.data | {"parameters": long}, values=document.values | values)
