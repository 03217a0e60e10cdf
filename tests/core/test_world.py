"""Random worlds: commands, faults, lost links and people in any order, and what must hold after every turn.

The laser, the punch and the feeder know how often they were really fired: that is the truth against which the cell is
checked. A pulse is fired when it is on the device, also if its answer is late, lost or unknown.
"""

import json
from collections import Counter
from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cellctl.core.cell import Cell
from cellctl.core.memory import Memory
from cellctl.core.memory_plain import fold, plain, remembered
from cellctl.core.messages import (
    AddJob,
    Call,
    CommandClass,
    Effect,
    Entry,
    Input,
    LinkChanged,
    LinkState,
    Operate,
    Recover,
    Reply,
    Request,
    StartChangeover,
    Write,
)
from cellctl.core.operation import SAFE_TIMEOUT_NS, STOPPING_TIMEOUT_NS
from cellctl.core.packml import Command, State

from .bench import MS, S, equipment
from .worlds import WELDS, World, feed, home, punch, take, weld

DEVICES = ("plc", "laser", "robot")
SAFE = {"plc.horn", "laser.off"}
#: A stop and its bound, with one sweep on top.
ENDS_WITHIN_NS = STOPPING_TIMEOUT_NS + SAFE_TIMEOUT_NS + 250 * MS


