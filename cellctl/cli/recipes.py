"""Recipes as the files say them: list, show, compare."""

from typing import TYPE_CHECKING, Any

import click

from cellctl.cli.run import checked
from cellctl.cli.terminal import Failure, document, number, table

if TYPE_CHECKING:
    from cellctl.core.procedure import Step
    from cellctl.core.recipe import MasterRecipe, RecipeParameter

OF_CELL = click.option("--cell", default=".", help="The cell: a folder, or the name of a bundled cell.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


@click.group()
def recipe() -> None:
    """List, show and compare the recipes in the files of a cell."""


@recipe.command("list")
@OF_CELL
@AS_JSON
def list_recipes(cell: str, as_json: bool) -> None:
    """All recipes that a job may name."""
    _, model = checked(cell)
    recipes = [
        {"id": one.id, "version": one.version, "product": one.product, "hash": one.hash}
        for one in model.equipment.recipes.values()
    ]
    if as_json:
        document("cellctl.recipes/1", {"recipes": recipes})
    else:
        table(("recipe", "version", "product"), [(one["id"], one["version"], one["product"]) for one in recipes])


@recipe.command()
@click.argument("name", metavar="RECIPE")
@OF_CELL
@AS_JSON
def show(name: str, cell: str, as_json: bool) -> None:
    """One recipe: its values with their limits, its procedure, its changeover."""
    one = _recipe(cell, name)
    if as_json:
        document("cellctl.recipe/1", _told(one))
        return
    click.echo(f"{one.id} version {one.version}, product {one.product}, {one.wip} parts in process\n")
    table(("parameter", "value", "limits", "tune", "to"), [_parameter(p) for p in one.parameters.values()])
    click.echo("\nPROCEDURE")
    _tell_steps(one.procedure.steps, "  ")
    click.echo("\nCHANGEOVER")
    for place, step in enumerate(one.changeover, 1):
        click.echo(f"  {place}. {_changeover(step)}")


@recipe.command()
@click.argument("before")
@click.argument("after")
@OF_CELL
@AS_JSON
def diff(before: str, after: str, cell: str, as_json: bool) -> None:
    """What a changeover from BEFORE to AFTER changes."""
    old, new = (_told(_recipe(cell, name))["parameters"] for name in (before, after))
    changes = [
        {"parameter": name, "before": old.get(name), "after": new.get(name)}
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    ]
    if as_json:
        document("cellctl.recipe-diff/1", {"before": before, "after": after, "changes": changes})
    elif changes:
        rows = [(one["parameter"], _value(one["before"]), _value(one["after"])) for one in changes]
        table(("parameter", before, after), rows)
    else:
        click.echo("The two have equal values.")


def _recipe(cell: str, name: str) -> "MasterRecipe":
    from cellctl.gateway.told import unknown

    _, model = checked(cell)
    if name not in model.equipment.recipes:
        raise Failure(unknown("recipe", name, model.equipment.recipes))
    return model.equipment.recipes[name]


def _told(one: "MasterRecipe") -> dict[str, Any]:
    parameters = {
        p.name: {
            "value": p.value,
            "unit": p.unit,
            "limits": [p.low, p.high],
            "tune": [p.tune_low, p.tune_high],
            "per_part": p.per_part,
            "to": p.to,
        }
        for p in one.parameters.values()
    }
    head = {"id": one.id, "version": one.version, "product": one.product, "hash": one.hash}
    return {**head, "parameters": parameters, "changeover": [_changeover(step) for step in one.changeover]}


def _parameter(p: "RecipeParameter") -> tuple[str, ...]:
    value = "of each part" if p.per_part else number(p.value, p.unit)
    return p.name, value, _span(p.low, p.high), _span(p.tune_low, p.tune_high), p.to


def _span(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    return f"{'' if low is None else f'{low:g}'}..{'' if high is None else f'{high:g}'}"


def _value(told: dict[str, Any] | None) -> str:
    return "-" if told is None else number(told["value"], told["unit"])


def _tell_steps(steps: "tuple[Step, ...]", pad: str) -> None:
    """The step tree, one line a phase."""
    from cellctl.core.procedure import ForEach, Parallel, PhaseStep, Sequence, With

    for step in steps:
        match step:
            case PhaseStep(phase=phase, when=when):
                click.echo(f"{pad}{phase}" + (f"  (when {when.name})" if when else ""))
            case Sequence(steps=inner):
                _tell_steps(inner, pad)
            case Parallel(branches=branches):
                for name, branch in branches.items():
                    click.echo(f"{pad}side by side: {name}")
                    _tell_steps(branch.steps, pad + "  ")
            case With(background=background, do=do):
                click.echo(f"{pad}with")
                _tell_steps(background.steps, pad + "  ")
                click.echo(f"{pad}do")
                _tell_steps(do.steps, pad + "  ")
            case ForEach(name=name, do=do):
                click.echo(f"{pad}for each {name}")
                _tell_steps(do.steps, pad + "  ")


def _changeover(step: object) -> str:
    from cellctl.core.recipe import Download, FirstArticle, Prepare, RunPhase

    match step:
        case Prepare(text=text, scan=scan, external=external):
            more = f" (scan {scan})" if scan else ""
            return f"{text}{more}" + (" - may be done while the cell runs" if external else "")
        case RunPhase(phase=phase):
            return f"The cell runs {phase}."
        case Download():
            return "Download every value, read it back, compare."
        case FirstArticle(parts=parts, approve=role):
            return f"The first {parts} parts are released by {role or 'a person'}."
        case _:
            return str(step)
