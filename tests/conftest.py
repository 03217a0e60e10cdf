"""What holds for every test: nothing is left behind, and what was not held against others is counted.

The rule kept here: a test that leaves a task, a thread, an open file, socket or pty, a child process, or another
priority behind fails, whatever else it proved. What belongs to a fixture of a wider scope was there before the test and
may stay.
"""

import asyncio
import gc
import inspect
import multiprocessing.resource_tracker
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest

#: How long a thread, descriptor or process that is already ending may take to be gone.
GRACE_S = 1.0

#: What runs of pytest within tests do without: to import it takes most of their time.
UNUSED = "-p no:hypothesispytest -p no:playwright"

#: In the reason of a test that is skipped since software of others is missing (tests/peers.py).
NOT_INSTALLED = "is not installed on this machine"


@dataclass(frozen=True, slots=True)
class Belongings:
    """What the test process holds at one moment, each thing in words."""

    threads: frozenset[str]
    files: frozenset[str]
    children: frozenset[str]
    scheduling: frozenset[str]

    @classmethod
    def now(cls) -> "Belongings":
        """Look at the process."""
        threads = frozenset(f"thread {thread.name} ({thread.ident})" for thread in threading.enumerate())
        scheduling = f"the priority {os.sched_getscheduler(0)}/{os.sched_getparam(0).sched_priority}"
        return cls(threads, frozenset(_files()), frozenset(_children()), frozenset({scheduling}))

    def beyond(self, before: "Belongings") -> list[str]:
        """What is here that was not there `before`."""
        return sorted(chain.from_iterable(getattr(self, name) - getattr(before, name) for name in self.__slots__))


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C be what it is for a person: a shell has what it runs in the background ignore it, children too. And
    have the runs of pytest that tests begin load no plugin that takes longer than what they try."""
    if "PYTEST_XDIST_WORKER" in os.environ or not getattr(config.option, "numprocesses", None):
        os.environ["PYTEST_ADDOPTS"] = f"{os.environ.get('PYTEST_ADDOPTS', '')} {UNUSED}"
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Give every asynchronous test the look at its own tasks."""
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.function):
        item.fixturenames.insert(item.fixturenames.index("nothing_left_behind") + 1, "no_task_left_behind")


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests did not meet the software of others, and which is missing: not to be overlooked in a log."""
    reasons = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", ())]
    missing = [reason.partition("Skipped: ")[2].split()[0] for reason in reasons if NOT_INSTALLED in reason]
    if missing:
        names = ", ".join(sorted(set(missing)))
        terminalreporter.section("NOT HELD AGAINST SOFTWARE OF OTHERS")
        terminalreporter.line(f"{len(missing)} tests did not run, since this is not installed: {names}")


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread, an open file, socket or pty, or a child process behind."""
    before = Belongings.now()
    yield
    if left := _left_after(before):
        pytest.fail("left behind: " + "; ".join(left), pytrace=False)


@pytest.fixture
async def no_task_left_behind() -> AsyncIterator[None]:
    """Fail an asynchronous test that leaves a task running when it returns."""
    yield
    await asyncio.sleep(0)
    left = sorted(repr(task.get_coro()) for task in asyncio.all_tasks() - {asyncio.current_task()})
    if left:
        pytest.fail("tasks left behind: " + "; ".join(left), pytrace=False)


def _left_after(before: Belongings) -> list[str]:
    left = Belongings.now().beyond(before)
    if left:
        gc.collect()
    end = time.monotonic() + GRACE_S
    while (left := Belongings.now().beyond(before)) and time.monotonic() < end:
        time.sleep(0.02)
    return left


def _files() -> Iterator[str]:
    """The open descriptors that something stands behind: not /dev/null, not the listing itself."""
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(entry)
        except FileNotFoundError:
            continue
        if target != "/dev/null" and not target.startswith("/proc/"):
            yield f"descriptor {entry.name} ({target})"


def _children() -> Iterator[str]:
    """The child processes, but for the one that multiprocessing keeps for its own bookkeeping."""
    bookkeeping = getattr(multiprocessing.resource_tracker._resource_tracker, "_pid", None)
    for task in Path("/proc/self/task").iterdir():
        try:
            pids = (task / "children").read_text().split()
        except FileNotFoundError:
            continue
        for pid in pids:
            if int(pid) == bookkeeping:
                continue
            try:
                command = (
                    Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                )
            except FileNotFoundError:
                continue
            yield f"process {pid} ({command or 'ended, but nobody waited for it'})"
