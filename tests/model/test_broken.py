"""Every mistake a person makes is told at its place, with its code and a hint that helps."""

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from cellctl.model import check
from cellctl.model.codes import CODES

CELL = Path(__file__).parents[2] / "recipes" / "battery-module"
CORPUS = Path(__file__).parents[1] / "data" / "broken"
MISTAKES = [
    mistake for file in sorted(CORPUS.glob("*.yaml")) for mistake in YAML(typ="safe").load(file.read_text("utf-8"))
]
#: A mistake may have a consequence or two, but it must not bury itself under them.
PROBLEMS_MAX = 3


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    """A copy of the bundled cell, to be broken."""
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(CELL, tmp_path / "battery-module", ignore=ignored))


def test_the_bundled_cell_has_no_problems() -> None:
    assert check(CELL).problems == ()


def test_the_corpus_is_large_and_its_mistakes_differ() -> None:
    assert len({mistake["name"] for mistake in MISTAKES}) == len(MISTAKES) > 100


@pytest.mark.parametrize("mistake", [pytest.param(one, id=one["name"].replace(" ", "_")) for one in MISTAKES])
def test_a_mistake_is_told_at_its_place(cell: Path, mistake: dict[str, str]) -> None:
    line, column = _break(cell, mistake)
    checked = check(cell)
    told = [str(problem) for problem in checked.problems]
    found = [
        problem
        for problem in checked.problems
        if (Path(problem.file), problem.line, problem.column, problem.code)
        == (cell / mistake["file"], line, column, mistake["code"])
    ]
    assert found, f"{line}:{column} {mistake['code']} is not among {told}"
    assert mistake["hint"] in found[0].hint
    assert found[0].hint.removeprefix("there are: ") not in found[0].message
    assert mistake["code"] in CODES
    assert len(told) <= PROBLEMS_MAX, told
    assert (checked.model is None) == (found[0].severity == "error")


def _break(cell: Path, mistake: dict[str, str]) -> tuple[int, int]:
    """Make the edit; line and column of what must be told."""
    file = cell / mistake["file"]
    text = file.read_text("utf-8") if file.exists() else ""
    if mistake["old"]:
        assert text.count(mistake["old"]) >= 1, "the edit does not fit the file any more"
    text = text.replace(mistake["old"], mistake["new"], 1)
    file.write_text(text, "utf-8")
    assert mistake["at"] in text
    start = text.rindex(mistake["at"]) if "last" in mistake else text.index(mistake["at"], _from(text, mistake))
    return text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)


def _from(text: str, mistake: dict[str, str]) -> int:
    """Where to look for the place: at the edit, unless it is the first of the file."""
    return 0 if "first" in mistake or not mistake["new"] else max(0, text.index(mistake["new"]) - len(mistake["at"]))
