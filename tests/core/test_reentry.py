"""Re-entrance in a whole cell: after Hold, Stop or a lost device a part goes on, and nothing is done twice."""

from collections.abc import Callable
from typing import Any

import pytest

from cellctl import phase
from cellctl.core.messages import Call, Done, LinkChanged, LinkState, Outcome, Recover, Write
from cellctl.core.packml import Command, State

from .bench import MS, Bench, Code, confirm, equipment, never, unknown

WELDS = 5


def cell(code: Code, points: int = WELDS, **faults: tuple[str, ...]) -> Bench:
    """A cell that makes one part by running `code` at each of its points."""

    @phase(station="s1", faults=faults)
    async def weld(c):
        async with c.safe(c.laser.off):
            await c.laser.on()
            for n in c.steps(range(1, points + 1)):
                await code(c, n)

    return Bench(equipment(weld))


async def fire(c: Any, n: int) -> None:
    await c.robot.goto("a")
    shot = await c.laser.fire(time=50)
    c.record("peak", shot.peak, point=n)


async def punch(c: Any, n: int) -> None:
    await c.robot.punch()


def executions(bench: Bench, name: str = "laser.fire") -> list[int]:
    """Which execution each order of the command names: 1 is the first one, and so on."""
    tokens = [order.token for order in bench.sent(name) if isinstance(order, Call)]
    assert 0 not in tokens
    return [list(dict.fromkeys(tokens)).index(token) + 1 for token in tokens]


def last_token(bench: Bench) -> int:
    return int(bench.noted("intent")[-1]["token"])  # type: ignore[call-overload]


def after(ms: float, bench: Bench, *, done: bool = True) -> Callable[[Write | Call], Done | None]:
    """The laser shoots when told so, and answers `ms` later (without `done`: when the test says so)."""

    def answer(order: Write | Call) -> Done | None:
        assert isinstance(order, Call)
        bench.values["laser.last"] = order.token
        return bench.later(ms, Done(order.id, Outcome.CONFIRMED, {"peak": 1400.0})) if done else None

    return answer


def finished(bench: Bench) -> bool:
    return bench.noted("part.done") == [{"part": "J-0001", "job": "J", "result": "good"}]


@pytest.mark.parametrize("interruption", [Command.HOLD, Command.STOP, Command.ABORT])
@pytest.mark.parametrize("moment", range(0, 180, 20))
def test_an_interruption_at_any_moment_leaves_every_weld_done_exactly_once(interruption: Command, moment: int) -> None:
    bench = cell(fire)
    bench.answers["laser.fire"] = after(30, bench)
    bench.produce(seconds=moment / 1000)
    bench.fire(interruption)
    ons = len(bench.sent("laser.on"))
    if interruption is Command.HOLD:
        bench.until(State.HELD)
        bench.fire(Command.UNHOLD)
    else:
        bench.until(State.STOPPED if interruption is Command.STOP else State.ABORTED)
        if interruption is Command.ABORT:
            bench.fire(Command.CLEAR)
            bench.until(State.STOPPED)
        bench.start()
    bench.until(State.COMPLETED)
    assert finished(bench)
    assert executions(bench) == list(range(1, WELDS + 1))
    assert len(bench.sent("laser.on")) == ons + 1, "the level conditions are established again"
    points = [record["key"] for record in bench.noted("record")]
    assert sorted(set(points)) == [f"step:{n}/peak#1" for n in range(1, WELDS + 1)]


def test_a_hold_lets_the_pulse_that_is_on_its_way_end_first() -> None:
    bench = cell(fire)
    bench.answers["laser.fire"] = after(2700, bench)
    bench.produce(seconds=0.1)
    assert executions(bench) == [1]
    bench.fire(Command.HOLD)
    bench.advance(2.4)
    assert bench.cell.state is State.HOLDING
    assert bench.cell.wake_at > bench.now
    assert bench.sent("laser.off") == []
    bench.until(State.HELD, 1)
    assert executions(bench) == [1]
    assert len(bench.sent("laser.off")) == 2, "the phase's own safe order, then that of the cell"
    assert bench.noted("done")[0]["result"] == {"peak": 1400.0}


def test_between_the_pulse_and_its_end_no_other_is_fired_while_holding() -> None:
    bench = cell(lambda c, n: c.robot.feed())
    bench.values["laser.ready"] = True
    bench.produce(seconds=0.05)
    bench.fire(Command.HOLD)
    bench.advance(1)
    assert executions(bench, "robot.feed") == [1]
    bench.values["laser.last"] = last_token(bench)
    bench.until(State.HELD)
    assert executions(bench, "robot.feed") == [1]


def test_a_pulse_with_an_unknown_end_holds_the_cell_and_the_probe_decides_executed() -> None:
    bench = cell(fire, points=1)
    bench.answers["laser.fire"] = unknown
    bench.produce()
    bench.until(State.HELD)
    assert bench.view().why[0].text == "laser.fire(time=50): timeout"
    bench.values |= {"laser.last": last_token(bench), "laser.peak": 1234.0}
    bench.fire(Command.UNHOLD)
    bench.until(State.COMPLETED)
    assert finished(bench)
    assert executions(bench) == [1]
    assert bench.noted("record")[-1]["value"] == 1234.0


