"""Keeps one driver running: connects, tells of changes, and tries again after a growing pause.

The rule kept here: whatever a driver does costs its own signals and nothing else. A driver that raises, returns,
cancels itself or will not end is logged and counted; the cell goes on.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cellctl.core.messages import Done, LinkChanged, LinkState, Order, Outcome
from cellctl.driver import Device, Driver, DriverError, WrongDevice
from cellctl.runtime.link import DeviceLink, Shared
from cellctl.runtime.logs import Log

#: Pauses before the next attempt: doubled from the first to the longest, which bounds the recovery to 2.5 s.
PAUSE_FIRST_S = 0.2
PAUSE_LONGEST_S = 2.0

#: A connection that lasted this long was a good one: the next pause is the first again.
STABLE_NS = 10_000_000_000

#: How often orders are looked for that the driver forgot to answer.
OVERDUE_S = 1.0

#: How long a driver may take to close its connection.
CLOSE_S = 2.0


class Supervisor:
    """One device, its driver, and the link of the moment."""

    def __init__(self, device: Device, driver: Driver, shared: Shared, log: Log) -> None:
        self._device, self._driver, self._shared = device, driver, shared
        self._clock, self._inbox = shared.clock, shared.inbox
        self._log = log.bind(device=device.id)
        self._signals = tuple(point.signal.id for point in device.points.values())
        self._link: DeviceLink | None = None
        self._told: tuple[LinkState, str] | None = None
        self.crashes = 0

    def send(self, order: Order) -> None:
        """Give `order` to the link of the moment; it is answered NOT_SENT if there is none."""
        if self._link:
            self._link.send(order)
        else:
            self._inbox.put(Done(order.id, Outcome.NOT_SENT, reason=f"{self._device.id} is not connected"))

    async def run(self) -> None:
        """Until cancelled."""
        pause_s = PAUSE_FIRST_S
        self._tell(LinkState.CONNECTING, "")
        while True:
            began = self._clock.now()
            was_up = await self._connect()
            if was_up and self._clock.now() - began >= STABLE_NS:
                pause_s = PAUSE_FIRST_S
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_LONGEST_S)

    async def _connect(self) -> bool:
        """One connection from attempt to loss; whether it was up."""
        self._link = link = DeviceLink(self._device.id, self._signals, self._shared)
        task = asyncio.create_task(_contained(self._driver, link), name=f"driver {self._device.id}")
        try:
            with _repeated(OVERDUE_S, link.answer_overdue):
                await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            try:
                await self._closed(task)
            finally:
                link.close("cellctl ends")
            raise
        self._link = None
        state, reason = self._ending(task)
        if link.is_up:
            self._told = None
        self._tell(state, reason)
        link.close(reason)
        return link.is_up

    async def _closed(self, task: asyncio.Task[None]) -> None:
        """The driver was told to end: wait, but not for ever."""
        _, late = await asyncio.wait([task], timeout=CLOSE_S)
        if late:
            self._log.error("the driver does not end", seconds=CLOSE_S)
        elif not task.cancelled() and (error := task.exception()):
            self._log.error("the driver failed while it ended", exc_info=error)

    def _ending(self, task: asyncio.Task[None]) -> tuple[LinkState, str]:
        error = None if task.cancelled() else task.exception()
        match error:
            case WrongDevice():
                state, reason = LinkState.WRONG_DEVICE, str(error)
            case DriverError():
                state, reason = LinkState.LOST, str(error)
            case _:
                self.crashes += 1
                state, reason = LinkState.LOST, "the driver failed: see the log"
                self._log.error("the driver failed", crashes=self.crashes, exc_info=error)
                return state, reason
        self._log.warning("no connection", reason=reason, detail=str(error.__cause__ or ""))
        return state, reason

    def _tell(self, state: LinkState, reason: str) -> None:
        """Tell the cell of a change; an attempt that fails as the last one did is none."""
        if self._told != (state, reason):
            self._told = (state, reason)
            self._inbox.put(LinkChanged(self._device.id, state, reason))


@contextmanager
def _repeated(every_s: float, do: Callable[[], None]) -> Iterator[None]:
    """Call `do` again and again while this lasts: a bare timer, for no task needs to wake up for it."""
    timer: asyncio.TimerHandle

    def again() -> None:
        nonlocal timer
        timer = loop.call_later(every_s, again)
        do()

    loop = asyncio.get_running_loop()
    again()
    try:
        yield
    finally:
        timer.cancel()


async def _contained(driver: Driver, link: DeviceLink) -> None:
    """`driver.run`, in which even an attempt to end the whole process is only a failure of the driver."""
    try:
        await driver.run(link)
    except SystemExit as error:
        raise RuntimeError("the driver tried to end the process") from error
