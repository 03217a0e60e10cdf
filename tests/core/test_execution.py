"""A phase being driven: the answers to its orders, the end of its commands, and code that misbehaves."""

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cellctl import PhaseFault, phase
from cellctl.core.execution import ANSWER_GRACE_NS, STEPS_PER_TURN
from cellctl.core.messages import Call, Done, Outcome, Write
from cellctl.core.signal import Quality

from .bench import MS, Code, S, Solo, made, run

SEEN: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    SEEN.clear()


async def feed(c: Any) -> None:
    fed = await c.robot.feed()
    SEEN.append(fed.peak)


# --- answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [(Outcome.REFUSED, "refused"), (Outcome.NOT_SENT, "no_reply"), (Outcome.UNKNOWN, "no_reply")],
)
def test_an_order_that_was_not_confirmed_is_a_fault(outcome: Outcome, kind: str) -> None:
    solo = run(lambda c: c.robot.goto("a"))
    assert solo.waits == ["p: waits for the answer to robot.goto(point=a)"]
    assert solo.done(outcome, "the arm is off").fault == (kind, "robot.goto(point=a): the arm is off")
    assert run(lambda c: c.robot.goto("a")).done(outcome).fault[1] == f"robot.goto(point=a): {outcome.value}"


def test_another_value_read_back_is_a_mismatch() -> None:
    solo = run(lambda c: c.laser.power.set(1450))
    solo.done(Outcome.UNKNOWN, "read back 1400 W", read_back=1400)
    assert solo.fault == ("mismatch", "laser.power = 1450: read back 1400 W")


def test_an_answer_that_never_comes_is_waited_for_a_bounded_time() -> None:
    solo = run(lambda c: c.laser.power.set(1450))
    assert solo.run.wake_at == solo.now + 2 * S + ANSWER_GRACE_NS
    assert solo.go(2999).run.ended is None
    assert solo.go(1).fault == ("no_reply", "laser.power = 1450: no answer from the driver")


def test_the_answer_to_another_order_is_not_taken() -> None:
    solo = run(lambda c: c.robot.goto("a"))
    solo.run.answer(Done(99, Outcome.CONFIRMED))
    assert solo.go().run.ended is None
    solo.run.close()
    solo.run.answer(Done(solo.orders[-1].id, Outcome.REFUSED))
    assert solo.run.ended is False


# --- the end of a command -------------------------------------------------------------------------------------


def test_a_command_is_done_when_its_condition_holds_on_newer_samples() -> None:
    solo = run(lambda c: c.laser.on())
    solo.tell({"laser.ready": True})
    solo.now += 10 * MS
    solo.tell({})
    solo.done()
    assert solo.waits == ["p: waits for laser.ready has not been read since (1 s left)"]
    assert solo.go(10, {"laser.ready": False}).run.ended is None
    assert solo.go(10, {"laser.ready": True}).run.ended is True


def test_a_command_whose_condition_never_holds_times_out() -> None:
    solo = run(lambda c: c.laser.on()).done()
    assert solo.run.wake_at == solo.now + S
    assert solo.go(1000).fault[0] == "timeout"


def test_the_results_are_read_once_they_are_as_new_as_the_end() -> None:
    solo = run(feed).done()
    assert solo.progress.pulses["robot.feed#1"].result is None
    solo.now += 10 * MS
    solo.tell({"laser.last": 1, "laser.ready": True})
    solo.go()
    assert solo.waits == ["p: waits for the values of robot.feed() (2.99 s left)"]
    solo.go(10, {"laser.peak": 1500.0})
    assert (SEEN, solo.run.ended) == ([1500.0], True)
    assert solo.noted("done") == [
        {"key": "robot.feed#1", "command": "robot.feed", "token": 1, "result": {"peak": 1500.0}}
    ]


async def take(c: Any) -> None:
    taken = await c.robot.take()
    SEEN.append((taken.peak, taken.last))


def test_results_that_are_read_one_after_the_other_need_only_be_as_new_as_the_end() -> None:
    solo = run(take).done()
    solo.go(10, {"laser.ready": True})
    solo.go(10, {"laser.ready": True, "laser.peak": 1500.0})
    assert solo.run.ended is None
    solo.go(10, {"laser.ready": True, "laser.last": 7})
    assert (SEEN, solo.run.ended) == ([(1500.0, 7)], True)


def test_results_of_before_the_end_was_taken_back_do_not_count() -> None:
    solo = run(take).done()
    solo.go(10, {"laser.ready": True})
    solo.go(10, {"laser.ready": False, "laser.peak": 1500.0})
    solo.go(10, {"laser.ready": True, "laser.last": 7})
    assert solo.run.ended is None
    solo.go(10, {"laser.peak": 1600.0})
    assert SEEN == [(1600.0, 7)]


def test_what_the_device_answered_itself_is_not_read_again() -> None:
    solo = run(feed).done(peak=1234.0)
    solo.go(10, {"laser.last": 1, "laser.ready": True})
    assert SEEN == [1234.0]


def test_results_that_are_never_read_time_out() -> None:
    solo = run(feed).done()
    solo.tell({"laser.peak": 1.0}, Quality.BAD)
    solo.go(2999, {"laser.last": 1, "laser.ready": True})
    assert solo.run.ended is None
    assert solo.go(1).fault == ("timeout", "robot.feed(): laser.peak was not read in time")


@pytest.mark.parametrize("code", [lambda c: c.until("laser.ready"), feed])
def test_a_lost_device_ends_a_wait_for_its_signals(code: Code) -> None:
    solo = run(code)
    if solo.orders:
        solo.done()
    solo.run.lose("plc", "cable")
    assert solo.go().run.ended is None
    solo.run.lose("laser", "cable")
    assert solo.go().fault == ("no_reply", "laser: cable")


