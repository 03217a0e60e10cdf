"""The cell as a function: inputs to effects, requests answered once, wake-up times, the same again for the same."""

from collections.abc import Iterable
from dataclasses import replace
from heapq import heappop, heappush
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellctl import phase
from cellctl.core import cell as cell_module
from cellctl.core.cell import SWEEP_NS, Cell
from cellctl.core.condition_text import parse
from cellctl.core.memory import ANSWERS_KEPT, Memory
from cellctl.core.messages import (
    AddJob,
    Alive,
    Call,
    CancelChangeover,
    Done,
    Effect,
    Entry,
    Input,
    LinkChanged,
    LinkState,
    Operate,
    Outcome,
    Receipt,
    Recover,
    Refused,
    Reply,
    Request,
    Samples,
    StartChangeover,
    Tick,
    Write,
)
from cellctl.core.packml import Command, Mode, State
from cellctl.core.recipe import Prepare, RunPhase
from cellctl.core.signal import STALE_AFTER_NS, Quality, Sample, Value
from cellctl.core.view import view_of

from .bench import MS, SIGNALS, Bench, S, confirm, equipment


@phase(station="s1", faults={"weak": ("retry", "skip")})
async def weld(c):
    async with c.safe(c.laser.off):
        await c.laser.on()
        for n in c.steps([1, 2]):
            shot = await c.laser.fire(time=50)
            c.record("peak", n)
            await c.until("plc.infeed for 40 ms", timeout="1 s")
            if shot.energy > 5:
                await c.fault("weak", point=n)


@phase(station="s2")
async def pack(c):
    await c.plc.clamp.on()
    await c.sleep("70 ms")


@phase()
async def all_off(c):
    await c.laser.off()
    await c.sleep("30 ms")


# --- requests ---------------------------------------------------------------------------------------------------------


def test_a_request_is_answered_at_once_and_says_what_happens_now() -> None:
    bench = Bench(equipment(weld))
    assert bench.fire(Command.RESET).answer == Receipt("q1", "Resetting")
    assert bench.cell.state is State.IDLE
    assert bench.fire(Command.RESET).answer == Refused(
        "q2", "Reset is not possible in state Idle", ("start", "stop", "abort")
    )
    told = {"id": "q1", "action": "Operate", "by": "anna", "via": "test", "state": "Resetting"}
    assert bench.noted("request")[-1] == told
    assert bench.noted("refused")[-1]["reason"] == "Reset is not possible in state Idle"


def test_a_repeated_request_gets_the_same_answer_and_does_nothing() -> None:
    bench = Bench(equipment(weld))
    first = bench.ask(AddJob("J", "r", 1), "once")
    refused = bench.ask(AddJob("J", "r", 1), "other")
    assert bench.ask(AddJob("J", "r", 1), "once") == first
    assert bench.ask(AddJob("K", "r", 1), "other") == refused
    assert isinstance(first.answer, Receipt)
    assert isinstance(refused.answer, Refused)
    assert [job.id for job in bench.view().jobs] == ["J"]


def test_the_answers_that_are_kept_are_bounded() -> None:
    bench = Bench(equipment(weld))
    bench.ask(AddJob("J", "r", 1), "first")
    for number in range(ANSWERS_KEPT):
        bench.step(Request(f"n{number}", Operate(Command.CLEAR)))
    assert isinstance(bench.ask(AddJob("J", "r", 1), "first").answer, Refused), "forgotten, so it is asked anew"
    assert len(bench.cell.memory.answers) == ANSWERS_KEPT


@pytest.mark.parametrize(("by", "via", "told"), [("anna", "http", "anna"), ("", "http", "http"), ("", "", "request")])
def test_who_asked_is_told(by: str, via: str, told: str) -> None:
    bench = Bench(equipment(weld, changeover=(Prepare("Bring the plate"),)))
    bench.ask(StartChangeover("r"))
    bench.step(Request("q", CancelChangeover(), by, via))
    assert bench.noted("changeover.cancelled")[0]["reason"] == f"cancelled by {told}"
    bench.step(Request("w", Operate(Command.RESET), by, via))
    assert bench.noted("command")[0]["by"] == (by or via)


