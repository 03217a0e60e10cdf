"""The look at what a test leaves behind finds each kind of it, and nothing in a test that leaves nothing; what is not
installed is counted."""

import re
import subprocess
import sys
from pathlib import Path

LEAKS = """
import asyncio, os, socket, subprocess, threading, time

kept = []


async def test_a_task():
    kept.append(asyncio.create_task(asyncio.sleep(30)))


def test_a_thread():
    threading.Thread(target=time.sleep, args=(2,), daemon=True).start()


def test_a_child():
    kept.append(subprocess.Popen(["sleep", "2"]))


def test_a_child_that_nobody_waited_for():
    if os.fork() == 0:
        os._exit(0)


def test_a_socket():
    kept.append(socket.socketpair())


def test_a_pty():
    kept.append(os.openpty())
"""

CLEAN = """
import asyncio, socket


async def test_what_it_made_has_ended():
    task = asyncio.create_task(asyncio.sleep(30))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await asyncio.to_thread(lambda: 1) == 1
    process = await asyncio.create_subprocess_exec("true")
    assert await process.wait() == 0


def test_what_it_opened_is_closed():
    with socket.socket() as opened:
        assert opened.fileno() > 0
"""


def run(folder: Path, tests: str) -> str:
    """What pytest says of `tests` under our own conftest, with hardly any grace."""
    fixtures = Path(__file__).with_name("conftest.py").read_text(encoding="utf-8")
    (folder / "conftest.py").write_text(fixtures.replace("GRACE_S = 1.0", "GRACE_S = 0.2"), encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n", encoding="utf-8")
    (folder / "test_it.py").write_text(tests, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_each_kind_of_leak_is_found(tmp_path: Path) -> None:
    told = run(tmp_path, LEAKS)
    caught = re.findall(r"^ERROR test_it\.py::(\w+) - Failed: (?:tasks )?left behind", told, flags=re.MULTILINE)
    assert caught == re.findall(r"def (test_\w+)", LEAKS), told


def test_a_test_that_leaves_nothing_passes(tmp_path: Path) -> None:
    assert "2 passed" in run(tmp_path, CLEAN)


def test_what_was_not_held_against_others_is_counted(tmp_path: Path) -> None:
    reason = "is not installed on this machine"
    tests = f"import pytest\n\n\ndef test_a():\n    pytest.skip('mbpoll {reason}')\n\n\ndef test_b():\n    test_a()\n"
    tests += "\n\ndef test_c():\n    pytest.skip('for another reason')\n"
    told = run(tmp_path, tests)
    assert "\n2 tests did not run, since this is not installed: mbpoll\n" in told
    assert "NOT HELD AGAINST" not in run(tmp_path, CLEAN)
