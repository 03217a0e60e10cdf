"""The commands that need no running cell: check, explain, schema, diagram, recipes, starters."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cellctl.core.packml import COMMANDS, STATE_COMPLETE, State
from tests.cli.terminal import run

#: What takes long to import and is needed by no help and no status.
HEAVY = {"pydantic", "fastapi", "starlette", "uvicorn", "ruamel", "asyncua", "pymodbus", "serial", "structlog", "rich"}


@pytest.fixture
def cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh starter, in which the test stands."""
    monkeypatch.chdir(tmp_path)
    assert run("new", "cell", "oven1").code == 0
    monkeypatch.chdir(tmp_path / "oven1")
    return tmp_path / "oven1"


@pytest.fixture
def broken(cell: Path) -> Path:
    """A cell with one mistake, in the tenth line."""
    file = cell / "cell.yaml"
    lines = file.read_text().splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("stations:"))
    lines[place] = "statoins:"
    file.write_text("\n".join(lines))
    return cell


@pytest.mark.parametrize("words", [(), ("battery-module",)])
def test_a_sound_cell_passes(cell: Path, words: tuple[str, ...]) -> None:
    result = run("check", "--strict", *words)
    assert (result.code, result.out, result.err) == (0, "", "No problem was found.\n")


def test_a_mistake_is_one_line_and_exit_3(broken: Path) -> None:
    result = run("check")
    assert result.code == 3
    line = next(line for line in result.out.splitlines() if "statoins" in line)
    assert re.match(r"cell\.yaml:\d+:1: E\d{3} .*statoins.*Did you mean 'stations'\?$", line), line


def test_the_json_form_has_the_published_fields(broken: Path) -> None:
    result = run("check", "--json")
    told = json.loads(result.out)
    assert (result.code, told["schema"]) == (3, "cellctl.check/1")
    assert set(told["problems"][0]) == {"file", "line", "column", "code", "severity", "message", "hint"}
    assert json.loads(run("check", "--format", "json").out) == told


def test_the_forms_for_forges(broken: Path) -> None:
    line = run("check", "--format", "github").out.splitlines()[0]
    assert line.startswith("::error file=")
    assert "line=" in line
    told = json.loads(run("check", "--format", "sarif").out)
    result = told["runs"][0]["results"][0]
    assert (told["version"], result["level"]) == ("2.1.0", "error")
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] > 1


def test_a_path_that_is_no_cell_is_told(tmp_path: Path) -> None:
    result = run("check", str(tmp_path / "nothing"))
    assert result.code == 3
    assert "nothing" in result.out
    assert run("recipe", "list", "--cell", str(tmp_path)).code == 3


def test_explain_knows_the_codes_that_check_tells(broken: Path) -> None:
    code = json.loads(run("check", "--json").out)["problems"][0]["code"]
    assert code in run("explain", code).out
    result = run("explain", "E000")
    assert (result.code, result.err) == (1, "There is no code 'E000'.\n")


@pytest.mark.parametrize("kind", ["cell", "profile", "recipe"])
def test_schemas_are_json(kind: str) -> None:
    assert "$schema" in json.loads(run("schema", kind).out) or "properties" in json.loads(run("schema", kind).out)


def test_the_diagram_has_every_state_and_every_arrow() -> None:
    lines = [line.strip() for line in run("diagram").out.splitlines()]
    assert {state.title for state in State} <= set(lines)
    for here, there in STATE_COMPLETE.items():
        assert f"{here.title} --> {there.title}: SC" in lines
    for command, (sources, target) in COMMANDS.items():
        arrows = [line for line in lines if line.endswith(f"--> {target.title}: {command.title}")]
        assert len(arrows) == (len(sources) if len(sources) <= 5 else 1)


def test_recipes_are_listed_shown_and_compared() -> None:
    told = json.loads(run("recipe", "list", "--cell", "battery-module", "--json").out)
    assert [one["id"] for one in told["recipes"]] == ["module-12s", "module-8s"]
    shown = run("recipe", "show", "module-12s", "--cell", "battery-module").out
    for text in (
        "weld_power  1450 W",
        "1300..1550  1430..1470  laser.power",
        "hipot  (when hipot_test)",
        "(scan F-12S)",
    ):
        assert text in shown
    told = json.loads(run("recipe", "diff", "module-12s", "module-8s", "--cell", "battery-module", "--json").out)
    assert {one["parameter"] for one in told["changes"]} == {"points", "product", "weld_power"}
    result = run("recipe", "show", "module-9s", "--cell", "battery-module")
    assert (result.code, result.err) == (1, "There is no recipe 'module-9s'. Did you mean 'module-8s'?\n")


