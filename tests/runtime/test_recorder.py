"""The flight recorder: exact, bounded, and never in the way."""

import asyncio
import json
import pickle
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellctl.core.cell import Cell
from cellctl.core.equipment import Equipment
from cellctl.core.memory import Memory
from cellctl.core.messages import (
    Acknowledge,
    AddJob,
    Alive,
    Call,
    CommandClass,
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
    Shelve,
    Tick,
    Trouble,
    Write,
)
from cellctl.core.packml import Command, State
from cellctl.core.recipe import MasterRecipe
from cellctl.core.signal import Quality, Sample
from cellctl.runtime import recorder as recorder_module
from cellctl.runtime.recorder import FOLDER, SPAN_NS, Limits, Recorder, spans_in
from cellctl.runtime.snapshot import SnapshotError, frozen, thawed
from cellctl.runtime.tape import TapeError, Turn, decoded, encoded
from cellctl.testing.incident.recording import read

from .doubles import SIGNALS

NOW = 1_764_000_000_000_000_000
DEVICES = {"oven": "The oven", "press": "The press"}
RECIPES = {"r": MasterRecipe("r", "1")}
EQUIPMENT = Equipment("test", "Test cell", SIGNALS, devices=DEVICES, recipes=RECIPES)

_texts = st.text(max_size=8)
_times = st.integers(0, 2**62)
_values = st.one_of(st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False), _texts)
_results = st.dictionaries(_texts, _values, max_size=3)
_samples = st.builds(Sample, _texts, _values | st.none(), st.sampled_from(Quality), _times, _times, _texts)
_words = st.text("abcdefgh", min_size=1, max_size=8)
_actions = st.one_of(
    st.builds(Operate, st.sampled_from(Command)),
    st.builds(AddJob, _words, _words, st.integers(0, 9)),
    st.builds(Recover, _words, _words),
    st.builds(Acknowledge, st.lists(_words, max_size=3).map(tuple)),
    st.builds(Shelve, _words, st.integers(0, 9), _words),
)
_inputs = st.one_of(
    st.builds(Samples, st.lists(_samples, max_size=3).map(tuple)),
    st.builds(Alive, _texts, _times, st.none() | st.frozensets(_texts, max_size=3)),
    st.builds(LinkChanged, _texts, st.sampled_from(LinkState), _texts, _texts),
    st.builds(Done, _times, st.sampled_from(Outcome), _results, _texts),
    st.builds(Request, _words, _actions, _words, _words),
    st.builds(Trouble, _words, st.booleans(), _results),
    st.builds(Tick),
)
_effects = st.one_of(
    st.builds(Write, _times, _texts, _values, _times, st.sampled_from(CommandClass)),
    st.builds(Call, _times, _texts, _texts, _times, _results, st.integers(0, 65535), st.sampled_from(CommandClass)),
    st.builds(Entry, _texts, _results),
    st.builds(Reply, st.builds(Receipt, _words, _texts)),
    st.builds(Reply, st.builds(Refused, _words, _texts, st.lists(_texts, max_size=2).map(tuple))),
)


@given(_times, st.lists(_inputs, max_size=4), st.lists(_effects, max_size=4))
def test_a_turn_is_read_as_it_was_written(now: int, inputs: list[Input], effects: list[Effect]) -> None:
    line = encoded(now, inputs, effects)
    assert "\n" not in line
    assert decoded(line) == Turn(now, tuple(inputs), tuple(effects))


def test_what_is_not_a_number_is_told_exactly() -> None:
    line = encoded(NOW, [Samples((Sample("oven.temp", float("nan")), Sample("oven.temp", float("-inf"))))], [])
    assert encoded(*_parts(decoded(line))) == line


def _parts(turn: Turn) -> tuple[int, tuple[Input, ...], tuple[Effect, ...]]:
    return turn.now, turn.inputs, turn.effects


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[1,[]]",
        '[1,[["samples",[1]]],[]]',
        '[1,[["link","oven","gone","",""]],[]]',
        '[1,[["explode"]],[]]',
        '[1,[],[["shout",1]]]',
        '[1,[["request",{"id":"a"}]],[]]',
        '[1,[["samples",["oven.temp",[],0,1,1]]],[]]',
    ],
)
def test_a_line_that_is_no_turn_is_told(line: str) -> None:
    with pytest.raises(TapeError):
        decoded(line)


# --- the cell as bytes ------------------------------------------------------------------------------------------


