"""One whole job in virtual time, in which control dies at one chosen point; all points at which it can.

The points are: before and after each commit of the journal, and before, during and after each order that reaches a
driver. Entries of one turn are one commit, so nothing dies between them. The rule kept here: until it dies, a run is
the same as the one in which nothing dies, so every point of that one is there to be hit.
"""

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Literal
from unittest.mock import patch

from cellctl.core import cell as core
from cellctl.core.messages import Order, Outcome
from cellctl.core.signal import Value
from cellctl.driver import Driver, DriverFactory
from cellctl.model import CellModel
from cellctl.testing.bench import Bench, Setup
from cellctl.testing.cells import cell_model
from cellctl.testing.disk import COMMIT_S, BadDisk
from cellctl.testing.virtual import VirtualLoop
from cellctl.testing.worlds.attendant import LOOK_S
from cellctl.testing.worlds.checks import Check, all_checks, target
from cellctl.testing.worlds.plan import Plan
from tests.kills.judge import findings
from tests.kills.truthful import Truthful

When = Literal["before", "during", "after"]

JOBS = (("module-8s", 2),)

#: Control is off for so long after it died, virtual s: an order on its way comes to its end, or is still in work.
OFF_S = (0.02, 0.3, 3.0)

#: All is made within this, virtual s.
PATIENCE_S = 600.0

#: Control dies `during` an order that takes longer than this; a weld shot takes 95 ms, a feed 800 ms.
DURING_S = 0.04

#: A memory is written whole after so many entries in half of the runs.
SNAPSHOT_EVERY = 40

#: A second death comes within so many entries of the life after the first, in one run of so many.
_ENTRIES, _TWICE = 40, 3


@dataclass(frozen=True, slots=True)
class Point:
    """Where control dies: at the commit of the entry `number`, or at the order that is the `number`th to reach a
    driver. `asked`: devices can be asked what became of a pulse; if not, a person has to say."""

    what: Literal["commit", "order"]
    number: int
    when: When
    asked: bool = True

    def __str__(self) -> str:
        return f"{self.when} {self.what} {self.number}{'' if self.asked else ', devices cannot be asked'}"


@dataclass(slots=True)
class Run:
    """What came of one run: what was found, how often control died, what was asked, and where it could have died (the
    commits by their last entries, the orders by what they are for)."""

    point: Point | None
    found: list[str] = field(default_factory=list)
    deaths: int = 0
    questions: int = 0
    commits: list[int] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)


def model_of(*, asked: bool) -> CellModel:
    """The battery-module cell, whose devices can be asked what became of a pulse, or cannot."""
    model = cell_model("battery-module")
    if asked:
        return model
    commands = {name: replace(spec, probe=None) for name, spec in model.equipment.commands.items()}
    return replace(model, equipment=replace(model.equipment, commands=commands))


@cache
def points() -> tuple[Point, ...]:
    """All of them; those of the run in which nothing dies."""
    found: list[Point] = []
    for asked in (True, False):
        whole = play(None, asked=asked)
        for number in whole.commits:
            found += [Point("commit", number, when, asked) for when in ("before", "after")]
        for number in range(1, len(whole.orders) + 1):
            found += [Point("order", number, when, asked) for when in ("before", "during", "after")]
    return tuple(found)


def play(point: Point | None, *, asked: bool = True) -> Run:
    """One job, in which control dies at `point`, is started again, and all that was ordered is made.

    Where devices cannot be asked, the memory is also written down whole again and again, as else only long runs do.
    """
    asked = point.asked if point else asked
    model = model_of(asked=asked)
    with (
        patch.object(core, "SNAPSHOT_EVERY", core.SNAPSHOT_EVERY if asked else SNAPSHOT_EVERY),
        tempfile.TemporaryDirectory(prefix="cellctl-point-") as folder,
        asyncio.Runner(loop_factory=VirtualLoop) as runner,
    ):
        return runner.run(_played(point, Setup(model, Path(folder), "direct")))


async def _played(point: Point | None, setup: Setup) -> Run:
    random = Random(str(point))
    checks = all_checks(Plan(0, "direct", JOBS, (), ()))
    bench = Mortal(setup, checks, point)
    for check in checks:
        check.bench = bench
    run, person = Run(point), Truthful(bench, JOBS, Random(0))
    try:
        async with bench:
            await _made(bench, person, random)
            run.commits, run.orders = list(bench.mortal.commits), list(bench.orders)
            for check in checks:
                await check.end(bench)
            bench.flush()
            run.found += findings(setup.folder, bench.simulation.truth(), setup.model, JOBS)
    except Exception as error:  # a run is there to find them
        run.found.append(f"{type(error).__name__}: {error}")
    run.found += person.wrong
    run.found += [str(finding) for check in checks for finding in check.found]
    run.deaths, run.questions = bench.deaths, person.asked
    return run


