"""The guides to adding a device type and a driver are true: their files are written, their commands say what is shown.

The rule kept here: the package of the guide is found as an installed one is, by what its `pyproject.toml` says; only
pip is left out. Ports are others.
"""

import os
import re
import shlex
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

GUIDES = Path(__file__).parents[1] / "docs" / "how-to"
LIMIT_S = 60

#: What stands in the guides at the beginning of a command, and what that is here.
HERE = {"cellctl": [sys.executable, "-m", "cellctl.cli"], "python": [sys.executable], "sed": ["sed"]}

#: Commands of the guides that install, or end only when somebody ends them.
LEFT_OUT = ("pip install", "cellctl run")


class Reader:
    """Somebody who follows a guide in an empty folder. `port` is used where the guide says `of_guide`."""

    def __init__(self, folder: Path, guide: str, of_guide: str) -> None:
        self.folder = folder
        self._page = (GUIDES / guide).read_text(encoding="utf-8")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])
        self._of_guide = of_guide
        path = os.pathsep.join([str(folder), str(folder / "site"), *sys.path])
        self._environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "120"}

    def write(self) -> None:
        """All files of the guide."""
        for name, text in re.findall(r"`([\w/.-]+\.(?:py|yaml|toml))`:\n\n```\w+\n(.*?)```", self._page, re.DOTALL):
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._own(text), encoding="utf-8")

    def install(self) -> None:
        """What pip would leave behind of `pyproject.toml`."""
        project = tomllib.loads((self.folder / "pyproject.toml").read_text("utf-8"))["project"]
        told = self.folder / "site" / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        told.mkdir(parents=True)
        head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        (told / "METADATA").write_text(head, encoding="utf-8")
        lines = []
        for group, points in project["entry-points"].items():
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
        (told / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")

    def change(self, name: str, old: str, new: str) -> None:
        """Change a file that was written."""
        path = self.folder / name if (self.folder / name).exists() else next((self.folder / "site").glob(f"*/{name}"))
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def steps(self) -> Iterator[tuple[str, str]]:
        """Each command of the guide, with what is shown below it."""
        for block in re.findall(r"```console\n(.*?)```", self._page, re.DOTALL):
            for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", self._own(block), re.MULTILINE):
                if not command.startswith(LEFT_OUT):
                    yield command, shown

    def follow(self) -> int:
        """Type each command, and see what the guide shows; how many there are."""
        steps = list(self.steps())
        for command, shown in steps:
            told = self.types(command).splitlines()
            assert [line for line in shown.splitlines() if line not in told] == [], f"{command}\n{told}"
        return len(steps)

    def types(self, command: str) -> str:
        """What a command says, on both streams."""
        first, *words = shlex.split(command)
        argv = [*HERE[first], *words]
        done = subprocess.run(
            argv, cwd=self.folder, env=self._environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        return done.stdout + done.stderr

    @contextmanager
    def beside(self, *words: str) -> Iterator[None]:
        """A far end in a terminal of its own, as soon as it listens."""
        with subprocess.Popen([sys.executable, *words], cwd=self.folder, env=self._environment) as process:
            end_s = time.monotonic() + LIMIT_S
            try:
                while not self._listens():
                    assert process.poll() is None
                    assert time.monotonic() < end_s
                    time.sleep(0.05)
                yield
            finally:
                process.kill()

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", int(self.port)), 1):
            return True
        return False

    def _own(self, text: str) -> str:
        return re.sub(rf"\b{self._of_guide}\b", self.port, text)


@pytest.fixture
def meter(tmp_path: Path) -> Reader:
    """A reader of the guide to profiles, with its files."""
    reader = Reader(tmp_path, "add-a-profile.md", "5020")
    reader.write()
    return reader


@pytest.fixture
def terminal(tmp_path: Path) -> Reader:
    """A reader of the guide to drivers, with its package installed."""
    reader = Reader(tmp_path, "add-a-driver.md", "4305")
    reader.write()
    reader.install()
    return reader


AT = "--profile example.tx5 --at tcp://127.0.0.1:"
POINTS = "entry_points.txt"
MODULE = "cellctl_weigh/__init__.py"
PROFILE = "cellctl_weigh/profiles/example/tx5.yaml"


def test_the_profile_of_the_guide_reads_the_meter_of_the_guide(meter: Reader) -> None:
    with meter.beside("meter.py"):
        assert meter.follow() == 7


def test_the_driver_of_the_guide_talks_to_the_terminal_of_the_guide(terminal: Reader) -> None:
    with terminal.beside("tests/terminal.py"):
        assert terminal.follow() == 7


def test_the_tests_of_the_driver_of_the_guide_pass(terminal: Reader) -> None:
    assert "6 passed" in terminal.types("python -m pytest -p no:cacheprovider tests")


def test_the_cell_of_the_guide_is_connected_to_the_terminal(terminal: Reader) -> None:
    run = [*HERE["cellctl"], "run", "cell", "--http", "off"]
    with terminal.beside("tests/terminal.py"), _running(run, terminal):
        end_s = time.monotonic() + LIMIT_S
        while "connected   TX-5 A17" not in (told := terminal.types("cellctl status --state cell/.cellctl")):
            assert time.monotonic() < end_s, told
            time.sleep(0.1)


@contextmanager
def _running(argv: list[str], reader: Reader) -> Iterator[None]:
    with subprocess.Popen(
        argv, cwd=reader.folder, env=reader._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(LIMIT_S)


# --- packages of others that are wrong ------------------------------------------------------------------------------


#: What is wrong -> the file, the old text and the new, and what the check of the profile says.
WRONG_DRIVERS: Mapping[str, tuple[str, str, str, str]] = {
    "its module is missing": (POINTS, "cellctl_weigh:", "cellctl_wegh:", "No module named 'cellctl_wegh'. It is"),
    "its class is missing": (POINTS, ":WeighDriver", ":WeighDrver", "has no attribute 'WeighDrver'. It is"),
    "its module is no Python": (MODULE, "class WeighDriver:", "class WeighDriver", "expected ':'"),
}


@pytest.mark.parametrize("wrong", WRONG_DRIVERS)
def test_the_package_of_a_driver_that_cannot_be_loaded_is_named(terminal: Reader, wrong: str) -> None:
    name, old, new, told = WRONG_DRIVERS[wrong]
    terminal.change(name, old, new)
    shown = terminal.types(f"cellctl check {PROFILE}")
    assert "E303 the driver for 'weigh' cannot be imported" in shown
    assert told in shown
    assert "of the package 'cellctl-weigh': install that anew, or correct it." in shown


@pytest.mark.parametrize("package", ["cellctl_weigh.profles", "json.decoder"])
def test_a_package_without_the_profiles_that_it_announces_spoils_no_other(terminal: Reader, package: str) -> None:
    terminal.change(POINTS, "cellctl_weigh.profiles", package)
    shown = terminal.types("cellctl check battery-module")
    assert f"cellctl-weigh says that it has profiles in {package!r}, and has not" in shown
    assert "No problem was found." in shown


MODEL = """
import json

from cellctl_simulators import Lines, Outputs

ANSWERS = {"INFO": {"type": "TX-5"}, "READ": {"net": 7.5, "stable": True, "tared": False}}


class Terminal:
    def __init__(self, random):
        self.inputs = {}
        self.wire = Lines(end="\\n")

    def update(self, now_ns, inputs):
        for ask in self.wire.take():
            ask.reply(json.dumps(ANSWERS.get(ask.text, {"ok": True})))
        return Outputs({}, None)


MODELS = {"example.tx5": Terminal}
"""
CELL_TESTS = """
import pytest


@pytest.mark.cell(wire=True)
async def test_with_a_wire(cell, clock):
    await clock.until(lambda: cell.signal("scale.net").value == 7.5, limit="10 s")


@pytest.mark.cell
async def test_without(cell):
    pass
"""


def test_a_driver_of_others_is_simulated_by_wire_and_says_so_where_it_cannot(terminal: Reader) -> None:
    terminal.change(PROFILE, "golden:\n", "sim: {model: example.tx5}\ngolden:\n")
    for name, text in {"models/terminal.py": MODEL, "tests/test_cell.py": CELL_TESTS}.items():
        (terminal.folder / "cell" / name).parent.mkdir()
        (terminal.folder / "cell" / name).write_text(text, encoding="utf-8")
    told = terminal.types("python -m pytest -p no:cacheprovider cell/tests")
    assert "1 passed, 1 error" in told, told
    assert "give it a 'direct', or use the wire: @pytest.mark.cell(wire=True)" in told
    terminal.types("cellctl new cell line")
    row = 'devices:\n  scale: {profile: example.tx5, at: "tcp://127.0.0.1:1"}'
    terminal.change("line/cell.yaml", "devices:", row)
    (terminal.folder / "line" / "models" / "terminal.py").write_text(MODEL, encoding="utf-8")
    told = terminal.types("cellctl whatif line -n 1")
    assert told.startswith("The driver for 'weigh' cannot do without its wire.\n  give it a 'direct'"), told


def test_the_mistake_of_a_driver_is_told_as_its_own(terminal: Reader) -> None:
    terminal.change(MODULE, "await self._identify()", "await self._identfy()")
    with terminal.beside("tests/terminal.py"):
        read = terminal.types(f"cellctl io read {AT}{terminal.port}")
        scanned = terminal.types(f"cellctl scan net 127.0.0.1 --ports {terminal.port}")
    assert "the driver of device failed with AttributeError" in read
    assert "tell its author" in read
    assert "something that no bundled profile knows" in scanned


def test_what_the_driver_was_given_and_did_not_answer_is_unknown(terminal: Reader) -> None:
    terminal.change("tests/terminal.py", '"INFO": {', '"TARE": None,\n    "INFO": {')
    with terminal.beside("tests/terminal.py"):
        told = terminal.types(f"cellctl io call tare --yes {AT}{terminal.port}")
    assert "tare: unknown: no answer from device within 0.5 s." in told
