"""What the pages on the test kit show is true: their examples run in a repository of its own, and tell what they say.

The rule kept here: the files are those of the pages, in the order in which a reader writes them.
"""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
TUTORIAL, FAULTS, CI = "tutorials/test-a-phase.md", "how-to/inject-a-fault.md", "how-to/test-in-ci.md"

#: The pages show a terminal of this width.
WIDE = {**os.environ, "COLUMNS": "80"}

#: What a run of the examples may cost, seconds of processor time: a reader does not wait.
RUN_S_MAX = 10.0


def files(page: str) -> Iterator[tuple[str, str, bool]]:
    """The files that a page has its reader write: path, text, and whether it is added to what is there."""
    text = (DOCS / page).read_text(encoding="utf-8")
    pattern = r"(add\s+to\s+)?`([\w/.-]+\.(?:py|yaml|toml))`:\n\n```\w+\n(.*?)```"
    for added, path, block in re.findall(pattern, text, flags=re.DOTALL | re.IGNORECASE):
        yield path, block, bool(added)


def outputs(page: str) -> list[list[str]]:
    """What a page says that pytest tells: the lines of each such block, without what is left out."""
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```text\n(.*?)```", text, flags=re.DOTALL)
    return [[line for line in block.splitlines() if line.strip() not in ("", "...")] for block in blocks]


def write(repository: Path, *pages: str, only: str = "") -> None:
    for page in pages:
        for name, text, added in files(page):
            if name == only or not only:
                path = repository / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text((path.read_text() + "\n\n" if added else "") + text, encoding="utf-8")


def run(repository: Path, *command: str) -> tuple[int, str]:
    argv = [sys.executable, "-m", *command]
    done = subprocess.run(argv, cwd=repository, capture_output=True, text=True, timeout=100, check=False, env=WIDE)
    return done.returncode, re.sub(r", commit [\w-]+", "", done.stdout + done.stderr)


def examined(repository: Path, *further: str) -> tuple[int, str]:
    """What pytest says, within the time that it may take."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = run(repository, "pytest", "-p", "no:cacheprovider", *further)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < RUN_S_MAX, told[1]
    return told


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """After the first step of the tutorial."""
    code, told = run(tmp_path, "cellctl.cli", "new", "cell", "oven")
    assert code == 0, told
    write(tmp_path, TUTORIAL, only="pyproject.toml")
    return tmp_path


def test_the_first_test_of_the_tutorial_fails_as_it_shows_and_passes_with_the_phase(repository: Path) -> None:
    path, text, _ = next(file for file in files(TUTORIAL) if file[0].startswith("tests/"))
    (repository / "tests").mkdir()
    (repository / path).write_text(text)
    code, told = examined(repository, "tests")
    assert code == 1
    assert [line for line in outputs(TUTORIAL)[0] if line not in told.splitlines()] == []
    write(repository, TUTORIAL, only="oven/phases/cooling.py")
    write(repository, TUTORIAL, only="oven/recipes/first.yaml")
    code, told = examined(repository, "tests")
    assert (code, "1 passed" in told) == (0, True), told


def test_the_tests_of_the_tutorial_pass_and_the_forgotten_one_fails_as_it_shows(repository: Path) -> None:
    write(repository, TUTORIAL)
    code, told = examined(repository)
    assert (code, "1 failed, 6 passed" in told) == (1, True), told
    assert [line for line in outputs(TUTORIAL)[1] if line not in told.splitlines()] == []
    assert "clock.py" not in told, "a test that fails shows its own lines"


def test_the_coverage_of_the_tutorial_is_what_the_guide_shows(repository: Path) -> None:
    write(repository, TUTORIAL)
    (repository / "tests" / "test_forgotten.py").unlink()
    coverage = ("--cell-cov", "--cell-cov-html=coverage", "--cell-cov-fail-under=40")
    code, told = examined(repository, "--numprocesses=2", "--override-ini=asyncio_mode=auto", *coverage)
    assert code == 0, told
    assert "\n".join(outputs(CI)[0]) in re.sub(r"\n\n+", "\n", told)
    assert (repository / "coverage" / "index.html").is_file()


def test_the_tests_of_the_guides_pass_side_by_side(repository: Path) -> None:
    write(repository, FAULTS, CI)
    code, told = examined(repository, "tests", "--numprocesses=2")
    assert (code, "7 passed" in told) == (0, True), told
