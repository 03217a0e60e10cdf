"""What the source of a phase shows, and what it defines."""

import shutil
from pathlib import Path

import pytest

from cellctl.model import check, load

CELL = Path(__file__).parents[2] / "recipes" / "battery-module"
HEAD = "from cellctl import param, phase\n\n\n"


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    """A copy of the bundled cell."""
    return Path(shutil.copytree(CELL, tmp_path / "cell", ignore=shutil.ignore_patterns("__pycache__")))


def told(cell: Path, body: str, decorator: str = "@phase()", arguments: str = "c") -> list[tuple[int, str]]:
    """Line and code of what is told about a phase in a second file; its body begins in line 6."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    (cell / "phases" / "trial.py").write_text(f"{HEAD}{decorator}\nasync def trial({arguments}):\n{lines}\n", "utf-8")
    return [(problem.line, problem.code) for problem in check(cell).problems]


def test_the_whole_vocabulary_is_accepted(cell: Path):
    body = """\
number = c.keep("number", 3)
async with c.safe(c.laser.off):
    async with c.safe(lambda: c.plc.clamp.set(False)):
        for n in c.steps(range(number), name="part"):
            c.progress(f"part {n} of {number}")
            await c.until(f"plc.feed_done == {n}", timeout=c.forever())
            await c.until("plc.feed_done > 1 for 2 s", timeout="5 s")
            c.record("age", c.plc.feed_done.age, unit="s")
while c.plc.feed_done.value < 3:
    await c.sleep("100 ms")
if c.plc.air_pressure.quality == 0 and await c.ask("Go on?", ("yes", "no")) == "yes":
    await c.robot.goto(point="home", timeout="20 s")
    await c.plc.recipe_points.set(12)
device = c.laser
await device.power.set(c.parameters["power"])
arguments = {"time": 20.0}
await c.laser.fire(**arguments)
def twice(value: float) -> float:
    return 2 * value
"""
    assert told(cell, body, arguments='c, power: float = param("W", 0, 2000)') == []
    trial = load(cell).equipment.phases["trial"]
    assert (trial.parameters["power"].unit, trial.parameters["power"].high) == ("W", 2000)


@pytest.mark.parametrize(
    ("body", "line", "code"),
    [
        ("await c.laser.power(5)", 6, "E407"),
        ("await c.laser.power.sett(5)", 6, "E407"),
        ("await c.laser.on.value", 6, "E407"),
        ("return c.laser.on()", 6, "E404"),
        ("await c.laser.fire()", 6, "E420"),
        ("await c.laser.fire(20, 30)", 6, "E420"),
        ("await c.laser.on(1)", 6, "E420"),
        ("await c.laser.fire(time=5000)", 6, "E420"),
        ('await c.laser.power.set("much")', 6, "E420"),
        ("await c.sleep('2')", 6, "E421"),
        ('await c.until("laser.ready", timeout="soon")', 6, "E421"),
        ("await c.until(not c.laser.ready.value)", 6, "E418"),
        ("c.safe(c.laser.off)", 6, "E406"),
        ("while True:\n    def inner():\n        return 1", 6, "E405"),
        ("await c.fault('broken')", 6, "E416"),
        ("open('x')", 6, "E413"),
        ("from socket import socket", 6, "E402"),
    ],
)
def test_a_mistake_in_a_phase(cell: Path, body: str, line: int, code: str):
    assert told(cell, body) == [(line, code)]


@pytest.mark.parametrize(
    ("decorator", "arguments", "code"),
    [
        ('@phase(uses="robot")', "c", "E414"),
        ('@phase(station="weld", uses=("robto",))', "c", "E407"),
        ('@phase(faults={"broken": "retry"})', "c", "E414"),
        ("@phase(station=5)", "c", "E414"),
        ("@phase(places=5)", "c", "E411"),
        ("@phase()", "c, n: list = param()", "E414"),
        ("@phase()", 'c, n: int = param("pcs", 1, 5, default=9)', "E415"),
        ("@phase()", "c, n: float = param(1, 5)", "E415"),
        ("@phase()", "c, n: float = param('W', [1], 5)", "E415"),
    ],
)
def test_a_mistake_in_a_declaration(cell: Path, decorator: str, arguments: str, code: str):
    assert [each for _, each in told(cell, "pass", decorator, arguments)] == [code]


def test_faults_and_uses_that_are_computed_are_left_to_the_run(cell: Path):
    body = "await c.fault('broken')\nawait c.laser.off()"
    head = f"{HEAD}KINDS = {{'broken': ('retry',)}}\n\n\n@phase(station='load', uses=tuple(['plc']), faults=KINDS)\n"
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    (cell / "phases" / "trial.py").write_text(f"{head}async def trial(c):\n{lines}\n", "utf-8")
    assert check(cell).problems == ()


def test_all_devices_of_the_station_are_claimed_unless_some_are_named(cell: Path):
    assert told(cell, "await c.laser.off()", '@phase(station="weld")') == []
    assert told(cell, "await c.laser.off()", '@phase(station="load")') == [(6, "E417")]


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (b"x = '\0'", "E401"),
        (b"x = '\xff'", "E102"),
        (b"(" * 5000, "E401"),
        (b"raise SystemExit(3)", "E412"),
        (b"import math\nX = math.sqrt(-1)\n", "E411"),
        (b"X = exit(3)\n", "E413"),
        (b"from cellctl import phase\n@phase()\nasync def parallel(c):\n    await c.laser.off()\n", "E129"),
    ],
)
def test_whatever_the_file_is_it_becomes_a_problem(cell: Path, source: bytes, code: str):
    (cell / "phases" / "trial.py").write_bytes(source)
    assert [problem.code for problem in check(cell).problems] == [code]
