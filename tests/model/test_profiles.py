"""Profiles: what a row becomes for the core and for the driver."""

import shutil
from pathlib import Path

import pytest

from cellctl.core.condition import Compare, Ref
from cellctl.core.messages import CommandClass
from cellctl.core.signal import STALE_AFTER_NS, Image, Sample
from cellctl.model import check, load

CELL = Path(__file__).parents[2] / "recipes" / "battery-module"
PROFILE = """\
cellctl: 1
profile: {id: oven, version: 1, protocol: modbus}
identify: none
modbus: {word_order: msw}
signals:
  setpoint:
    {type: float, unit: degC, read: holding 2 int16, write: holding 2 int16, scale: 0.1, range: 300..400 K,
     safe: 300 K, verify: 0.1}
  slow:     {type: int, read: input 1 int16, every: 10 s, bad_if: [1, 2], text: {en: Slow}}
  door:     {type: bool, read: discrete 4, latch: falling, stale: 1 min}
commands:
  start:
    parameters:
      speed: {type: int, unit: rpm, range: 1..10, default: 5}
      place: {choices: {home: 0, "spot_3..5": 10}}
    write: {holding 10: [$speed, $place, $token]}
    until: "door and slow == $speed"
    timeout: 5 s
    class: pulse
    probe: "slow == $token"
    result: {last: slow}
"""
CHILD = "cellctl: 1\nprofile: {id: oven-2, version: 1, protocol: modbus, extends: oven}\n"


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    """The bundled cell with an oven."""
    folder = Path(shutil.copytree(CELL, tmp_path / "cell", ignore=shutil.ignore_patterns("__pycache__")))
    (folder / "profiles" / "oven.yaml").write_text(PROFILE, "utf-8")
    file = folder / "cell.yaml"
    row = 'devices:\n  oven: {profile: oven, at: "modbus://10.0.0.1:502", set: {word_order: lsw}}'
    file.write_text(file.read_text("utf-8").replace("devices:", row, 1), "utf-8")
    return folder


def test_a_signal_row(cell: Path):
    model = load(cell)
    signal = model.equipment.signals["oven.setpoint"]
    assert (signal.low, signal.high, signal.safe, signal.verify) == (26.85, 126.85, 26.85, 0.1)
    assert signal.writable
    assert model.devices["oven"].points["setpoint"].scale == 0.1
    slow = model.equipment.signals["oven.slow"]
    assert slow.stale_after_ns == 25_000_000_000 > STALE_AFTER_NS
    assert slow.text == "Slow"
    assert model.devices["oven"].points["slow"].bad_if == (1, 2)
    assert model.equipment.signals["oven.door"].stale_after_ns == 60_000_000_000


HEARD = """\
cellctl: 1
profile: {id: scanner, version: 1, protocol: serial}
identify: none
signals:
  code:   {type: text, hear: "(?P<value>.+)", stale: never}
  button: {type: bool, hear: "BUTTON (?P<value>.)", stale: 10 s}
"""


def test_a_signal_that_is_only_heard_says_how_long_it_stays_good(cell: Path):
    (cell / "profiles" / "scanner.yaml").write_text(HEARD, "utf-8")
    assert [str(problem) for problem in check(cell / "profiles" / "scanner.yaml").problems] == []
    file = cell / "cell.yaml"
    row = 'devices:\n  scanner: {profile: scanner, at: "tcp://10.0.0.2:9004"}'
    file.write_text(file.read_text("utf-8").replace("devices:", row, 1), "utf-8")
    signals = load(cell).equipment.signals
    assert signals["scanner.button"].stale_after_ns == 10_000_000_000
    image = Image([signals["scanner.code"], signals["scanner.button"]])
    for name, value in (("scanner.code", "4711"), ("scanner.button", True)):
        image.take(Sample(name, value, time_ns=10**18, received_ns=10**18))
    assert image.expire(10**18 + 86_400 * 10**9) == ["scanner.button"]
    assert image.read("scanner.code").good


