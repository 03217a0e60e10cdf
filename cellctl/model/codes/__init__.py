"""What every code means: the pages of `cellctl explain`.

The rule kept here: a code, once given, keeps its meaning. E is an error, W a warning; the first digit tells where:
1 any file, 2 the cell, 3 a profile, 4 a phase, 5 a recipe, 6 what to try.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cellctl.model.codes.cell import CELL
from cellctl.model.codes.files import FILES
from cellctl.model.codes.phase import PHASE
from cellctl.model.codes.profile import PROFILE
from cellctl.model.codes.recipe import RECIPE
from cellctl.model.codes.whatif import WHATIF


@dataclass(frozen=True, slots=True)
class Explanation:
    """One code: a title, what it means and why it is an error, and an example that is wrong and one that is right."""

    code: str
    title: str
    meaning: str
    wrong: str
    right: str

    def __str__(self) -> str:
        wrong, right = (_indented(example) for example in (self.wrong, self.right))
        return f"{self.code}: {self.title}\n\n{self.meaning}\n\nWrong:\n{wrong}\n\nRight:\n{right}"


def explain(code: str) -> Explanation:
    """The page of a code; KeyError if there is none."""
    return CODES[code.upper()]


def _indented(example: str) -> str:
    return "\n".join(f"    {line}" for line in example.splitlines())


CODES: Mapping[str, Explanation] = {
    code: Explanation(code, *texts)
    for table in (FILES, CELL, PROFILE, PHASE, RECIPE, WHATIF)
    for code, texts in table.items()
}
