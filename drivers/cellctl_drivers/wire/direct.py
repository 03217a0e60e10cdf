"""A connection without a wire: a driver's work on a simulated device that is touched directly, for tests at high speed.

The rules kept here. What a driver would see on the wire it sees here, at the times at which it would look: a value is
told at the next tick of its period. But nobody looks where nothing moves: what has been still is looked at from time to
time only, and at each tick again as soon as the device does something or was given an order. No answers and no
connection end as they would on the wire: after the time-out, or at once.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cellctl.driver import Call, Contact, Device, DriverError, Link, Sample, Value, Write
from cellctl_drivers.wire.orders import Performer, SilenceError, fulfil

#: What is still is looked at, and told to be the same, at every other one of these ticks: before it counts as stale.
QUIET_NS = 1_000_000_000

#: An order is on its way for this long.
_ORDER_S = 0.002


class Look(Protocol):
    """Something that is read again and again: `ask`, then the device settles, then `answer`."""

    every_ns: int

    @property
    def is_open(self) -> bool:
        """Whether the next answer may be another although the device does nothing."""

    @property
    def signals(self) -> Sequence[str]:
        """The signals that it tells."""

    def differs(self) -> bool:
        """Whether the answer may be another than what was told."""

    def ask(self) -> None:
        """Put the question, if there is one to be put."""

    def answer(self, now: int) -> Sequence[Sample]:
        """What the device shows, as far as it differs from what was told before."""


#: Something that is done every so many ns; DriverError ends the connection.
Beat = tuple[int, Callable[[], None]]


class DirectPerformer(Performer, Protocol):
    """What carries orders out, without a wire."""

    def heard(self) -> None:
        """The device did something: an answer may be there."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done on the connection: looks, orders, how long an answer is waited for, how many of them may fail to
    come until the connection counts as lost, and what keeps the device going (period ns, how)."""

    looks: Sequence[Look]
    performer: DirectPerformer
    timeout_s: float
    misses: int = 1
    beats: Sequence[Beat] = ()


@dataclass(slots=True)
class _Watched:
    """A look, when it is due, and from when on even that nothing is new is told."""

    look: Look
    every_ns: int
    due_ns: int = 0
    confirm_ns: int = 0


class Direct:
    """One connection of the driver of `device` to `contact`."""

    def __init__(self, device: Device, link: Link, contact: Contact, plan: Plan) -> None:
        self._device, self._link, self._contact, self._plan = device.id, link, contact, plan
        # What such a command has come to is told by its token: nobody waits for anything to be told anew.
        self._tokened = {name for name, command in device.commands.items() if "token" in str(command.options)}
        self._watched = [_Watched(look, look.every_ns) for look in plan.looks]
        self._performer = _Through(device.id, contact, plan)
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._looking = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._beating: dict[Beat, asyncio.TimerHandle] = {}
        self._ending: asyncio.TimerHandle | None = None
        self._lost = ""

    async def run(self) -> None:
        """Read, and perform orders; DriverError when the connection is lost."""
        end_watch = self._contact.watch(self._changed)
        try:
            for beat in self._plan.beats:
                self._beat(beat)
            self._look(self._watched)
            self._arm()
            self._changed()
            while True:
                order = await self._link.order()
                await fulfil(self._link, order, self._performer)
                self._move(confirm=not isinstance(order, Call) or order.name not in self._tokened)
        except asyncio.CancelledError as error:
            if self._lost and self._task is not None and self._task.uncancel() == 0:
                raise DriverError(self._lost) from error
            raise
        finally:
            end_watch()
            for timer in (self._timer, self._ending, *self._beating.values()):
                if timer is not None:
                    timer.cancel()

    def lose(self, reason: str) -> None:
        """The connection counts as lost."""
        if not self._lost and self._task is not None:
            self._lost = reason
            self._task.cancel()

    # --- what the device does -----------------------------------------------------------------------------------

    def _changed(self) -> None:
        if self._looking:
            return  # it only answers
        self._suffer()
        if not self._contact.trouble:
            self._plan.performer.heard()
            self._move()

    def _suffer(self) -> None:
        """End the connection if it is cut, or if answers fail to come for too long."""
        if self._contact.trouble == "cut":
            self.lose(f"the connection to {self._device} was lost")
        elif self._contact.trouble and self._ending is None:
            patience_s = self._plan.timeout_s * self._plan.misses
            reason = f"no answer from {self._device} within {patience_s * 1e3:.0f} ms"
            self._ending = self._loop.call_later(patience_s, self.lose, reason)
        elif not self._contact.trouble and self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def _beat(self, beat: Beat) -> None:
        """Keep the device going."""
        every_ns, do = beat
        if self._contact.trouble in ("", "mute"):
            try:
                self._settled(do)
            except DriverError as refusal:
                self.lose(str(refusal))
                return
        self._beating[beat] = self._loop.call_later(every_ns / 1e9, self._beat, beat)

    # --- looking ------------------------------------------------------------------------------------------------

    def _move(self, *, confirm: bool = False) -> None:
        """Look at what is new at its next tick; with `confirm` at everything, for even what is the same is news."""
        now, moved = self._link.now(), False
        for each in self._watched:
            if confirm:
                each.confirm_ns = 0
            due_ns = _tick(now, each.every_ns)
            if due_ns < each.due_ns and (confirm or each.look.differs()):
                each.due_ns, moved = due_ns, True
        if moved:
            self._arm()

    def _arm(self) -> None:
        due_ns = min([each.due_ns for each in self._watched], default=0)
        if due_ns and (self._timer is None or due_ns < self._timer_ns):
            if self._timer is not None:
                self._timer.cancel()
            self._timer_ns = due_ns
            self._timer = self._loop.call_later((due_ns - self._link.now()) / 1e9, self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = self._link.now()
        self._look([each for each in self._watched if each.due_ns <= now])
        self._arm()

    def _look(self, watched: Sequence[_Watched]) -> None:
        now = self._link.now()
        told: list[Sample] = []
        seen: list[str] = []
        if not self._contact.trouble:
            self._settled(*(each.look.ask for each in watched))
        for each in watched:
            new = () if self._contact.trouble else each.look.answer(now)
            told += new
            if now >= each.confirm_ns:
                seen += each.look.signals
                each.confirm_ns = _tick(now, QUIET_NS) + QUIET_NS
            again = each.look.is_open or (new and self._contact.busy)
            each.due_ns = _tick(now, each.every_ns) if again else each.confirm_ns
        if told:
            self._link.put(told)
        if seen and not self._contact.trouble:
            self._link.alive(seen)

    def _settled(self, *does: Callable[[], None]) -> None:
        """Do something to the device and let it settle; its answer is no news."""
        self._looking = True
        try:
            for do in does:
                do()
            self._contact.settle()
        finally:
            self._looking = False


class _Through:
    """Orders on their way to the device and back, through whatever is wrong in between."""

    def __init__(self, device: str, contact: Contact, plan: Plan) -> None:
        self._device, self._contact, self._plan = device, contact, plan
        self._performer = plan.performer

    async def set(self, order: Write) -> Mapping[str, Value]:
        """Write a signal and read it back."""
        await self._arrive()
        result = await self._performer.set(order)
        await self._pass("")
        return result

    async def call(self, order: Call) -> Mapping[str, Value]:
        """Send a command."""
        await self._arrive()
        result = await self._performer.call(order)
        await self._pass("")
        return result

    async def _arrive(self) -> None:
        await asyncio.sleep(_ORDER_S + self._contact.delay_s)
        await self._pass("", "mute")

    async def _pass(self, *passable: str) -> None:
        """Go on; where nothing passes, wait in vain: SilenceError, or DriverError if that ends the connection."""
        if self._contact.trouble not in passable:
            await asyncio.sleep(self._plan.timeout_s)
            error = SilenceError if self._plan.misses > 1 else DriverError
            raise error(f"no answer from {self._device} within {self._plan.timeout_s * 1e3:.0f} ms")


async def reached(device: Device, contact: Contact, patience_s: float) -> None:
    """Connect; DriverError if that is not possible."""
    await asyncio.sleep(_ORDER_S)
    if contact.trouble == "cut":
        raise DriverError(f"cannot reach {device.id} at {device.address}: the connection is cut")
    if contact.trouble:
        await asyncio.sleep(patience_s)
        raise DriverError(f"no answer from {device.id} within {patience_s * 1e3:.0f} ms")
    contact.settle()


def _tick(now: int, every_ns: int) -> int:
    """The next time that is a whole number of periods."""
    return (now // every_ns + 1) * every_ns
