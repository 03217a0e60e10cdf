"""The real thing as processes: `sim`, `run`, `demo`; what they print, how they end, and that nothing is left."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cellctl.gateway.address import bind
from tests.cli.terminal import run

#: Everything starts from nothing here, perhaps on a busy computer.
START_S = 60

CELLCTL = [sys.executable, "-m", "cellctl.cli"]


class Program:
    """A `cellctl` that keeps running, with what it prints."""

    def __init__(self, *words: str, cwd: Path | None = None) -> None:
        environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
        self.process = subprocess.Popen(
            [*CELLCTL, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=cwd
        )

    def line(self, stream: str = "stdout") -> str:
        """The next line that it prints; a program that prints nothing is killed, and the line is empty."""
        limit = threading.Timer(START_S, self.process.kill)
        limit.start()
        line = str(getattr(self.process, stream).readline())
        limit.cancel()
        limit.join()
        return line

    def end(self, number: int = signal.SIGINT) -> tuple[int, str, str]:
        """Its exit code after the signal, and the rest of what it printed."""
        os.kill(self.process.pid, number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    """Starts programs; none of them outlives the test."""
    started: list[Program] = []

    def start_one(*words: str, cwd: Path | None = None) -> Program:
        started.append(Program(*words, cwd=cwd))
        return started[-1]

    yield start_one
    for program in started:
        program.process.kill()
        program.process.communicate()


def test_sim_prints_one_document_and_ends_when_told(start: Callable[..., Program]) -> None:
    program = start("sim", "battery-module", "--ports", "--json")
    told = json.loads(program.line())
    assert told["schema"] == "cellctl.sim/1"
    assert [one["id"] for one in told["devices"]] == ["plc", "robot", "grip", "laser", "eol", "meter"]
    terminals = [
        match[0] for one in told["devices"] if (match := re.search(r"/[^?]+", one["at"])) and "//" not in match[0]
    ]
    assert len(terminals) == 2
    assert program.end() == (0, "", "")
    assert not any(Path(path).exists() for path in terminals)


def test_sim_of_some_devices(start: Callable[..., Program]) -> None:
    program = start("sim", "battery-module", "--ports", "--devices", "meter")
    assert program.line().split() == ["DEVICE", "PROTOCOL", "AT"]
    assert program.line().split()[:2] == ["meter", "modbus"]
    assert program.end(signal.SIGTERM)[0] == 0


def test_demo_makes_parts_and_leaves_nothing(start: Callable[..., Program], folder: Path) -> None:
    program = start("demo", "--http", "127.0.0.1:0", "--speed", "10", "--state", str(folder))
    page = next(word for word in iter(lambda: program.line("stderr"), "") if "page:" in word).split()[-1]
    cell = made(page, lambda cell: cell["counts"]["good"] >= 1)
    assert (cell["id"], cell["state"], cell["state_number"], cell["simulated"]) == ("bm1", "Execute", 6, True)
    assert cell["recipe"] == {"id": "module-12s", "version": "7", "product": "MOD-12S-A"}
    assert (cell["job"]["quantity"], cell["jobs_waiting"]) == (20, 1)
    by_link, by_api = run("status", "--state", str(folder)), run("status", "--url", page)
    assert (by_link.code, by_api.code) == (0, 0)
    assert by_link.out.splitlines()[0] == by_api.out.splitlines()[0]
    serial = json.loads(run("parts", "--json", "--state", str(folder)).out)["parts"][-1]["serial"]
    assert len(json.loads(run("part", serial, "--json", "--url", page).out)["records"]) == 26
    children = family(program.process.pid)
    assert len(children) == 3
    argv = [*CELLCTL, "run", "battery-module", "--http", page.split("/")[2], "--state", str(folder)]
    second = subprocess.run(argv, capture_output=True, text=True, timeout=START_S)
    assert (second.returncode, "A cell is already running" in second.stderr) == (1, True)
    assert len(json.loads((folder / "simulation.json").read_text())["devices"]) == 6
    code, _, err = program.end()
    assert (code, err.splitlines()[-1]) == (0, "Ending the demo ...")
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def test_a_killed_demo_takes_its_children_along(start: Callable[..., Program], folder: Path) -> None:
    program = start("demo", "--http", "127.0.0.1:0", "--state", str(folder))
    assert any("page:" in line for line in iter(lambda: program.line("stderr"), ""))
    children = family(program.process.pid)
    program.process.kill()
    program.process.wait()
    end = time.monotonic() + 20
    while left := [pid for pid in children if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < end, left
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--http", "0.0.0.0:8080"), 2, "serves only this computer"),
        (("--http", "nonsense"), 2, "is not an address like"),
        (("--http", "{taken}"), 1, "is in use by another program"),
        (("--http", "off", "--state", "/proc/nothing"), 1, "The state folder /proc/nothing cannot be written"),
    ],
)
@pytest.mark.parametrize("command", [("run", "battery-module"), ("demo", "--no-browser")])
def test_what_cannot_be_is_a_sentence(
    command: tuple[str, ...], words: tuple[str, ...], code: int, sentence: str, folder: Path
) -> None:
    with bind("127.0.0.1:0") as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        state = () if "--state" in words else ("--state", str(folder))
        argv = [*CELLCTL, *command, *(word.format(taken=address) for word in words), *state]
        result = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert result.returncode == code
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


def test_run_of_broken_files_and_wrong_devices(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "cell.yaml").write_text("cellctl: 1\ncell: {id: x}\nstatoins: {}\n")
    result = run("run", str(tmp_path), "--state", str(folder))
    assert result.code == 3
    assert "statoins" in result.out
    result = run("run", "battery-module", "--sim", "plc,lasre", "--http", "off", "--state", str(folder))
    assert (result.code, "There is no simulated device 'lasre'. Did you mean 'laser'?" in result.err) == (2, True)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the bundled cell, to write mistakes into its models."""
    monkeypatch.chdir(tmp_path)
    assert run("new", "cell", "bm7", "--from", "battery-module").code == 0
    return tmp_path / "bm7"


