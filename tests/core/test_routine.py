"""Routines: phases without a part, one after another."""

from typing import Any

from cellctl import PhaseFault, phase
from cellctl.core.messages import Call, Done, Outcome
from cellctl.core.outbox import Outbox
from cellctl.core.routine import Routine

from .bench import site_of


@phase()
async def home(c):
    await c.robot.goto("a")


@phase()
async def nothing(c):
    pass


@phase()
async def fails(c):
    async with c.safe(c.laser.off):
        raise PhaseFault("timeout", "no way")


@phase()
async def asks(c):
    await c.ask("Is it empty?")


def routine(*phases: Any) -> tuple[Routine, Outbox]:
    site = site_of(*phases)
    made = Routine(site, [(one.name, {}) for one in phases])
    made.advance()
    return made, site.outbox


def sent(outbox: Outbox) -> list[str]:
    return [one.name for one in outbox.take() if isinstance(one, Call)]


def test_it_is_done_when_every_phase_has_ended() -> None:
    made, outbox = routine(nothing, home, nothing)
    assert (made.done, sent(outbox), len(made.runs)) == (False, ["goto"], 1)
    assert list(made.waits_for()) == ["home: waits for the answer to robot.goto(point=a)"]
    made.answer(Done(1, Outcome.CONFIRMED))
    made.advance()
    assert (made.done, made.runs, list(made.waits_for())) == (True, (), [])
    made.answer(Done(1, Outcome.CONFIRMED))
    made.lose("robot", "cable")
    made.advance()
    assert made.done


def test_a_fault_ends_it_and_sends_what_is_safe() -> None:
    made, outbox = routine(fails, home)
    made.answer(Done(1, Outcome.REFUSED))
    made.advance()
    assert made.fault is not None
    assert (made.fault.kind, made.done, sent(outbox)) == ("refused", False, ["off", "off"])
    made.advance()
    assert sent(outbox) == []


def test_a_question_in_it_is_a_fault() -> None:
    made, _ = routine(asks)
    assert made.fault is not None
    assert made.fault.text == "asks asks, but nobody can answer it here"


def test_closing_it_ends_the_phase_and_begins_no_other() -> None:
    made, outbox = routine(home, home)
    made.close()
    made.advance()
    assert (made.done, sent(outbox)) == (True, ["goto"])
