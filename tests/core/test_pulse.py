"""Pulses: commands that must not happen twice, through answers, doubts, holds and re-entrance of one phase."""

from typing import Any

import pytest

from cellctl.core.execution import PROBE_TIMEOUT_NS
from cellctl.core.messages import Call, Done, Outcome
from cellctl.core.probing import DOUBT_AFTER_NS
from cellctl.core.progress import Pulse
from cellctl.core.signal import Quality, Value
from cellctl.core.wait import ForAnswer

from .bench import MS, Code, Solo, made, run

SEEN: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    SEEN.clear()


async def fire(c: Any) -> None:
    shot = await c.laser.fire(time=50)
    SEEN.append(shot.peak)


async def feed(c: Any) -> None:
    fed = await c.robot.feed()
    SEEN.append(fed.peak)


async def punch(c: Any) -> None:
    await c.robot.punch()
    SEEN.append("punched")


#: What the signals of the laser tell at the beginning.
WITNESSED = {"laser.peak": 1400.0, "laser.last": 0, "laser.ready": False}


def tokens(solo: Solo) -> list[int]:
    return [order.token for order in solo.orders if isinstance(order, Call)]


# --- pulses ---------------------------------------------------------------------------------------------------


def test_a_pulse_is_written_down_before_and_after() -> None:
    solo = run(fire).done(peak=1450.0)
    assert SEEN == [1450.0]
    assert solo.notes == [
        ("tokens", {"reserved": 257}),
        ("intent", {"key": "laser.fire#1", "command": "laser.fire", "token": 1, "seen": WITNESSED}),
        ("done", {"key": "laser.fire#1", "command": "laser.fire", "token": 1, "result": {"peak": 1450.0}}),
    ]


def test_a_pulse_that_is_done_is_not_fired_again_but_gives_what_it_gave() -> None:
    async def code(c):
        await fire(c)
        await c.sleep("1 s")

    solo = run(code).done(peak=1450.0)
    solo.close()
    solo.enter().go(1000)
    assert (SEEN, tokens(solo)) == ([1450.0, 1450.0], [1])
    assert solo.run.ended is True


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.NOT_SENT])
def test_a_pulse_that_certainly_was_not_executed_is_fired_anew(outcome: Outcome) -> None:
    solo = run(fire).done(outcome, "no")
    assert solo.noted("intent.void") == [{"key": "laser.fire#1", "token": 1, "reason": "no"}]
    solo.enter()
    assert tokens(solo) == [1, 2]


def in_doubt(code: Code) -> Solo:
    """A phase whose pulse with token 1 came to an unknown end, entered again."""
    solo = run(code).done(Outcome.UNKNOWN, "timeout")
    assert solo.fault[0] == "no_reply"
    solo.now += MS
    return solo.enter()


def test_a_probe_that_finds_the_pulse_executed_takes_its_result_from_the_signals() -> None:
    solo = in_doubt(fire)
    assert solo.waits == ["p: waits for laser.last has not been read since (5 s left)"]
    assert solo.run.wake_at == solo.now + PROBE_TIMEOUT_NS
    solo.go(10, {"laser.last": 1, "laser.peak": 1400.0})
    assert (SEEN, tokens(solo), solo.run.ended) == ([1400.0], [1], True)


def test_a_probe_that_finds_it_not_executed_fires_it_under_the_same_token() -> None:
    solo = in_doubt(fire)
    solo.go(10, {"laser.last": 0})
    assert tokens(solo) == [1, 1]
    assert solo.done(peak=1.0).run.ended is True


def test_a_probe_that_tells_nothing_times_out_and_fires_nothing() -> None:
    solo = in_doubt(fire)
    solo.go(4999)
    assert solo.run.ended is None
    assert solo.go(1).fault[0] == "timeout"
    assert tokens(solo) == [1]


@pytest.mark.parametrize("code", [punch, feed])
def test_without_a_probe_a_person_decides(code: Code) -> None:
    solo = in_doubt(code)
    assert solo.waits == ["p: waits for a decision"]
    assert not solo.run.busy
    assert tokens(solo) == [1]


