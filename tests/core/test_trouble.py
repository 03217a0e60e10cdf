"""Alarms that every cell has: troubles that the runtime tells, and devices that are lost."""

import pytest

from cellctl import phase
from cellctl.core.messages import Acknowledge, LinkChanged, LinkState, Receipt, Shelve, Trouble
from cellctl.core.packml import Command, State
from cellctl.core.trouble import (
    CLOCK_SET,
    JOURNAL_ERROR,
    JOURNAL_FULL,
    JOURNAL_SLOW,
    LINK_BOUND_NS,
    RESTART,
    TROUBLES,
    trouble_words,
)

from .bench import Bench, S, equipment
from .test_alarm import again, refusal, states


def test_a_trouble_of_the_controller_is_an_alarm_as_others_are() -> None:
    bench = Bench(equipment())
    bench.step(Trouble(JOURNAL_ERROR, active=True, data={"reason": "input/output error"}))
    (alarm,) = bench.view().alarms
    assert (alarm.id, alarm.priority, alarm.state) == (JOURNAL_ERROR, "high", "unacknowledged")
    assert alarm.text == "The journal cannot be written: input/output error"
    assert alarm.words["cy"]["text"] == "Ni ellir ysgrifennu'r cofnod: input/output error"
    bench.step(Trouble(JOURNAL_ERROR, active=True))
    bench.ask(Acknowledge((JOURNAL_ERROR,)))
    assert refusal(bench, Shelve(JOURNAL_ERROR, S, "x")) == f"the alarm {JOURNAL_ERROR} may not be shelved"
    bench.step(Trouble(JOURNAL_ERROR, active=False))
    assert states(bench) == {}
    assert len(bench.noted("alarm")) == 2


def test_what_happened_in_a_moment_stays_until_it_was_seen() -> None:
    bench = Bench(equipment())
    bench.step(Trouble(CLOCK_SET, active=True, data={"step_s": 3600.5}), Trouble(CLOCK_SET, active=False))
    (alarm,) = bench.view().alarms
    assert (alarm.text, alarm.state) == ("The clock of the controller was set by 3600.5 s", "returned")
    assert refusal(bench, Shelve(CLOCK_SET, S, "the battery is flat")) == ""


def test_a_trouble_of_the_run_before_is_over() -> None:
    bench = Bench(equipment())
    bench.step(Trouble(RESTART, active=True))
    after = again(bench, bench.cell.equipment.alarms)
    assert states(after) == {RESTART: "returned"}


@pytest.mark.parametrize("alarm", [*TROUBLES, "of_tomorrow.laser"])
def test_every_trouble_says_what_and_what_to_do_in_both_languages(alarm: str) -> None:
    for text, do in trouble_words(alarm, {}).values():
        assert "{" not in text + do
        assert do.endswith(".")
    assert set(trouble_words(alarm, {})) == {"en", "cy"}
    assert trouble_words("of_tomorrow", {})["en"][0] == "of_tomorrow"


def test_a_device_that_stays_lost_is_an_alarm() -> None:
    bench = Bench(equipment())
    bench.lose("laser")
    assert bench.cell.alarms.wake_at == bench.now + LINK_BOUND_NS
    bench.advance(9, tick=S)
    bench.step(LinkChanged("laser", LinkState.LOST, "no answer"))
    assert states(bench) == {}
    bench.advance(2, tick=S)
    (alarm,) = bench.view().alarms
    assert (alarm.id, alarm.priority, alarm.text) == ("link.laser", "medium", "The laser is not connected: no answer")
    bench.back("laser")
    assert states(bench) == {"link.laser": "returned"}


def test_a_short_loss_is_none() -> None:
    bench = Bench(equipment())
    for _ in range(3):
        bench.lose("laser")
        bench.advance(8, tick=S)
        bench.back("laser")
        bench.advance(8, tick=S)
    assert bench.noted("alarm") == []


def test_a_device_that_the_cell_can_do_without_is_less_urgent() -> None:
    made = equipment()
    bench = Bench(type(made)(**{**_fields(made), "devices": {**made.devices, "meter": ""}}))
    bench.advance(10, tick=S)
    (alarm,) = bench.view().alarms
    assert (alarm.id, alarm.priority, alarm.text) == ("spare.meter", "low", "meter is not connected: not tried yet")


def _fields(made: object) -> dict[str, object]:
    return {name: getattr(made, name) for name in made.__slots__}  # type: ignore[attr-defined]


def test_another_device_in_its_place_is_told_at_once() -> None:
    bench = Bench(equipment())
    bench.lose("laser")
    bench.step(LinkChanged("laser", LinkState.WRONG_DEVICE, "it is a printer"))
    (alarm,) = bench.view().alarms
    assert (alarm.id, alarm.text) == ("wrong.laser", "The laser is another device: it is a printer")
    bench.step(LinkChanged("laser", LinkState.CONNECTING))
    bench.advance(11, tick=S)
    assert states(bench) == {"wrong.laser": "unacknowledged"}
    bench.lose("laser")
    bench.advance(10, tick=S)
    assert states(bench) == {"link.laser": "unacknowledged", "wrong.laser": "returned"}
    bench.back("laser")
    assert states(bench) == {"wrong.laser": "returned", "link.laser": "returned"}


def test_a_lost_device_is_lost_after_a_power_cut_too() -> None:
    bench = Bench(equipment())
    bench.lose("laser")
    bench.advance(10, tick=S)
    after = again(bench, bench.cell.equipment.alarms)
    after.silent.add("laser")
    after.connect("plc", "robot")
    after.advance(11, tick=S)
    assert states(after) == {"link.laser": "unacknowledged"}
    assert after.noted("alarm") == []
    after.back("laser")
    assert states(after) == {"link.laser": "returned"}


@pytest.mark.parametrize(
    ("trouble", "rest", "back"),
    [
        (JOURNAL_FULL, State.HELD, Command.UNHOLD),
        (JOURNAL_SLOW, State.HELD, Command.UNHOLD),
        (JOURNAL_ERROR, State.ABORTED, Command.CLEAR),
    ],
)
def test_while_its_controller_is_in_trouble_a_cell_rests(trouble: str, rest: State, back: Command) -> None:
    bench = Bench(equipment(weld))
    bench.produce(1)
    bench.step(Trouble(trouble, active=True, data={"reason": "?"}))
    bench.until(rest)
    cause = bench.view().why[0]
    assert (cause.kind, cause.id) == ("trouble", trouble)
    assert cause.do
    for command in {Command.RESET, Command.START, Command.CLEAR, Command.UNHOLD, Command.UNSUSPEND} & set(
        bench.cell.operation.packml.legal()
    ):
        assert bench.fire(command).answer.reason == f"{command.title} is not possible: {cause.text}"  # type: ignore[union-attr]
    bench.step(Trouble(trouble, active=False))
    assert bench.view().why[0].text == f"{cause.text}. This is over"
    assert isinstance(bench.fire(back).answer, Receipt)


def test_a_cell_that_makes_nothing_is_left_alone_but_does_not_begin() -> None:
    bench = Bench(equipment(weld))
    bench.fire(Command.RESET)
    bench.step(Trouble(JOURNAL_FULL, active=True))
    assert (bench.cell.state, bench.cell.refusal(Command.START)) == (
        State.IDLE, "Start is not possible: The disk of the controller is full",
    )  # fmt: skip
    bench.fire(Command.STOP)
    bench.until(State.STOPPED)


@phase(station="s1")
async def weld(c):
    await c.sleep("10 s")