@pytest.mark.parametrize("command", [("sim",), ("run", "--sim", "all", "--http", "off")])
def test_a_mistake_in_a_model_is_one_of_the_files(command: tuple[str, ...], own: Path, folder: Path) -> None:
    file = own / "models" / "laser.py"
    file.write_text(file.read_text() + "\n1 / 0\n")
    state = ("--state", str(folder)) if command[0] == "run" else ()
    argv = [*CELLCTL, command[0], str(own), *command[1:], *state]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=START_S)
    line = len(file.read_text().splitlines())
    assert (result.returncode, result.stdout) == (3, "")
    assert f"models/laser.py:{line}: ZeroDivisionError: division by zero" in result.stderr
    assert "made a mistake" not in result.stderr


@pytest.mark.parametrize("command", [("sim",), ("run", "--sim", "all", "--http", "off")])
def test_a_model_that_is_nowhere_is_a_mistake_of_the_files(command: tuple[str, ...], own: Path, folder: Path) -> None:
    file = own / "profiles" / "lx2-laser.yaml"
    file.write_text(file.read_text().replace("model: lx2-laser", "model: lasre"))
    state = ("--state", str(folder)) if command[0] == "run" else ()
    argv = [*CELLCTL, command[0], str(own), *command[1:], *state]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=START_S)
    assert result.returncode == 3
    assert "'lasre'" in result.stdout
    assert "made a mistake" not in result.stderr


def test_simulated_devices_that_end_are_told_and_leave_nothing(start: Callable[..., Program], folder: Path) -> None:
    program = start("run", "battery-module", "--sim", "meter", "--http", "off", "--state", str(folder))
    assert program.line().endswith("runs\n")
    left = Path(json.loads((folder / "simulation.json").read_text())["control"]).parent
    (child,) = family(program.process.pid)
    os.kill(child, signal.SIGKILL)
    told = next(line for line in iter(lambda: program.line("stderr"), "") if "have ended" in line)
    assert "The simulated devices have ended: by SIGKILL. Run the cell anew." in json.loads(told).values()
    assert left.exists()
    _, _, err = program.end()
    assert "have ended" not in err
    assert not left.exists()


def made(page: str, wanted: Callable[[Any], bool]) -> Any:
    """The cell as soon as it is as wanted."""
    end = time.monotonic() + START_S
    while True:
        with urllib.request.urlopen(f"{page}api/v1/cell", timeout=5) as answer:
            cell = json.load(answer)
        if wanted(cell):
            return cell
        assert time.monotonic() < end, cell
        time.sleep(0.2)


def family(pid: int) -> list[int]:
    """All processes below one."""
    children = [
        int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()
    ]
    return [*children, *(one for child in children for one in family(child))]
