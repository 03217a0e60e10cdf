"""Real processes and real kills: `kill -9` of control at random, while the devices live on.

More of them, and how soon control is back: `python -m tests.kills.soak`.
"""

import pytest

from tests.kills.killing import Told, kill

KILLS, REAL_EACH = 25, 12


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_and_nothing_done_twice(seed: int) -> None:
    told = kill(seed, KILLS, REAL_EACH)
    check(told)
    assert told.kills == KILLS
    assert told.made >= 5
    assert len(told.resumed_s) == KILLS // REAL_EACH


def check(told: Told) -> None:
    assert not told.found, "\n".join([f"seed {told.seed}:", *told.found])
