"""Leases: tried at the end of the guided test, remembered, listed, and warned of where they were never tried."""

import csv
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cellctl.cli.terminal import FAILED, INVALID, UNREACHABLE, USAGE
from tests.cli.terminal import Result, run

CELL = """\
cellctl: 1
cell: {id: leased, name: Leased}
devices:
  feeder: {profile: feeder, at: "modbus://127.0.0.1:1"}
  meter:  {profile: eastron.sdm630, at: "modbus://127.0.0.1:2?unit=3"}
  screw:  {profile: watched, at: "modbus://127.0.0.1:3"}
"""
PROFILE = """\
cellctl: 1
profile: {id: feeder, extends: cellctl.token-block, version: 1, protocol: modbus}
"""
WATCHED = """\
cellctl: 1
profile: {id: watched, version: 1, protocol: modbus}
watchdog: {write: "holding 128 uint16", every: 250 ms}
signals: {echo: {type: int, read: "holding 134 uint16"}}
sim: {model: cellctl.token-block}
"""
#: Every point of the feeder is as it should be.
ALL_GOOD = "y\n" * 8


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[Path]:
    """A cell of three devices: with a lease, without a watchdog, and with one that nobody can test."""
    folder = tmp_path / "cell"
    (folder / "profiles").mkdir(parents=True)
    (folder / "cell.yaml").write_text(CELL, "utf-8")
    (folder / "profiles" / "feeder.yaml").write_text(PROFILE, "utf-8")
    (folder / "profiles" / "watched.yaml").write_text(WATCHED, "utf-8")
    argv = [sys.executable, "-m", "cellctl.cli", "sim", str(folder), "--json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            text = CELL
            for device in json.loads(process.stdout.readline())["devices"]:
                text = re.sub(rf'({device["id"]}: .*at: )"[^"]*"', rf'\1"{device["at"]}"', text)
            (folder / "cell.yaml").write_text(text, "utf-8")
            yield folder
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def guided(cell: Path, stdin: str) -> Result:
    return run(
        "io", "test", "feeder", "--cell", str(cell), "--report", str(cell / "feeder.pdf"), "--by", "Mari", stdin=stdin
    )


def line(cell: Path) -> dict[str, str]:
    """What the report says of the lease at last."""
    with (cell / "feeder.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["kind"] == "lease"][-1]


def listed(cell: Path) -> tuple[int, dict[str, str]]:
    shown = run("io", "leases", "--cell", str(cell))
    rows = [row.split(maxsplit=2) for row in shown.out.splitlines()[1:]]
    return shown.code, {name: f"{counts}: {text}" for name, counts, text in rows}


def test_a_lease_is_tried_remembered_and_good_for_its_profile(cell: Path) -> None:
    assert listed(cell) == (
        FAILED,
        {
            "feeder": "no: never tested: counts as none",
            "meter": "no: no lease: nothing stops it when this computer is gone",
            "screw": "no: its profile says no `lease`, so its watchdog cannot be tested",
        },
    )
    shown = guided(cell, ALL_GOOD + "n\n")
    assert shown.code == 0, shown.err
    assert "its lease is not tested, and counts as none" in shown.err
    assert line(cell)["result"] == "skip"
    shown = guided(cell, "y\ny\ny\n")  # stop its signs of life; it is tripped, so reset it; once more
    assert shown.code == 0, shown.err
    assert "It trips within 1 s, and its outputs go to their safe values" in shown.err
    assert "feeder is tripped. Send reset_trip?" in shown.err
    row = line(cell)
    assert (row["point"], row["result"], row["by"]) == ("lease", "pass", "Mari")
    seconds = re.fullmatch(r"tripped (\d\.\d) s after the last sign of life", row["shown"])
    assert seconds is not None
    assert 0.5 <= float(seconds[1]) <= 1.5
    assert "yes: tested on " in listed(cell)[1]["feeder"]
    again = guided(cell, "never asked\n")
    assert (again.code, "signs of life" in again.err) == (0, False)
    where = ("--cell", str(cell), "--report", str(cell / "feeder.csv"))
    monthly = run("io", "test", "feeder.lease", *where, stdin="y\ny\ny\n")
    assert (monthly.code, "feeder: tripped " in monthly.err) == (0, True), monthly.err
    (cell / "profiles" / "feeder.yaml").write_text(PROFILE + "# another\n", "utf-8")
    assert listed(cell)[1]["feeder"] == "no: tested with another profile: counts as none"


def test_a_device_that_does_not_trip_fails(cell: Path) -> None:
    text = PROFILE + 'lease: {tripped: "refused == 77", within: 500 ms}\n'
    (cell / "profiles" / "feeder.yaml").write_text(text, "utf-8")
    shown = guided(cell, ALL_GOOD + "y\n")
    assert shown.code == UNREACHABLE, shown.err
    assert "feeder.lease (lease): failed" in shown.out
    assert line(cell)["shown"] == "no trip within 1.0 s"
    assert re.fullmatch("no: failed on .*: no trip within 1.0 s", listed(cell)[1]["feeder"])


def test_a_device_without_a_lease_is_named(cell: Path, tmp_path: Path) -> None:
    shown = run("io", "test", "meter", "--cell", str(cell), "--report", str(tmp_path / "m.csv"), stdin="y\n" * 60)
    assert "meter: no lease: nothing stops it when this computer is gone." in shown.err
    shown = run("io", "test", "meter.lease", "--cell", str(cell), "--report", str(tmp_path / "m.csv"))
    assert (shown.code, "the profile of meter says no `lease`" in shown.err) == (USAGE, True)


def test_a_cell_says_at_its_start_what_was_never_tried(cell: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "cellctl.cli", "run", str(cell), "--state", str(tmp_path / "s"), "--http", "off"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "Leased (leased) runs\n"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert "Warning: feeder: never tested: counts as none. Try it: cellctl io test feeder" in told
    assert "Warning: screw: its profile says no `lease`" in told
    assert "meter: no lease" not in told


@pytest.mark.parametrize(
    ("lease", "told"),
    [
        ("{tripped: comm_trp, within: 1 s}", "comm_trip"),
        ("{tripped: comm_trip, within: 1 s, reset: execute}", "E319"),
        ("{tripped: comm_trip, within: 1 s, reset: reset_tripp}", "reset_trip"),
        ('{tripped: "result == $token", within: 1 s}', "E312"),
        ("{tripped: comm_trip, within: 5}", "within"),
    ],
)
def test_a_lease_that_cannot_be_tested_is_a_mistake(tmp_path: Path, lease: str, told: str) -> None:
    path = tmp_path / "feeder.yaml"
    path.write_text(PROFILE + f"lease: {lease}\n", "utf-8")
    shown = run("check", str(path))
    assert (shown.code, told in shown.out + shown.err) == (INVALID, True), shown.out + shown.err


def test_a_lease_needs_a_watchdog(tmp_path: Path) -> None:
    path = tmp_path / "plain.yaml"
    text = WATCHED.replace("watchdog: {", "x: {").replace("x: {write", "#")
    path.write_text(text + "lease: {tripped: echo == 1, within: 1 s}\n", "utf-8")
    shown = run("check", str(path))
    assert (shown.code, "a lease needs a watchdog" in shown.out) == (INVALID, True), shown.out