def at_work() -> Cell:
    memory = Memory(EQUIPMENT)
    memory.apply("tokens", {"reserved": 7}, NOW)
    cell = Cell(memory, state=State.STOPPED)
    cell.step(NOW, [LinkChanged("oven", LinkState.CONNECTED), Samples((Sample("oven.temp", 20.0, received_ns=NOW),))])
    cell.step(NOW + 1, [Request("a", AddJob("j", "r", 2), "anna", "test")])
    return cell


def test_a_thawed_cell_decides_as_the_frozen_one() -> None:
    cell = at_work()
    copy = thawed(frozen(cell), EQUIPMENT)
    again = [Request("a", AddJob("j", "r", 2), "anna", "test"), Request("b", Operate(Command.RESET), "anna", "test")]
    assert copy.step(NOW + 2, again) == cell.step(NOW + 2, again)
    assert copy.equipment is EQUIPMENT
    assert copy.memory.jobs[0] is not cell.memory.jobs[0]


def test_a_snapshot_does_not_depend_on_how_a_python_writes_enumerations(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = at_work()
    data = frozen(cell)
    monkeypatch.setattr(Enum, "__reduce_ex__", lambda self, _: (getattr, (type(self), self._name_)))  # as in 3.11.2
    assert frozen(cell) == data
    assert thawed(data, EQUIPMENT).state is cell.state


def test_what_the_files_no_longer_have_is_told() -> None:
    cell = at_work()
    cell.production.load(RECIPES["r"])
    cell.outbox.note("part", part="j-0001", job="j", recipe="r", version="1", hash=RECIPES["r"].hash, values={})
    with pytest.raises(SnapshotError, match=r"no recipe 'r' any more"):
        thawed(frozen(cell), replace(EQUIPMENT, recipes={}))


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("owned",)


@pytest.mark.parametrize("data", [b"", b"nonsense", pickle.dumps(_Evil()), pickle.dumps(State.IDLE)])
def test_a_snapshot_makes_nothing_but_a_cell(data: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SnapshotError):
        thawed(data, EQUIPMENT)
    assert capsys.readouterr().out == ""


# --- the recorder -----------------------------------------------------------------------------------------------


class Flight:
    """A cell that is stepped and recorded."""

    def __init__(self, state: Path, **limits: int) -> None:
        self.troubles: list[str] = []
        files = state / "cell"
        files.mkdir(exist_ok=True)
        (files / "cell.yaml").write_text("cell: {}\n", encoding="utf-8")
        (files / ".secret").mkdir(exist_ok=True)
        (files / ".secret" / "x.yaml").write_text("no\n", encoding="utf-8")
        self.recorder = Recorder(state, files, limits=Limits(**limits), trouble=self.troubles.append)
        self.cell, self.now, self.state = Cell(Memory(EQUIPMENT)), NOW, state
        self.recorder.begin(self.cell, self.now)

    def step(self, *inputs: Input, seconds: float = 1.0) -> None:
        self.now += round(seconds * 1e9)
        effects = self.cell.step(self.now, inputs)
        self.recorder.turn(self.now, inputs, effects)

    @property
    def files(self) -> list[Path]:
        return spans_in(self.state / FOLDER)


def heat(value: float) -> Samples:
    return Samples((Sample("oven.temp", value),))


async def test_what_is_recorded_can_be_read_while_it_goes_on(tmp_path: Path) -> None:
    flight = Flight(tmp_path)
    flight.step(heat(20.0))
    flight.step(heat(21.0))
    flight.recorder.work()
    (span,) = read(flight.files[0])
    assert [turn.inputs for turn in span.turns] == [(heat(20.0),), (heat(21.0),)]
    assert span.head.files == {"cell.yaml": "cell: {}\n"}
    assert (span.head.cell, span.head.turn, span.problem) == ("test", 0, "it is cut off")
    flight.step(heat(22.0))
    flight.recorder.close()
    (span,) = read(flight.files[0])
    assert (len(span.turns), span.problem) == (3, "")


async def test_a_span_begins_anew_when_the_last_is_long_enough(tmp_path: Path) -> None:
    flight = Flight(tmp_path)
    for number in range(4):
        flight.step(heat(float(number)), seconds=SPAN_NS / 2e9)
        await asyncio.sleep(0)
    flight.recorder.close()
    spans = [span for path in flight.files for span in read(path)]
    assert [len(span.turns) for span in spans] == [2, 2, 0]
    assert [span.head.turn for span in spans] == [0, 2, 4]
    assert len({span.head.run_ns for span in spans}) == 1


async def test_a_copy_is_not_taken_of_a_cell_that_went_on(tmp_path: Path) -> None:
    flight = Flight(tmp_path)
    flight.step(heat(1.0), seconds=SPAN_NS / 1e9)
    flight.step(heat(2.0))
    await asyncio.sleep(0)
    flight.recorder.close()
    spans = [span for path in flight.files for span in read(path)]
    assert [(span.head.turn, len(span.turns)) for span in spans] == [(0, 2), (2, 0)]


async def test_the_oldest_spans_make_room(tmp_path: Path) -> None:
    flight = Flight(tmp_path, bytes=6_000, span_bytes=2_000)
    for number in range(20):
        flight.step(*(heat(number * 1000.7 + n * n) for n in range(40)), seconds=SPAN_NS / 1e9)
        await asyncio.sleep(0)
        flight.recorder.work()
    flight.recorder.close()
    assert sum(path.stat().st_size for path in flight.files) < 7_000
    numbers = [int(path.stem) for path in flight.files]
    assert numbers[-1] == 21
    assert numbers == list(range(numbers[0], 22)), "whole spans go, the oldest first"


async def test_a_span_that_is_full_ends_and_the_next_begins_at_rest(tmp_path: Path) -> None:
    flight = Flight(tmp_path, span_bytes=1_000)
    for number in range(30):
        flight.step(heat(number * 1000.7))
        flight.recorder.work()
    assert flight.troubles[0] == "The recording is full: it begins anew when the cell is at rest."
    await asyncio.sleep(0)
    flight.step(heat(1.0))
    flight.recorder.close()
    spans = [span for path in flight.files for span in read(path)]
    assert len(spans) >= 2
    assert spans[-1].turns[-1].inputs == (heat(1.0),)


async def test_a_disk_that_is_ill_costs_the_recording_and_nothing_else(tmp_path: Path) -> None:
    flight = Flight(tmp_path)
    (tmp_path / FOLDER).write_text("a file where the folder should be", encoding="utf-8")
    flight.step(heat(1.0))
    flight.recorder.drain()
    assert flight.troubles == ["The recorder cannot write: File exists."]
    (tmp_path / FOLDER).unlink()
    flight.step(heat(2.0))
    await asyncio.sleep(0)
    flight.step(heat(3.0))
    flight.recorder.close()
    ((span,),) = map(read, flight.files)
    assert [turn.inputs for turn in span.turns] == [(heat(3.0),)]


async def test_what_cannot_be_told_costs_the_recording_and_nothing_else(tmp_path: Path) -> None:
    flight = Flight(tmp_path)
    flight.recorder.turn(NOW + 1, [], [Entry("odd", {"what": object()})])  # type: ignore[dict-item]
    flight.recorder.drain()
    assert flight.troubles == ["The recorder cannot go on: Object of type object is not JSON serializable."]
    flight.step(heat(2.0))
    await asyncio.sleep(0)
    flight.step(heat(3.0))
    flight.recorder.close()
    assert [turn.inputs for turn in read(flight.files[-1])[0].turns] == [(heat(3.0),)]


async def test_more_than_can_wait_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "WAITING_MAX", 3)
    flight = Flight(tmp_path)
    for number in range(5):
        flight.step(heat(float(number)))
    flight.recorder.drain()
    await asyncio.sleep(0)
    flight.step(heat(9.0))
    flight.recorder.close()
    spans = [span for path in flight.files for span in read(path)]
    assert [(span.head.turn, len(span.turns)) for span in spans] == [(0, 2), (5, 1)]


async def test_one_turn_of_the_writer_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "TURNS_MAX", 2)
    flight = Flight(tmp_path)
    for number in range(5):
        flight.step(heat(float(number)))
    assert flight.recorder.work() == 0.0
    assert len(read(flight.files[0])[0].turns) == 1
    flight.recorder.close()


def test_a_recording_is_text_that_every_computer_unpacks(tmp_path: Path) -> None:
    import gzip

    async def fly() -> Path:
        flight = Flight(tmp_path)
        flight.step(heat(20.5))
        flight.recorder.close()
        return flight.files[0]

    head, snapshot, turn = gzip.decompress(asyncio.run(fly()).read_bytes()).decode().splitlines()
    assert json.loads(head)["format"] == "cellctl.recording/1"
    assert json.loads(snapshot).keys() == {"snapshot"}
    assert json.loads(turn)[1] == [["samples", ["oven.temp", 20.5, 0, 0, 0]]]
