"""A cell on trial: faults by the command line and by the API, in processes of their own."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.processes import cellctl, running, settled, shown, wait

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A cell that runs as a user runs it: its state folder, and the address of its API."""
    state = tmp_path_factory.mktemp("trial")
    with running(state, "--http", "127.0.0.1:0") as told:
        url = told.split()[-1] + "api/v1/"
        settled(state)
        yield state, url


def _api(url: str, method: str, path: str = "faults", body: object = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def _link(state: Path, device: str) -> str:
    return next(str(one["link"]) for one in shown(state)["devices"] if one["id"] == device)


def test_a_fault_by_the_command_line_ends_by_itself(at: tuple[Path, str]) -> None:
    state, url = at
    told = cellctl(state, "fault", "unplug", "laser", "--for", "5 s")
    assert _api(url, "GET")[1][0]["text"] == "unplug laser for 5 s"
    number = told.partition(":")[0]
    assert told.strip() == f"{number}: unplug laser for 5 s"
    assert number in cellctl(state, "fault", "list")
    wait(lambda: _link(state, "laser") != "connected")
    wait(lambda: _link(state, "laser") == "connected")
    assert cellctl(state, "fault", "list").strip() == "Nothing goes wrong on purpose."


def test_a_fault_of_bytes_by_the_command_line_is_told_as_it_was_typed(at: tuple[Path, str]) -> None:
    state, _ = at
    told = cellctl(state, "fault", "garbage", "meter", "--bytes", "83", "--way", "answers", "--for", "1 s")
    assert told.partition(": ")[2].strip() == "garbage meter way=answers bytes=83 for 1 s"
    cellctl(state, "fault", "end")


def test_a_fault_by_the_api_is_ended_by_hand(at: tuple[Path, str]) -> None:
    state, url = at
    status, made = _api(url, "POST", body={"kind": "set", "target": "plc.guard_closed", "options": {"to": False}})
    assert (status, made["text"]) == (202, "set plc.guard_closed to=False")
    wait(lambda: "guard door" in cellctl(state, "why"))
    assert _api(url, "DELETE", f"faults/{made['number']}")[0] == 202
    wait(lambda: "guard door" not in cellctl(state, "why"))
    status, problem = _api(url, "DELETE", f"faults/{made['number']}")
    assert (status, problem["reason"]) == (404, f"No fault {made['number']} is running.")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"kind": "unplugg", "target": "laser"}, "There is no fault 'unplugg'; did you mean 'unplug'?"),
        ({"kind": "unplug", "target": "lazer"}, "No device 'lazer' is simulated; did you mean 'laser'?"),
        ({"kind": "delay", "target": "laser"}, "Delay needs by: so much."),
        ({"kind": "unplug", "target": "laser", "for": "-3 s"}, "How long unplug lasts: "),
        ({"kind": "unplug", "target": "laser", "during": 3}, "The request is not understood: during: "),
    ],
)
def test_a_fault_that_does_not_fit_is_refused_by_the_api(at: tuple[Path, str], body: Any, reason: str) -> None:
    status, problem = _api(at[1], "POST", body=body)
    assert status == 422
    assert problem["reason"].startswith(reason)
    assert _api(at[1], "GET") == (200, [])


def test_a_fault_that_does_not_fit_is_refused_by_the_command_line(at: tuple[Path, str]) -> None:
    state, _ = at
    assert "did you mean 'laser'?" in cellctl(state, "fault", "unplug", "lazer", code=5)
    assert "No fault 99 is running." in cellctl(state, "fault", "end", "99", code=5)


def test_a_full_disk_keeps_answers_waiting_and_a_stepped_clock_is_told(at: tuple[Path, str]) -> None:
    state, url = at
    _api(url, "POST", body={"kind": "disk_full", "for": "3 s"})
    argv = [sys.executable, "-m", "cellctl.cli", "mode", "maintenance", "--state", str(state)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as asking:
        while _api(url, "GET") != (200, []):
            is_done = asking.poll() is not None
            assert not is_done or _api(url, "GET") == (200, []), "it is said to be done before it is on disk"
            time.sleep(0.02)
    assert asking.returncode == 0
    cellctl(state, "fault", "clock_step", "--by", "-1 h")
    wait(lambda: '"step_ns": -36' in cellctl(state, "journal", "--kind", "clock"), 60)


def test_the_kinds_are_told(at: tuple[Path, str]) -> None:
    status, kinds = _api(at[1], "GET", "faults/kinds")
    assert status == 200
    assert kinds["delay"]["options"]["by"] == {
        "kind": "duration",
        "text": "so much",
        "default": None,
        "choices": [],
    }


def test_a_kill_is_a_kill(tmp_path: Path) -> None:
    with running(tmp_path, "--http", "off", code=-9):
        settled(tmp_path)
        cellctl(tmp_path, "fault", "kill", "--after", "1")
        cellctl(tmp_path, "mode", "manual", code=4)
    with running(tmp_path, "--http", "off"):
        assert "Manual" in cellctl(tmp_path, "journal", "--kind", "mode"), "what the disk had is there"
        assert shown(tmp_path)["state"] == "Aborted"


def test_a_cell_on_real_devices_is_not_on_trial(tmp_path: Path) -> None:
    (tmp_path / "cell.yaml").write_text("cellctl: 1\ncell: {id: x, name: X}\ndevices: {}\n")
    with running(tmp_path / "state", "--http", "off", cell=str(tmp_path)):
        assert "nothing goes wrong here on purpose" in cellctl(tmp_path / "state", "fault", "list", code=5)


def test_all_devices_are_simulated_or_none_is(tmp_path: Path) -> None:
    """A device without a model is the real one, and nobody who says "simulate all" expects it to move."""
    (tmp_path / "cell.yaml").write_text(
        "cellctl: 1\ncell: {id: x, name: X}\ndevices:\n"
        '  meter: {profile: eastron.sdm630, at: "modbus://127.0.0.1:1"}\n'
        '  press: {profile: press, at: "modbus://127.0.0.1:2"}\n'
    )
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "press.yaml").write_text(
        "cellctl: 1\nprofile: {id: press, version: 1, protocol: modbus, vendor: V, source: none, confidence: B}\n"
        'signals: {force: {type: int, read: "holding 1 uint16"}}\n'
    )
    told = cellctl(tmp_path / "state", "run", str(tmp_path), "--sim", "all", "--http", "off", code=2)
    assert "No model simulates press" in told
    assert "--sim meter" in told
    with running(tmp_path / "state", "--http", "off", cell=f"{tmp_path} --sim meter"):
        wait(lambda: "simulated: meter; all else is REAL" in cellctl(tmp_path / "state", "status"))