def test_a_pulse_with_an_unknown_end_that_was_not_executed_is_fired_under_its_token() -> None:
    bench = cell(fire, points=1)
    bench.answers["laser.fire"] = unknown
    bench.produce()
    bench.until(State.HELD)
    bench.answers["laser.fire"] = after(10, bench)
    bench.fire(Command.UNHOLD)
    bench.until(State.COMPLETED)
    assert executions(bench) == [1, 1]
    assert finished(bench)


def test_a_hold_while_the_probe_is_read_fires_nothing() -> None:
    bench = cell(fire, points=1)
    bench.answers["laser.fire"] = unknown
    bench.produce()
    bench.until(State.HELD)
    bench.now += MS
    bench.fire(Command.UNHOLD)
    assert bench.cell.state is State.EXECUTE
    bench.step(LinkChanged("robot", LinkState.CONNECTED))
    bench.fire(Command.HOLD)
    bench.until(State.HELD)
    assert executions(bench) == [1]


@pytest.mark.parametrize(
    ("choice", "fired", "result"), [("done", [1], "good"), ("redo", [1, 2], "good"), ("scrap", [1], "scrap")]
)
def test_without_a_probe_a_person_says_what_became_of_it(choice: str, fired: list[int], result: str) -> None:
    bench = cell(punch, points=1)
    bench.answers["robot.punch"] = unknown
    bench.produce()
    bench.until(State.HELD)
    bench.answers["robot.punch"] = confirm
    bench.fire(Command.UNHOLD)
    bench.advance(1)
    (question,) = bench.view().questions
    assert (question.kind, question.choices, question.part) == ("in_doubt", ("done", "redo", "scrap"), "J-0001")
    assert executions(bench, "robot.punch") == [1]
    bench.ask(Recover(question.id, choice))
    bench.until(State.COMPLETED)
    assert executions(bench, "robot.punch") == fired
    assert bench.noted("part.done")[0]["result"] == result


def test_the_answer_to_one_doubt_does_not_settle_the_next() -> None:
    bench = cell(punch, points=1)
    bench.answers["robot.punch"] = unknown
    bench.produce()
    bench.until(State.HELD)
    bench.fire(Command.UNHOLD)
    bench.advance(0.1)
    bench.ask(Recover(bench.view().questions[0].id, "redo"))
    bench.until(State.HELD)
    bench.fire(Command.UNHOLD)
    bench.advance(1)
    assert executions(bench, "robot.punch") == [1, 2]
    assert len(bench.view().questions) == 1


def test_the_late_answer_of_a_stopped_phase_is_heard() -> None:
    bench = cell(fire, points=1)
    bench.answers["laser.fire"] = after(500, bench)
    bench.produce(seconds=0.05)
    bench.fire(Command.STOP)
    bench.until(State.STOPPED)
    assert bench.noted("done") == []
    bench.advance(1)
    assert bench.noted("done")[0]["token"] == last_token(bench)
    bench.start()
    bench.until(State.COMPLETED)
    assert executions(bench) == [1]


def test_a_phase_is_not_entered_again_while_its_pulse_may_still_be_executed() -> None:
    bench = cell(fire, points=1)
    bench.answers["laser.fire"] = after(1500, bench, done=True)
    bench.produce(seconds=0.05)
    bench.values["laser.last"] = 0
    bench.fire(Command.STOP)
    bench.until(State.STOPPED)
    bench.start()
    bench.advance(0.5)
    (part,) = bench.view().parts
    assert part.phases == ()
    assert part.waits == ("weld: waits for the end of its last order",)
    bench.until(State.COMPLETED)
    assert executions(bench) == [1]


def test_a_pulse_that_is_never_answered_is_in_doubt_after_its_time() -> None:
    bench = cell(fire, points=1)
    bench.answers["laser.fire"] = never
    bench.produce(seconds=0.05)
    bench.fire(Command.STOP)
    bench.until(State.STOPPED)
    bench.answers["laser.fire"] = after(10, bench)
    bench.start()
    bench.advance(2.5)
    assert executions(bench) == [1]
    bench.until(State.COMPLETED)
    assert executions(bench) == [1, 1], "the probe told that it was not executed"


def test_a_weak_weld_that_was_answered_is_not_asked_about_or_fired_again() -> None:
    async def weak(c, n):
        while (await c.laser.fire(time=50)).peak < 1000:
            if await c.fault("weak_weld", point=n) != "retry":
                break

    bench = cell(weak, points=2, weak_weld=("retry", "skip"))
    peaks = iter([500.0, 1400.0, 1400.0])
    bench.answers["laser.fire"] = lambda order: Done(order.id, Outcome.CONFIRMED, {"peak": next(peaks)})
    bench.produce(seconds=0.5)
    (question,) = bench.view().questions
    assert question.text == "weld: weak weld (point 1)"
    bench.ask(Recover(question.id, "retry"))
    bench.step(LinkChanged("laser", LinkState.LOST, "cable"))
    bench.back("laser")
    bench.until(State.HELD)
    assert executions(bench) == [1, 2]
    bench.fire(Command.UNHOLD)
    bench.until(State.COMPLETED)
    assert executions(bench) == [1, 2, 3]
    assert len(bench.noted("question")) == 1