# --- inputs -----------------------------------------------------------------------------------------------------------


def test_what_concerns_nothing_known_changes_nothing() -> None:
    bench = Bench(equipment(weld))
    before = repr(bench.view())
    bench.step(
        LinkChanged("toaster", LinkState.LOST, "?"),
        Samples((Sample("toaster.hot", True, Quality.GOOD, bench.now, bench.now),)),
        Done(99, Outcome.CONFIRMED),
        Alive("toaster", bench.now),
        Tick(),
    )
    assert repr(bench.view()) == before
    assert [entry["device"] for entry in bench.noted("link")] == ["plc", "laser", "robot"]


def test_a_link_that_stays_as_it_is_is_written_down_once() -> None:
    bench = Bench(equipment(weld))
    bench.step(LinkChanged("laser", LinkState.CONNECTED, identity="LX2 0042"))
    assert len(bench.noted("link")) == 3
    assert bench.view().devices[1].identity == "LX2 0042"


def test_a_silent_device_is_noticed_by_its_age() -> None:
    bench = Bench(equipment(weld))
    bench.silent.add("laser")
    heard = bench.now
    while bench.cell.image.read("laser.peak").good:
        bench.advance(0.01)
    assert 0 < bench.now - heard - STALE_AFTER_NS <= SWEEP_NS + 10 * MS
    bench.silent.clear()
    bench.advance(0.01)
    assert bench.cell.wake_at <= bench.now + STALE_AFTER_NS + 1, "it looks again when something can be stale"


def test_a_device_that_says_only_that_it_lives_is_known_again_after_a_pause() -> None:
    bench = Bench(equipment(weld), connected=False)
    bench.connect("plc", "laser", "robot")
    bench.step(bench.samples())
    bench.silent |= {"plc", "laser", "robot"}
    bench.advance(3)
    assert not bench.cell.interlocks.fulfilled("guard")
    bench.step(*(Alive(device, bench.now) for device in ("plc", "laser", "robot")))
    assert bench.cell.interlocks.fulfilled("guard")
    bench.advance(1.1)
    assert bench.cell.interlocks.fulfilled("air")
    assert isinstance(bench.fire(Command.RESET).answer, Receipt)


def test_a_lost_device_concerns_the_phases_of_production_of_a_state_and_of_a_changeover() -> None:
    @phase()
    async def look(c):
        await c.until("not laser.ready")

    bench = Bench(equipment(weld, look, states={State.RESETTING: ("look",)}))
    bench.fire(Command.RESET)
    bench.lose("laser", "cable")
    assert bench.cell.state is State.STOPPING


def test_a_mode_that_cannot_be_suspended_or_held() -> None:
    bench = Bench(equipment(weld))
    bench.cell.operation.packml.mode = Mode.MANUAL
    bench.start()
    bench.values["plc.infeed"] = False
    bench.advance(0.1)
    assert bench.cell.state is State.EXECUTE, "nothing is made in this mode: it waits for nothing"
    bench.values["plc.air"] = 4.0
    bench.until(State.STOPPED)
    assert bench.view().why[0].id == "air"


def test_a_turn_changes_the_state_so_often_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_module, "STATES_PER_TURN", 1)
    bench = Bench(equipment(weld))
    bench.produce()
    assert (bench.cell.state, bench.view().parts) == (State.EXECUTE, ())
    bench.step()
    assert len(bench.view().parts) == 1


def test_a_cell_without_stations_or_names_of_devices() -> None:
    bench = Bench(replace(equipment(), stations={}, devices={"plc": ""}), connected=False)
    assert bench.cell.missing == []
    assert bench.cell.name_of("plc") == "plc"
    assert bench.cell.name_of("unheard") == "unheard"


# --- time -------------------------------------------------------------------------------------------------------------


