"""The documentation is true: generated pages are up to date, links lead somewhere, and what it shows passes the check.

The rule kept here: a page that has gone stale fails, with the command that mends it.
"""

import ast
import importlib.util
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from ruamel.yaml import YAML

from cellctl.core.outbox import SNAPSHOT
from cellctl.model import check
from cellctl.runtime.beginning import END, START
from cellctl.runtime.control import CLOCK

ROOT = Path(__file__).parent.parent
CELLCTL = [sys.executable, "-m", "cellctl.cli"]
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_can_be_read(page: Path) -> None:
    for language, text in re.findall(r"```(\w+)\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
        if language == "python":
            compile(text, page.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        elif language == "yaml":
            assert YAML().load(text) is not None
        elif language == "json":
            assert json.loads(text)


def test_the_kinds_of_entries_in_the_journal_are_those_of_the_code() -> None:
    files = [*ROOT.glob("cellctl/core/*.py"), *ROOT.glob("cellctl/runtime/*.py")]
    code = "".join(file.read_text(encoding="utf-8") for file in files)
    written = set(re.findall(r"\bnote\(\s*\"([a-z.]+)\"", code)) | {START, END, CLOCK, SNAPSHOT}
    page = (ROOT / "docs" / "reference" / "journal.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z.]+)` \|", page, flags=re.MULTILINE)) == written


@pytest.fixture
def press_cell(tmp_path: Path) -> Path:
    """The cell of the second tutorial, put together from what the tutorial and the guides show."""
    files = {
        "cell.yaml": _block("tutorials/your-own-cell.md", "yaml", "devices:"),
        "profiles/press.yaml": _block("how-to/connect-a-device.md", "yaml", "signals:"),
        "phases/press.py": _block("how-to/write-a-phase.md", "python", "@phase"),
        "recipes/lid.yaml": _block("tutorials/your-own-cell.md", "yaml", "recipe:"),
        "models/press.py": _block("how-to/simulate-a-device.md", "python", "class Press:"),
        "models/world.py": _block("how-to/simulate-a-device.md", "python", "class PressWorld"),
        "tests/test_lids.py": _block("tutorials/your-own-cell.md", "python", "test_three_lids"),
        "tests/test_press.py": _block("how-to/write-a-phase.md", "python", "async def test_"),
    }
    for name, text in files.items():
        path = tmp_path / "press-cell" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "press-cell"


def test_the_cell_of_the_tutorial_passes_the_check(press_cell: Path) -> None:
    assert [str(problem) for problem in check(press_cell).problems] == []


def test_the_cell_of_the_tutorial_makes_its_lids(press_cell: Path) -> None:
    with _running(press_cell):
        for command in ("changeover lid --yes", "job add lid 3 --id j", "reset", "start"):
            _until(press_cell, command, "")
        parts = _until(press_cell, "parts", "j-0003")
    assert parts.count("good") == 3


def test_the_tests_of_the_cell_of_the_tutorial_pass(press_cell: Path) -> None:
    (press_cell / "models" / "world.py").unlink()  # of the guide, not of the tutorial: it would set the hardness
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(command, cwd=press_cell, capture_output=True, text=True, timeout=100, check=False)
    assert "3 passed" in done.stdout, done.stdout + done.stderr


@contextmanager
def _running(cell: Path) -> Iterator[None]:
    command = [*CELLCTL, "run", str(cell), "--sim", "all", "--speed", "4", "--http", "off"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            assert "runs" in process.stdout.readline()
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def _until(cell: Path, command: str, told: str) -> str:
    """What `command` prints as soon as it succeeds and tells what is waited for."""
    end = time.monotonic() + 90
    while True:
        arguments = [*CELLCTL, *command.split(), "--state", str(cell / ".cellctl")]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        if done.returncode == 0 and told in done.stdout:
            return done.stdout
        assert time.monotonic() < end, done.stdout + done.stderr
        time.sleep(0.1)


def _block(page: str, language: str, holding: str) -> str:
    """The one code block of a page in `language` that holds `holding`."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    (block,) = (block for block in re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL) if holding in block)
    return str(block)
