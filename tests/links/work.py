"""What is ordered of a device all the time."""

import asyncio
from collections.abc import Callable
from random import Random

from cellctl.core.messages import Call, CommandClass, Done, Outcome, Write
from tests.links.judge import Issued, Judge
from tests.links.plant import DEVICES, Plant

#: How often one looks.
LOOK_S = 0.02

#: An order is answered at most so long after its deadline, by the link itself if not by the driver.
ANSWERED_S = 5.0

#: An order that is given though the device is not there.
_IN_VAIN = 0.01


class Worker:
    """Orders something of a device as soon as it has the answer to what it ordered before, unless it is `paused`; each
    order has a number of its own, higher than the one before."""

    def __init__(self, plant: Plant, judge: Judge, device: str, seed: int) -> None:
        self._plant, self._judge, self._device = plant, judge, device
        self._random = Random(f"{seed}/{device}/orders")
        self.number = 0  # of the last order
        self.stopped = self.paused = False
        self.confirmed_ns = 0  # when the last one was given that was confirmed
        self.last: Done | None = None

    async def run(self) -> None:
        """Until `stopped`."""
        while not self.stopped:
            there = self._plant.connected(self._device) or self._random.random() < _IN_VAIN
            if there and not self.paused:
                await self.order("target" if self._random.random() < 0.5 else "go")
            await asyncio.sleep(self._random.uniform(0.02, 0.15))

    async def order(self, what: str) -> None:
        """Write the target, or send the command; until it is answered."""
        self.number += 1
        plant, device, number = self._plant, self._device, self.number
        id, sent_ns = DEVICES.index(device) * 1_000_000 + number, plant.now_ns
        within_s = self._random.choice((0.05, 0.4, 1.0, 2.0))
        deadline_ns = sent_ns + round(within_s * 1e9)
        issued = self._judge.orders[id] = Issued(device, what, number, deadline_ns)
        if what == "target":
            plant.send(Write(id, f"{device}.target", number, deadline_ns))
        else:
            plant.send(Call(id, device, what, deadline_ns, {}, number, CommandClass.PULSE))
        if not await until(lambda: issued.done is not None, within_s + ANSWERED_S):
            self._judge.findings.append(f"{issued} is not answered {ANSWERED_S:g} s after its deadline")
        self.last = issued.done
        if issued.done is not None and issued.done.outcome is Outcome.CONFIRMED:
            self.confirmed_ns = sent_ns


async def until(condition: Callable[[], bool], within_s: float, *, often_s: float = LOOK_S) -> bool:
    """Wait until it is so; False if it is not after so long."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + within_s
    while not condition():
        if loop.time() >= end_s:
            return False
        await asyncio.sleep(often_s)
    return True