def test_a_lost_device_leaves_a_wait_for_an_answer_alone() -> None:
    solo = run(feed)
    solo.run.lose("laser", "cable")
    assert solo.go().run.ended is None


# --- code that misbehaves -------------------------------------------------------------------------------------


async def raises(c: Any) -> None:
    await c.sleep("0 s")
    raise ValueError("three")


async def leaves(c: Any) -> None:
    sys.exit(3)


async def deep(c: Any) -> None:
    int("x")
    await raises(c)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (raises, "ValueError: three (test_execution.py:{line})"),
        (leaves, "SystemExit: 3 (test_execution.py:{line})"),
        (deep, "ValueError: invalid literal for int() with base 10: 'x' (test_execution.py:{line})"),
    ],
)
def test_what_the_code_raises_ends_the_phase_and_names_the_line(code: Code, text: str) -> None:
    line = code.__code__.co_firstlineno + (2 if code is raises else 1)
    assert run(code).fault == ("error", text.format(line=line))


async def forgets(c: Any) -> None:
    c.laser.fire(time=50)
    await c.sleep("1 s")


async def forgets_last(c: Any) -> None:
    c.sleep("1 s")


async def forgets_and_resists(c: Any) -> None:
    try:
        await forgets(c)
    finally:
        await c.sleep("1 s")


@pytest.mark.parametrize(
    ("code", "name"),
    [(forgets, "laser.fire(time=50)"), (forgets_last, "sleep"), (forgets_and_resists, "laser.fire(time=50)")],
)
def test_a_missing_await_is_told(code: Code, name: str) -> None:
    solo = run(code)
    assert solo.fault == ("error", f"p: an 'await' is missing before {name}")
    assert solo.orders == []


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (lambda c: c.until("laser.ready"), "until"),
        (lambda c: c.ask("?"), "ask"),
        (lambda c: c.fault("weak"), "fault('weak')"),
        (lambda c: c.laser.power.set(5), "laser.power = 5"),
    ],
)
def test_every_wish_has_a_name_for_the_author(code: Code, name: str) -> None:
    async def forgetful(c):
        code(c)

    assert run(forgetful, weak=("retry",)).fault[1] == f"p: an 'await' is missing before {name}"


@types.coroutine
def foreign() -> Iterator[int]:
    yield 5


async def waits_elsewhere(c: Any) -> None:
    await foreign()


def test_a_wait_for_something_else_is_told() -> None:
    assert run(waits_elsewhere).fault == ("error", "p: awaits something that is not of its context: 5")


def test_an_await_can_be_awaited_once() -> None:
    async def code(c):
        pause = c.sleep("1 s")
        await pause
        await pause

    assert run(code).go(1000).fault[1].startswith("ValueError")


def endless(pause: Callable[[Any], Any]) -> Code:
    async def code(c):
        while True:
            SEEN.append(1)
            await pause(c)

    return code


def test_a_loop_that_never_waits_is_ended() -> None:
    solo = run(endless(lambda c: c.sleep("0 s")))
    assert solo.fault == ("error", "p goes on and on without waiting for anything")
    assert len(SEEN) == STEPS_PER_TURN


def test_a_loop_that_never_waits_and_catches_everything_is_bounded_in_each_turn() -> None:
    async def code(c):
        while True:
            try:
                await endless(lambda c: c.sleep("0 s"))(c)
            except PhaseFault:
                continue

    solo = run(code)
    assert solo.run.ended is None
    assert len(SEEN) == STEPS_PER_TURN + 1


async def guarded(c: Any) -> None:
    async with c.safe(c.laser.off):
        await c.sleep("1 s")


async def awaits_in_cleanup(c: Any) -> None:
    try:
        await guarded(c)
    finally:
        await c.laser.fire(time=50)


async def fails_in_cleanup(c: Any) -> None:
    try:
        await guarded(c)
    finally:
        SEEN.append(c.plc.air.value)


async def swallows(c: Any) -> None:
    while True:
        try:
            await guarded(c)
        except BaseException:
            return


async def swallows_once(c: Any) -> None:
    try:
        await guarded(c)
    except BaseException:
        await c.laser.fire(time=50)


@pytest.mark.parametrize(
    ("code", "stubborn"),
    [
        (awaits_in_cleanup, "RuntimeError: coroutine ignored GeneratorExit"),
        (swallows_once, "RuntimeError: coroutine ignored GeneratorExit"),
        (fails_in_cleanup, "PhaseFault: plc.air is not known: no value yet (test_execution.py:"),
        (swallows, ""),
    ],
)
def test_no_cleanup_delays_the_end_or_sends_anything(code: Code, stubborn: str) -> None:
    solo = run(code)
    assert [one.name for one in solo.close() if isinstance(one, Call | Write)] == ["off"]
    assert solo.run.ended is False
    told = solo.noted("phase.stubborn")
    assert bool(told) is bool(stubborn)
    assert not told or str(told[0]["reason"]).startswith(stubborn)


def test_a_phase_can_be_closed_before_it_began() -> None:
    @phase()
    async def p(c):
        SEEN.append("begun")

    solo = Solo(made(lambda c: c.sleep("1 s")))
    solo.definition = p
    solo.run.close()
    assert list(solo.run.waits_for()) == ["p: waits 1 s"]
    assert SEEN == []


def test_a_phase_that_does_nothing_ends_at_once() -> None:
    @phase()
    async def p(c):
        pass

    solo = Solo(p)
    assert (solo.run.ended, solo.waits, solo.run.wake_at, solo.run.busy) == (True, [], None, False)
    assert solo.go().run.ended is True
