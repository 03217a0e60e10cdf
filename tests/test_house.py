"""The house rules that a machine can see.

The rule kept here: each test names every place that breaks its rule, so that one run is enough to mend them all.
"""

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PACKAGES = (ROOT / "cellctl", ROOT / "drivers" / "cellctl_drivers", ROOT / "simulators" / "cellctl_simulators")

LINES_MAX = 400
FUNCTION_LINES_MAX = 60
PARAMETERS_MAX = 5

#: Words that say nothing about what a thing is.
BANNED_NAMES = ("manager", "handler", "helper", "service", "engine", "util", "utils", "base")

#: Licences that a program under Apache-2.0 may not be combined with at run time. The LGPL may be used as a library.
COPYLEFT = re.compile(r"(?<!L)(?<!Lesser )\b(A?GPL|GNU (Affero )?General Public)", re.IGNORECASE)


def tracked(*patterns: str) -> list[Path]:
    """The files of the repository that git knows, or would add."""
    arguments = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def sources(*folders: str) -> Iterator[tuple[str, ast.Module, str]]:
    """Every Python file as (path, tree, text)."""
    for path in tracked(*(f"{folder}/*.py" for folder in folders)):
        text = path.read_text(encoding="utf-8")
        yield str(path.relative_to(ROOT)), ast.parse(text), text


ALL = ("cellctl", "drivers", "simulators", "recipes", "tests", "benchmarks", "docs")
PRODUCT = ("cellctl", "drivers", "simulators", "recipes")


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    long = [f"{name}: {len(text.splitlines())} lines" for name, _, text in sources(*ALL) if _too_long(name, text)]
    assert not long, "\n".join(long)


def _too_long(name: str, text: str) -> bool:
    return len(text.splitlines()) > LINES_MAX and not name.startswith("tests/data/")


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{name}:{function.lineno} {function.name}: {lines} lines"
        for name, tree, _ in sources(*ALL)
        for function in functions(tree)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert not long, "\n".join(long)


def test_parameters_are_few() -> None:
    wrong = [
        f"{name}:{function.lineno} {function.name}"
        for name, tree, _ in sources("cellctl", "drivers", "simulators")
        for function in functions(tree)
        if _parameters_too_many(function)
    ]
    assert not wrong, "\n".join(wrong)


