"""Control dies at a commit or at an order, in virtual time: what was ordered is made, each part once, no pulse twice.

This is a sample; all points: `python -m tests.kills.soak`.
"""

import pytest

from tests.kills.points import Point, Run, play, points, sample

#: So many points, drawn by this seed, in so many tests.
POINTS, SEED, TESTS = 60, 5, 6


def check(run: Run) -> None:
    assert not run.found, "\n".join([f"{run.point}:", *run.found])


def orders_of(name: str) -> list[int]:
    return [number for number, what in enumerate(play(None).orders, 1) if what == name]


@pytest.mark.parametrize("share", range(TESTS))
def test_control_dies_at_any_point(share: int) -> None:
    for point in sample(POINTS, SEED)[share::TESTS]:
        run = play(point)
        assert run.deaths >= 1, point
        check(run)


def test_the_points_are_all_that_a_job_has() -> None:
    assert len(points()) > 1_000
    assert {(point.what, point.when) for point in points()} == {
        ("commit", "before"), ("commit", "after"), ("order", "before"), ("order", "during"), ("order", "after")
    }  # fmt: skip
    assert len(orders_of("laser.fire")) == 32
    assert len(orders_of("plc.feed")) == 2


@pytest.mark.parametrize("when", ["before", "during", "after"])
@pytest.mark.parametrize("command", ["plc.feed", "laser.fire"])
def test_a_pulse_whose_end_nobody_saw_is_asked_about_where_the_device_cannot_be(command: str, when: str) -> None:
    number = orders_of(command)[-1]
    can, cannot = (play(Point("order", number, when, asked)) for asked in (True, False))  # type: ignore[arg-type]
    check(can)
    check(cannot)
    assert can.questions == 0
    assert cannot.questions >= 1
