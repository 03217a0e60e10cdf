"""Whatever stands in the files: a list of problems, each with place, code and hint, and never an exception."""

import random
import shutil
from pathlib import Path

import pytest

from cellctl.model import check
from cellctl.model.codes import CODES

CELL = Path(__file__).parents[2] / "recipes" / "battery-module"
KINDS = ("*.yaml", "profiles/*.yaml", "recipes/*.yaml", "phases/*.py")
PIECES = (
    "[", "]", "{}", "{a: {b: []}}", ": ", "- ", "$x", "5 V", "true", "null", "''", "~", "1..2", "2..1 W", "await ",
    "c.", "(", '"', "#", "&a ", "*a", "!secret x", "0x", "for", "not ", "retry 2 then ask", "9" * 30, "-1", "{en: 1}",
    "é", "\n",
)  # fmt: skip
ROUNDS = 12


def spoilt(text: str, chance: random.Random) -> str:
    """The text with something put in, taken out, or exchanged."""
    at = chance.randrange(len(text) + 1)
    match chance.randrange(4):
        case 0:
            return text[:at] + chance.choice(PIECES) + text[at:]
        case 1:
            return text[:at] + text[at + chance.randrange(1, 12) :]
        case 2:
            lines = text.splitlines(keepends=True)
            lines.insert(chance.randrange(len(lines)), lines.pop(chance.randrange(len(lines))))
            return "".join(lines)
        case _:
            words = text.split(" ")
            words[chance.randrange(len(words))] = chance.choice((*PIECES, chance.choice(words)))
            return " ".join(words)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_spoilt_files_give_problems(tmp_path: Path, kind: str, seed: int):
    cell = Path(shutil.copytree(CELL, tmp_path / "cell", ignore=shutil.ignore_patterns("__pycache__")))
    chance = random.Random(f"{kind}/{seed}")
    for _ in range(ROUNDS):
        file = chance.choice(sorted(cell.glob(kind)))
        whole = file.read_text("utf-8")
        file.write_text(spoilt(spoilt(whole, chance), chance), "utf-8")
        checked = check(cell)
        assert (checked.model is None) == any(problem.severity == "error" for problem in checked.problems)
        for problem in checked.problems:
            assert problem.code in CODES
            assert problem.hint, problem
            assert min(problem.line, problem.column) >= 1
        file.write_text(whole, "utf-8")
