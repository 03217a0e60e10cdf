"""What is asked of a Modbus device for an order, whoever carries it: a connection, or the registers of its model.

The rule kept here: identified before anything is written, and nothing that may have been done is asked for again; only
a device that says it is busy has not begun.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from cellctl.driver import Call, CommandClass, DriverError, Link, Outcome, Sample, Value, Write
from cellctl_drivers.modbus.held import Held
from cellctl_drivers.modbus.profile import Profile, Watchdog
from cellctl_drivers.modbus.rows import Row
from cellctl_drivers.modbus.steps import Pause, Step, Steps, values_of
from cellctl_drivers.modbus.targets import Target
from cellctl_drivers.wire.epoch import EPOCH, LOOK_S, TAKEN_S, Echo, Epoch, silent_program, untaken
from cellctl_drivers.wire.orders import BusyError, OrderError, RefusalError
from cellctl_drivers.wire.verify import verify

T = TypeVar("T")

#: Steps, each with the data that it writes.
Encoded = Sequence[tuple[Step | Pause, bytes]]

#: A busy device is asked again after this.
AGAIN_S = 0.05


class Conversation(ABC):
    """Identifies the device, makes it ready and performs orders. Who carries it fills in the rest."""

    _profile: Profile
    _link: Link
    _held: Held
    _beat = 0

    def __init__(self) -> None:
        self._epoch = Epoch()
        self._echo = Echo()

    @abstractmethod
    async def _read(self, row: Row) -> Value:
        """What stands at `row`; RefusalError if the device does not say."""

    @abstractmethod
    async def _write(self, row: Row, data: bytes) -> None:
        """Write `data`, as the row encodes it, from `row` on; RefusalError if the device does not take it."""

    @abstractmethod
    def _forget(self) -> None:
        """Something was told beside the blocks: tell all of them with their next answers."""

    @abstractmethod
    async def _hear(self) -> None:
        """Find out whether anything answers."""

    async def _begin(self) -> str:
        """The identity of the device, once it is made ready; WrongDevice, or DriverError if it does not let itself."""
        identity = await self._identify()
        await self._make_ready()
        return identity

    async def _make_ready(self) -> None:
        """Write what is to be written before all else; with it a new epoch, which the device must take over."""
        profile, row = self._profile, self._profile.epoch
        try:
            if row is not None:
                self._epoch.rise(await self._patiently(lambda: self._read(row)))
            await self._take(_encoded(profile.prepare, self._epoch.filled))
            if row is not None:
                await self._taken_over(row)
        except (RefusalError, OrderError) as refusal:
            raise DriverError(f"{profile.id} cannot be made ready: {refusal}") from refusal

    async def _taken_over(self, row: Row) -> None:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + TAKEN_S
        while (seen := await self._patiently(lambda: self._read(row))) != self._epoch.number:
            if loop.time() > end_s:
                raise RefusalError(untaken(self._epoch, seen))
            await asyncio.sleep(LOOK_S)

    async def _identify(self) -> str:
        if self._profile.identify is None:
            await self._hear()
            return ""
        row, expectation = self._profile.identify
        try:
            found = await self._patiently(lambda: self._read(row))
        except (RefusalError, OrderError) as refusal:
            raise expectation.refused(self._profile.id, refusal, row) from refusal
        return expectation.check(self._profile.id, found)

    async def set(self, order: Write) -> Mapping[str, Value]:
        """Write a signal and read it back."""
        target = self._profile.targets.get(order.name)
        if target is None or target.write is None:
            raise OrderError(Outcome.NOT_SENT, f"{order.signal} cannot be written")
        row, raw = target.written(order.value)
        if target.eeprom and target.reading.confirms(order.value, sample := await self._refresh(target)):
            return {} if sample.value is None else {"read_back": sample.value}
        data = row.encoded(raw)
        self._held.end(order.name)
        if isinstance(target.write, Row):  # masks leave the other bits alone
            self._held.end_at(row, row.count)
        await self._patiently(lambda: self._write(row, data))
        result = await verify(target.reading, order.value, partial(self._refresh, target))
        if target.renew_ns and order.value:
            self._held.hold(order.name, row, data)
        return result

    async def call(self, order: Call) -> Mapping[str, Value]:
        """Send a command. One that stops, or writes what is held, ends that it is held."""
        steps = self._profile.commands.get(order.name)
        if steps is None:
            raise OrderError(Outcome.NOT_SENT, f"there is no command {order.name!r}")
        if EPOCH in values_of(steps) and not self._epoch.follows(order.token):
            await self._make_ready()
            self._epoch.follows(order.token)
        taken = _encoded(steps, lambda value: self._epoch.filled(value, order))
        if order.command_class is CommandClass.STOP:
            self._held.end_all()
        for step, _ in taken:
            if isinstance(step, Step):
                self._held.end_at(step.row, step.row.count * len(step.values))
        await self._take(taken)
        return {}

    async def _take(self, steps: Encoded) -> None:
        """Take one step after the other; what a refusal in the middle leaves is unknown."""
        begun = False
        for step, data in steps:
            if isinstance(step, Pause):
                await asyncio.sleep(step.ns / 1e9)
                continue
            try:
                await self._patiently(partial(self._write, step.row, data))
            except RefusalError as refusal:
                if not begun:
                    raise
                text = f"only a part was done; then, at {step.row}: {refusal}"
                raise OrderError(Outcome.UNKNOWN, text) from refusal
            begun = True

    def _refused(self, name: str, refusal: RefusalError) -> None:
        """What is held could not be renewed: a device that is only busy is told the next time."""
        if not isinstance(refusal, BusyError):
            self._held.end(name)
            reading = self._profile.targets[name].reading
            self._link.put([reading.bad(f"it is held no longer: {refusal}", self._link.now())])
            self._forget()

    def _sign(self, watchdog: Watchdog) -> bytes:
        """The next sign of life, as the watchdog of the device takes it."""
        self._beat = self._beat % 65_535 + 1
        row, beat = watchdog.row, self._beat
        return row.encoded(watchdog.value if watchdog.value is not None else beat % 2 if row.table.bits else beat)

    def _listen_to(self, echo: Value, watchdog: Watchdog) -> None:
        """What the device tells back of its watchdog; DriverError if that does not change any more."""
        if self._echo.is_late(echo, self._link.now(), watchdog.within_ns):
            raise DriverError(silent_program(self._profile.id, watchdog.within_ns))

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` gives, asked again while the device is busy, for as long as the profile allows."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + self._profile.busy_s
        while True:
            try:
                return await ask()
            except BusyError:
                if loop.time() + AGAIN_S > end_s:
                    raise
            await asyncio.sleep(AGAIN_S)

    async def _refresh(self, target: Target) -> Sample:
        assert target.read is not None
        row = target.read
        sample = target.reading.sample(await self._patiently(lambda: self._read(row)), self._link.now())
        self._link.put([sample])
        self._forget()
        return sample


def _encoded(steps: Steps, fill: Callable[[Value], Value]) -> Encoded:
    """What is sent for each step, before any of it is: OrderError for what does not fit."""
    return [(step, step.encoded(fill) if isinstance(step, Step) else b"") for step in steps]