def test_redo_fires_with_a_token_of_its_own_and_holds_for_this_once() -> None:
    solo = in_doubt(punch)
    solo.progress.answers["robot.punch#1?"] = "redo"
    assert tokens(solo.go()) == [1, 2]
    solo.done(Outcome.UNKNOWN, "timeout")
    solo.enter()
    assert tokens(solo) == [1, 2]
    assert solo.waits == ["p: waits for a decision"]


def test_done_takes_what_can_be_read() -> None:
    solo = in_doubt(feed)
    solo.progress.answers["robot.feed#1?"] = "done"
    solo.go()
    assert (SEEN, solo.run.ended) == ([1400.0], True)
    solo.enter()
    assert (SEEN, tokens(solo)) == ([1400.0, 1400.0], [1])


@pytest.mark.parametrize(
    ("outcome", "remembered"),
    [
        (Outcome.CONFIRMED, {"laser.fire#1": Pulse(1, {"peak": 9.0})}),
        (Outcome.REFUSED, {}),
        (Outcome.UNKNOWN, {"laser.fire#1": Pulse(1, seen=WITNESSED)}),
    ],
)
def test_the_late_answer_of_a_closed_phase_is_heard(outcome: Outcome, remembered: dict[str, Pulse]) -> None:
    solo = run(fire)
    solo.close()
    solo.run.answer(Done(solo.orders[-1].id, outcome, {"peak": 9.0}))
    assert solo.progress.pulses == remembered
    assert SEEN == []


# --- a device that tells more: what it has seen, and whether it is at it --------------------------------------------


async def mark(c: Any) -> None:
    marked = await c.laser.mark()
    SEEN.append(marked.peak)


def in_doubt_since(code: Code, **seen: int) -> Solo:
    """The phase entered again after a pulse with an unknown end, of which these signals were read when it was sent."""
    solo = Solo(made(code))
    solo.close()
    solo.progress.pulses.clear()
    solo.tell({f"laser.{name}": value for name, value in seen.items()})
    solo.enter().done(Outcome.UNKNOWN, "timeout")
    solo.now += MS
    return solo.enter()


def mark_in_doubt(**seen: int) -> Solo:
    """A pulse of a device that tells what it has seen, and whether it is at it."""
    return in_doubt_since(mark, **seen)


def test_what_the_signals_were_is_written_down_with_the_intent() -> None:
    solo = mark_in_doubt(seen=7)
    (_, intent) = solo.noted("intent")
    seen = {**WITNESSED, "laser.seen": 7}
    assert intent == {"key": "laser.mark#1", "command": "laser.mark", "token": 2, "before": {"seen": 7}, "seen": seen}


def test_done_is_closed_from_the_device_without_a_person() -> None:
    solo = mark_in_doubt(seen=7)
    solo.go(10, {"laser.last": 2, "laser.seen": 2, "laser.ready": False, "laser.peak": 9.0})
    assert (SEEN, tokens(solo)[1:], solo.run.ended) == ([9.0], [2], True)


def test_seen_and_busy_is_adopted_and_waited_for() -> None:
    solo = mark_in_doubt(seen=7)
    solo.go(10, {"laser.last": 1, "laser.seen": 2, "laser.ready": True})
    assert (solo.run.busy, tokens(solo)[1:]) == (True, [2])
    solo.go(1500, {"laser.last": 2, "laser.ready": False, "laser.peak": 8.0})
    assert (SEEN, tokens(solo)[1:], solo.run.ended) == ([8.0], [2], True)


def test_what_was_adopted_must_end_within_its_time() -> None:
    solo = mark_in_doubt(seen=7)
    solo.go(10, {"laser.last": 1, "laser.seen": 2, "laser.ready": True})
    assert solo.go(2000).fault[0] == "timeout"
    assert tokens(solo)[1:] == [2]


def test_not_seen_by_a_device_that_still_knows_what_it_knew_is_sent_under_the_same_token() -> None:
    solo = mark_in_doubt(seen=7)
    solo.go(10, {"laser.last": 7, "laser.seen": 7, "laser.ready": False})
    assert tokens(solo)[1:] == [2, 2]


