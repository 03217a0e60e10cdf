"""A whole cell works a device with the token block: bundled profile, real core and driver, on the wire and without."""

from pathlib import Path

import pytest

from tests.simulators.phase_trial import trial
from tests.tokens.controller import PROFILES

ADDRESSES = dict(zip(PROFILES, ("modbus://10.0.0.1:502", "opc.tcp://10.0.0.1:4840"), strict=True))
TWICE = """
await c.dev.reset_trip()
for n in c.steps((1, 2)):
    done = await c.dev.execute(cmd=n, param=40)
    c.record(f"result_{n}", done.result)
"""


@pytest.mark.parametrize("profile", PROFILES)
def test_two_executions(profile: str, tmp_path: Path) -> None:
    told, outputs = trial(tmp_path, profile, ADDRESSES[profile], TWICE)
    assert told == {"result_1": 1, "result_2": 1}
    assert (outputs["executions"], outputs["doubles"], outputs["trips"]) == (2, 0, 0)
