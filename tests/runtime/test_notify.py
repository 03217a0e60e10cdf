"""What systemd is told: by a real datagram socket, from a real control in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cellctl.runtime.notify import TIMES, Notify

#: A cell without devices: what its loop does is only its own.
CELL = "cellctl: 1\ncell: {id: x, name: X}\ndevices: {}\n"

#: Takes turns for ever, and waits for nothing.
BUSY = "cellctl: 1\ncell: {id: x, name: X}\ndevices: {}\nstates: {resetting: [spin]}\n"
SPIN = "from cellctl import phase\n\n\n@phase()\nasync def spin(c):\n    sum(n % 7 for n in range(10**11))\n"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.bind(str(tmp_path / "notify"))
        there.settimeout(30)
        yield there


@contextmanager
def control(tmp_path: Path, manager: socket.socket, watchdog_s: float) -> Iterator["subprocess.Popen[str]"]:
    environment = {
        **os.environ, "NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": str(round(watchdog_s * 1e6)),
    }  # fmt: skip
    argv = [sys.executable, "-m", "cellctl.cli", "run", str(tmp_path / "cell"), "--http", "off"]
    with subprocess.Popen(
        argv, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def cell(tmp_path: Path, text: str, **phases: str) -> None:
    (tmp_path / "cell" / "phases").mkdir(parents=True)
    (tmp_path / "cell" / "cell.yaml").write_text(text, encoding="utf-8")
    for name, code in phases.items():
        (tmp_path / "cell" / "phases" / f"{name}.py").write_text(code, encoding="utf-8")


def test_the_manager_hears_that_control_is_ready_and_goes_on(tmp_path: Path, manager: socket.socket) -> None:
    cell(tmp_path, CELL)
    with control(tmp_path, manager, watchdog_s=0.3) as process:
        assert [manager.recv(100) for _ in range(4)] == [b"READY=1", *[b"WATCHDOG=1"] * 3]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_a_loop_that_stands_still_is_silent(tmp_path: Path, manager: socket.socket) -> None:
    cell(tmp_path, BUSY, spin=SPIN)
    state = tmp_path / "cell" / ".cellctl"
    argv = [sys.executable, "-m", "cellctl.cli", "reset", "--no-wait", "--state", str(state)]
    with control(tmp_path, manager, watchdog_s=0.3):
        assert manager.recv(100) == b"READY=1"
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as asking:
            manager.settimeout(3)
            with pytest.raises(TimeoutError):
                list(iter(lambda: manager.recv(100), b""))
            asking.kill()


def test_without_a_manager_nothing_is_told_and_what_is_told_in_vain_is_no_trouble(tmp_path: Path) -> None:
    silent = Notify({})
    silent.ready()
    assert silent.every_s is None
    environment = {"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "3000000", "PATH": "x"}
    told = Notify(environment)
    told.ready()
    told.alive()
    assert (told.every_s, environment) == (3 / TIMES, {"PATH": "x"})
    assert Notify({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}).every_s is None