def test_a_question_stays_open_over_a_hold_and_its_answer_is_kept() -> None:
    async def ask(c, n):
        c.record("answer", await c.ask("Which one?", ("left", "right")))

    bench = cell(ask, points=1)
    bench.produce(seconds=0.1)
    bench.fire(Command.HOLD)
    bench.until(State.HELD)
    (question,) = bench.view().questions
    assert question.text == "Which one?"
    bench.ask(Recover(question.id, "right"))
    bench.fire(Command.UNHOLD)
    bench.until(State.COMPLETED)
    assert [record["value"] for record in bench.noted("record")] == ["right"]


def test_a_lost_device_holds_the_cell_and_production_goes_on_after_unhold() -> None:
    bench = cell(fire)
    bench.answers["laser.fire"] = after(10, bench)
    bench.produce(seconds=0.08)
    bench.lose("laser")
    bench.until(State.HELD)
    assert bench.view().why[0].text == "The laser is not connected: cable"
    assert "Unhold is not possible" in bench.fire(Command.UNHOLD).answer.reason
    bench.back("laser")
    bench.fire(Command.UNHOLD)
    bench.until(State.COMPLETED)
    assert executions(bench) == list(range(1, WELDS + 1))


def test_what_was_recorded_before_an_interruption_is_not_recorded_again() -> None:
    @phase(station="s1", faults={"weak": ("retry",)})
    async def weld(c):
        for _ in c.steps(range(1)):
            for peak in (900.0, 1400.0):
                c.record("peak", peak)
            await c.until("plc.count == 7", timeout="1 min")
            c.record("count", c.plc.count.value)

    bench = Bench(equipment(weld))
    bench.produce(seconds=0.1)
    bench.fire(Command.HOLD)
    bench.until(State.HELD)
    bench.fire(Command.UNHOLD)
    bench.advance(0.1)
    bench.values["plc.count"] = 7
    bench.until(State.COMPLETED)
    assert [(entry["name"], entry["value"]) for entry in bench.noted("record")] == [
        ("peak", 900.0), ("peak", 1400.0), ("count", 7),
    ]  # fmt: skip


def test_what_is_measured_anew_after_an_interruption_is_recorded_in_its_place() -> None:
    @phase(station="s1")
    async def measure(c):
        c.record("air", c.plc.air.value)
        await c.until("plc.count == 7", timeout="1 min")

    bench = Bench(equipment(measure))
    bench.produce(seconds=0.1)
    bench.fire(Command.HOLD)
    bench.until(State.HELD)
    bench.values["plc.air"] = 7.0
    bench.advance(0.1)
    bench.fire(Command.UNHOLD)
    bench.advance(0.1)
    assert [(entry["key"], entry["value"]) for entry in bench.noted("record")] == [("air#1", 6.0), ("air#1", 7.0)]


@pytest.mark.parametrize("interruption", [Command.HOLD, Command.STOP, Command.ABORT])
def test_an_interrupted_phase_keeps_its_devices_until_it_is_done(interruption: Command) -> None:
    """The gripper may hold a part: whoever else needs the robot has to wait, also if it comes first in the queue."""

    @phase(station="s1", uses=("robot",))
    async def load(c):
        for point in c.steps("ab"):
            await c.robot.goto(point)
            await c.sleep("1 s")

    @phase(station="s2", uses=("plc",))
    async def clamp(c):
        await c.plc.clamp.on()

    @phase(station="s2", uses=("plc",))
    async def work(c):
        await c.until("plc.count == 7", timeout="1 min")

    @phase(station="s2", uses=("robot",))
    async def unload(c):
        await c.robot.goto("a")

    bench = Bench(equipment(load, clamp, work, unload, wip=2))
    bench.produce(quantity=2)
    for _ in range(100):
        if [part.phases for part in bench.view().parts] == [("work",), ("load",)]:
            break
        bench.advance(0.1)
    bench.values["plc.count"] = 7
    bench.advance(0.1)
    assert bench.view().parts[0].waits == ("unload: waits for robot, which load uses",)
    bench.fire(interruption)
    bench.advance(0.5)
    for command in (Command.UNHOLD,) if interruption is Command.HOLD else (Command.CLEAR, Command.RESET, Command.START):
        bench.fire(command)
        bench.advance(0.1)
    assert [(part.serial, part.phases) for part in bench.view().parts] == [("J-0001", ()), ("J-0002", ("load",))]
    bench.until(State.COMPLETED, 20)
    assert bench.cell.memory.good == 2
