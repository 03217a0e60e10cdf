"""A cell that is checked by a child process: the same outcome, and nothing of the checking stays behind.

Each test begins in a process of its own, since a process with threads, such as this one, must not fork.
"""

import subprocess
import sys
from pathlib import Path

import pytest

BEGIN = """
import sys
from dataclasses import replace
from cellctl.model import check, checking
outcome = checking(sys.argv[1])
"""


def run(script: str, cell: Path | str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", BEGIN + script, str(cell)], capture_output=True, text=True)


def test_the_model_is_the_same_and_its_phases_run():
    done = run(
        """
apart, here = outcome().model, check(sys.argv[1]).model
assert replace(apart, equipment=here.equipment) == here
phases = apart.equipment.phases
assert replace(apart.equipment, phases=here.equipment.phases) == here.equipment
assert list(phases) == list(here.equipment.phases)
for name, phase in phases.items():
    assert replace(phase, function=here.equipment.phases[name].function) == here.equipment.phases[name]
    assert phase.function.__code__ == here.equipment.phases[name].function.__code__
""",
        "battery-module",
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_problems_are_the_same(tmp_path: Path):
    (tmp_path / "cell.yaml").write_text("cellctl: 1\ncell: {id: x, naem: X}\n")
    done = run("found = outcome()\nassert found == check(sys.argv[1]) and len(found.problems) >= 2", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_only_checking_needs_is_not_in_this_process():
    done = run("outcome()\nprint(*{name.partition('.')[0] for name in sys.modules})", "battery-module")
    assert "cellctl" in done.stdout.split()
    assert not {"pydantic", "ruamel"} & set(done.stdout.split())


@pytest.mark.parametrize(("mistake", "told"), [("os.abort()", "exit code -6"), ("1 / 0", "ZeroDivisionError")])
def test_a_child_that_dies_is_told(mistake: str, told: str):
    script = f"""
import os
from cellctl.model import apart
apart.check = lambda path: {mistake}
apart.checking("battery-module")()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "ChildProcessError: the files could not be checked" in done.stderr
    assert told in done.stderr


def test_a_secret_is_itself_on_the_other_side(tmp_path: Path):
    (tmp_path / "cell.yaml").write_text(
        "cellctl: 1\ncell: {id: x, name: X}\n"
        'devices: {m: {profile: eastron.sdm630, at: "modbus://127.0.0.1:502?unit=3", password: !secret pw}}\n'
    )
    secret = tmp_path / "secrets" / "pw"
    secret.parent.mkdir()
    secret.write_text("s3cret")
    secret.chmod(0o600)
    done = run(
        """
from pathlib import Path
model = outcome().model
assert repr(model.devices["m"].password) == "!secret pw"
assert model.revealed(Path(sys.argv[1])).devices["m"].password == "s3cret"
""",
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
