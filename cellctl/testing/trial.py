"""A cell that runs on simulated devices is on trial: here things go wrong on purpose, while it runs as it always does.

One door, a socket in the state folder, takes every kind of fault. What is of the controller happens in its own process;
what is of a line or a device is passed on to the simulators. The rule kept here: the controller of a real device is
never harmed.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cellctl.faults import CONTROL, Fault, FaultError, kind_of
from cellctl.faults.desk import Desk, Running, Undo, nothing
from cellctl.faults.door import FAULTS_SOCKET, Door, Message, ask, on_faults
from cellctl.runtime.clock import Clock
from cellctl.runtime.logs import Log
from cellctl.testing.disk import BadDisk

#: Control lives so long after it was told to die, so that whoever told it gets an answer.
ANSWERED_S = 0.1


class Trial:
    """What control is given instead of disk and clock. `simulators`: the back door of the simulated devices; `real`:
    the devices that are not simulated."""

    def __init__(self, simulators: Path, real: Sequence[str] = ()) -> None:
        self.disk = _Disk(_kill)
        self._stepped_ns = 0
        self.clock = Clock(utc_ns=lambda: time.time_ns() + self._stepped_ns)
        self._simulators, self._real = simulators, tuple(real)
        self._desk = Desk()

    async def run(self, state: Path, log: Log) -> None:
        """Keep the door open until cancelled."""
        self._log = log
        with suppress(FaultError):  # what a run before left behind, because it was killed
            await self._ask_simulators(do="mend", number=None)
        try:
            async with Door(state / FAULTS_SOCKET, self._asked):
                await asyncio.get_running_loop().create_future()
        finally:
            await self._desk.aclose()

    @property
    def running(self) -> list[Running]:
        """The faults that have begun and not ended."""
        return self._desk.running

    async def begin(self, fault: Fault) -> int:
        """Let one happen; its number. FaultError if it cannot be."""
        of_control = kind_of(fault.kind).of == CONTROL
        if of_control and self._real:
            raise FaultError(f"{fault.kind} is not possible while {self._real[0]} is a real device")
        number = await self._desk.begin(fault, self._in_control if of_control else self._passed_on)
        self._log.warning("a fault on purpose", fault=str(fault), number=number)
        return number

    async def end(self, number: int | None = None) -> None:
        """End one, or all; FaultError for a number that is not running."""
        await self._desk.end(number)
        self._log.warning("faults on purpose were ended", number=number)

    async def _asked(self, message: Mapping[str, Any]) -> Message:
        answer = await on_faults(message, self)
        if answer is None:
            raise ValueError(f"{json.dumps(message)}: expected one of fault (fault), mend (number), faults")
        return answer

    async def _passed_on(self, fault: Fault) -> Undo:
        begun = await self._ask_simulators(do="fault", fault={**fault.plain(), "for": None})

        async def undo() -> None:
            await self._ask_simulators(do="mend", number=begun["number"])

        return undo if kind_of(fault.kind).lasts else nothing

    async def _ask_simulators(self, **message: object) -> Message:
        try:
            answer = await ask(self._simulators, **message)
        except OSError as error:
            raise FaultError("the simulated devices have ended") from error
        if not answer["ok"]:
            raise FaultError(str(answer["error"]))
        return answer

    async def _in_control(self, fault: Fault) -> Undo:
        if fault.kind == "clock_step":
            self._stepped_ns += int(fault.options["by"])
            return nothing
        if fault.kind == "kill":
            asyncio.get_running_loop().call_later(ANSWERED_S, self.disk.suffer, fault)
            return nothing
        end = self.disk.suffer(fault)

        async def undo() -> None:
            end()

        return undo


class _Disk(BadDisk):
    """Belongs to the thread that writes: it may wait."""

    def before(self, last: int) -> None:
        """Take as long as it is to take, or fail."""
        time.sleep(self.commit_s)
        super().before(last)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