class RandomWorld(RuleBasedStateMachine):
    """One cell in one world; every rule is something that may happen at any time."""

    def __init__(self) -> None:
        super().__init__()
        made = equipment(
            feed,
            weld,
            take,
            punch,
            home,
            wip=2,
            on_fault={"weak": "retry 1 then ask"},
            states={State.STOPPING: ("home",)},
        )
        self.twin = Memory(made)  # what a start would fold of the journal
        self.lives: list[tuple[Memory, State, list[tuple[int, tuple[Input, ...], str]]]] = []
        self.now = 1_700_000_000 * S
        self.entries: list[Entry] = []
        self.answers: dict[str, list[str]] = {}
        self.asked: dict[str, Any] = {}
        self.fires: dict[tuple[str, str], list[int]] = {}
        self.live(State.STOPPED)

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.world = World(
            Random(seed),
            {
                "plc.guard": True, "plc.air": 6.0, "plc.infeed": True, "laser.ready": True, "laser.last": 0,
                "laser.peak": 1400.0, "laser.power": 0.0, "plc.clamp": False, "plc.horn": False,
            },
        )  # fmt: skip
        for device in DEVICES:
            self.come(device)
        self.wait(1200)
        for action in (StartChangeover("r"), AddJob("J", "r", 3), Operate(Command.RESET), Operate(Command.START)):
            self.ask(action)
        self.wait(50)

    # --- what may happen ----------------------------------------------------------------------------------------

    @rule(ms=st.sampled_from([10, 30, 100, 400, 1500]))
    def wait(self, ms: int) -> None:
        ticks = min(20, ms // 10)
        for _ in range(ticks):
            self.now += ms // ticks * MS
            self.step(*self.world.happened(self.now))

    @rule(command=st.sampled_from(Command))
    def command(self, command: Command) -> None:
        self.ask(Operate(command))

    @rule(wish=st.sampled_from([Command.HOLD, Command.STOP, Command.ABORT]), ms=st.sampled_from([20, 100, 1000]))
    def interrupt(self, wish: Command, ms: int) -> None:
        """An operator interrupts, and lets it go on soon."""
        self.ask(Operate(wish))
        self.wait(ms)
        for _ in range(8):
            self.settle()
            self.wait(20)

    @rule()
    def go_on(self) -> None:
        """An operator does what is needed to have it run again."""
        self.settle()

    @rule(signal=st.sampled_from(["plc.guard", "plc.infeed"]), value=st.booleans())
    def guard(self, signal: str, value: bool) -> None:
        self.world.values[signal] = value

    @rule(value=st.sampled_from([4.0, 6.0]))
    def air(self, value: float) -> None:
        self.world.values["plc.air"] = value

    @rule(device=st.sampled_from(DEVICES))
    def lose(self, device: str) -> None:
        self.world.lose(device, self.now)
        self.step(*self.world.happened(self.now), LinkChanged(device, LinkState.LOST, "cable"))

    @rule(device=st.sampled_from(DEVICES))
    def come(self, device: str) -> None:
        self.world.connected.add(device)
        self.step(LinkChanged(device, LinkState.CONNECTED))

    @rule(written=st.booleans())
    def fail(self, written: bool) -> None:
        """The power fails in the middle of a turn: with its entries on disk but nothing sent, or before both."""
        effects = self.cell.step(self.now, self.world.happened(self.now))
        if written:
            self.keep(effects)
        self.world.abandon()
        self.live(State.ABORTED)
        for device in sorted(self.world.connected):
            self.come(device)

    @precondition(lambda self: self.cell.memory.questions)
    @rule(pick=st.integers(0, 10), retry=st.booleans())
    def decide(self, pick: int, retry: bool) -> None:
        """A person answers: about a pulse in doubt, truthfully."""
        questions = self.cell.memory.questions
        question = questions[pick % len(questions)]
        self.ask(
            Recover(
                question.id,
                self.truth(question) if question.kind == "in_doubt" else "retry" if retry else question.choices[-1],
            )
        )

    @precondition(lambda self: self.asked)
    @rule(pick=st.integers(0, 1000))
    def repeat(self, pick: int) -> None:
        """A request that comes a second time."""
        request = list(self.asked.values())[pick % len(self.asked)]
        self.step(request)

    # --- what must hold -----------------------------------------------------------------------------------------

    @invariant()
    def no_token_is_executed_twice(self) -> None:
        if hasattr(self, "world"):
            assert max(self.world.fired.values(), default=0) <= 1, self.world.fired

    @invariant()
    def no_two_parts_are_in_a_station_and_no_two_phases_at_a_device(self) -> None:
        memory = self.cell.memory
        assert all(station in part.stations for station, part in memory.stations.items())
        assert sum(len(part.stations) for part in memory.parts) == len(memory.stations)
        users: Counter[str] = Counter()
        for part in memory.parts:
            for run in part.runs.values():
                uses = run.definition.uses
                users.update(
                    uses if uses is not None else self.cell.equipment.stations[str(run.definition.station)].uses
                )
                assert run.definition.station in part.stations
        assert max(users.values(), default=0) <= 1, users

    @invariant()
    def every_request_was_answered_and_the_same_way_each_time(self) -> None:
        assert set(self.answers) == set(self.asked)
        assert all(len(set(answers)) == 1 for answers in self.answers.values())

    @invariant()
    def what_is_counted_is_what_ended(self) -> None:
        ended = Counter(str(entry.data["result"]) for entry in self.entries if entry.kind == "part.done")
        made = self.cell.memory
        assert (ended["good"], ended["scrap"]) == (made.good, made.reject)
        begun = sum(entry.kind == "part" for entry in self.entries)
        assert begun == made.good + made.reject + len(made.parts)

    @invariant()
    def a_stop_comes_to_its_end(self) -> None:
        if self.cell.state in (State.STOPPING, State.ABORTING):
            assert self.now - self.cell.operation.since_ns <= ENDS_WITHIN_NS

    @invariant()
    def the_cell_never_wants_to_be_woken_for_the_past(self) -> None:
        assert self.log == [] or self.cell.wake_at > self.now

    def teardown(self) -> None:
        """Everything gets well, and the order is worked off: then the truth is counted, and the log replayed."""
        if not hasattr(self, "world"):
            return
        self.world.well = True
        self.world.values |= {"plc.guard": True, "plc.air": 6.0, "plc.infeed": True}
        for device in DEVICES:
            self.come(device)
        for _ in range(200):
            if self.cell.memory.jobs == [] and self.cell.memory.parts == []:
                break
            self.wait(400)
            self.settle()
        assert self.cell.memory.parts == [], self.view().why
        self.check_truth()
        for memory, state, log in self.lives:
            again = Cell(memory, state=state)
            for now, inputs, effects in log:
                assert repr(again.step(now, inputs)) == effects

    # --- how --------------------------------------------------------------------------------------------------------

    def live(self, state: State) -> None:
        """Begin with what the journal tells."""
        first, second = (remembered(plain(self.twin), self.twin.equipment) for _ in range(2))
        self.cell = Cell(first, state=state)
        self.log: list[tuple[int, tuple[Input, ...], str]] = []
        self.lives.append((second, state, self.log))
        self.orders: dict[int, Write | Call] = {}

    def keep(self, effects: list[Effect]) -> None:
        """Have the entries on disk."""
        for effect in effects:
            if isinstance(effect, Entry):
                kind, data = effect.kind, effect.data
                self.entries.append(effect)
                self.twin = fold(self.twin, kind, json.loads(json.dumps(data)), self.now)
                if kind == "intent":
                    place = f"{data['part']}/{data['step']}", str(data["key"])
                    self.fires.setdefault(place, []).append(int(str(data["token"])))
        assert plain(self.twin) == plain(self.cell.memory)

    def settle(self) -> None:
        """Answer what is asked, and press what is possible."""
        for question in self.cell.memory.questions:
            choice = self.truth(question) if question.kind == "in_doubt" else "retry"
            self.ask(Recover(question.id, choice))
        for command in (Command.CLEAR, Command.RESET, Command.START, Command.UNHOLD, Command.UNSUSPEND):
            if self.cell.refusal(command) is None:
                self.ask(Operate(command))
                return

    def truth(self, question: Any) -> str:
        """What the world knows about the pulse in doubt."""
        serial, path, place = question.id.split("/", 2)
        token = self.fires[serial + "/" + path, place.removesuffix("?")][-1]
        name = place.rpartition(".")[2].partition("#")[0]
        return "done" if self.world.fired[name, token] else "redo"

    def check_truth(self) -> None:
        """Every good part was fed and punched once, and has every weld: fired once, and once more for each retry."""
        for entry in self.entries:
            if entry.kind != "part.done" or entry.data["result"] != "good":
                continue
            serial = entry.data["part"]
            retries = sum(
                one.kind == "recovery" and one.data["part"] == serial and one.data["choice"] == "retry"
                for one in self.entries
            )
            made = Counter(
                name
                for (step, place), tokens in self.fires.items()
                for token in set(tokens)
                for name in [place.rpartition(".")[2].partition("#")[0]]
                if step.startswith(f"{serial}/") and self.world.fired[name, token]
            )
            assert (made["feed"], made["punch"]) == (1, 1), (serial, made)
            assert made["fire"] == WELDS + retries, (serial, made, retries)

    def ask(self, action: Any) -> None:
        request = Request(f"q{len(self.asked)}", action, "anna")
        self.step(request)

    def step(self, *inputs: Input) -> None:
        self.asked |= {one.id: one for one in inputs if isinstance(one, Request)}
        effects = self.cell.step(self.now, inputs)
        self.log.append((self.now, inputs, repr(effects)))
        check_safe_first(effects)
        self.keep(effects)
        for effect in effects:
            match effect:
                case Reply(answer):
                    self.answers.setdefault(answer.id, []).append(repr(answer))
                case Write() | Call():
                    assert effect.id not in self.orders
                    self.orders[effect.id] = effect
                    self.world.take(effect, self.now)


def check_safe_first(effects: list[Effect]) -> None:
    """After Stop or Abort nothing is ordered but what leads to the safe side, until every output was told."""
    left: set[str] = set()
    for effect in effects:
        if isinstance(effect, Entry) and effect.kind == "state" and effect.data["state"] in ("Stopping", "Aborting"):
            left = set(SAFE)
        elif isinstance(effect, Write | Call) and left:
            assert effect.command_class is CommandClass.STOP, effects
            left.discard(f"{effect.device}.{effect.name}")


def test_whatever_happens_nothing_is_done_twice_and_everything_ends() -> None:
    run_state_machine_as_test(
        RandomWorld, settings=settings(max_examples=50, stateful_step_count=30, deadline=None, derandomize=True)
    )
