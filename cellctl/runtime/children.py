"""Child processes of control: the gateway, and simulated devices when a cell runs on them.

The rules kept here: control never waits for a child and never notices one that dies; a child that died is started
again; no child outlives control, not even one that is killed.
"""

import asyncio
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from cellctl.runtime.logs import Log

#: Pauses before a child is started again: back within 2 s at first, and no storm if it cannot start at all.
PAUSE_FIRST_S = 0.2
PAUSE_LONGEST_S = 5.0

#: A child that lived this long is well: the next pause is the first again.
STABLE_S = 10.0

#: From the request to end to the kill.
END_S = 3.0

#: Longest line of a child's output that is logged whole.
LINE_BYTES_MAX = 8_192

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Child:
    """A program to keep running: its name in the log, its arguments, and what it finds in its environment besides."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


async def keep_running(child: Child, log: Log) -> None:
    """Run `child` until cancelled, then end it: first by request, after `END_S` by force."""
    log = log.bind(child=child.name)
    pause_s = PAUSE_FIRST_S
    while True:
        began = time.monotonic()
        try:
            code = await _run(child, log)
        except OSError as error:
            log.error("the child cannot be started", reason=str(error))
        else:
            log.warning("the child ended", code=code)
        if time.monotonic() - began >= STABLE_S:
            pause_s = PAUSE_FIRST_S
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, PAUSE_LONGEST_S)


async def _run(child: Child, log: Log) -> int:
    process = _started(child)
    log.info("the child runs", pid=process.pid)
    async with asyncio.TaskGroup() as group:
        output = group.create_task(_log_output(process, log))
        try:
            await _ended(process)
        except asyncio.CancelledError:
            await _end(process)
            raise
        finally:
            process.wait()
            output.cancel()
    return process.returncode


def _started(child: Child) -> "subprocess.Popen[bytes]":
    parent = os.getpid()
    return subprocess.Popen(
        child.argv,
        env={**os.environ, **child.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C in the terminal reaches control alone, which then ends its children in order
        preexec_fn=lambda: tie_to(parent),
    )


async def _ended(process: "subprocess.Popen[bytes]") -> None:
    """Until `process` has ended, without a thread."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    watched = os.pidfd_open(process.pid)
    loop.add_reader(watched, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(watched)
        os.close(watched)


async def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask it to end, then make it. It may be dead already: then there is nothing to wait for."""
    process.terminate()
    try:
        if process.poll() is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(END_S):
                    await _ended(process)
    finally:
        process.kill()


async def _log_output(process: "subprocess.Popen[bytes]", log: Log) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(LINE_BYTES_MAX)
    pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), process.stdout)
    try:
        while not reader.at_eof():
            try:
                line = await reader.readline()
            except ValueError:
                continue  # longer than the limit: asyncio has thrown away what it held
            if line:
                log.info("the child says", text=line.decode(errors="replace").rstrip())
    finally:
        pipe.close()


def tie_to(parent: int) -> None:
    """In the child, before its program: it is told to end when the thread that started it ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)
