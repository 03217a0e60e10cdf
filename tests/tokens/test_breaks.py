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


def anew(site: Site) -> None:
    """What was done is forgotten by all but the device; tokens go on."""
    site.retained.executed.clear()
    site.journal[:] = [(kind, data) for kind, data in site.journal if kind == "tokens"]


async def primed(site: Site) -> None:
    """One execution before: from now on the device has something to remember."""
    async with Controller(site) as controller:
        assert await controller.through() == "done"
    once(site)


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
    anew(site)


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


@pytest.mark.parametrize("keeps", [True, False], ids=["keeps", "forgets"])
@pytest.mark.parametrize("profile", PROFILES)
def test_the_device_is_switched_off_at_any_time(profile: str, tmp_path: Path, keeps: bool) -> None:
    """A person is asked only after work that was begun and did not end, and by a device that has forgotten."""
    ends: list[str] = []

    async def act(site: Site) -> None:
        for at_ms in range(0, 3 * WORK_MS, 3):
            site.simulation.set(f"{ALONE}.retains", keeps)
            async with Controller(site) as controller:
                working = asyncio.create_task(controller.through())
                await asyncio.sleep(at_ms / 1e3)
                begun = bool(site.noted("intent"))
                number = await site.suffer(fault("reboot", ALONE))
                ended = site.retained.seen_token == site.retained.done_token
                await asyncio.sleep(0.2)
                await site.simulation.faults.end(number)
                ends.append(await working)
            count = sum(site.retained.executed.values())
            assert set(site.retained.executed.values()) <= {1}
            assert count == 1 if ends[-1] == "done" else begun, (at_ms, ends[-1], controller.faults)
            if keeps and ended:
                assert ends[-1] == "done", at_ms
            anew(site)
            await primed(site)

    played(profile, tmp_path, act)
    assert set(ends) == {"done", "asked"}


@pytest.mark.parametrize("profile", PROFILES)
async def test_real_connections_break_after_every_few_bytes(profile: str, tmp_path: Path) -> None:
    async with Site(profile, tmp_path) as site:
        await primed(site)
        for way in ("requests", "answers"):
            for after in range(0, BYTES[profile], 8 * STRIDES[profile]):
                async with Controller(site) as controller:
                    assert await controller.until(lambda: not controller.image.read("device.comm_trip").value)
                    await site.suffer(fault("cut", ALONE, after=after, way=way))
                    assert await controller.through() == "done", (after, controller.faults)
                once(site)


@pytest.mark.parametrize("profile", PROFILES)
async def test_a_controller_on_real_connections_is_killed_at_every_step(profile: str, tmp_path: Path) -> None:
    async with Site(profile, tmp_path) as site:
        await primed(site)
        for step in range(1, 6):
            async with Controller(site, die_at=step) as first:
                told = await first.through()
            assert told in ("dead", "done")
            if told == "dead":
                await resumed(site)
            once(site)
