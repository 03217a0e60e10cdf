"""The documentation is true: generated pages are up to date, links lead somewhere, and what it shows passes the check.

The rule kept here: a page that has gone stale fails, with the command that mends it.
"""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from cellctl.model import check

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATED = _generator().PAGES


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == GENERATED[name](), f"docs/{name} is stale: run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        aim = (page.parent / name).resolve() if name else page
        if not aim.exists() or (anchor and anchor not in _anchors(aim)):
            broken.append(target)
    assert broken == []


def test_every_page_can_be_reached_from_the_index() -> None:
    reached: set[Path] = set()
    to_read = [ROOT / "docs" / "index.md"]
    while to_read:
        page = to_read.pop()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        to_read += [(page.parent / link).resolve() for link in links if not re.match(r"[a-z]+:", link)]
    assert [str(page.relative_to(ROOT)) for page in PAGES if page not in reached] == []


def _anchors(page: Path) -> set[str]:
    """The anchors that the headings of a page get: lower case, no punctuation, spaces to hyphens."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_examples_of_the_guides_make_a_cell_that_passes_the_check(tmp_path: Path) -> None:
    """The profile of one guide, the model of the next, the phase of the third and its recipe are one working cell."""
    (profile,) = _blocks("connect-a-device.md", "yaml", "signals:")
    (model,) = _blocks("simulate-a-device.md", "python", "class Press:")
    (phase,) = _blocks("write-a-phase.md", "python", "@phase")
    (step,) = _blocks("write-a-phase.md", "yaml", "- press:")
    files = {
        "cell.yaml": PRESS_CELL,
        "profiles/press.yaml": profile,
        "models/press.py": model,
        "phases/press.py": phase,
        "recipes/lid.yaml": PRESS_RECIPE + "".join(f"  {line}\n" for line in step.splitlines()),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert [str(problem) for problem in check(tmp_path).problems] == []


PRESS_CELL = """
cellctl: 1
cell: {id: press-cell, name: Press}
devices:
  press: {profile: example-press, at: "modbus://192.0.2.7"}
stations:
  press: {uses: [press]}
"""

PRESS_RECIPE = """
cellctl: 1
recipe: {id: lid, version: "1", product: LID}
parameters:
  force: {value: 1200 N, limits: 800..2000 N}
procedure:
"""


def _blocks(page: str, language: str, holding: str) -> list[str]:
    """The code blocks of a guide in `language` that hold `holding`."""
    text = (ROOT / "docs" / "how-to" / page).read_text(encoding="utf-8")
    return [block for block in re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL) if holding in block]
