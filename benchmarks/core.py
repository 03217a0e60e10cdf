"""P7: what one turn of the pure core costs in CPU time, per changed sample and per step of a phase."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.rounds import Row, figures
from cellctl.core.cell import Cell
from cellctl.core.condition_text import parse
from cellctl.core.equipment import AlarmSpec, Equipment, Station
from cellctl.core.memory import Memory
from cellctl.core.messages import (
    AddJob,
    Alive,
    Done,
    Effect,
    LinkChanged,
    LinkState,
    Operate,
    Outcome,
    Request,
    Samples,
    StartChangeover,
    Write,
)
from cellctl.core.packml import Command, State
from cellctl.core.phase import phase
from cellctl.core.procedure import PhaseStep, Sequence
from cellctl.core.recipe import MasterRecipe
from cellctl.core.signal import Sample, Signal
from cellctl.core.why import why

SIGNALS = 2_000
CONDITIONS = 200
#: Changed samples in one turn: what one 10 ms scan of a busy device brings.
CHANGED = 100
TURNS = 300
STEPS = 3_000

PEERS = Path(__file__).parent.parent / ".venv" / "bench" / "bin" / "python"
SECOND_NS = 1_000_000_000


def rows() -> Iterator[Row]:
    """Both rows."""
    yield Row(
        "P7",
        f"changed sample, {SIGNALS:,} signals, {CONDITIONS} conditions",
        "µs",
        figures({"ours": changed_sample, "floor": _samples_floor}),
        "≤ 5 µs",
        5,
        note="The floor stores each value in a dict and compares it if a condition names it. Ours knows quality and"
        " age, evaluates `and`, and looks for stale signals and due times.",
    )
    measures = {"ours": _steps, "floor": _steps_floor, "peer": _steps_peer}
    found = figures(measures if PEERS.exists() else {name: measures[name] for name in ("ours", "floor")})
    yield Row(
        "P7",
        "procedure step: set a signal and have it confirmed",
        "µs",
        found,
        "≤ 10 µs, and 8 × faster than the peer",
        10,
        note="The floor drives a bare generator with `send`. The peer is bluesky's RunEngine with `mv` on a device that"
        " is done at once.",
    )
    if "peer" in found:
        yield Row("P7", "the same, against the peer", "µs", found, "≤ 1/8 of the peer", 1 / 8, against="peer")


# --- samples ----------------------------------------------------------------------------------------------------


def changed_sample(count: int = SIGNALS, conditions: int = CONDITIONS) -> float:
    """µs of CPU for a changed sample in a cell with so many signals and conditions."""
    cell, names, now = _with_alarms(count, conditions)
    turns = []
    for turn in range(TURNS):
        now += 10_000_000
        first = turn * CHANGED % count
        block = (Sample(name, float(turn), time_ns=now, received_ns=now) for name in names[first : first + CHANGED])
        turns.append((now, Samples(tuple(block))))
    start = time.process_time()
    for now, samples in turns:
        cell.step(now, [samples])
    return (time.process_time() - start) / (TURNS * CHANGED) * 1e6


def quiet_turn(count: int, conditions: int) -> float:
    """µs of CPU for a turn in which one device, each in its turn, says that nothing has changed."""
    cell, _, now = _with_alarms(count, conditions)
    turns = [(now + n * 10_000_000, Alive(f"d{n % (count // 100)}", now + n * 10_000_000)) for n in range(TURNS)]
    start = time.process_time()
    for now, alive in turns:
        cell.step(now, [alive])
    return (time.process_time() - start) / TURNS * 1e6


def _with_alarms(count: int, conditions: int) -> tuple[Cell, list[str], int]:
    """A cell of so many signals, each with a value, and alarms over them; and what time it is there."""
    signals = {f"d{n // 100}.s{n}": Signal(f"d{n // 100}.s{n}", "float") for n in range(count)}
    names = list(signals)
    alarms = tuple(
        AlarmSpec(
            f"a{n}", parse(f"{names[n * 10]} > 1000000 and {names[n * 10 + 5]} > 0", signals=signals), "low", "", ""
        )
        for n in range(conditions)
    )
    cell = Cell(
        Memory(Equipment("bench", "Bench", signals, alarms=alarms, devices={f"d{n}": "" for n in range(count // 100)}))
    )
    every = [Sample(name, 0.5, time_ns=SECOND_NS, received_ns=SECOND_NS) for name in names]
    cell.step(SECOND_NS, [Samples(tuple(every))])
    return cell, names, SECOND_NS


def _samples_floor() -> float:
    names = [f"d{n // 100}.s{n}" for n in range(SIGNALS)]
    image = dict.fromkeys(names, 0.5)
    watched = {name: 1_000_000.0 for name in names[::5]}
    turns = [[(name, float(turn)) for name in names[turn * CHANGED % SIGNALS :][:CHANGED]] for turn in range(TURNS)]
    start = time.process_time()
    for turn in turns:
        for name, value in turn:
            image[name] = value
            if name in watched and value > watched[name]:
                raise AssertionError(name)
    return (time.process_time() - start) / (TURNS * CHANGED) * 1e6


# --- steps ------------------------------------------------------------------------------------------------------


@phase(station="s")
async def move(c: Any, count: int = STEPS) -> None:
    """Set a position, again and again."""
    for n in range(count):
        await c.axis.position.set(n)


def _steps() -> float:
    cell, now, effects = _in_execute()
    count = 0
    start = time.process_time()
    while count < STEPS:
        done = [Done(effect.id, Outcome.CONFIRMED) for effect in effects if isinstance(effect, Write)]
        assert done, tuple(why(cell))
        count += len(done)
        now += 1_000
        effects = cell.step(now, done)
    return (time.process_time() - start) / STEPS * 1e6


def _in_execute() -> tuple[Cell, int, list[Effect]]:
    """A cell in Execute whose one phase has just made its first wish."""
    equipment = Equipment(
        "bench",
        "Bench",
        {"axis.position": Signal("axis.position", "int", writable=True)},
        stations={"s": Station("s", frozenset({"axis"}))},
        phases={"move": move},
        recipes={"r": MasterRecipe("r", "1", procedure=Sequence((PhaseStep("move", "move"),)))},
        devices={"axis": "The axis"},
    )
    cell, now, effects = Cell(Memory(equipment)), SECOND_NS, list[Effect]()
    cell.step(now, [LinkChanged("axis", LinkState.CONNECTED)])
    for action in (StartChangeover("r"), AddJob("j", "r", 1), Operate(Command.RESET), Operate(Command.START)):
        now += 1_000_000
        effects = cell.step(now, [Request(str(now), action)])
    assert cell.state is State.EXECUTE, tuple(why(cell))
    return cell, now, effects


def _steps_floor() -> float:
    def generator() -> Iterator[int]:
        yield from range(STEPS)

    bare = generator()
    start = time.process_time()
    for _ in range(STEPS):
        next(bare)
    return (time.process_time() - start) / STEPS * 1e6


def _steps_peer() -> float:
    """In a process of its own environment; it prints its µs a step."""
    program = Path(__file__).parent / "peer_bluesky.py"
    done = subprocess.run([PEERS, program, str(STEPS // 3)], capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout))
