"""Whoever is asked something can end it: Ctrl-C at the questions of `cellctl io`, on a terminal and beside a pipe."""

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cellctl.cli.terminal import INTERRUPTED
from tests.cli.terminal import run
from tests.cli.test_io import LASER, rows

#: A command that waits for somebody to press Enter takes for ever.
END_S = 3
START_S = 60

#: The words of a command -> the lines typed, each with the question it answers; then the question at which it is ended.
COMMANDS: list[tuple[tuple[str, ...], list[tuple[bytes, bytes]], bytes]] = [
    (("test", "--report", "laser.csv"), [(b"Is that so?", b"y\n")], b"Write to power"),
    (("write", "power", "1234"), [], b"Write 1234 W to power"),
    (("call", "on"), [], b"Send on()"),
]


def own_terminal() -> None:
    """The terminal at stdin becomes that of this process: its Ctrl-C is a signal."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def heard(place: int, wanted: bytes, before: bytes = b"") -> bytes:
    """All that was told until `wanted` came."""
    while wanted not in before:
        more = os.read(place, 1024)
        assert more, before
        before += more
    return before


def rest(place: int) -> bytes:
    content = b""
    while True:
        try:
            more = os.read(place, 1024)
        except OSError:  # a terminal that nobody has open any more
            return content
        if not more:
            return content
        content += more


def ended(process: "subprocess.Popen[bytes]", interrupt: Callable[[], object]) -> float:
    """How long it took to end."""
    begin = time.monotonic()
    interrupt()
    try:
        process.wait(END_S)
    finally:
        process.kill()
    return time.monotonic() - begin


@pytest.mark.parametrize(("words", "typed", "question"), COMMANDS, ids=[words[0] for words, _, _ in COMMANDS])
@pytest.mark.parametrize("on_terminal", [True, False], ids=["terminal", "pipe"])
def test_ctrl_c_at_a_question_ends_it_at_once(
    places: Mapping[str, str],
    tmp_path: Path,
    words: tuple[str, ...],
    typed: list[tuple[bytes, bytes]],
    question: bytes,
    on_terminal: bool,
) -> None:
    laser = ("--profile", LASER, "--at", places["laser"])
    run("io", "write", "power", "1400", *laser, "--yes")
    argv = [sys.executable, "-m", "cellctl.cli", "io", *words, *laser]
    if on_terminal:
        keys, end = pty.openpty()
        told, answers, before = keys, keys, own_terminal
    else:
        (end, answers), (told, out) = os.pipe(), os.pipe()
        before = None
    streams = {"stdin": end, "stdout": end, "stderr": end} if on_terminal else {"stdin": end, "stderr": out}
    with subprocess.Popen(argv, cwd=tmp_path, start_new_session=True, preexec_fn=before, **streams) as process:
        for each in set(streams.values()):
            os.close(each)
        said = b""
        for asked, answer in typed:
            said = heard(told, asked, said)
            os.write(answers, answer)
        said = heard(told, question, said)
        if on_terminal:
            took_s = ended(process, lambda: os.write(keys, b"\x03"))
        else:
            took_s = ended(process, lambda: process.send_signal(signal.SIGINT))
        said += rest(told)
    for each in {told, answers}:
        os.close(each)
    assert (process.returncode, took_s < END_S) == (INTERRUPTED, True), said
    assert said.replace(b"\r\n", b"\n").endswith(b"\nInterrupted.\n")
    assert b"Traceback" not in said
    if typed:
        assert [row[:2] for row in rows(tmp_path / "laser.csv")] == [["power", "read"]]
        assert b"The same command goes on" in said
    assert "1400 W" in run("io", "read", "power", *laser).out, "nothing was written"
