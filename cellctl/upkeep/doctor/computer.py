"""The computer: Python and packages, real-time priority, the clock, and the systemd unit of the cell."""

import ctypes
import os
import platform
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import metadata

import cellctl
from cellctl.model.drivers import DriverMissing, driver_for
from cellctl.runtime.process import LOOP_PRIORITY
from cellctl.upkeep.doctor.finding import ERROR, OK, WARNING, Finding, Place

#: From the kernel's `timex.h`: the clock is not disciplined by anything.
_TIME_ERROR, _STA_UNSYNC = 5, 0x40

#: systemd answers at once, or is not there.
_SYSTEMD_S = 5

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*([^;]*)(?:;\s*(.*))?")
_VERSION = re.compile(r"(>=|<=|==|~=|<|>)\s*([0-9.]+)")


def python(place: Place) -> Iterator[Finding]:
    """Which Python runs us, on what."""
    text = (
        f"cellctl {cellctl.__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version},"
        f" {platform.system()} {platform.release()} on {platform.machine()}"
    )
    if not sys.platform.startswith("linux"):
        yield Finding(WARNING, "python", f"{text}: cellctl is made for Linux", "Use it for trying out only.")
    else:
        yield Finding(OK, "python", text)


def packages(place: Place) -> Iterator[Finding]:
    """Whether the libraries are there, in the versions that were tested, and a driver for each device."""
    wrong, count = [], 0
    for line in metadata.requires("cellctl") or ():
        match = _REQUIREMENT.fullmatch(line)
        if match is None or "extra" in (match[3] or ""):
            continue
        count += 1
        try:
            found = metadata.version(match[1])
        except metadata.PackageNotFoundError:
            wrong.append(f"{match[1]} is missing")
            continue
        if not _fits(found, match[2]):
            wrong.append(f"{match[1]} is {found}, and {match[2].strip()} is wanted")
    for protocol in sorted({device.protocol for device in place.model.devices.values()} if place.model else ()):
        try:
            driver_for(protocol)
        except DriverMissing as missing:
            wrong.append(f"{missing}; {missing.hint}")
    if wrong:
        yield Finding(ERROR, "packages", "; ".join(wrong), "Install cellctl anew, with its pinned requirements.")
    else:
        yield Finding(OK, "packages", f"{count} libraries are there, in versions that fit")


def _fits(version: str, wanted: str) -> bool:
    """Whether a version is within what a requirement says; of what we cannot read: yes."""
    have = _numbers(version)
    for sign, text in _VERSION.findall(wanted):
        than = _numbers(text)
        length = max(len(have), len(than))
        left, right = ((*each, *[0] * (length - len(each))) for each in (have, than))
        holds = {
            ">=": left >= right,
            "<=": left <= right,
            "==": left == right,
            "<": left < right,
            ">": left > right,
            "~=": left >= right and have[: len(than) - 1] == than[:-1],
        }
        if not holds[sign]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(each) for each in re.findall(r"\d+", version.partition("+")[0])[:4])


def real_time(place: Place) -> Iterator[Finding]:
    """Whether control would be given real-time priority. Tried by a thread that ends at once."""
    permitted: list[bool] = []

    def ask() -> None:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(LOOP_PRIORITY))
            permitted.append(True)
        except OSError:
            permitted.append(False)

    thread = threading.Thread(target=ask, name="priority")
    thread.start()
    thread.join()
    if permitted == [True]:
        yield Finding(OK, "real time", "real-time priority is permitted")
        return
    yield Finding(
        WARNING,
        "real time",
        "real-time priority is not permitted: on a busy computer the cell is late by milliseconds",
        f"Permit it: LimitRTPRIO={LOOP_PRIORITY + 30} in the unit, or '- rtprio {LOOP_PRIORITY + 30}' for this user in"
        " /etc/security/limits.d.",
    )


class _Timex(ctypes.Structure):
    """The beginning of `struct timex`, and room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 40),
    )


def clock(place: Place) -> Iterator[Finding]:
    """Whether anything keeps the clock right. Asked of the kernel, which needs no rights."""
    timex = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    if state < 0:
        yield Finding(WARNING, "clock", "the kernel does not tell whether it is synchronised", "Look at timedatectl.")
    elif state == _TIME_ERROR or timex.status & _STA_UNSYNC:
        yield Finding(
            WARNING,
            "clock",
            "the clock is not synchronised: times in the journal and of certificates may be wrong",
            "Let chrony or systemd-timesyncd follow a time server: timedatectl set-ntp true.",
        )
    else:
        yield Finding(OK, "clock", f"the clock is synchronised, to within {timex.maxerror / 1000:.0f} ms")


def unit(place: Place) -> Iterator[Finding]:
    """The systemd unit of this cell, if there is one."""
    systemctl = shutil.which("systemctl")
    if place.model is None or systemctl is None:
        return
    name = f"cellctl@{place.model.equipment.id}.service"
    asked = "--property=LoadState,ActiveState,SubState,NRestarts,UnitFileState"
    try:
        done = subprocess.run(
            [systemctl, "show", name, asked], capture_output=True, text=True, timeout=_SYSTEMD_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return
    told = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    if told.get("LoadState") != "loaded":
        return
    text = f"{name} is {told.get('ActiveState')} ({told.get('SubState')}), restarted {told.get('NRestarts', '0')} times"
    if told.get("ActiveState") == "failed":
        yield Finding(ERROR, "unit", text, f"Read why: journalctl -u {name} -n 50.")
    elif told.get("NRestarts", "0") != "0":
        yield Finding(WARNING, "unit", text, f"Read why: journalctl -u {name} -n 50.")
    elif told.get("UnitFileState") not in ("enabled", "enabled-runtime"):
        yield Finding(WARNING, "unit", f"{text}; it does not start with the computer", f"systemctl enable {name}.")
    else:
        yield Finding(OK, "unit", text)