#: What happens from outside: (after so many ticks of 10 ms, what).
OUTSIDE = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.one_of(
            st.sampled_from([Operate(command) for command in Command]),
            st.sampled_from(
                [Operate(Command.UNHOLD), Operate(Command.RESET), Operate(Command.START), AddJob("K", "r", 1)]
            ),
            st.builds(
                Recover,
                st.sampled_from([f"J-000{part}/weld/step:{n}/weak#1" for part in (1, 2) for n in (1, 2)]),
                st.sampled_from(["retry", "skip"]),
            ),
            st.tuples(st.sampled_from(["plc.guard", "plc.infeed", "laser.ready"]), st.booleans()),
            st.tuples(st.just("plc.air"), st.sampled_from([4.0, 6.0])),
            st.tuples(st.just("laser.peak"), st.sampled_from([1400.0, 1950.0])),
            st.sampled_from(["lost laser", "back laser"]),
        ),
    ),
    max_size=14,
)
TICK = 10 * MS
#: What becomes of some of the shots, by their tokens.
FIRED = {4: Outcome.UNKNOWN, 6: Outcome.REFUSED, 9: Outcome.NOT_SENT}


class Field:
    """Devices that answer every order after 20 ms, and a queue of what is going to happen to one cell."""

    def __init__(self) -> None:
        self.cell = Cell(Memory(equipment(weld, pack, all_off, wip=2, states={State.ABORTING: ("all_off",)})))
        self.now = 0
        self.queue: list[tuple[int, int, Input]] = []
        self.log: list[tuple[int, str]] = []
        self.inputs: list[tuple[int, tuple[Input, ...]]] = []
        self._count = 0
        values: dict[str, Value] = {
            "plc.guard": True, "plc.air": 6.0, "plc.infeed": True, "laser.ready": True, "laser.last": 0,
            "laser.peak": 1400.0, "laser.power": 0.0, "plc.clamp": False, "plc.horn": False,
        }  # fmt: skip
        for device in ("plc", "laser", "robot"):
            self.at(0, LinkChanged(device, LinkState.CONNECTED))
        for name, value in values.items():
            self.sample(0, name, value)
        for second in range(30):
            for device in ("plc", "laser", "robot"):
                self.at(second * S, Alive(device, second * S))
        begin = (StartChangeover("r"), AddJob("J", "r", 3), Operate(Command.RESET), Operate(Command.START))
        for number, action in enumerate(begin):
            self.at(2 * S + number * TICK, Request(f"s{number}", action))

    def at(self, when: int, happens: Input) -> None:
        self._count += 1
        heappush(self.queue, (when, self._count, happens))

    def sample(self, when: int, name: str, value: Value) -> None:
        self.at(when, Samples((Sample(name, value, Quality.GOOD, when, when),)))

    def outside(self, plan: Iterable[tuple[int, Any]]) -> None:
        now = 2 * S + 10 * TICK
        for number, (ticks, what) in enumerate(plan):
            now += ticks * TICK
            match what:
                case "lost laser":
                    self.at(now, LinkChanged("laser", LinkState.LOST, "cable"))
                case "back laser":
                    self.at(now, LinkChanged("laser", LinkState.CONNECTED))
                    self.sample(now, "laser.ready", True)
                case (name, value):
                    self.sample(now, name, value)
                case _:
                    self.at(now, Request(f"r{number}", what))

    def run(self, until: int, *, every_tick: bool) -> "Field":
        while self.now < until:
            due: list[Input] = []
            while self.queue and self.queue[0][0] <= self.now:
                due.append(heappop(self.queue)[2])
            self.inputs.append((self.now, tuple(due)))
            for effect in self.cell.step(self.now, due):
                self.log.append((self.now, repr(effect)))
                self.answer(effect)
            following = self.now + TICK if every_tick else self.cell.wake_at
            assert self.cell.wake_at > self.now
            self.now = min(following, self.queue[0][0] if self.queue else until, until)
        return self

    def answer(self, effect: Effect) -> None:
        match effect:
            case Write(id=number, value=value):
                self.at(self.now + 2 * TICK, Done(number, Outcome.CONFIRMED, {"read_back": value}))
            case Call(id=number, name=name, token=token):
                outcome = FIRED.get(token % 11, Outcome.CONFIRMED) if name == "fire" else Outcome.CONFIRMED
                self.at(self.now + 2 * TICK, Done(number, outcome, {"energy": token % 7}))
                if outcome is Outcome.CONFIRMED:
                    self.sample(self.now + TICK, "laser.last", token)