def _parameters_too_many(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    if any("command" in ast.unparse(decorator) for decorator in function.decorator_list):
        return False  # what `click` hands over is named by the options above it
    arguments = function.args
    names = [item.arg for item in arguments.posonlyargs + arguments.args + arguments.kwonlyargs]
    return len(names) - (names[:1] in (["self"], ["cls"])) > PARAMETERS_MAX


def test_names_say_what_a_thing_is() -> None:
    named = [
        f"{name}: {word}"
        for name, tree, _ in sources(*PRODUCT)
        for word in [Path(name).stem, *(node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
        if _words(word) & set(BANNED_NAMES)
    ]
    assert not named, "\n".join(named)


def _words(name: str) -> set[str]:
    """The words of a snake_case or CamelCase name."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def test_every_module_says_what_it_is() -> None:
    silent = [name for name, tree, _ in sources(*PRODUCT, "tests", "benchmarks", "docs") if not ast.get_docstring(tree)]
    assert not silent, "\n".join(silent)


def test_nothing_is_left_for_later() -> None:
    words = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b|\bNotImplemented" r"Error\b")
    found = [f"{name}: {match.group()}" for name, _, text in sources(*ALL) for match in words.finditer(text)]
    assert not found, "\n".join(found)


def test_no_test_is_skipped_or_cannot_fail() -> None:
    never = re.compile(r"pytest\.mark\.(skip|xf" r"ail)\b|assert T" r"rue\b")
    found = [f"{name}: {match.group()}" for name, _, text in sources("tests") for match in never.finditer(text)]
    assert not found, "\n".join(found)


def test_no_file_names_this_machine_or_a_package_registry() -> None:
    """The folder of the checkout, the home of whoever works here, and the hosts that packages come from."""
    machine = [
        str(ROOT),
        str(ROOT.parent) + "/",
        str(Path.home()) + "/",
        "pypi" + ".org",
        "python" + "hosted",
        "npm" + "js.",
    ]
    registry = re.compile(r"--(extra-)?index-url|--find-links|--trusted-host")
    found = []
    for path in tracked():
        text = path.read_bytes().decode("utf-8", errors="replace")
        name = str(path.relative_to(ROOT))
        found += [f"{name}: {word}" for word in machine if len(word) > 2 and word in text]
        found += [f"{name}: {match.group()}" for match in registry.finditer(text) if name.startswith("requirements/")]
    assert not found, "\n".join(found)


def test_pinned_requirements_are_hashed() -> None:
    for path in tracked("requirements/*.txt"):
        lines = path.read_text().splitlines()
        pins = [line for line in lines if not line.startswith("    --hash=sha256:")]
        assert pins, path.name
        assert [line for line in pins if not re.fullmatch(r"[a-z0-9.-]+==[^ ]+( ; .+)? \\", line)] == [], path.name


def test_pinned_packages_in_javascript_are_hashed_and_name_no_registry() -> None:
    lock = json.loads((ROOT / "requirements" / "js" / "package-lock.json").read_text())
    wanted = json.loads((ROOT / "requirements" / "js" / "package.json").read_text())["dependencies"]
    assert lock["packages"][""]["dependencies"] == wanted, "run `make lock`"
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    assert [name for name, package in packages.items() if not package["integrity"].startswith("sha512-")] == []
    assert "://" not in json.dumps(lock)


def test_no_library_at_run_time_is_under_a_copyleft_licence() -> None:
    found = [f"{name}: {licence}" for name, licence in _licences("cellctl[all]").items() if COPYLEFT.search(licence)]
    assert not found, "\n".join(found)


def test_the_look_at_licences_tells_gpl_from_lgpl() -> None:
    assert COPYLEFT.search("GPL-3.0-or-later")
    assert COPYLEFT.search("License :: OSI Approved :: GNU Affero General Public License v3")
    assert not COPYLEFT.search("LGPL-3.0-or-later")
    assert not COPYLEFT.search("GNU Lesser General Public License v3 or later (LGPLv3+)")


def _licences(requirement: str) -> dict[str, str]:
    """What is installed because of `requirement`, with all that its metadata says of its licence."""
    licences: dict[str, str] = {}
    open_requirements = [Requirement(requirement)]
    seen: set[tuple[str, frozenset[str]]] = set()
    while open_requirements:
        wanted = open_requirements.pop()
        key = (wanted.name.lower().replace("_", "-"), frozenset(wanted.extras))
        if key in seen:
            continue
        seen.add(key)
        try:
            metadata = importlib.metadata.metadata(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            pytest.fail(f"{wanted.name} is needed at run time and not installed")
        told = [*metadata.get_all("License-Expression", []), *metadata.get_all("License", [])]
        told += [line for line in metadata.get_all("Classifier", []) if line.startswith("License ::")]
        assert told, f"{wanted.name} does not tell its licence"
        licences[key[0]] = " | ".join(line.splitlines()[0] for line in told if line)
        for line in metadata.get_all("Requires-Dist", []):
            further = Requirement(line)
            environments = [{"extra": extra} for extra in wanted.extras] or [{"extra": ""}]
            if further.marker is None or any(further.marker.evaluate(environment) for environment in environments):
                open_requirements.append(further)
    return licences


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as a user gets it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_three_packages_and_the_bundled_cells(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert top == {"cellctl", "cellctl_drivers", "cellctl_simulators"}
    for name in ("cellctl/py.typed", "cellctl_drivers/py.typed", "cellctl_simulators/py.typed"):
        assert name in names
    assert "cellctl/bundled/battery-module/cell.yaml" in names
    assert "cellctl_drivers/profiles/eastron/sdm630.yaml" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert [name for name in names if "__pycache__" in name or name.endswith(".pyc")] == []


def test_the_installed_wheel_owns_no_generic_name(wheel: Path, tmp_path: Path) -> None:
    python = _fresh_environment(tmp_path, wheel)
    for name in ("cellctl", "cellctl_drivers", "cellctl_simulators"):
        assert _import(python, name, tmp_path) == ""
    for name in ("drivers", "simulators", "recipes", "tests", "docs"):
        assert "ModuleNotFoundError" in _import(python, name, tmp_path), name


def test_the_installed_wheel_finds_and_checks_its_bundled_cell(wheel: Path, tmp_path: Path) -> None:
    python = _fresh_environment(tmp_path, wheel)
    command = [python, "-I", "-c", "from cellctl.cli import main; main()", "check", "battery-module"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _fresh_environment(folder: Path, wheel: Path) -> str:
    """The python of a new environment with the wheel installed and our own libraries beside it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    zipfile.ZipFile(wheel).extractall(packages)
    libraries = Path(pytest.__file__).parent.parent
    (packages / "libraries.pth").write_text(f"import sys; sys.path.append({str(libraries)!r})\n")
    return str(folder / "venv" / "bin" / "python")


def _import(python: str, name: str, folder: Path) -> str:
    """What importing `name` writes to stderr; "" if it went well."""
    command = [python, "-I", "-c", f"import {name}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stderr