@pytest.mark.parametrize("stale", ["ever", "0 s", "5"])
def test_how_long_something_lasts_is_a_time_or_never(cell: Path, stale: str):
    path = cell / "profiles" / "scanner.yaml"
    path.write_text(HEARD.replace("10 s", stale), "utf-8")
    assert [problem.code for problem in check(path).problems] != []


def test_a_command_row(cell: Path):
    model = load(cell)
    spec = model.equipment.commands["oven.start"]
    assert spec.command_class is CommandClass.PULSE
    assert spec.probe == Compare("oven.slow", "==", Ref("token"))
    assert spec.result == {"last": "oven.slow"}
    assert spec.parameters["place"].choices == {"home": 0, "spot_3": 10, "spot_4": 11, "spot_5": 12}
    assert spec.parameters["speed"].default == 5
    options = model.devices["oven"].commands["start"].options
    assert options == {"write": {"holding 10": ["$speed", "$place", "$token"]}}


def test_the_cell_s_settings_are_laid_over_those_of_the_profile(cell: Path):
    assert load(cell).devices["oven"].settings == {"word_order": "lsw"}


def test_a_child_keeps_the_rows_of_its_parent_and_changes_some():
    robot = load(CELL).devices["robot"]
    assert {"mode", "point", "done_token"} <= set(robot.points)
    assert robot.identify is not None
    assert robot.settings["max_registers"] == 100


def test_a_row_of_the_parent_is_changed_key_by_key(cell: Path):
    text = CHILD + "signals:\n  slow: {every: 1 s}\n"
    (cell / "profiles" / "oven-2.yaml").write_text(text, "utf-8")
    file = cell / "cell.yaml"
    file.write_text(file.read_text("utf-8").replace("profile: oven,", "profile: oven-2,"), "utf-8")
    model = load(cell)
    assert model.devices["oven"].points["slow"].every_ns == 1_000_000_000
    assert model.devices["oven"].points["slow"].read == "input 1 int16"


def test_a_mistake_in_the_parent_is_told_where_it_stands(cell: Path):
    (cell / "profiles" / "oven-2.yaml").write_text(CHILD, "utf-8")
    file = cell / "profiles" / "oven.yaml"
    file.write_text(PROFILE.replace("every: 10 s", "every: 10"), "utf-8")
    problems = check(cell).problems
    assert [(Path(each.file).name, each.line, each.code) for each in problems] == [("oven.yaml", 9, "E131")]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("every: 10 s", "every: 0 s", "E126"),
        ("timeout: 5 s", "timeout: 0 s", "E126"),
        ("range: 300..400 K", "range: 300..400 V", "E133"),
        ("safe: 300 K", "safe: 500 K", "E306"),
        ("default: 5", "default: 50", "E306"),
        ("range: 1..10", "range: 1..1e999", "E108"),
        ("spot_3..5", "spot_5..3", "E314"),
        ("spot_3..5", "spot..5", "E314"),
        ("latch: falling", "range: 0..1", "E305"),
        ("bad_if: [1, 2]", "latch: rising", "E305"),
        ("bad_if: [1, 2]", "bad_if: {a: 1}", "E123"),
        ("class: pulse", "class: stop\n    safe: true", "E311"),
        ("  door:     {type: bool, read: discrete 4, latch: falling, stale: 1 min}\n", "", "E141"),
        (", read: holding 2 int16", "", "E307"),
        ("word_order: msw", "word_order: big", "E308"),
        ("write: {holding 10:", "writ: {holding 10:", "E308"),
    ],
)
def test_a_row_that_is_wrong(cell: Path, old: str, new: str, code: str):
    assert old in PROFILE
    file = cell / "cell.yaml"
    file.write_text(file.read_text("utf-8").replace(", set: {word_order: lsw}", ""), "utf-8")
    (cell / "profiles" / "oven.yaml").write_text(PROFILE.replace(old, new, 1), "utf-8")
    assert code in [problem.code for problem in check(cell).problems]