@settings(max_examples=40, deadline=None)
@given(OUTSIDE)
def test_stepping_only_when_the_cell_wants_it_gives_the_same_as_stepping_at_every_tick(plan: list[Any]) -> None:
    ticking, sleeping = Field(), Field()
    for field in (ticking, sleeping):
        field.outside(plan)
    ticking.run(12 * S, every_tick=True)
    sleeping.run(12 * S, every_tick=False)
    assert sleeping.log == ticking.log
    assert len(sleeping.inputs) < len(ticking.inputs)


@settings(max_examples=20, deadline=None)
@given(OUTSIDE)
def test_the_same_inputs_give_the_same_effects(plan: list[Any]) -> None:
    first = Field()
    first.outside(plan)
    first.run(8 * S, every_tick=False)
    again = Cell(Memory(first.cell.equipment))
    log = [(now, repr(effect)) for now, inputs in first.inputs for effect in again.step(now, inputs)]
    assert log == first.log
    assert repr(view_of(again)) == repr(view_of(first.cell))


def test_effects_are_the_four_kinds_and_nothing_else() -> None:
    field = Field().run(4 * S, every_tick=False)
    assert {line.partition("(")[0] for _, line in field.log} == {"Write", "Call", "Entry", "Reply"}
    assert {Write, Call, Entry, Reply} == set(Effect.__args__)


def test_a_turn_is_worth_it_only_for_what_somebody_waits_for() -> None:
    @phase(station="s1")
    async def patient(c):
        await c.until("laser.ready", timeout="9 s")
        await c.robot.feed()
        await c.sleep("9 s")

    bench = Bench(equipment(patient))
    bench.answers["robot.feed"] = confirm

    def awaited(*signals: str) -> list[bool]:
        samples = [Samples((Sample(name, 1.0),)) for name in signals]
        return [bench.cell.awaits(each) for each in samples]

    assert bench.cell.awaits(Tick())
    assert bench.cell.awaits(LinkChanged("laser", LinkState.LOST))
    assert awaited("plc.guard", "plc.air", "laser.peak", "laser.ready") == [True, True, True, False]
    assert [bench.cell.awaits(Alive(device, 1)) for device in ("plc", "robot")] == [True, False]
    alive = [Alive("plc", 1, frozenset({name})) for name in ("plc.guard", "plc.clamp")]
    assert [bench.cell.awaits(each) for each in alive] == [True, False]
    bench.values["laser.ready"] = False
    bench.advance(0.02)
    bench.produce(seconds=0.05)
    assert awaited("laser.ready", "laser.last", "plc.count") == [True, False, False]
    bench.values["laser.ready"] = True
    bench.advance(0.05)
    assert awaited("laser.ready", "laser.last", "plc.count") == [True, True, False]
    bench.values["laser.last"] = 1
    bench.advance(0.05)
    assert awaited("laser.ready", "laser.last", "plc.count") == [False, False, False]


def test_a_changeover_waits_for_its_signals() -> None:
    steps = (Prepare("Fit it", signal=parse("plc.count == 3", signals=SIGNALS)), RunPhase("listen"))

    @phase()
    async def listen(c):
        await c.until("laser.power > 3 W", timeout="9 s")

    bench = Bench(equipment(listen, changeover=steps))
    assert bench.cell.awaits(Samples((Sample("plc.count", 3),))) is False
    bench.ask(StartChangeover("r"))
    assert bench.cell.awaits(Samples((Sample("plc.count", 3),)))
    bench.values["plc.count"] = 3
    bench.advance(0.02)
    assert bench.cell.awaits(Samples((Sample("laser.power", 3.0),)))
