"""A link that is cut or silent after each byte of an exchange: it is back in time, and nothing was done twice."""

import asyncio

import pytest

from cellctl.faults import fault
from tests.links.campaign import Campaign, Told, in_virtual_time
from tests.links.test_links import check
from tests.links.work import until

#: The bytes of what goes to the device and of what comes from it: a write with the reading that confirms it, and one of
#: the readings that go on all the time; and a few more, of the exchange that follows.
SIZES = {
    ("press", "target"): (17 + 12, 12 + 13),
    ("press", ""): (12, 13),
    ("oven", "target"): (13 + 8, 8 + 9),
    ("oven", ""): (8, 9),
    ("scale", "target"): (16 + 9, 7 + 14),
    ("scale", ""): (9, 14),
}
MORE = 2

#: A link that is silent is so for longer than it takes to be noticed.
SILENT_S = 0.5

#: The next reading comes so long after the last at least: they take turns.
BETWEEN_S = 0.01


@pytest.mark.parametrize("way", ["requests", "answers"])
@pytest.mark.parametrize(("device", "what"), SIZES)
@pytest.mark.parametrize("kind", ["cut", "hang"])
def test_after_each_byte(kind: str, device: str, what: str, way: str) -> None:
    size = SIZES[device, what][way == "answers"] + MORE

    async def each(campaign: Campaign) -> None:
        worker = campaign.workers[device]
        for after in range(size + 1):
            worker.paused = True
            await _between(campaign, device)
            broken = fault(kind, device, after=after, way=way)
            ordered = asyncio.create_task(worker.order(what)) if what else None
            await campaign.suffer((broken, SILENT_S))
            if ordered is not None:
                await ordered
                took = (device, what, worker.number) in {entry[1:] for entry in campaign.plant.taken}
                assert took == (way == "answers" or after >= _request_size(device, worker.number)), after
            worker.paused = False
            assert await campaign.back((device,), str(broken))
        assert campaign.told.faults[kind] == size + 1
        assert campaign.plant.lost > size / 2

    async def work() -> Told:
        return await Campaign(1, (device,)).run(each)

    check(in_virtual_time(work))


def _request_size(device: str, number: int) -> int:
    """The bytes by which the target is written."""
    return {"press": 17, "oven": 13, "scale": len(f"TARGET {number} {number}\r\n")}[device]


async def _between(campaign: Campaign, device: str) -> None:
    """Until nothing is on its way: a reading has just been answered, and all that was ordered before."""
    judge = campaign.judge
    assert await until(lambda: all(order.done is not None for order in judge.orders.values()), 5.0)
    samples = judge.samples
    assert await until(lambda: judge.samples > samples, 1.0, often_s=0.0005)
    await asyncio.sleep(BETWEEN_S)
