"""The Robotiq grippers that share the registers of the 2F-85: each with its stroke, worked through its profile."""

import pytest

from cellctl_simulators.models.robotiq import MODELS

from .phase_trial import trial

MS = 1_000_000
S = 1_000_000_000
NOTHING = {"object": 0}


def run(gripper, from_ns, until_ns):
    """Update at every time the model calls for; when it last did before it came to rest."""
    now_ns = from_ns
    while (call_at_ns := gripper.update(now_ns, NOTHING).call_at_ns) is not None and call_at_ns <= until_ns:
        now_ns = call_at_ns
    return now_ns


@pytest.mark.parametrize(
    ("model", "fast_ms", "slow_ms"),
    [("robotiq.2f85", 570, 4250), ("robotiq.2f140", 560, 4670), ("robotiq.hand-e", 333, 2500)],
)
def test_each_closes_in_its_own_time(model, fast_ms, slow_ms):
    for speed, stroke_ms in ((0xFF80, fast_ms), (0x0080, slow_ms)):
        gripper = MODELS[model]()
        gripper.wire.write(16, 1000, [0x0100, 0, 0])
        run(gripper, 0, 2 * S)
        gripper.wire.write(16, 1000, [0x0900, 0x00FF, speed])
        assert run(gripper, 2 * S, 9 * S) == 2 * S + (5 + stroke_ms) * MS, "5 ms until it takes the request"
        assert gripper.wire.read(4, 2002, 1)[0] >> 8 == 255


@pytest.mark.parametrize("profile", ["robotiq.2f140", "robotiq.hand-e"])
def test_a_part_is_gripped_and_let_go(profile, tmp_path):
    body = """
        await c.dev.activate()
        await c.dev.close()
        c.record("grasped", c.dev.grasped.value)
        c.record("position", c.dev.position.value)
        await c.dev.open()
        c.record("still", c.dev.grasped.value)
    """
    told, outputs = trial(tmp_path, profile, "modbus+rtu:/dev/ttyUSB0?baud=115200&unit=9", body, {"object": 128})
    assert told == {"grasped": True, "position": 128, "still": False}
    assert (outputs["holding"], outputs["position"]) == (False, 0)