@pytest.mark.parametrize(
    "words",
    [
        ("phase", "rinse"),
        ("test", "rinsing"),
        ("device", "pump"),
        ("device", "meter2", "--from", "eastron.sdm630"),
        ("recipe", "second"),
        ("recipe", "third", "--from", "oven1-first"),
    ],
)
def test_every_starter_passes_the_check(cell: Path, words: tuple[str, ...]) -> None:
    result = run("new", *words)
    assert result.code == 0, result.err
    assert (cell / result.out.strip()).is_file() or Path(result.out.strip()).is_file()
    assert "STARTER" not in Path(result.out.strip()).read_text()
    result = run("check", "--strict")
    assert (result.code, result.out) == (0, "")
    again = run("new", *words)
    assert (again.code, again.err.endswith("exists already.\n")) == (1, True)


def test_a_bundled_cell_is_copied_under_a_new_id(cell: Path) -> None:
    assert run("new", "cell", "bm7", "--from", "battery-module").code == 0
    assert run("check", "--strict", "bm7").code == 0
    assert "bm1\n" not in (cell / "bm7" / "cell.yaml").read_text()
    result = run("new", "cell", "bm8", "--from", "batery-module")
    assert (result.code, result.err) == (
        1,
        "There is no bundled cell 'batery-module'. Did you mean 'battery-module'?\n",
    )


@pytest.mark.parametrize(
    "words", [("cell", "../up"), ("cell", "Oven"), ("phase", "a-b"), ("device", ""), ("recipe", "a b")]
)
def test_a_wrong_name_is_exit_2(cell: Path, words: tuple[str, str]) -> None:
    assert run("new", *words).code == 2


def test_the_tests_of_a_starter_pass(cell: Path) -> None:
    assert run("new", "test", "files_again").code == 0
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(cell)]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd=cell)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    "words", [["--help"], ["job", "--help"], ["version"], ["status", "--url", "http://127.0.0.1:9"]]
)
def test_help_and_status_import_nothing_heavy(words: list[str]) -> None:
    code = f"""
import sys
sys.argv = ["cellctl", *{words!r}]
from cellctl.cli import main
try:
    main()
finally:
    print("IMPORTED", *sorted(sys.modules))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    imported = set(result.stdout.partition("IMPORTED")[2].split())
    assert "cellctl.cli" in imported
    assert imported & HEAVY == set()


def test_help_lists_every_command_by_its_heading() -> None:
    told = run("--help").out
    for heading in ("Begin:", "Run:", "Operate:", "Look up:", "Reference:"):
        assert heading in told
    for command in ("demo", "changeover", "unsuspend", "journal"):
        assert f"\n  {command} " in told


def test_an_unknown_command_names_the_nearest() -> None:
    result = run("stauts")
    assert (result.code, "There is no command 'stauts'. Did you mean 'status'?" in result.err) == (2, True)
    assert run("frobnicate").code == 2


def test_the_modes_are_in_the_help() -> None:
    assert "{production|maintenance|" in run("mode", "--help").out


def test_every_command_of_the_table_is_there() -> None:
    from cellctl.cli import COMMANDS as TABLE

    for commands in TABLE.values():
        for name in commands:
            result = run(name, "--help")
            assert result.code == 0, name
            assert result.out.startswith("Usage: ")


def test_output_that_nobody_reads_is_no_traceback() -> None:
    argv = f"{sys.executable} -m cellctl.cli diagram | head -n 1"
    result = subprocess.run(argv, shell=True, capture_output=True, text=True, timeout=30, env={**os.environ})
    assert result.stdout == "stateDiagram-v2\n"
    assert result.stderr == ""


def test_a_mistake_of_the_program_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise RuntimeError("boom\nbang")

    monkeypatch.setattr("cellctl.cli.diagram.mermaid", fail)
    result = run("diagram")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("cellctl made a mistake: RuntimeError: boom bang (")
