"""Six devices under random link faults: no wrong value is believed, no order is carried out twice, and each link is
back within the bound that its profile gives."""

import asyncio
from typing import Any

import pytest
from asyncua.client.ua_client import UASocketProtocol

from cellctl.faults import fault
from cellctl.testing.virtual import VirtualLoop
from cellctl_drivers.wire.exchange import Exchange
from tests.links.campaign import Campaign, Told, in_virtual_time, random_faults
from tests.links.dice import foreign_to
from tests.links.limits import LINKS
from tests.links.plant import DEVICES

#: The longest message that any of them waits for, and what comes with it: no driver keeps more.
KEPT_BYTES_MAX = 65_535 + 10_000


def check(told: Told) -> None:
    """Nothing was found; else what, and what had happened."""
    assert not told.findings, "\n".join([*told.findings, f"seed {told.seed}:", *told.story[-20:]])


@pytest.mark.parametrize("seed", range(1, 5))
def test_random_faults(seed: int) -> None:
    """More of them: `python -m tests.links.soak`."""
    told = random_faults(seed, 100)
    check(told)
    assert told.faults.total() >= 100
    assert told.lost > 20
    assert told.outcomes["confirmed"] > 500
    assert told.outcomes["unknown"] > 10


def test_what_happens_is_a_function_of_the_seed() -> None:
    one, other = random_faults(7, 10), random_faults(7, 10)
    assert one == other
    assert random_faults(8, 10).story != one.story


@pytest.mark.parametrize(("kind", "times_s"), [("unplug", (1.0, 60.0, 900.0)), ("black_hole", (5.0, 60.0))])
@pytest.mark.parametrize("device", DEVICES)
def test_a_device_that_was_away_is_back_in_time_however_long_it_was(
    device: str, kind: str, times_s: tuple[float, ...]
) -> None:
    async def away(campaign: Campaign) -> None:
        for lasting_s in times_s:
            await campaign.suffer((fault(kind, device), lasting_s))
            assert not campaign.plant.connected(device)
            assert await campaign.back((device,), f"{lasting_s} s of {kind}")

    async def work() -> Told:
        return await Campaign(1, (device,)).run(away)

    check(in_virtual_time(work))


@pytest.mark.parametrize("device", DEVICES)
def test_a_flood_is_not_kept(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise without end, and answers to others, as long as they come, beside the true ones and in their place."""
    kept = _kept(Exchange, "_buffer", monkeypatch), _kept(UASocketProtocol, "receive_buffer", monkeypatch)

    async def flooded(campaign: Campaign) -> None:
        rate = 5_000 if device in ("oven", "fan", "scale") else 500_000  # a serial line carries no more
        long = max(foreign_to(device), key=len).hex()
        for what in (
            fault("flood", device, rate=rate),
            fault("garbage", device, share=1.0, way="answers", place="after", bytes=long),
            fault("garbage", device, share=1.0, way="answers", place="instead", bytes=long),
        ):
            await campaign.suffer((what, 5.0))
            await campaign.back((device,), str(what))

    async def work() -> Told:
        return await Campaign(1, (device,)).run(flooded)

    check(in_virtual_time(work))
    sizes = [size for each in kept for size in each]
    assert len(sizes) > 100
    assert max(sizes) <= KEPT_BYTES_MAX


def _kept(protocol: Any, buffer: str, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes such a protocol holds back, each time that it has received some."""
    kept: list[int] = []
    received = protocol.data_received

    def looked_at(self: Any, data: bytes) -> None:
        received(self, data)
        kept.append(len(getattr(self, buffer) or b""))

    monkeypatch.setattr(protocol, "data_received", looked_at)
    return kept


def test_the_bounds_follow_from_the_profiles() -> None:
    """The limits are those of the files: whoever changes a time-out there changes it here."""
    from tests.links.plant import CELL

    async def settings() -> dict[str, float]:
        from cellctl.testing import cell_model

        devices = cell_model(CELL).devices
        return {id: float(str(devices[id].settings["timeout"]).partition(" ")[0]) / 1e3 for id in DEVICES}

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(settings()) == {id: limits.timeout_s for id, limits in LINKS.items()}
