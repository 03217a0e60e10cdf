"""Software of others that drivers and simulated devices are held against: where it is, and how a test talks to it.

The rule kept here: a test whose software is not installed is skipped with a sentence that says how to get it, and the
end of the run counts those (tests/conftest.py). All of it runs as programs of their own, on this machine only.
"""

import contextlib
import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conftest import NOT_INSTALLED

PROGRAMS = Path(__file__).parent / "data" / "peers"
PACKAGES = Path(sys.prefix) / "js" / "node_modules"
WAIT_S = 30.0

_MBPOLL_TABLES = {1: "0", 5: "0", 15: "0", 2: "1", 4: "3", 3: "4", 6: "4", 16: "4"}
_MBPOLL_READS = frozenset({1, 2, 3, 4})
_MBPOLL_EXCEPTIONS = {"Illegal function": 1, "Illegal data address": 2, "Illegal data value": 3}


class Peer:
    """A program that speaks in lines, for the length of a `with`: it says its address first, then answers each line."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._told = b""

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        with contextlib.suppress(BrokenPipeError), self.process:  # it may have ended before it was asked
            pass

    def line(self, within_s: float = WAIT_S) -> str:
        """The next line that it says."""
        assert self.process.stdout is not None
        end = time.monotonic() + within_s
        while b"\n" not in self._told:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{self.process.args!r} says nothing"
            more = os.read(self.process.stdout.fileno(), 65_536)
            assert more, f"{self.process.args!r} has ended"
            self._told += more
        line, _, self._told = self._told.partition(b"\n")
        return line.decode().strip()

    def ask(self, text: object) -> str:
        """What it answers to a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n".encode())
        self.process.stdin.flush()
        return self.line()


def javascript(program: str, package: str, *arguments: object) -> list[str]:
    """The command that runs one of our programs in JavaScript, which uses `package`."""
    node = _command("node", package)
    if not (PACKAGES / package).is_dir():
        _missing(package)
    return [node, str(PROGRAMS / program), str(PACKAGES), *map(str, arguments)]


def libmodbus(folder: Path, *arguments: object) -> list[str]:
    """The command that runs our program in C with libmodbus; it is built into `folder`."""
    built = folder / "libmodbus"
    if not built.exists():
        compiler = _command("cc", "libmodbus")
        if not Path("/usr/include/modbus/modbus.h").exists():
            _missing("libmodbus")
        source = [str(PROGRAMS / "libmodbus.c"), "-I/usr/include/modbus", "-lmodbus"]
        argv = [compiler, "-O1", "-Wall", "-Wextra", "-Werror", "-o", str(built), *source]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=WAIT_S, check=False)
        assert done.returncode == 0, done.stderr
    return [str(built), *map(str, arguments)]


def asked(client: str, folder: Path, at: str, lines: Iterable[str]) -> list[str]:
    """What a Modbus client is told for each line: FUNCTION ADDRESS COUNT, or FUNCTION ADDRESS VALUE... (blocks)."""
    address = urlsplit(at)
    unit = int(parse_qs(address.query)["unit"][0], 0)
    place = str(address.port) if "://" in at else address.path
    if client == "mbpoll":
        command = _command("mbpoll", "mbpoll")
        line = ["-m", "tcp", "-p", place, "127.0.0.1"] if "://" in at else ["-m", "rtu", *_LINE, place]
        return [_mbpolled([command, "-0", "-1", "-a", str(unit), "-o", "3"], line, each) for each in lines]
    argv = libmodbus(folder, "client", place, unit)
    if client == "modbus-serial":
        argv = javascript("modbus_client.mjs", client, place, unit)
    return said(argv, "\n".join(lines)).splitlines()


_LINE = ("-b", "115200", "-P", "none")


def _mbpolled(command: Sequence[str], line: Sequence[str], asked: str) -> str:
    function, address, *rest = asked.split()
    reads = int(function) in _MBPOLL_READS
    table = ["-t", _MBPOLL_TABLES[int(function)], "-r", address, *(["-c", *rest] if reads else [])]
    argv = [*command, *table, *line, *([] if reads else rest)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=WAIT_S, check=False)
    if done.returncode:
        words = done.stderr.rpartition("failed: ")[2].strip()
        assert words in _MBPOLL_EXCEPTIONS, done.stderr
        return f"exception {_MBPOLL_EXCEPTIONS[words]}"
    return " ".join(re.findall(r"^\[\d+\]:\s+(\S+)", done.stdout, re.MULTILINE))


def said(argv: Sequence[str], text: str = "") -> str:
    """What a program says that is given `text`, and ends well."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _command(name: str, peer: str) -> str:
    found = shutil.which(name)
    if found is None:
        _missing(peer)
    return found


def _missing(peer: str) -> Any:
    pytest.skip(f"{peer} {NOT_INSTALLED}: `make peers` installs it, where it can")
