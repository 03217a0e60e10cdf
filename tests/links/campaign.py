"""A campaign: one plant, orders to all devices all the time, and one fault after the other on each of the links.

The rule kept here: what happens is a function of the seed and the product; what is wrong is told, never raised.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from cellctl.faults import Fault, FaultError
from cellctl.testing.virtual import VirtualLoop, wall_clock
from tests.links.dice import drawn
from tests.links.judge import Judge
from tests.links.limits import GROUPS, LINKS
from tests.links.plant import DEVICES, Plant
from tests.links.work import Worker, until

T = TypeVar("T")

#: How often one looks what is believed of all devices.
BELIEVED_S = 0.1

#: So many faults come two at a time.
_TWO = 0.25

#: All devices are connected within this at first.
FIRST_S = 20.0

#: A server forgets the session of a client that hung up without a word within this.
SESSION_S = 40.0

#: A connection that is to be cut after some more bytes is used within this.
_USED_S = 60.0


@dataclass(slots=True)
class Told:
    """What came of a campaign: what happened, how it ended, and `slowest_s`, the longest that each device needed to be
    back."""

    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)
    slowest_s: dict[str, float] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    samples: int = 0
    lost: int = 0
    virtual_s: float = 0.0


class Campaign:
    """The plant of a seed, an order to each of its devices all the time, and whoever judges what comes of it."""

    def __init__(self, seed: int, devices: tuple[str, ...] = DEVICES) -> None:
        self.told, self.judge = Told(seed), Judge()
        self.plant = Plant(self.judge, seed, devices)
        self.workers = {device: Worker(self.plant, self.judge, device, seed) for device in devices}

    async def run(self, what: Callable[["Campaign"], Coroutine[Any, Any, None]]) -> Told:
        """Let happen what `what` lets happen, and look what becomes of it."""
        async with self.plant as plant:
            self.judge.begun_ns, self.judge.log = plant.begun_ns, plant.taken
            looking = asyncio.create_task(self._look())
            working = [asyncio.create_task(worker.run()) for worker in self.workers.values()]
            await self.back(tuple(self.workers), "it was switched on", FIRST_S)
            before = plant.open()
            await what(self)
            await until(lambda: not plant.open() - before, SESSION_S)
            if left := plant.open() - before:
                self.find(f"still open: {dict(left)}")
            for worker in self.workers.values():
                worker.stopped = True
            await asyncio.wait(working)
            looking.cancel()
            await asyncio.wait((looking,))
            if failures := plant.failures:
                self.find(f"drivers failed: {failures[:3]}")
            self.judge.close(plant.now_ns)
        if left_behind := asyncio.all_tasks() - {asyncio.current_task()}:
            self.find(f"tasks left behind: {left_behind}")
        return self._told()

    async def suffer(self, *faults: tuple[Fault, float]) -> None:
        """All of these faults, each for so long (s): from the first beginning to the last end."""
        running: list[tuple[float, int, str]] = []
        for what, lasting_s in faults:
            now_s = self.plant.loop.time()
            try:
                running.append((now_s + lasting_s, await self.plant.suffer(what), what.devices[0]))
            except FaultError:
                continue  # one that excludes another
            self.told.faults[_kind(what)] += 1
            self.told.story.append(f"{now_s:9.3f} s  {what} for {lasting_s:g} s")
        for end_s, number, _ in sorted(running):
            await asyncio.sleep(max(0.0, end_s - self.plant.loop.time()))
            await self.plant.heal(number)
        await until(lambda: not any(self.plant.ill(device) for _, _, device in running), _USED_S)

    async def back(self, devices: tuple[str, ...], after: str, within_s: float = 0.0) -> bool:
        """Wait until these devices are as they should be: connected, with fresh values, and an order that was given
        from now on is confirmed. Tell if one is not in time, which is what its profile says."""
        begun_s, since_ns = self.plant.loop.time(), self.plant.now_ns
        within_s = within_s or max(LINKS[device].back_s for device in devices)
        missing = dict.fromkeys(devices)

        def back() -> bool:
            for device in tuple(missing):
                if self._is_back(device, since_ns):
                    del missing[device]
                    took_s = self.plant.loop.time() - begun_s
                    self.told.slowest_s[device] = max(took_s, self.told.slowest_s.get(device, 0.0))
            return not missing

        if await until(back, within_s):
            return True
        for device in missing:
            said = [reason for reason in self.plant.reasons[device] if reason][-3:]
            self.find(f"{device} is not back {within_s:.1f} s after {after}: {self.workers[device].last}, {said}")
        return False

    def find(self, what: str) -> None:
        """Something is wrong."""
        self.judge.findings.append(f"{self.plant.loop.time():9.3f} s  {what}")

    def _is_back(self, device: str, since_ns: int) -> bool:
        confirmed = self.workers[device].confirmed_ns > since_ns
        return confirmed and self.plant.connected(device) and self.plant.fresh(device, since_ns)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(BELIEVED_S)
            self.judge.look(self.plant.image, self.plant.now_ns)

    def _told(self) -> Told:
        told, judge, plant = self.told, self.judge, self.plant
        told.findings, told.outcomes, told.samples = judge.findings, judge.outcomes, judge.samples
        told.virtual_s, told.lost = plant.loop.time(), plant.lost
        return told


def in_virtual_time(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What comes of `work`, on a virtual loop of its own."""
    loop = VirtualLoop()
    with wall_clock(loop), asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(work())


def random_faults(seed: int, faults: int) -> Told:
    """So many faults, or one more, as the seed draws them."""

    async def work() -> Told:
        return await Campaign(seed).run(happen)

    async def happen(campaign: Campaign) -> None:
        links = [asyncio.create_task(on_link(campaign, group)) for group in GROUPS]
        await asyncio.wait(links)
        for link in links:
            link.result()

    async def on_link(campaign: Campaign, group: tuple[str, ...]) -> None:
        random = Random(f"{seed}/{group}")
        while campaign.told.faults.total() < faults and not campaign.judge.findings:
            await asyncio.sleep(random.uniform(0.05, 0.8))
            count = 2 if random.random() < _TWO else 1
            what = [drawn(random, random.choice(group)) for _ in range(count)]
            await campaign.suffer(*what)
            await campaign.back(group, " and ".join(f"{each} for {lasting_s:g} s" for each, lasting_s in what))

    return in_virtual_time(work)


def _kind(what: Fault) -> str:
    if what.kind == "set":
        return "busy"
    return "foreign" if what.options.get("bytes") else what.kind