async def _made(bench: "Mortal", person: Truthful, random: Random) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not person.done:
            if not bench.alive:
                if bench.deaths == 1 and random.randrange(_TWICE) == 0:
                    bench.disk.kill_at = bench.disk.last + random.randint(1, _ENTRIES)
                await bench.revive(random.choice(OFF_S))
                person.restarted()
            await person.look()
            await asyncio.sleep(LOOK_S)
        await bench.written()


class Mortal(Bench):
    """A cell whose control dies at one point."""

    def __init__(self, setup: Setup, checks: Sequence[Check], point: Point | None) -> None:
        super().__init__(setup, checks)
        self.point, self.deaths = point, 0
        self.orders: list[str] = []
        self.disk = self.mortal = MortalDisk(self, point)

    async def wait_until(self, fulfilled: Callable[[], object], limit_s: float, what: str) -> None:
        """Through the death of control too, which is started again."""
        await super().wait_until(lambda: not self.alive or fulfilled(), limit_s, what)
        if not self.alive:
            await self.revive(OFF_S[0])
            await super().wait_until(fulfilled, limit_s, what)

    async def revive(self, off_s: float) -> None:
        """Start control again, which has died."""
        await self.kill()
        await asyncio.sleep(off_s)
        await self.power_on()

    def _die(self) -> None:
        if self.alive:
            self.deaths += 1
        super()._die()

    def _factory(self, protocol: str) -> DriverFactory:
        made = super()._factory(protocol)
        return lambda device: _MortalDriver(made(device), self)

    def taken(self, order: Order) -> When | None:
        """A driver takes an order: when control dies of it."""
        self.orders.append(target(order))
        point = self.point
        hit = point is not None and (point.what, point.number) == ("order", len(self.orders))
        return point.when if point is not None and hit else None

    def die(self) -> None:
        """Now."""
        self._die()


class MortalDisk(BadDisk):
    """A disk at whose commits the process may die. `commits` are the last entries of each."""

    def __init__(self, bench: Mortal, point: Point | None) -> None:
        super().__init__(bench.die, COMMIT_S)
        self._point = point
        self.commits: list[int] = []

    def before(self, last: int) -> None:
        """Die before anything of it is written: nobody will ever know of these entries."""
        super().before(last)
        self._die_at("before", last)

    def after(self, last: int) -> None:
        """Die when it is written, and nobody was told."""
        self.commits.append(last)
        super().after(last)
        self._die_at("after", last)

    def _die_at(self, when: When, last: int) -> None:
        point = self._point
        if point is not None and (point.what, point.when) == ("commit", when) and last >= point.number:
            self._point = None
            self.kill()


class _MortalDriver:
    """A driver whose process dies at an order."""

    def __init__(self, driver: Driver, bench: Mortal) -> None:
        self._driver, self._bench = driver, bench

    async def run(self, link: Any) -> None:
        """As the driver does, while the process lives."""
        await self._driver.run(_MortalLink(link, self._bench))


class _MortalLink:
    def __init__(self, link: Any, bench: Mortal) -> None:
        self.now, self.up, self.alive, self.common, self.put = link.now, link.up, link.alive, link.common, link.put
        self._link, self._bench, self._life = link, bench, bench.deaths
        self._untold: Order | None = None

    async def order(self) -> Order:
        order: Order = await self._link.order()
        self._live()
        match self._bench.taken(order):
            case "before":
                self._bench.die()
            case "during":
                asyncio.get_running_loop().call_later(DURING_S, self._bench.die)
            case "after":
                self._untold = order
        self._live()
        return order

    def done(self, order: Order, outcome: Outcome, result: Mapping[str, Value] | None = None, reason: str = "") -> None:
        if order is self._untold:
            self._bench.die()
        if self._life == self._bench.deaths:
            self._link.done(order, outcome, result, reason)

    def _live(self) -> None:
        """The dead do nothing more."""
        if self._life != self._bench.deaths:
            raise asyncio.CancelledError


def sample(count: int, seed: int) -> list[Point]:
    """So many of them, as the seed draws them."""
    return Random(seed).sample(points(), min(count, len(points())))
