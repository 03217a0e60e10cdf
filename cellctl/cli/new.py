"""Starters: files with comments that pass `check` as they are, to be changed step by step.

The rule kept here: nothing that exists is ever written over.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from cellctl.cli.terminal import INVALID, Failure, say

#: The word in a starter that stands for the name.
PLACEHOLDER = "STARTER"
SUFFIX = ".starter"

OF_CELL = click.option("--cell", default=".", show_default=True, help="The cell that it is for.")


def _id(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9_-]{0,40}", value) is None:
        raise click.BadParameter("small letters, digits, - and _, beginning with a letter", ctx, param)
    return value


def _word(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9_]{0,40}", value) is None:
        raise click.BadParameter("small letters, digits and _, beginning with a letter", ctx, param)
    return value


@click.group()
def new() -> None:
    """Write a commented starter that passes `check`."""


@new.command()
@click.argument("name", callback=_id)
@click.option("--from", "origin", metavar="BUNDLED", help="Copy this bundled cell, such as battery-module.")
def cell(name: str, origin: str | None) -> None:
    """A cell in the folder NAME: cell file, profile, device model, phase, recipe, tests."""
    target = Path(name)
    if target.exists():
        raise Failure(f"{target} exists already.")
    if origin is None:
        texts = {path: text.replace(PLACEHOLDER, name) for path, text in _starters(_starter("cell")).items()}
    else:
        texts = _copied(origin, name)
    for path, text in texts.items():
        _write(target / path, text)
    say(f"Next: cellctl check {name}, then cellctl run {name} --sim all")


@new.command()
@click.argument("name", callback=_word)
@OF_CELL
def phase(name: str, cell: str) -> None:
    """A phase in phases/NAME.py."""
    text = _starter("phase.py").read_text(encoding="utf-8")
    _write(_folder(cell) / "phases" / f"{name}.py", text.replace(PLACEHOLDER, name))


@new.command()
@click.argument("name", callback=_word)
@OF_CELL
def test(name: str, cell: str) -> None:
    """A test in tests/test_NAME.py."""
    text = _starter("test.py").read_text(encoding="utf-8")
    _write(_folder(cell) / "tests" / f"test_{name}.py", text.replace(PLACEHOLDER, name))


@new.command()
@click.argument("name", callback=_id)
@click.option("--from", "origin", metavar="BUNDLED", help="Copy this bundled profile, such as eastron.sdm630.")
@OF_CELL
def device(name: str, origin: str | None, cell: str) -> None:
    """A device type in profiles/NAME.yaml."""
    from cellctl.gateway.told import unknown
    from cellctl.model.profile import bundled

    if origin is None:
        text = _starter("device.yaml").read_text(encoding="utf-8").replace(PLACEHOLDER, name)
    elif origin in bundled():
        text = _renamed(bundled()[origin].read_text(encoding="utf-8"), origin, name)
    else:
        raise Failure(unknown("bundled profile", origin, bundled()))
    _write(_folder(cell) / "profiles" / f"{name}.yaml", text)


@new.command()
@click.argument("name", callback=_id)
@click.option("--from", "origin", metavar="RECIPE", help="The recipe that it extends  [default: the first of the cell]")
@OF_CELL
def recipe(name: str, origin: str | None, cell: str) -> None:
    """A recipe in recipes/NAME.yaml that takes everything from another and changes what you change."""
    from cellctl.cli.run import checked
    from cellctl.gateway.told import unknown

    folder, model = checked(cell)
    recipes = model.equipment.recipes
    if not recipes:
        raise Failure("This cell has no recipe that could be extended.")
    origin = origin or next(iter(recipes))
    if origin not in recipes:
        raise Failure(unknown("recipe", origin, recipes))
    values = {p.name: f"{p.value} {p.unit}".rstrip() for p in recipes[origin].parameters.values()}
    changes = "\n".join(f"#  {key}: {value}" for key, value in values.items())
    text = _starter("recipe.yaml").read_text(encoding="utf-8")
    for word, filled in {
        f"{PLACEHOLDER}-ORIGIN": origin,
        f"{PLACEHOLDER}-CELL": model.equipment.id,
        f"{PLACEHOLDER}-PRODUCT": recipes[origin].product,
        f"{PLACEHOLDER}-VALUES": changes,
        PLACEHOLDER: name,
    }.items():
        text = text.replace(word, filled)
    _write(folder / "recipes" / f"{name}.yaml", text)


def _starter(name: str) -> Traversable:
    return files("cellctl.cli") / "starters" / (name if name == "cell" else name + SUFFIX)


def _starters(folder: Traversable, below: str = "") -> Mapping[str, str]:
    """The texts in a folder of starters, by the path that each is to have."""
    found: dict[str, str] = {}
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        path = f"{below}{item.name}"
        if item.is_dir():
            found |= _starters(item, f"{path}/")
        elif item.name.endswith(SUFFIX):
            found[path.removesuffix(SUFFIX)] = item.read_text(encoding="utf-8")
    return found


def _copied(origin: str, name: str) -> dict[str, str]:
    """The texts of a bundled cell under another id."""
    from cellctl import model
    from cellctl.gateway.told import unknown

    cells = model.bundled_cells()
    if origin not in cells:
        raise Failure(unknown("bundled cell", origin, cells))
    known = model.load(cells[origin]).equipment.id
    paths = sorted(path for path in cells[origin].rglob("*") if path.is_file() and path.suffix in (".yaml", ".py"))
    texts = {str(path.relative_to(cells[origin])): path.read_text(encoding="utf-8") for path in paths}
    return {path: _renamed(text, known, name) for path, text in texts.items()}


def _renamed(text: str, known: str, name: str) -> str:
    """The text of a file with the id in its head, and the cell that it is for, changed."""
    return re.sub(rf"\b((?:id|cell): ){re.escape(known)}(?=[\s,}}]|$)", rf"\g<1>{name}", text)


def _folder(cell: str) -> Path:
    from cellctl import model

    try:
        return model.find_cell(cell)
    except model.FilesInvalid as invalid:
        raise Failure(f"{invalid.problems[0].message}.", INVALID, invalid.problems[0].hint) from invalid


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Failure(f"{path} exists already.") from None
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}.") from error
    click.echo(path)
