"""Whatever breaks, and whenever: what goes through the token block is done once, and a person is rarely asked."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from cellctl.commission.found import ALONE
from cellctl.faults import fault
from tests.links.campaign import in_virtual_time
from tests.tokens.controller import PROFILES, WORK_MS, Controller, Site

#: So many bytes are there to be cut off in one way while the token is on its way and is answered. On OPC UA there are
#: five requests of many bytes each: some of them are passed over.
BYTES = {PROFILES[0]: 80, PROFILES[1]: 900}
STRIDES = {PROFILES[0]: 1, PROFILES[1]: 13}


async def primed(site: Site) -> None:
    """One execution before: from now on the device has something to remember."""
    async with Controller(site) as controller:
        assert await controller.through() == "done"
    site.journal[:] = [(kind, data) for kind, data in site.journal if kind == "tokens"]
    assert sum(site.retained.executed.values()) == 1
    site.retained.executed.clear()


def played(profile: str, folder: Path, act: Callable[[Site], Coroutine[Any, Any, None]]) -> None:
    """Let `act` happen in virtual time."""

    async def play() -> None:
        async with Site(profile, folder) as site:
            await primed(site)
            await act(site)
            await asyncio.sleep(0.1)

    in_virtual_time(play)


@pytest.mark.parametrize("profile", PROFILES)
def test_nothing_breaks(profile: str, tmp_path: Path) -> None:
    async def act(site: Site) -> None:
        async with Controller(site) as controller:
            assert await controller.through() == "done"
        assert list(site.retained.executed.values()) == [1]
        assert site.noted("record")[-1]["value"] == 1

    played(profile, tmp_path, act)


async def resumed(site: Site, *, asked: bool = False) -> Controller:
    """A new controller works until the end; it asks a person only where that is expected."""
    async with Controller(site) as controller:
        assert await controller.through() == ("asked" if asked else "done"), controller.faults
    return controller


def once(site: Site) -> None:
    """It was done, and once."""
    assert list(site.retained.executed.values()) == [1], site.retained
    site.retained.executed.clear()
    site.journal[:] = [(kind, data) for kind, data in site.journal if kind == "tokens"]


@pytest.mark.parametrize("away_s", [0.0, 0.02, 1.5], ids=["at-once", "meanwhile", "after-a-trip"])
@pytest.mark.parametrize("profile", PROFILES)
def test_the_controller_is_killed_at_every_step(profile: str, tmp_path: Path, away_s: float) -> None:
    async def act(site: Site) -> None:
        async with Controller(site) as whole:
            assert await whole.through() == "done"
        once(site)
        assert whole.steps > 4
        for step in range(1, whole.steps + 1):
            async with Controller(site, die_at=step) as first:
                told = await first.through()
            await asyncio.sleep(away_s)
            if told == "dead":
                await resumed(site)
            once(site)

    played(profile, tmp_path, act)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_controller_is_killed_at_any_time(profile: str, tmp_path: Path) -> None:
    async def act(site: Site) -> None:
        for at_ms in range(0, 3 * WORK_MS, 2):
            async with Controller(site) as controller:
                working = asyncio.create_task(controller.through())
                await asyncio.sleep(at_ms / 1e3)
                working.cancel()
                await asyncio.wait((working,))
            await resumed(site)
            once(site)

    played(profile, tmp_path, act)


@pytest.mark.parametrize("way", ["requests", "answers"])
@pytest.mark.parametrize("kind", ["cut", "hang"])
@pytest.mark.parametrize("profile", PROFILES)
def test_the_link_breaks_after_every_byte(profile: str, tmp_path: Path, kind: str, way: str) -> None:
    async def act(site: Site) -> None:
        for after in range(0, BYTES[profile], STRIDES[profile]):
            async with Controller(site) as controller:
                assert await controller.until(lambda: not controller.image.read("device.comm_trip").value)
                broken = await site.suffer(fault(kind, ALONE, after=after, way=way))
                working = asyncio.create_task(controller.through())
                await asyncio.sleep(0.3 if kind == "cut" else 2.0)
                if broken in site.simulation.faults.numbers:
                    await site.simulation.faults.end(broken)
                assert await working == "done", (after, controller.faults)
            once(site)

    played(profile, tmp_path, act)
