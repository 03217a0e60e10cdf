"""The simulator models that a profile can name: those of installed packages, and those of the cell's models/*.py.

The rule kept here: no model is imported to know its name. A file whose `MODELS` is more than a plain mapping may bring
any name, so then none is called missing.
"""

import ast
from collections.abc import Iterable
from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

from cellctl.model.problems import Report, Wrong, did_you_mean
from cellctl.model.profile import Profile
from cellctl.model.python_source import parsed

GROUP = "cellctl.models"
_TABLE = "MODELS"


def check_models(folder: Path, profiles: Iterable[Profile], report: Report) -> None:
    """Report each profile that names a model which is nowhere, and each file of models that is not Python."""
    names, complete = set[str](), True
    for path in sorted((folder / "models").glob("*.py")):
        source = parsed(path, folder, report)
        named = _named(source[1]) if source else None
        names |= named or set()
        complete = complete and named is not None
    for profile in profiles if complete else ():
        if profile.file.sim is not None and (model := profile.file.sim.model) not in names | installed(model):
            hint = did_you_mean(model, sorted(names | installed()), f"write it into {_TABLE} of a file in models/")
            report.add(profile.document.at("sim", "model"), Wrong("E315", f"there is no model {model!r}", hint))


@cache
def installed(like: str = "") -> frozenset[str]:
    """The models of installed packages (entry points `cellctl.models`: packages with a file for each vendor); only
    those of the vendor of the model `like`, if it is given."""
    wanted = f"{like.partition('.')[0].replace('-', '_')}.py"
    found: set[str] = set()
    for point in entry_points(group=GROUP):
        for file in files(point.value).iterdir():
            if file.name == wanted if like else file.name.endswith(".py"):
                found |= _named(ast.parse(file.read_text("utf-8"))) or set()
    return frozenset(found)


def _named(tree: ast.Module) -> set[str] | None:
    """The names in `MODELS`; None if they cannot be seen without running the file."""
    tables = [each for each in tree.body if isinstance(each, ast.Assign | ast.AnnAssign) and _is_table(each)]
    mentions = sum(isinstance(each, ast.Name) and each.id == _TABLE for each in ast.walk(tree))
    imported = {each.asname or each.name for each in ast.walk(tree) if isinstance(each, ast.alias)}
    if mentions != len(tables) or imported & {_TABLE, "*"}:
        return None
    found: set[str] = set()
    for table in tables:
        if not isinstance(table.value, ast.Dict):
            return None
        keys = [each.value for each in table.value.keys if isinstance(each, ast.Constant)]
        if len(keys) != len(table.value.keys):
            return None
        found |= {each for each in keys if isinstance(each, str)}
    return found


def _is_table(statement: ast.Assign | ast.AnnAssign) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return any(isinstance(each, ast.Name) and each.id == _TABLE for each in targets)
