"""The vocabulary of a phase: devices, waits, records, questions, and what each says when it is used wrongly."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from cellctl import PhaseFault, param, phase
from cellctl.core.messages import Call, CommandClass, Outcome, Write
from cellctl.core.signal import Quality, Value

from .bench import MS, Code, S, Solo, run


def fault_of(code: Code) -> tuple[str, str]:
    return run(code).fault


@dataclass
class Module:
    serial: str = "J-0001"
    good: bool = True
    values: dict[str, Value] = field(default_factory=lambda: {"power": 1450})


# --- signals --------------------------------------------------------------------------------------------------


def test_a_signal_is_written_and_the_phase_waits_until_it_is_confirmed() -> None:
    async def code(c):
        await c.laser.power.set(1450)
        await c.plc.clamp.on()
        await c.plc.clamp.off()
        await c.plc.name.set("x")
        await c.plc.count.set(3)

    solo = run(code)
    for _ in range(5):
        assert solo.run.ended is None
        solo.done()
    assert solo.run.ended is True
    written = [(one.signal, one.value, one.deadline_ns - solo.now) for one in solo.orders if isinstance(one, Write)]
    assert written == [
        (name, value, 2 * S)
        for name, value in [
            ("laser.power", 1450),
            ("plc.clamp", True),
            ("plc.clamp", False),
            ("plc.name", "x"),
            ("plc.count", 3),
        ]
    ]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("laser.ready", True, "laser.ready cannot be written"),
        ("laser.power", 2001, "laser.power: 2001 W is outside 0..2000 W"),
        ("laser.power", -1, "laser.power: -1 W is outside 0..2000 W"),
        ("laser.power", True, "laser.power: True is not of type float"),
        ("laser.power", "5", "laser.power: '5' is not of type float"),
        ("laser.power", None, "laser.power: None is not of type float"),
        ("laser.power", float("nan"), "laser.power: nan is not a finite number"),
        ("plc.clamp", 1, "plc.clamp: 1 is not of type bool"),
        ("plc.name", 1, "plc.name: 1 is not of type text"),
        ("plc.count", 2.5, "plc.count: 2.5 is not of type int"),
    ],
)
def test_a_value_that_does_not_fit_is_never_sent(name: str, value: Any, reason: str) -> None:
    async def code(c):
        device, _, signal = name.partition(".")
        await getattr(getattr(c, device), signal).set(value)

    solo = run(code)
    assert solo.fault == ("refused", reason)
    assert solo.orders == []


def test_a_signal_is_read_with_quality_and_age() -> None:
    seen: list[object] = []

    async def code(c):
        await c.sleep("2 s")
        seen.extend([c.laser.peak.value, c.laser.peak.quality, c.laser.peak.age])

    run(code).go(2000)
    assert seen == [1400.0, Quality.GOOD, 2.0]


@pytest.mark.parametrize("quality", [Quality.UNCERTAIN, Quality.BAD])
def test_a_value_that_is_not_good_is_never_acted_upon(quality: Quality) -> None:
    seen: list[object] = []

    async def code(c):
        await c.sleep("1 s")
        seen.append(c.laser.peak.quality)
        seen.append(c.laser.peak.value)

    solo = run(code)
    solo.tell({"laser.peak": 1500.0}, quality)
    assert solo.go(1000).fault == ("no_reply", "laser.peak is not known: ")
    assert seen == [quality]
    assert fault_of(lambda c: c.sleep(str(c.plc.air.value))) == ("no_reply", "plc.air is not known: no value yet")


# --- commands -------------------------------------------------------------------------------------------------


def test_a_command_takes_values_by_name_or_in_their_order_and_gives_its_result() -> None:
    seen: list[object] = []

    async def code(c):
        shot = await c.laser.fire(80)
        seen.append(shot.energy)
        shot = await c.laser.fire(time=90, timeout="5 s")
        seen.append(shot.energy)
        await c.robot.goto("b")

    solo = run(code)
    solo.done(energy=7.5).done(energy=8.5).done()
    assert seen == [7.5, 8.5]
    assert solo.run.ended is True
    calls = [
        (one.name, dict(one.arguments), one.deadline_ns - solo.now) for one in solo.orders if isinstance(one, Call)
    ]
    assert calls == [("fire", {"time": 80}, 2 * S), ("fire", {"time": 90}, 5 * S), ("goto", {"point": 2}, 1 * S)]
    assert [one.command_class for one in solo.orders] == [CommandClass.PULSE, CommandClass.PULSE, CommandClass.LEVEL]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (lambda c: c.laser.fire(), "laser.fire: the parameter 'time' is missing"),
        (lambda c: c.laser.fire(5), "laser.fire: time: 5 ms is outside 10..200 ms"),
        (lambda c: c.laser.fire(power=5), "laser.fire: there is no parameter 'power'; there are time"),
        (lambda c: c.laser.fire(50, 60), "laser.fire takes 1 values"),
        (lambda c: c.robot.goto("z"), "robot.goto: point: 'z' is not one of a, b"),
        (
            lambda c: c.laser.fire(time=50, timeout="soon"),
            "'soon': 'soon' is not a number with a unit, such as '80 ms'",
        ),
    ],
)
def test_a_wrong_argument_is_told_and_nothing_is_sent(code: Code, reason: str) -> None:
    solo = run(code)
    assert solo.fault == ("error", reason)
    assert solo.orders == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (lambda c: c.lazer.fire(), "AttributeError: the cell has no device 'lazer' (test_context.py:"),
        (
            lambda c: c.laser.fir(),
            "AttributeError: the device 'laser' has no signal or command 'fir' (test_context.py:",
        ),
        (lambda c: c._secret, "AttributeError: the cell has no device '_secret' (test_context.py:"),
    ],
)
def test_an_unknown_name_is_told_with_the_line_of_the_author(code: Code, reason: str) -> None:
    kind, text = fault_of(code)
    assert (kind, text[: len(reason)]) == ("error", reason)


# --- waits ----------------------------------------------------------------------------------------------------


def test_until_waits_for_a_condition() -> None:
    solo = run(lambda c: c.until("laser.ready and laser.peak > 1 kW for 100 ms"))
    assert solo.waits == [
        "p: waits for laser.ready, it is false (30 s left)",
        "p: waits for laser.peak > 1000 W, 0 ms of 100 ms (30 s left)",
    ]
    assert solo.go(50, {"laser.ready": True}).run.wake_at == solo.now + 50 * MS
    assert solo.go(49).run.ended is None
    assert solo.go(1).run.ended is True


def test_until_is_given_up_after_its_time() -> None:
    solo = run(lambda c: c.until("laser.ready", timeout="2 s"))
    assert solo.run.wake_at == solo.now + 2 * S
    assert solo.go(1999).run.ended is None
    assert solo.go(1).fault == ("timeout", "until: laser.ready, it is false")


def test_the_time_of_a_wait_that_names_none_is_bounded() -> None:
    solo = run(lambda c: c.until("laser.ready"))
    assert solo.go(29_999).run.ended is None
    assert solo.go(1).fault[0] == "timeout"


def test_a_wait_for_ever_must_be_said_and_lasts() -> None:
    solo = run(lambda c: c.until("laser.ready", timeout=c.forever()))
    assert solo.run.wake_at is None
    assert solo.waits == ["p: waits for laser.ready, it is false"]
    assert solo.go(1e9).run.ended is None
    assert solo.go(0, {"laser.ready": True}).run.ended is True


def test_a_fault_may_be_caught_by_the_phase() -> None:
    caught: list[str] = []

    async def code(c):
        try:
            await c.until("laser.ready", timeout="1 s")
        except PhaseFault as fault:
            caught.append(fault.kind)

    assert run(code).go(1000).run.ended is True
    assert caught == ["timeout"]


def test_sleep_lets_time_pass() -> None:
    solo = run(lambda c: c.sleep("1.5 s"))
    assert solo.waits == ["p: waits 1.5 s"]
    assert solo.run.wake_at == solo.now + 1500 * MS
    assert solo.go(1499).run.ended is None
    assert solo.go(1).run.ended is True


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (lambda c: c.sleep("-1 s"), "'-1 s': a length of time cannot be negative"),
        (lambda c: c.sleep("2"), "'2': a time needs a unit: '2 ms' or '2 s'?"),
        (lambda c: c.sleep(2), "2 is not a length of time, such as '2 s'"),
        (lambda c: c.until("laser.ready", timeout="-2 s"), "'-2 s': a length of time cannot be negative"),
        (lambda c: c.until("laser.redy"), "until('laser.redy'): there is no signal 'laser.redy'"),
        (
            lambda c: c.until("laser.peak > 3 bar"),
            "until('laser.peak > 3 bar'): bar (pressure) cannot be expressed in W (power)",
        ),
    ],
)
def test_a_wait_that_cannot_be_understood_is_told(code: Code, reason: str) -> None:
    assert fault_of(code) == ("error", reason)


# --- safe -----------------------------------------------------------------------------------------------------


def test_the_safe_action_is_done_at_the_end_of_its_block() -> None:
    async def code(c):
        async with c.safe(c.laser.off), c.safe(c.plc.clamp.off):
            await c.sleep("1 s")

    solo = run(code).go(1000)
    assert (solo.orders[-1].device, solo.orders[-1].name) == ("plc", "clamp")
    solo.done()
    assert (solo.orders[-1].device, solo.orders[-1].name) == ("laser", "off")
    assert solo.done().run.ended is True
    assert solo.run.context.safe_orders == []
    assert solo.close() == []


def test_the_safe_action_is_done_when_a_fault_leaves_the_block() -> None:
    async def code(c):
        async with c.safe(c.laser.off):
            await c.until("laser.ready", timeout="1 s")

    solo = run(code).go(1000)
    assert solo.orders[-1].name == "off"
    assert solo.done().fault[0] == "timeout"


def test_the_core_sends_what_is_safe_last_entered_first_when_it_closes_a_phase() -> None:
    async def code(c):
        async with c.safe(c.laser.off), c.safe(c.plc.clamp.off):
            await c.sleep("1 s")

    solo = run(code)
    sent = solo.close()
    assert [(one.name, one.command_class) for one in sent] == [("clamp", CommandClass.STOP), ("off", CommandClass.STOP)]
    assert solo.run.ended is False
    assert solo.noted("phase.stubborn") == []


def test_a_safe_action_that_failed_is_sent_again_by_the_core() -> None:
    async def code(c):
        async with c.safe(c.laser.off):
            pass

    solo = run(code).done(Outcome.REFUSED, "no")
    assert solo.fault == ("refused", "laser.off(): no")
    assert [one.command_class for one in solo.close()] == [CommandClass.STOP]


def test_safe_takes_a_command_or_a_write() -> None:
    async def code(c):
        async with c.safe(lambda: c.sleep("1 s")):
            pass

    assert fault_of(code) == ("error", "c.safe takes a command or a write, such as c.safe(c.laser.off)")


def test_safe_takes_the_action_and_not_what_it_gives() -> None:
    async def code(c):
        async with c.safe(c.laser.off()):
            pass

    assert fault_of(code)[1].startswith("TypeError: 'Await' object is not callable")


# --- records and questions ------------------------------------------------------------------------------------


def test_records_carry_the_place_where_they_were_made() -> None:
    async def code(c):
        for n in c.steps([1, 2]):
            c.record("peak", 1400.0, unit="W", point=n)
            c.record("peak", 1401.0)

    solo = run(code)
    assert [data["key"] for data in solo.noted("record")] == [
        "step:1/peak#1",
        "step:1/peak#2",
        "step:2/peak#1",
        "step:2/peak#2",
    ]
    assert solo.noted("record")[0] == {
        "key": "step:1/peak#1",
        "name": "peak",
        "value": 1400.0,
        "unit": "W",
        "labels": {"point": 1},
    }


def test_a_declared_fault_is_answered_by_a_recovery() -> None:
    seen: list[str] = []

    async def code(c):
        seen.append(await c.fault("weak_weld", point=3))
        seen.append(await c.ask("Is it clean?", ("yes", "no")))

    solo = run(code, weak_weld=("retry", "skip"))
    assert solo.waits == ["p: waits for a decision"]
    assert solo.run.wake_at is None
    assert solo.go(1e6).run.ended is None
    solo.progress.answers["weak_weld#1"] = "skip"
    solo.go()
    solo.progress.answers["ask#1"] = "yes"
    assert solo.go().run.ended is True
    assert seen == ["skip", "yes"]


@pytest.mark.parametrize("choices", ["yes", ()])
def test_a_question_needs_choices(choices: object) -> None:
    assert fault_of(lambda c: c.ask("?", choices)) == ("error", "ask('?') needs choices, such as ('yes', 'no')")


def test_an_undeclared_fault_is_a_mistake_of_the_phase() -> None:
    assert fault_of(lambda c: c.fault("weak_weld")) == ("error", "p declares no fault 'weak_weld'")

    async def code(c):
        raise PhaseFault("weak_weld", "too weak")

    assert fault_of(code) == ("error", "weak_weld is not declared: too weak")
    assert run(code, weak_weld=("retry",)).fault == ("weak_weld", "too weak")


def test_progress_is_told_in_words() -> None:
    async def code(c):
        c.progress("point 3 of 24")
        await c.sleep("1 s")

    assert run(code).run.context.progress_text == "point 3 of 24"


# --- what the phase is about ----------------------------------------------------------------------------------


def test_a_phase_knows_its_part_and_its_parameters() -> None:
    seen: list[object] = []

    @phase()
    async def p(c, power: float = param("W", 1200, 1600)):
        seen.extend([c.part.serial, c.part.good, c.part.values["power"], c.parameters, power])

    Solo(p, Module(), power=1300)
    assert seen == ["J-0001", True, 1450, {"power": 1300}, 1300]


def test_a_phase_without_a_part_has_none() -> None:
    assert fault_of(lambda c: c.sleep(c.part.serial)) == ("error", "this phase runs without a part")
