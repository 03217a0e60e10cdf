"""The raw traffic of a device: shown by `traffic`, recorded and replayed by `run`."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cellctl.testing.traffic.recording import Event, read_recording
from tests.cli.terminal import run

METER = Path(__file__).parents[1] / "testing" / "meter.traffic"
CELLCTL = [sys.executable, "-m", "cellctl.cli"]

#: Everything starts from nothing here, perhaps on a busy computer.
START_S = 60


def test_a_recording_as_a_person_reads_it() -> None:
    shown = run("traffic", str(METER))
    head, *lines = shown.out.splitlines()
    assert (shown.code, shown.err) == (0, "")
    assert head == "meter (eastron.sdm630, modbus:, simulated), 2026-01-05T06:00:00.000Z, cellctl 0.1.0"
    assert lines[0] == "    0.000400   1  - connected"
    assert lines[1] == "    0.000400   1  > 00 01 00 00 00 06 03 04 00 00 00 12  unit 3: read input 0..17"
    assert lines[8] == "    0.002000   1  < 00 04 00 00 00 07 03 04 04 00 00 00 00  unit 3: = 0 0"


def test_a_recording_as_a_document() -> None:
    document = json.loads(run("traffic", str(METER), "--json").out)
    assert (document["schema"], document["recording"]["device"], document["notes"]) == (
        "cellctl.traffic/1",
        "meter",
        [],
    )
    assert document["entries"][1] == {
        "s": 0.0004,
        "event": "to_device",
        "connection": 1,
        "number": 0,
        "hex": "0001000000060304000000" + "12",
        "told": "00 01 00 00 00 06 03 04 00 00 00 12  unit 3: read input 0..17",
    }


def test_a_file_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("cellctl: 1\n")
    shown = run("traffic", str(tmp_path / "x"))
    assert (shown.code, shown.out) == (1, "")
    assert shown.err == f"{tmp_path / 'x'} is no recording of a device's traffic: its first line does not say so.\n"


def test_what_is_wrong_with_a_file_is_told_beside_what_is_right(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(METER.read_bytes()[:-5])
    shown = run("traffic", str(tmp_path / "x"))
    assert shown.code == 0
    assert len(shown.out.splitlines()) == 23
    assert shown.err == f"{tmp_path / 'x'}: It is cut off in line 24; what stands before is used.\n"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--record", "laser"), 2, "'laser' is not DEVICE=FILE, such as laser=laser.traffic."),
        (("--record", "lasser=x"), 2, "There is no device 'lasser'. Did you mean 'laser'?"),
        (("--replay", "lasser=x"), 2, "There is no device 'lasser'. Did you mean 'laser'?"),
        (("--replay", "laser=/none/x"), 1, "/none/x cannot be read: No such file or directory."),
        (("--record", "laser=/none/x"), 1, "/none/x cannot be written: No such file or directory."),
        (("--record", f"meter={METER}"), 1, "is there already, and is not overwritten."),
        (("--replay", f"laser={METER}"), 1, "is of a device at modbus: (modbus), but laser is at serial: (serial)."),
    ],
)
def test_what_cannot_be_is_told_before_anything_runs(
    folder: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    before = METER.read_bytes()
    refused = run("run", "battery-module", "--sim", "all", "--http", "off", "--state", str(folder), *words)
    assert (refused.code, refused.out) == (code, "")
    assert told in refused.err
    assert "Starting" not in refused.err
    assert METER.read_bytes() == before


def test_a_cell_records_its_devices_and_runs_on_the_recordings(folder: Path, tmp_path: Path) -> None:
    laser, robot = tmp_path / "laser.traffic", tmp_path / "robot.traffic"
    _connected(folder, "--record", f"laser={laser}", "--record", f"robot={robot}")
    first = read_recording(laser)
    assert (first.head.profile, first.head.address, first.head.simulated) == ("lx2-laser", "serial", True)
    assert first.entries[0].event is Event.OPEN
    assert first.entries[-1].event is Event.CLOSED
    again = tmp_path / "again.traffic"
    told = _connected(folder, "--replay", f"laser={laser}", "--replay", f"robot={robot}", "--record", f"laser={again}")
    assert f"laser is the recording {laser}." in told
    assert "was asked" not in told
    asked = [entry.data for entry in first.entries if entry.event is Event.TO_DEVICE][:8]
    assert [entry.data for entry in read_recording(again).entries if entry.event is Event.TO_DEVICE][:8] == asked


def _connected(folder: Path, *words: str) -> str:
    """Run the bundled cell until all devices are connected; what it says meanwhile."""
    command = [*CELLCTL, "run", "battery-module", "--sim", "all", "--http", "off", "--state", str(folder), *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + START_S
        while (devices := _links(folder)) != {"connected"}:
            assert process.poll() is None
            assert time.monotonic() < end, devices
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        return process.communicate(timeout=30)[1]
    finally:
        process.kill()
        process.communicate()


def _links(folder: Path) -> set[str]:
    """The states of all links; none while the cell does not run yet."""
    told = run("status", "--state", str(folder), "--json")
    return {device["link"] for device in json.loads(told.out)["devices"]} if told.code == 0 else set()
