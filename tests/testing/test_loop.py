"""The loop whose time jumps: exact, the same in every run, and never waiting for what cannot come."""

import asyncio
import datetime
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from cellctl.testing.virtual import EPOCH_NS, Deadlock, VirtualLoop, wall_clock

Work = Callable[[], Coroutine[Any, Any, Any]]


def run(work: Work, loop: VirtualLoop | None = None) -> Any:
    with asyncio.Runner(loop_factory=lambda: loop or VirtualLoop()) as runner:
        return runner.run(work())


def test_a_day_passes_at_once_and_exactly() -> None:
    async def work() -> tuple[int, int]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        before = loop.monotonic_ns()
        await asyncio.sleep(86_400)
        await asyncio.sleep(0.02)
        await asyncio.sleep(1e-15)
        return loop.monotonic_ns() - before, loop.utc_ns()

    real_s = time.perf_counter()
    passed_ns, utc_ns = run(work)
    assert passed_ns == 86_400_020_000_001, "even the shortest sleep lets time pass"
    assert utc_ns == EPOCH_NS + passed_ns
    assert time.perf_counter() - real_s < 5


def test_timers_fire_in_their_order_and_at_their_time() -> None:
    async def work() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        start, fired = loop.time(), []

        async def sleeper(name: str, *pauses: float) -> None:
            for pause in pauses:
                await asyncio.sleep(pause)
                fired.append((name, round(loop.time() - start, 9)))

        await asyncio.gather(sleeper("a", 0.3, 0.3), sleeper("b", 0.1, 0.4), sleeper("c", 1.0))
        return fired

    assert run(work) == [("b", 0.1), ("a", 0.3), ("b", 0.5), ("a", 0.6), ("c", 1.0)]


def test_a_wait_that_nothing_can_end_is_told_at_once_where_it_is() -> None:
    async def work() -> str:
        async def other() -> None:
            await asyncio.Event().wait()

        task = asyncio.create_task(other(), name="the other")
        try:
            await task
        except Deadlock as error:
            return str(error)
        return ""

    told = run(work)
    assert "nothing will ever happen" in told
    assert "the other waits at test_loop.py:" in told
    assert "other)" in told


def test_a_deadlock_ends_a_test_that_does_not_catch_it() -> None:
    async def gathered() -> None:
        await asyncio.gather(asyncio.Event().wait(), asyncio.Event().wait())

    with pytest.raises(Deadlock):
        run(gathered)


def test_an_executor_is_done_before_the_next_callback() -> None:
    async def work() -> tuple[list[str], float]:
        loop = asyncio.get_running_loop()
        order, start = [], loop.time()
        loop.call_soon(order.append, "next")
        assert await asyncio.to_thread(lambda: order.append("thread") or 7) == 7  # type: ignore[func-returns-value]
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, lambda: 1 / 0)
        return order, loop.time() - start

    order, passed_s = run(work)
    assert (order, passed_s) == (["thread", "next"], 0.0)


def test_time_stands_still_while_a_thread_works_for_the_loop() -> None:
    async def work() -> tuple[str, float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        answer: asyncio.Future[str] = loop.create_future()
        start = loop.time()

        def worker() -> None:
            time.sleep(0.05)
            loop.call_soon_threadsafe(answer.set_result, "done")

        thread = threading.Thread(target=worker)
        with loop.outside():
            thread.start()
            async with asyncio.timeout(0.001):
                told = await answer
        thread.join()
        return told, loop.time() - start

    assert run(work) == ("done", 0.0)


def test_a_real_descriptor_is_heard_before_time_goes_on() -> None:
    async def work() -> tuple[bytes, float]:
        loop = asyncio.get_running_loop()
        reading, writing = os.pipe()
        got: asyncio.Future[bytes] = loop.create_future()
        start = loop.time()
        loop.add_reader(reading, lambda: got.set_result(os.read(reading, 10)))
        os.write(writing, b"now")
        try:
            async with asyncio.timeout(0.001):
                return await got, loop.time() - start
        finally:
            loop.remove_reader(reading)
            os.close(reading)
            os.close(writing)

    data, passed_s = run(work)
    assert (data, passed_s < 0.001) == (b"now", True)


def test_every_clock_of_the_process_is_that_of_the_loop() -> None:
    loop = VirtualLoop()

    async def work() -> None:
        monotonic, utc = time.monotonic(), time.time()
        assert datetime.datetime.now(datetime.UTC).isoformat() == "2026-01-05T06:00:00+00:00"
        await asyncio.sleep(90.5)
        assert datetime.datetime.now(datetime.UTC).isoformat() == "2026-01-05T06:01:30.500000+00:00"
        assert time.monotonic() - monotonic == time.time() - utc == time.perf_counter() - monotonic == 90.5
        loop.step_clock(3_600_000_000_000)
        assert datetime.datetime.now(datetime.UTC).hour == 7
        assert time.monotonic() - monotonic == 90.5

    with wall_clock(loop):
        run(work, loop)
    assert datetime.datetime.now(datetime.UTC).timestamp() == pytest.approx(time.time(), abs=5)
    assert time.monotonic.__module__ == "time"


_RUN = """
import asyncio, random
from cellctl.testing.virtual import VirtualLoop

async def main():
    loop, told = asyncio.get_running_loop(), []

    async def client(name):
        reader, writer = await asyncio.open_connection("127.0.0.1", 7)
        for number in range(20):
            writer.write(f"{name}{number}\\n".encode())
            told.append((round(loop.time(), 6), await reader.readline()))
            await asyncio.sleep(random.random() / 100)
        writer.close()

    async def echo(reader, writer):
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    await asyncio.start_server(echo, "127.0.0.1", 7)
    random.seed(1)
    await asyncio.gather(*(client(name) for name in {"a", "b", "c"} | set("def")))
    return told

with asyncio.Runner(loop_factory=VirtualLoop) as runner:
    print(sorted(runner.run(main())))
"""


def test_two_processes_do_the_same() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", _RUN.replace('{"a", "b", "c"} | set("def")', '"abcdef"')],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "7")
    }
    assert len(told) == 1
    assert "a19" in told.pop()
