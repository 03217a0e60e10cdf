"""Clock, exact timers, and the log: what the process stands on."""

import asyncio
import io
import json
import logging
import os
import socket
import threading
import time

import pytest

from cellctl.runtime import logs as logs_module
from cellctl.runtime import process
from cellctl.runtime.clock import Clock
from cellctl.runtime.logs import Logs


class Times:
    """The two clocks of a computer."""

    def __init__(self) -> None:
        self.utc, self.monotonic = 1_000_000_000_000, 500
        self.clock = Clock(lambda: self.monotonic, lambda: self.utc)

    def pass_ns(self, ns: int) -> None:
        self.utc += ns
        self.monotonic += ns


def test_the_clock_starts_at_utc_and_goes_on_by_itself() -> None:
    times = Times()
    times.pass_ns(7)
    assert times.clock.now() == 1_000_000_000_007
    assert times.clock.monotonic_s(times.clock.now()) == pytest.approx(507e-9)


@pytest.mark.parametrize(
    ("set_by_ns", "told_ns"), [(49_000_000, 0), (51_000_000, 51_000_000), (-3_600 * 10**9, -3_600 * 10**9)]
)
def test_a_step_of_the_wall_clock_is_told_once_and_not_followed(set_by_ns: int, told_ns: int) -> None:
    times = Times()
    times.utc += set_by_ns
    assert times.clock.now() == 1_000_000_000_000
    assert (times.clock.step_ns(), times.clock.step_ns()) == (told_ns, 0)


def test_timers_of_the_loop_are_exact() -> None:
    async def lateness() -> list[float]:
        loop = asyncio.get_running_loop()
        late = []
        for _ in range(60):
            due = loop.time() + 0.00105
            fired = loop.create_future()
            loop.call_at(due, lambda fired=fired: fired.set_result(loop.time()))
            late.append(await fired - due)
        return late

    with asyncio.Runner(loop_factory=process.new_loop) as runner:
        late = sorted(runner.run(lateness()))
    assert late[0] > -1e-6
    assert late[len(late) // 2] < 0.0007, "asyncio's own would fire after 2 ms"


def test_whoever_never_rests_keeps_nobody_from_hearing() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        heard: list[bytes] = []
        turns = 0
        with near, far:
            loop.add_reader(near, lambda: heard.append(near.recv(1)))
            far.send(b"!")
            while not heard:
                turns += 1
                await asyncio.sleep(0)
            loop.remove_reader(near)
        return turns

    with asyncio.Runner(loop_factory=process.new_loop) as runner:
        assert runner.run(main()) <= 3


def test_a_near_timer_that_was_given_up_disturbs_no_far_one() -> None:
    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        rung = asyncio.Event()
        begin = loop.time()
        loop.call_later(0.005, rung.set).cancel()
        loop.call_later(0.06, rung.set)
        await rung.wait()
        far = loop.time() - begin
        rung.clear()
        loop.call_later(0.003, rung.set)
        await rung.wait()
        return far, loop.time() - begin - far

    with asyncio.Runner(loop_factory=process.new_loop) as runner:
        far, near = runner.run(main())
    assert 0.06 <= far < 0.5
    assert 0.003 <= near < 0.5


def test_the_loop_does_all_that_a_loop_does() -> None:
    async def talk() -> bytes:
        one, two = socket.socketpair()
        with one, two:
            for each in (one, two):
                each.setblocking(False)
            loop = asyncio.get_running_loop()
            waiting = loop.create_task(loop.sock_recv(two, 10))
            await asyncio.sleep(0.001)
            await loop.sock_sendall(one, b"hello")
            threading.Timer(0.01, loop.call_soon_threadsafe, [lambda: None]).start()
            await asyncio.sleep(0.02)
            return await waiting

    with asyncio.Runner(loop_factory=process.new_loop) as runner:
        assert runner.run(talk()) == b"hello"


def test_real_time_priority_is_asked_for_and_may_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def granted(pid: int, policy: int, parameter: os.sched_param) -> None:
        asked.append(policy)

    def refused(pid: int, policy: int, parameter: os.sched_param) -> None:
        raise PermissionError

    monkeypatch.setattr(process.sys, "setswitchinterval", lambda seconds: None)
    monkeypatch.setattr(os, "sched_setscheduler", granted)
    assert process.prioritise()
    assert asked == [os.SCHED_FIFO | os.SCHED_RESET_ON_FORK]
    process.follow()
    assert len(asked) == 1, "the journal's thread asks only if the loop was granted it"
    monkeypatch.setattr(os, "sched_setscheduler", refused)
    assert not process.prioritise()


class Stalled(io.StringIO):
    """A stream that takes nothing until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()

    def write(self, text: str) -> int:
        self.free.wait(5)
        return super().write(text)


def lines(logs: Logs) -> list[dict[str, object]]:
    logs.close()
    return [json.loads(line) for line in logs._stream.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_a_line_is_json_with_level_and_time() -> None:
    logs = Logs(io.StringIO())
    logs.log.bind(device="oven").info("connected", identity="OV-2")
    (line,) = lines(logs)
    assert line.pop("timestamp")
    assert line == {"event": "connected", "level": "info", "device": "oven", "identity": "OV-2"}


def test_a_failure_carries_its_traceback() -> None:
    logs = Logs(io.StringIO())
    try:
        raise ZeroDivisionError("why")
    except ZeroDivisionError as error:
        logs.log.error("the driver failed", exc_info=error)
    assert "ZeroDivisionError: why" in str(lines(logs)[0]["exception"])


def test_a_fault_is_told_once_in_a_while_and_what_was_left_out_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(logs_module.time, "monotonic", lambda: now[0])
    logs = Logs(io.StringIO())
    for number in range(30):
        now[0] = number * 1.0
        logs.log.warning("no connection", device="oven")
        logs.log.info("a client came")
    logs.log.warning("no connection", device="press")
    told = lines(logs)
    monkeypatch.undo()
    assert [line.get("left_out") for line in told if line.get("device") == "oven"] == [None, 9, 9]
    assert len([line for line in told if line["level"] == "info"]) == 30
    assert told[-1]["device"] == "press"


def test_a_stalled_disk_costs_lines_not_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs_module, "WAITING_MAX", 5)
    stream = Stalled()
    logs = Logs(stream)
    began = time.monotonic()
    for number in range(100):
        logs.log.info("line", number=number)
    assert time.monotonic() - began < 1
    assert logs.dropped >= 90
    stream.free.set()
    assert len(lines(logs)) <= 10


def test_what_libraries_log_comes_through_shortened() -> None:
    logs = Logs(io.StringIO())
    logging.getLogger("library.client").info("nobody wants to know")
    logging.getLogger("library.client").warning("the server said %s", "x" * 5000)
    try:
        raise OSError("reset")
    except OSError:
        logging.getLogger("pymodbus").exception("transport")
    told = lines(logs)
    assert [line["logger"] for line in told] == ["library.client", "pymodbus"]
    assert len(str(told[0]["text"])) == 500
    assert told[1]["text"] == "transport: OSError('reset')"
    logging.getLogger("library.client").error("after the end")
