"""Real processes: control runs a cell whose simulated devices outlive it, and is killed at random, again and again.

Real are the kill (`kill -9`), the journal in SQLite, the protocols and the sockets. Most controls are forked from a
warm parent, which is quick; every so manyth is started as a user starts it, and it is measured how soon it shows its
parts.
The rule kept here: when control dies is drawn from the seed; what the processes do until then is theirs.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Protocol

from cellctl.model import find_cell, load
from cellctl.records import Records, RecordsError
from tests.kills.judge import findings
from tests.kills.operator import Operator

SPEED = 10.0

#: A control is there within this.
READY_S = 30.0

#: All that is in work is made within this.
REST_S = 120.0

#: A life ends when so many entries are written at most, and so much later, s; a part has about a hundred of them.
ENTRIES, LATER_S = 80, 0.03

#: Some end before control has well begun; and however little is written, none lasts longer.
SHORT, SHORT_S, LONG_S = 0.12, 0.12, 6.0


@dataclass(slots=True)
class Told:
    """What came of a campaign. `resumed_s`: how long each real start took until it showed its parts."""

    seed: int
    kills: int = 0
    made: int = 0
    entries: int = 0
    questions: int = 0
    resumed_s: list[float] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    took_s: float = 0.0


class Life(Protocol):
    """A control that runs."""

    pid: int

    def wait(self) -> int:
        """How it ended: the number of the signal, or 0."""


class _Forked:
    def __init__(self, warm: "subprocess.Popen[str]") -> None:
        self._warm = warm
        self.pid = int(_said(warm, "run"))

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(int(_said(self._warm, "wait")))


class _Started:
    def __init__(self, state: Path, devices: Path) -> None:
        argv = [sys.executable, "-m", "cellctl.cli", "run", "battery-module", "--sim-at", str(devices)]
        with (state / "control.log").open("a") as log:
            self._process = subprocess.Popen(
                [*argv, "--state", str(state), "--http", "off"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.pid = self._process.pid

    def wait(self) -> int:
        return self._process.wait()


def _said(warm: "subprocess.Popen[str]", line: str) -> str:
    assert warm.stdin is not None
    assert warm.stdout is not None
    warm.stdin.write(f"{line}\n")
    warm.stdin.flush()
    return warm.stdout.readline()


@contextmanager
def _simulated(devices: Path, seed: int) -> Iterator[dict[str, Any]]:
    """The simulated devices, in a process that outlives every control; what they announced is in `devices` too."""
    argv = [sys.executable, "-m", "cellctl.cli", "sim", "battery-module", "--json"]
    with (devices.parent / "sim.log").open("w") as log:
        process = subprocess.Popen(
            [*argv, "--speed", str(SPEED), "--seed", str(seed)], stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        assert process.stdout is not None
        devices.write_text(process.stdout.readline())
        yield json.loads(devices.read_text())
    finally:
        process.terminate()
        process.communicate(timeout=READY_S)


@contextmanager
def _warm(state: Path, devices: Path) -> Iterator["subprocess.Popen[str]"]:
    argv = [sys.executable, "-m", "tests.kills.warm", str(state), str(devices)]
    warm = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert warm.stdout is not None
        assert warm.stdout.readline() == "warm\n"
        yield warm
    finally:
        warm.communicate()  # its input ends, and so does it


def kill(seed: int, kills: int, real_each: int = 10) -> Told:
    """Kill control so often; every `real_each`th life is started as a user starts it."""
    told, begun_s = Told(seed), time.monotonic()
    model = load(find_cell("battery-module"))
    with tempfile.TemporaryDirectory(prefix="cellctl-kills-") as name:
        state, devices = Path(name) / "state", Path(name) / "devices.json"
        state.mkdir()
        with _simulated(devices, seed) as where, _warm(state, devices) as warm:
            operator = Operator(state, Path(where["control"]))
            campaign = _Campaign(told, state, operator)
            try:
                for number in range(kills):
                    real = number % real_each == real_each - 1
                    campaign.live((lambda: _Started(state, devices)) if real else (lambda: _Forked(warm)), real=real)
                campaign.finish(lambda: _Forked(warm))
            except AssertionError as error:  # a campaign is there to find them
                told.found.append(f"kill {told.kills}: {error}")
            truth = operator.truth()
        told.found += [*operator.wrong, *findings(state, truth, model, operator.ordered)]
        told.made, told.questions = truth["good"] + truth["reject"], operator.questions
        told.entries = Records(state).latest(limit=1)[0].sequence
    told.took_s = time.monotonic() - begun_s
    return told


class _Campaign:
    def __init__(self, told: Told, state: Path, operator: Operator) -> None:
        self._told, self._state, self.operator = told, state, operator
        self._random, self._records = Random(told.seed), Records(state)

    def live(self, start: Callable[[], Life], *, real: bool) -> None:
        """One life, from its start to its violent end."""
        random, known = self._random, self._known()
        short, later_s = random.random() < SHORT, random.uniform(0.0, LATER_S)
        last = self._last() + random.randint(1, ENTRIES)
        within_s = random.uniform(0.0, SHORT_S) if short else LONG_S
        begun_s = time.monotonic()
        with self._ending(start(), signal.SIGKILL, -signal.SIGKILL):
            if real:
                shown = self._first_view(begun_s + READY_S)
                self._told.resumed_s.append(time.monotonic() - begun_s)
                self._check(shown, known)
                self.operator.repeat(READY_S)
            self.operator.lead(lambda: self._last() >= last, within_s)
            time.sleep(later_s)
        self._told.kills += 1

    def finish(self, start: Callable[[], Life]) -> None:
        """The last life: what is begun is made, and then it is ended in order."""
        self.operator.more = False
        with self._ending(start(), signal.SIGTERM, 0):
            self.operator.lead(lambda: False, REST_S)
            view = self.operator.view(READY_S)
            if view is None or not self.operator.done(view):
                self._find(f"not all is made within {REST_S:g} s: {view} {self._log()}")

    @contextmanager
    def _ending(self, life: Life, by: int, code: int) -> Iterator[None]:
        """End this life afterwards; it is to end so, and not by itself before."""
        try:
            yield
        finally:
            os.kill(life.pid, by)
            if (ended := life.wait()) != code:
                self._find(f"control ended with {ended}, not {code}: {self._log()}")

    def _last(self) -> int:
        """The number of the last entry on disk."""
        with suppress(RecordsError):
            return max((one.sequence for one in self._records.latest(limit=1)), default=0)
        return 0

    def _known(self) -> set[str]:
        """The parts that are in process, as the journal tells it while nobody runs."""
        if not self._last():
            return set()
        begun, ended = (self._records.entries(kind=kind, limit=1_000_000) for kind in ("part", "part.done"))
        return {str(one.data["part"]) for one in begun} - {str(one.data["part"]) for one in ended}

    def _first_view(self, until_s: float) -> dict[str, Any]:
        while time.monotonic() < until_s:
            if (view := self.operator.view(1.0)) is not None:
                return view
            time.sleep(0.005)
        raise AssertionError(f"control is not there within {READY_S:g} s: {self._log()}")

    def _check(self, view: dict[str, Any], known: set[str]) -> None:
        if (shown := {part["serial"] for part in view["parts"]}) != known:
            self._find(f"after its start it shows {shown}, by the journal there are {known}")
        if view["state"] != ("Aborted" if self._told.kills else "Stopped"):
            self._find(f"it came up {view['state']}")

    def _find(self, what: str) -> None:
        self._told.found.append(f"kill {self._told.kills}: {what}")

    def _log(self) -> str:
        return (self._state / "control.log").read_text()[-2_000:]
