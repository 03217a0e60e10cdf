"""One connection to a Modbus device.

The rule kept here: identified before anything is written; every sample and every outcome comes from a checked answer.
"""

from collections.abc import Sequence
from functools import partial

from cellctl.driver import DriverError, Link, Value
from cellctl_drivers.modbus import requests
from cellctl_drivers.modbus.conversation import Conversation
from cellctl_drivers.modbus.held import Held
from cellctl_drivers.modbus.plan import together
from cellctl_drivers.modbus.polling import Polled
from cellctl_drivers.modbus.profile import Profile, Watchdog
from cellctl_drivers.modbus.requests import Framing, Request, RtuFraming, TcpFraming
from cellctl_drivers.modbus.rows import Row
from cellctl_drivers.wire.exchange import Exchange
from cellctl_drivers.wire.line import Urgency
from cellctl_drivers.wire.orders import BusyError, OrderError, RefusalError, SilenceError
from cellctl_drivers.wire.rounds import Job, Rounds


class Session(Conversation):
    """What is done on one connection, from identification to its loss."""

    def __init__(self, profile: Profile, link: Link, exchange: Exchange) -> None:
        super().__init__()
        self._profile = profile
        self._link = link
        self._exchange = exchange
        self._framing: Framing = RtuFraming(profile.unit) if profile.rtu else TcpFraming(profile.unit)
        self._held = Held(profile.targets)
        blocks = profile.blocks()
        self._blocks = [Polled(block, profile.targets, link, profile.blocks, only=len(blocks) == 1) for block in blocks]

    async def run(self) -> None:
        """Identify the device, then read and perform orders until the connection is lost (DriverError)."""
        try:
            await self._run()
        except DriverError as error:
            if self._exchange.heard or not isinstance(error.__cause__, SilenceError):
                raise
            unit = self._profile.unit
            raise DriverError(f"{error}; it has never answered: is {unit} its unit number?") from error.__cause__

    async def _run(self) -> None:
        try:
            identity = await self._begin()
        except SilenceError as silence:
            raise DriverError(str(silence)) from silence
        self._link.up(identity)
        jobs = [self._reading(group) for group in together(self._blocks, self._profile.pipeline)]
        if (watchdog := self._profile.watchdog) is not None:
            jobs.insert(0, Job(watchdog.every_ns, partial(self._feed, watchdog), Urgency.WATCHDOG))
        for name, every_ns in self._profile.renewals():
            jobs.append(Job(every_ns, partial(self._renew, name), Urgency.RENEWAL))
        await Rounds(self._link, jobs, self, self._exchange.lost, urge=self._exchange.urge).run()

    def _reading(self, group: Sequence[Polled]) -> Job:
        if isinstance(self._framing, TcpFraming) and len(group) > 1:
            return Job(group[0].every_ns, partial(self._poll_together, self._framing, group))
        return Job(group[0].every_ns, partial(self._poll, group[0]))

    async def _ask(self, request: Request) -> bytes:
        frame, take = self._framing.frame(request)
        return await self._exchange.ask(frame, take, self._profile.timeout_s)

    async def _read(self, row: Row) -> Value:
        return row.decode(await self._ask(requests.read(row.table, row.start, row.count)), 0)

    async def _write(self, row: Row, data: bytes) -> None:
        await self._ask(requests.write(row.table, row.start, data, single=self._profile.write_single))

    def _forget(self) -> None:
        for block in self._blocks:
            block.forget()

    async def _hear(self) -> None:
        """A device that has no identity is there if it answers, whatever it says."""
        if not self._blocks:
            return
        block = min(self._blocks, key=lambda block: block.clears)  # what reading clears is not to be lost
        try:
            data = await self._ask(block.request)
        except RefusalError:
            return
        except OrderError as doubt:
            raise DriverError(f"{self._profile.id}: {doubt}") from doubt
        if block.clears:
            block.owed = data

    async def _poll(self, block: Polled) -> None:
        try:
            await self._tell(block, block.owed or await self._ask(block.request))
        except (RefusalError, OrderError) as refusal:
            self._spoil(block, refusal)
        except SilenceError as silence:
            if not block.owed:
                block.miss(str(silence))
            raise

    async def _poll_together(self, framing: TcpFraming, group: Sequence[Polled]) -> None:
        for block in group:
            if block.owed:
                await self._tell(block, block.owed)
        frames, take = framing.together([block.request for block in group])
        try:
            replies = await self._exchange.ask(frames, take, self._profile.timeout_s)
        except SilenceError as silence:
            for block in group:
                block.miss(str(silence))
            raise
        for block, reply in zip(group, replies, strict=True):
            if isinstance(reply, bytes):
                await self._tell(block, reply)
            else:
                self._spoil(block, reply)

    async def _tell(self, block: Polled, data: bytes) -> None:
        """Tell an answer, once what follows a point in it was read."""
        if block.leads:
            block.owed = data
            for follower in block.followers(data):
                await self._follow(follower)
        block.owed = b""
        block.take(data)

    def _spoil(self, block: Polled, reason: RefusalError | OrderError) -> None:
        if not (isinstance(reason, BusyError) and self._profile.busy_s):  # else it is as it was, until that is too old
            block.refuse(str(reason))

    async def _follow(self, block: Polled) -> None:
        """Read what follows a point that is told after it; it is new even if it is the same."""
        block.forget()
        try:
            block.take(await self._patiently(lambda: self._ask(block.request)))
        except (RefusalError, OrderError) as refusal:
            block.refuse(str(refusal))

    async def _renew(self, name: str) -> None:
        if (held := self._held.get(name)) is not None:
            try:
                await self._write(*held)
            except RefusalError as refusal:
                self._refused(name, refusal)
            except OrderError:
                return  # nobody knows whether it was done; it is done again soon

    async def _feed(self, watchdog: Watchdog) -> None:
        try:
            await self._write(watchdog.row, self._sign(watchdog))
            if watchdog.echo is not None:
                self._listen_to(await self._read(watchdog.echo), watchdog)
        except (RefusalError, OrderError) as refusal:
            raise DriverError(f"{self._profile.id} does not take its watchdog: {refusal}") from refusal
