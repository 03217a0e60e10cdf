"""Children are real processes: kept running, ended in order, and never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cellctl.runtime import children as children_module
from cellctl.runtime.children import Child, keep_running
from cellctl.runtime.logs import Logs

from .doubles import until


def child(folder: Path, program: str) -> Child:
    """A child that writes its pid down, then runs `program`."""
    first = "import os, pathlib, signal, sys, time; p = pathlib.Path(sys.argv[1]) / 'pids';"
    note = "p.open('a').write(f'{os.getpid()}\\n');"
    return Child("test", (sys.executable, "-c", first + note + program, str(folder)), {"CELL": "bm1"})


def pids(folder: Path) -> list[int]:
    file = folder / "pids"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def kill_unheard(pid: int) -> None:
    """It is dead when this returns, and the loop has not heard of it."""
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def logged(log: Logs) -> str:
    return log._stream.getvalue()  # type: ignore[attr-defined, no-any-return]


async def test_a_killed_child_is_back_at_once(tmp_path: Path, log: Logs) -> None:
    task = asyncio.create_task(keep_running(child(tmp_path, "time.sleep(60)"), log.log))
    await until(lambda: len(pids(tmp_path)) == 1)
    os.kill(pids(tmp_path)[0], signal.SIGKILL)
    await until(lambda: len(pids(tmp_path)) == 2, limit_s=2)
    task.cancel()
    await asyncio.wait([task])
    assert [alive(pid) for pid in pids(tmp_path)] == [False, False]
    assert task.cancelled()


async def test_a_child_that_ignores_the_request_is_killed(
    tmp_path: Path, log: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children_module, "END_S", 0.1)
    stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    task = asyncio.create_task(keep_running(child(tmp_path, stubborn), log.log))
    await until(lambda: "deaf" in logged(log))
    task.cancel()
    await asyncio.wait([task], timeout=2)
    assert task.cancelled()
    assert not alive(pids(tmp_path)[0])


async def test_a_child_that_dies_in_the_moment_of_the_end_is_no_failure(tmp_path: Path, log: Logs) -> None:
    task = asyncio.create_task(keep_running(child(tmp_path, "time.sleep(60)"), log.log))
    await until(lambda: len(pids(tmp_path)) == 1)
    kill_unheard(pids(tmp_path)[0])
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_what_a_child_says_is_in_the_log(tmp_path: Path, log: Logs) -> None:
    program = "print('x' * 100_000); print(os.environ['CELL'], 'speaks', flush=True); time.sleep(60)"
    task = asyncio.create_task(keep_running(child(tmp_path, program), log.log))
    await until(lambda: '"text": "bm1 speaks"' in logged(log))
    task.cancel()
    await asyncio.wait([task])


async def test_a_child_that_cannot_start_is_tried_again_with_pauses(log: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await real(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    task = asyncio.create_task(keep_running(Child("ghost", ("/nowhere/ghost",)), log.log))
    while len(pauses) < 7:
        await real(0)
    task.cancel()
    await asyncio.wait([task])
    assert pauses[:7] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


_PARENT = """
import asyncio, io, sys
from cellctl.runtime.children import Child, keep_running
from cellctl.runtime.logs import Logs
asyncio.run(keep_running(Child("c", (sys.executable, "-c", sys.argv[1], sys.argv[2])), Logs(io.StringIO()).log))
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
async def test_no_child_outlives_control(tmp_path: Path, end: signal.Signals) -> None:
    program = child(tmp_path, "time.sleep(60)").argv[2]
    parent = started(program, str(tmp_path))
    try:
        await until(lambda: pids(tmp_path))
        parent.send_signal(end)
        await until(ended(pids(tmp_path)[0]))
    finally:
        parent.kill()
        parent.wait()


def started(*arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", _PARENT, *arguments], stderr=subprocess.DEVNULL)


def ended(pid: int) -> Callable[[], bool]:
    return lambda: not alive(pid)
