"""`cellctl whatif`: the file that says what to try, what is told of it, and the picture."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cellctl.model.whatif import read_whatif
from cellctl.testing import cell_model
from tests.cli.terminal import run

CELL = "battery-module"

WRONG = """cellctl: 1
shift: 8
wip: [0, 2]
job: []
phases:
  weld_busbar: {scale: 0.9}
  hipot: {fails: 0.1}
  load_module: {takes: 5..1 s}
devices:
  lasr: {every: 2 h}
interlocks:
  infed: {every: 1 h, lasts: 3 min}
person: {reacts_within: soon}
"""


def test_every_mistake_is_told_at_once_with_its_place_and_a_hint(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(WRONG)
    result = run("whatif", CELL, "--vary", str(file))
    assert (result.code, result.out) == (3, "")
    told = [line.removeprefix(f"{file}:") for line in result.err.splitlines()]
    assert [line.partition(": ")[0] for line in told] == [
        "2:8", "3:7", "4:1", "6:3", "7:18", "8:24", "10:3", "10:3", "12:3", "13:25"
    ]  # fmt: skip
    for meant in ("jobs", "weld_busbars", "laser", "infeed"):
        assert f"did you mean '{meant}'?" in result.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "jobs: [{recipe: module-12}]",
            "2:17: error E604: there is no recipe 'module-12' (did you mean 'module-12s'?)",
        ),
        ("jobs: [{recipe: module-8s}, {recipe: module-12s}]", "2:8: error E605: this job has no end"),
        ("phases: {hipot: {scrap: 3 %}}", "2:18: error E606: 'scrap' says what happens when the phase fails"),
        (
            "phases: {weld_busbars: {fails: 1 %, fault: weak_wld}}",
            "2:44: error E607: the phase weld_busbars has no fault 'weak_wld' (did you mean 'weak_weld'?)",
        ),
        ("phases: {hipot: {fails: 101 %}}", "2:25: error E126: 101 % is not between 0 and 100 %"),
        ("phases: {hipot: {scale: 0}}", "2:25: error E126"),
        ("person: {reacts_within: -1..1 s}", "2:25: error E126: -1..1 s begins before now"),
        ("person: {reacts_within: 1..2}", "2:25: error E131: 1..2 has no unit"),
        ("devices: [laser]", "2:10: error E123"),
        ("phases: {home_all: {scale: 2}}", "2:10: error E601"),
    ],
)
def test_a_wrong_file_says_where_and_what(text: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(f"cellctl: 1\n{text}\n")
    result = run("whatif", CELL, "--vary", str(file))
    assert result.code == 3
    assert f"{file}:{told}" in result.err


def test_the_command_tells_and_draws(tmp_path: Path) -> None:
    vary = tmp_path / "vary.yaml"
    vary.write_text("cellctl: 1\nshift: 15 min\nwip: [1, 2]\ndevices: {laser: {every: 10 min, lasts: 1..3 min}}\n")
    picture = tmp_path / "shift.svg"
    result = run("whatif", CELL, "-n", "2", "--vary", str(vary), "--processes", "1", "--picture", str(picture))
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert lines[0] == "module-12s: 2 shifts of 15 min, seed 1"
    assert [line.split()[0] for line in lines[3:5]] == ["1", "2"]
    assert "performance above 100 %" in result.err
    drawing = ElementTree.fromstring(picture.read_text(encoding="utf-8"))
    words = {element.text for element in drawing.iter() if element.text}
    assert {"wip 1", "wip 2", "robot", "weld_busbars", "Execute"} <= words
    height = float(drawing.get("height", ""))
    bars = [element for element in drawing.iter() if element.tag.endswith("rect")]
    assert all(float(bar.get("x", 0)) + float(bar.get("width", 0)) <= 780.1 for bar in bars)
    assert all(float(bar.get("y", 0)) + float(bar.get("height", 0)) <= height + 0.1 for bar in bars)


def test_the_example_of_the_guide_is_the_file_of_the_bundled_cell() -> None:
    model = cell_model(CELL)
    file = model.folder / "whatif.yaml"
    guide = Path(__file__).parents[2] / "docs" / "how-to" / "plan-a-shift.md"
    assert f"```yaml\n{file.read_text()}```" in guide.read_text(encoding="utf-8")
    assert read_whatif(file, model.equipment).wip == (1, 2, 3)


def test_a_picture_that_cannot_be_written_is_told_before_anything_is_played(tmp_path: Path) -> None:
    result = run("whatif", CELL, "--picture", str(tmp_path / "nowhere" / "shift.svg"))
    assert result.code == 2
    assert "nowhere" in result.err


def test_a_cell_that_cannot_be_simulated_needs_every_time_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("new", "cell", "oven1").code == 0
    profile = tmp_path / "oven1" / "profiles" / "oven.yaml"
    kept = [line for line in profile.read_text(encoding="utf-8").splitlines() if not line.startswith("sim:")]
    profile.write_text("\n".join(kept), encoding="utf-8")
    result = run("whatif", "oven1", "-n", "1")
    assert result.code == 1
    assert "the device oven has no model to simulate it" in result.err
    (tmp_path / "vary.yaml").write_text("cellctl: 1\nshift: 1 h\nphases: {bake: {takes: 10 s}}\n")
    result = run("whatif", "oven1", "-n", "1", "--vary", "vary.yaml", "--processes", "1", "--json")
    assert json.loads(result.out)["variants"][0]["good_parts_per_hour"]["p50"] == pytest.approx(360, abs=2)
