"""One connection to a Modbus device.

The rule kept here: identified before anything is written; every sample and every outcome comes from a checked answer.
"""

from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from cellctl.driver import Call, DriverError, Link, Outcome, Sample, Value, Write, WrongDevice
from cellctl_drivers.modbus import requests
from cellctl_drivers.modbus.polling import Polled
from cellctl_drivers.modbus.profile import Profile, Target, Watchdog
from cellctl_drivers.modbus.requests import Framing, Request, RtuFraming, TcpFraming
from cellctl_drivers.modbus.rows import Row
from cellctl_drivers.wire.exchange import Exchange
from cellctl_drivers.wire.orders import OrderError, RefusalError, SilenceError, filled
from cellctl_drivers.wire.rounds import Job, Rounds
from cellctl_drivers.wire.verify import verify


class Session:
    """What is done on one connection, from identification to its loss."""

    def __init__(self, profile: Profile, link: Link, exchange: Exchange) -> None:
        self._profile = profile
        self._link = link
        self._exchange = exchange
        self._framing: Framing = RtuFraming(profile.unit) if profile.rtu else TcpFraming(profile.unit)
        readings = {name: target.reading for name, target in profile.targets.items()}
        self._blocks = [Polled(block, readings, link) for block in profile.blocks()]
        self._beat = 0

    async def run(self) -> None:
        """Identify the device, then read and perform orders until the connection is lost (DriverError)."""
        try:
            identity = await self._identify()
        except SilenceError as silence:
            raise DriverError(str(silence)) from silence
        self._link.up(identity)
        jobs = [Job(block.every_ns, partial(self._poll, block)) for block in self._blocks]
        if (watchdog := self._profile.watchdog) is not None:
            jobs.insert(0, Job(watchdog.every_ns, partial(self._feed, watchdog), urgent=True))
        await Rounds(self._link, jobs, self, self._exchange.lost).run()

    async def _ask(self, request: Request) -> bytes:
        frame, take = self._framing.frame(request)
        return await self._exchange.ask(frame, take, self._profile.timeout_s)

    async def _read(self, row: Row) -> Value:
        return row.decode(await self._ask(requests.read(row.table, row.start, row.count)), 0)

    async def _identify(self) -> str:
        if self._profile.identify is None:
            await self._hear()
            return ""
        row, expectation = self._profile.identify
        try:
            found = await self._read(row)
        except (RefusalError, OrderError) as refusal:
            raise WrongDevice(
                f"{self._profile.id} is another device than expected: {refusal} ({row}), wanted {expectation.text!r}"
            ) from refusal
        return expectation.check(self._profile.id, found)

    async def _hear(self) -> None:
        """A device that has no identity is there if it answers, whatever it says."""
        for block in self._blocks[:1]:
            with suppress(RefusalError):
                await self._ask(block.request)

    async def _poll(self, block: Polled) -> None:
        try:
            block.take(await self._ask(block.request))
        except (RefusalError, OrderError) as refusal:
            block.refuse(str(refusal))

    async def _feed(self, watchdog: Watchdog) -> None:
        row = watchdog.row
        self._beat = self._beat % 65_535 + 1
        value = watchdog.value if watchdog.value is not None else self._beat % 2 if row.table.bits else self._beat
        try:
            await self._ask(_write(row, [value]))
        except (RefusalError, OrderError) as refusal:
            raise DriverError(f"{self._profile.id} does not take its watchdog: {refusal}") from refusal

    async def set(self, order: Write) -> Mapping[str, Value]:
        """Write a signal and read it back."""
        target = self._profile.targets.get(order.name)
        if target is None or target.write is None:
            raise OrderError(Outcome.NOT_SENT, f"{order.signal} cannot be written")
        await self._ask(_write(target.write, [target.reading.raw(order.value)]))
        return await verify(target.reading, order.value, partial(self._refresh, target))

    async def _refresh(self, target: Target) -> Sample:
        assert target.read is not None
        sample = target.reading.sample(await self._read(target.read), self._link.now())
        self._link.put([sample])
        for block in self._blocks:
            block.forget()
        return sample

    async def call(self, order: Call) -> Mapping[str, Value]:
        """Send a command."""
        steps = self._profile.commands.get(order.name)
        if steps is None:
            raise OrderError(Outcome.NOT_SENT, f"there is no command {order.name!r}")
        writes = [(step.row, _write(step.row, [filled(value, order) for value in step.values])) for step in steps]
        for number, (row, request) in enumerate(writes):
            try:
                await self._ask(request)
            except RefusalError as refusal:
                if number == 0:
                    raise
                raise OrderError(Outcome.UNKNOWN, f"only a part was done; then, at {row}: {refusal}") from refusal
        return {}


def _write(row: Row, values: list[Value]) -> Request:
    assert row.encode is not None
    return requests.write(row.table, row.start, b"".join(row.encode(value) for value in values))