@pytest.mark.parametrize(
    "told",
    [
        {"laser.last": 0, "laser.seen": 0},  # it has forgotten everything
        {"laser.last": 1, "laser.seen": 2},  # it had begun, and is at it no more
        {"laser.last": 9, "laser.seen": 9},  # it has done something else since
        {"laser.last": 5, "laser.seen": 5},  # it knows less than it did
    ],
)
def test_everything_else_is_in_doubt_if_it_stays_so(told: dict[str, Value]) -> None:
    solo = mark_in_doubt(seen=7)
    solo.go(10, {**told, "laser.ready": False})
    assert solo.run.wake_at == solo.now + DOUBT_AFTER_NS
    assert solo.waits[0].startswith("p: waits for laser.last")
    assert set(solo.run.awaited) == {"laser.last", "laser.seen", "laser.ready"}
    solo.go(499)
    assert not isinstance(solo.run.wait, ForAnswer)
    solo.go(1)
    assert (solo.waits, tokens(solo)[1:]) == (["p: waits for a decision"], [2])


def test_values_that_come_one_after_the_other_are_no_contradiction() -> None:
    solo = mark_in_doubt(seen=7)
    solo.go(10, {"laser.last": 1, "laser.seen": 2, "laser.ready": False})
    solo.go(400)
    solo.tell({"laser.ready": False}, Quality.BAD)
    solo.go(10)
    solo.go(200, {"laser.ready": False})
    assert not isinstance(solo.run.wait, ForAnswer)
    solo.go(300, {"laser.last": 2, "laser.peak": 7.0})
    assert SEEN == [7.0]


def test_what_was_not_known_when_it_was_sent_shows_nothing() -> None:
    solo = mark_in_doubt()
    solo.go(10, {"laser.last": 0, "laser.seen": 3, "laser.ready": False})
    solo.go(500)
    assert solo.waits == ["p: waits for a decision"]


async def stamp(c: Any) -> None:
    stamped = await c.laser.stamp()
    SEEN.append(stamped.peak)


def stamp_in_doubt(**seen: int) -> Solo:
    """A pulse of a device that only counts."""
    return in_doubt_since(stamp, **seen)


def test_a_device_that_only_counts_shows_that_it_was_done_or_not() -> None:
    solo = stamp_in_doubt(seen=7)
    solo.go(10, {"laser.seen": 8, "laser.peak": 6.0})
    assert (SEEN, tokens(solo)[1:]) == ([6.0], [2])
    solo = stamp_in_doubt(seen=7)
    solo.go(10, {"laser.seen": 7})
    assert tokens(solo)[1:] == [2, 2]


def test_a_count_that_was_not_known_before_shows_nothing() -> None:
    solo = stamp_in_doubt()
    assert solo.waits == ["p: waits for what became of laser.stamp() (5 s left)"]
    solo.go(10, {"laser.seen": 8})
    solo.go(500)
    assert (solo.waits, tokens(solo)[1:]) == (["p: waits for a decision"], [2])


def test_a_device_that_is_lost_again_ends_the_probing() -> None:
    solo = mark_in_doubt(seen=7)
    solo.run.lose("plc", "cable")
    solo.run.lose("laser", "cable")
    assert solo.go().fault == ("no_reply", "laser: cable")


# --- holding --------------------------------------------------------------------------------------------------


def test_only_a_pulse_on_its_way_keeps_a_hold_waiting() -> None:
    for code in (
        lambda c: c.robot.goto("a"),
        lambda c: c.sleep("1 s"),
        lambda c: c.until("laser.ready"),
        lambda c: c.ask("?"),
    ):
        solo = run(code)
        assert not solo.run.busy
        assert solo.run.wind_down()
    assert run(fire).run.busy


def test_a_hold_lets_the_pulse_end_and_fires_no_other() -> None:
    async def code(c):
        for _ in c.steps([1, 2]):
            await c.robot.feed()

    solo = run(code)
    assert not solo.run.wind_down()
    solo.run.answer(Done(solo.orders[-1].id, Outcome.CONFIRMED))
    assert solo.run.busy
    assert not solo.run.wind_down()
    solo.now += MS
    solo.tell({"laser.last": 1, "laser.ready": True, "laser.peak": 1.0})
    assert solo.run.wind_down()
    assert tokens(solo) == [1]
    assert solo.progress.pulses["step:1/robot.feed#1"].result == {"peak": 1.0}


def test_a_hold_does_not_wait_for_a_probe_that_would_fire_the_pulse() -> None:
    solo = in_doubt(fire)
    assert not solo.run.busy
    solo.tell({"laser.last": 0})
    assert solo.run.wind_down()
    assert tokens(solo) == [1]
