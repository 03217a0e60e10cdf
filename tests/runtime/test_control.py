"""Control as a whole: real journal and socket, a scripted core, drivers at the port."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from cellctl.core.messages import (
    CommandClass,
    Done,
    Effect,
    Entry,
    Input,
    LinkChanged,
    Operate,
    Outcome,
    Request,
    Samples,
    Tick,
    Trouble,
)
from cellctl.core.packml import Command, State
from cellctl.core.signal import Sample
from cellctl.core.trouble import CLOCK_SET
from cellctl.records import Records
from cellctl.runtime import care as care_module
from cellctl.runtime import control as control_module
from cellctl.runtime import journal as journal_module
from cellctl.runtime.ballast import BALLAST_BYTES
from cellctl.runtime.beginning import beginning
from cellctl.runtime.control import Run, run_cell
from cellctl.runtime.folder import StateError, StateInUse, claimed
from cellctl.runtime.logs import Logs

from .doubles import HeldDisk, ObedientDriver, Running, call, model, until, write

Start = Callable[..., Any]

PULSE, STOP = CommandClass.PULSE, CommandClass.STOP


async def decide(running: Running, *effects: Effect) -> None:
    """Let the core decide `effects` in one turn of its own."""

    def decided(item: Input) -> Sequence[Effect]:
        return effects if isinstance(item, Tick) else ()

    turns = running.cell.turns
    running.cell.decide = decided
    running.control._inbox.put(Tick())
    await until(lambda: running.cell.turns > turns)


async def connected(running: Running) -> None:
    await until(lambda: len([item for item in running.cell.seen(LinkChanged) if item.identity]) == 2)


async def test_samples_walk_to_the_cell_and_orders_to_the_driver(start: Start) -> None:
    async with start() as running:
        await connected(running)
        running.drivers["oven"].link.put([Sample("oven.temp", 180.0)])
        await until(lambda: running.cell.seen(Samples))
        assert running.cell.image.read("oven.temp").value == 180.0
        await decide(running, write(1), write(2, signal="press.ready"))
        await until(lambda: len(running.cell.seen(Done)) == 2)
        assert [order.id for order in running.drivers["press"].orders] == [2]


async def test_a_pulse_leaves_only_when_its_intent_is_in_the_file(start: Start, disk: HeldDisk) -> None:
    async with start() as running:
        await connected(running)
        disk.free.clear()
        await decide(running, Entry("intent", {"token": 1}), call(1, kind=PULSE))
        await decide(running, write(2))
        await asyncio.sleep(0.05)
        assert running.drivers["oven"].orders == []
        disk.free.set()
        await until(lambda: len(running.drivers["oven"].orders) == 2)
        assert [order.id for order in running.drivers["oven"].orders] == [1, 2]
        assert Records(running.folder).latest(kind="intent")


@pytest.mark.parametrize("trouble", ["held", "failing"])
async def test_a_stop_needs_no_disk(start: Start, disk: HeldDisk, trouble: str) -> None:
    async with start() as running:
        await connected(running)
        if trouble == "held":
            disk.free.clear()
        else:
            disk.error = "database or disk is full"
        await decide(running, Entry("intent", {"token": 1}), call(1, kind=PULSE))
        await decide(running, Entry("state", {}), call(2, name="off", kind=STOP))
        await until(lambda: running.drivers["oven"].orders)
        assert [order.id for order in running.drivers["oven"].orders] == [2]
        disk.error = ""
        disk.free.set()
        await until(lambda: Records(running.folder).latest(kind="state"))
        assert [order.id for order in running.drivers["oven"].orders] == [2], "the pulse was withdrawn by the stop"
        assert [done.outcome for done in running.cell.seen(Done) if done.id == 1] == [Outcome.NOT_SENT]


async def test_a_stop_leaves_even_when_no_entry_is_taken_any_more(
    start: Start, disk: HeldDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start() as running:
        await connected(running)
        await until(lambda: running.journal.committed == running.journal.sequence)
        monkeypatch.setattr(journal_module, "WAITING_MAX", 0)
        disk.free.clear()
        running.journal.append(1, [Entry("first", {})])
        await decide(running, Entry("state", {}), call(1, name="off", kind=STOP), call(2, device="press", kind=PULSE))
        await until(lambda: running.drivers["oven"].orders)
        disk.free.set()
        with pytest.raises(journal_module.JournalError, match="writable"):
            await running.task
        assert running.drivers["press"].orders == []


async def test_what_the_disk_does_is_told_to_the_cell_as_long_as_it_lasts(
    start: Start, disk: HeldDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(care_module, "LOOK_S", 0.01)
    monkeypatch.setattr(care_module, "SLOW_DISK_S", 0.05)
    async with start() as running:
        await connected(running)
        disk.free.clear()
        await decide(running, Entry("note", {}))
        await until(lambda: troubles(running) == ["+system.journal_slow"])
        disk.error = "disk I/O error"
        disk.free.set()
        await until(lambda: "-system.journal_slow" in troubles(running))
        assert "+system.journal_error" in troubles(running)
        disk.error = "database or disk is full"
        await until(lambda: "+system.journal_full" in troubles(running))
        disk.error = ""
        await until(lambda: {"-system.journal_error", "-system.journal_full"} <= set(troubles(running)))
        assert len(troubles(running)) == 6, "each is told once"


def troubles(running: Running) -> list[str]:
    return [("+" if item.active else "-") + item.id for item in running.cell.seen(Trouble)]


async def test_the_space_that_was_kept_is_given_to_the_journal_of_a_full_disk(
    start: Start, disk: HeldDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(care_module, "LOOK_S", 0.01)
    async with start() as running:
        await connected(running)
        running.control._care.keep_space(running.folder)
        ballast = running.folder / "ballast"
        assert ballast.stat().st_size == BALLAST_BYTES
        disk.error = "database or disk is full"
        await decide(running, Entry("note", {}))
        await until(lambda: not ballast.exists())
        disk.error = ""
        await until(ballast.exists)  # once enough is free again


def asked(running: Running) -> list[Command]:
    return [item.action.command for item in running.cell.seen(Request) if isinstance(item.action, Operate)]


async def test_the_cell_is_woken_when_it_wants(start: Start) -> None:
    async with start() as running:
        await connected(running)
        clock = running.control._clock
        woken: list[int] = []
        running.cell.wake_at = wanted = clock.now() + 30_000_000
        real = running.cell.step

        def step(now: int, inputs: Sequence[Input]) -> list[Effect]:
            if now >= wanted and not woken:
                woken.append(now)
                running.cell.wake_at = now + 10**12
            return real(now, inputs)

        running.cell.step = step
        running.control._inbox.put(Tick())
        await until(lambda: woken)
        assert 0 <= woken[0] - wanted < 20_000_000


async def test_a_cell_whose_wake_time_is_past_does_not_starve_the_loop(start: Start) -> None:
    async with start() as running:
        running.cell.wake_at = 0
        await asyncio.sleep(0.1)
        assert 2 < running.cell.turns < 150
        running.cell.wake_at = 4 * 10**18


async def test_an_order_for_an_unknown_device_is_answered(start: Start) -> None:
    async with start() as running:
        await decide(running, call(5, device="ghost"))
        await until(lambda: running.cell.seen(Done))
        assert running.cell.seen(Done)[0].outcome is Outcome.NOT_SENT


async def test_an_orderly_end_is_clean_and_a_kill_is_not(start: Start, tmp_path: Path) -> None:
    async with start() as running:
        assert running.cell.state is State.STOPPED
        running.cell.state = State.EXECUTE
        await decide(running, Entry("tokens", {"reserved": 41}))
        await running.end()
    assert asked(running) == [Command.STOP]
    records = Records(tmp_path)
    assert records.latest(limit=1)[0].kind == "end"
    async with start() as running:
        assert (running.cell.state, running.cell.memory.token) == (State.STOPPED, 41)
        await until(lambda: records.latest(limit=1)[0].kind == "start")
        copy = tmp_path / "as after a kill"
        copy.mkdir()
        for file in ("journal.db", "journal.db-wal"):
            (copy / file).write_bytes((tmp_path / file).read_bytes())
    assert beginning(Records(copy), running.cell.memory.equipment).state is State.ABORTED
    assert records.verify().broken_at is None


async def test_what_was_read_until_the_end_is_in_the_history(start: Start, tmp_path: Path) -> None:
    async with start() as running:
        await connected(running)
        running.drivers["oven"].link.put([Sample("oven.temp", 180.0, received_ns=running.control._clock.now())])
        await until(lambda: running.cell.seen(Samples))
        await running.end()
    assert modes(tmp_path) == dict.fromkeys(("control.lock", "history.db", "journal.db"), 0o600)
    assert [one.value for one in Records(tmp_path).samples("oven.temp", 0, 1 << 62)] == [180.0]


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


async def test_a_cell_that_ends_aborted_begins_aborted(start: Start) -> None:
    async with start() as running:
        running.cell.state = State.ABORTED
        await running.end()
    async with start() as running:
        assert running.cell.state is State.ABORTED


async def test_a_cell_that_will_not_stop_is_left_after_a_deadline(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_module, "STOP_S", 0.05)
    monkeypatch.setattr(control_module, "COMMANDS", {Command.STOP: (frozenset(), None)})
    async with start() as running:
        monkeypatch.setattr(control_module, "_AT_REST", frozenset())
        running.cell.state = State.EXECUTE
        await running.end()
    assert Records(running.folder).latest(limit=1)[0].data == {"state": "Execute"}


async def test_a_second_signal_does_not_wait_for_the_cell(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    async with start() as running:
        monkeypatch.setattr(control_module, "_AT_REST", frozenset())
        running.control.stop()
        await asyncio.sleep(0.05)
        assert not running.task.done()
        running.control.stop()
        async with asyncio.timeout(1):
            await running.task


async def test_a_failing_core_ends_control_with_its_error(start: Start) -> None:
    async with start() as running:
        await connected(running)

        def decided(item: Input) -> Sequence[Effect]:
            raise ZeroDivisionError

        running.cell.decide = decided
        running.control._inbox.put(Tick())
        with pytest.raises(ZeroDivisionError):
            await running.task
    assert Records(running.folder).latest(limit=1)[0].kind != "end"


async def test_a_failing_driver_costs_its_own_signals_only(start: Start) -> None:
    class Broken(ObedientDriver):
        async def run(self, link: Any) -> None:
            if self.device.id == "press":
                raise ZeroDivisionError
            await super().run(link)

    async with start(Broken) as running:
        await until(lambda: [item for item in running.cell.seen(LinkChanged) if "failed" in item.reason])
        await decide(running, write(1))
        await until(lambda: running.drivers["oven"].orders)


async def test_a_stepped_clock_is_written_down_and_not_followed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(care_module, "LOOK_S", 0.01)
    async with start() as running:
        clock = running.control._clock
        before = clock.now()
        clock._told_ns -= 3_600_000_000_000
        await until(lambda: Records(running.folder).latest(kind="clock"))
        step_ns = Records(running.folder).latest(kind="clock")[0].data["step_ns"]
        assert abs(step_ns - 3_600_000_000_000) < 50_000_000
        assert 0 < clock.now() - before < 1_000_000_000
        await asyncio.sleep(0.05)
        assert len(Records(running.folder).latest(kind="clock")) == 1
        await until(lambda: len(running.cell.seen(Trouble)) == 2)
        raised, over = running.cell.seen(Trouble)
        assert (raised.id, raised.active, over.id, over.active) == (CLOCK_SET, True, CLOCK_SET, False)
        assert raised.data == {"step_s": step_ns / 1e9}


async def test_a_signal_ends_the_run_and_nothing_is_left(tmp_path: Path, log: Logs, start: Start) -> None:
    how = Run(tmp_path, drivers=lambda protocol: ObedientDriver)
    ready = asyncio.Event()
    handler = signal.getsignal(signal.SIGTERM)
    task = asyncio.create_task(run_cell(model(), how, log.log, ready=ready.set))
    async with asyncio.timeout(5):
        await ready.wait()
        assert (tmp_path / "control.sock").stat().st_mode & 0o777 == 0o600
        with pytest.raises(StateInUse, match=f"process {os.getpid()}"):
            await run_cell(model(), how, log.log)
        os.kill(os.getpid(), signal.SIGTERM)
        await task
    assert not (tmp_path / "control.sock").exists()
    assert signal.getsignal(signal.SIGTERM) == handler
    assert {thread.name for thread in threading.enumerate()} & {"journal"} == set()


async def test_a_socket_that_cannot_be_made_is_a_sentence(tmp_path: Path, log: Logs, start: Start) -> None:
    how = Run(tmp_path, drivers=lambda protocol: ObedientDriver)
    (tmp_path / "control.sock").mkdir()
    with pytest.raises(StateError, match=r"control\.sock cannot be made"):
        await run_cell(model(), how, log.log)


def test_a_state_folder_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("long" * 30)):
        with pytest.raises(StateError, match="folder"), claimed(folder):
            pytest.fail("it was claimed")
