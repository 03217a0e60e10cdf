"""What every driver promises, held against the same device behind each protocol."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio

import pytest

from cellctl.driver import DriverError, Outcome, Quality, WrongDevice

from .recording import RecordingLink, Running, until
from .rigs import Rig

GOOD = {"temp": 23.5, "count": 42, "flag": True}


async def test_values_arrive_with_their_types_and_qualities(rig: Rig, link: RecordingLink) -> None:
    async with Running(rig.driver(), link):
        await until(lambda: len(link.last) == 8)
    for name, value in GOOD.items():
        sample = link.last[name]
        assert (sample.value, type(sample.value), sample.quality) == (value, type(value), Quality.GOOD)
        assert sample.received_ns > 0
        assert sample.time_ns > 0
    assert link.last["fault"].quality is Quality.BAD
    assert link.last["fault"].reason
    assert (link.last["far"].value, link.last["far"].quality) == (500.0, Quality.BAD)
    assert link.last["far"].reason == "500 bar is outside 0..10"


async def test_the_device_is_identified_before_it_counts_as_connected(rig: Rig, link: RecordingLink) -> None:
    async with Running(rig.driver(), link) as running:
        assert len(link.ups) == 1
        assert link.ups[0]
        assert not running.task.done()


async def test_another_device_is_refused_and_nothing_is_written_to_it(rig: Rig, link: RecordingLink) -> None:
    order = link.call("go", token=7)
    async with Running(rig.driver(identify=False), link) as running:
        error = await running.ended()
    assert isinstance(error, WrongDevice)
    assert "wanted" in str(error)
    assert link.ups == []
    assert order not in link.answers
    assert rig.went() == []


async def test_a_write_is_confirmed_by_reading_back(rig: Rig, link: RecordingLink) -> None:
    async with Running(rig.driver(), link):
        answer = await link.set("setpoint", 80.0)
        assert (answer.outcome, answer.reason) == (Outcome.CONFIRMED, "")
        assert answer.result == {"read_back": 80.0}
        assert link.last["setpoint"].value == 80.0
        await link.set("setpoint", 10.0)


async def test_a_write_that_has_no_effect_is_unknown(rig: Rig, link: RecordingLink) -> None:
    async with Running(rig.driver(), link):
        answer = await link.set("clamped", 9.0)
    assert answer.outcome is Outcome.UNKNOWN
    assert (answer.reason, answer.result) == ("wrote 9.0, reads 5.0", {"read_back": 5.0})


async def test_what_the_device_or_the_range_forbids_is_refused(rig: Rig, link: RecordingLink) -> None:
    async with Running(rig.driver(), link):
        locked = await link.set("locked", 3)
        outside = await link.set("setpoint", 221.0)
        endless = await link.set("setpoint", float("nan"))
        wrong = await link.set("setpoint", "hot")
    assert [answer.outcome for answer in (locked, outside, endless, wrong)] == [Outcome.REFUSED] * 4
    assert all(answer.reason for answer in (locked, outside, endless, wrong))
    assert outside.reason == "221 is outside 0..220"


async def test_a_command_carries_its_token(rig: Rig, link: RecordingLink) -> None:
    async with Running(rig.driver(), link):
        answer = await link.answer(link.call("go", token=4711))
        assert answer.outcome is Outcome.CONFIRMED
        await until(lambda: rig.went() == [4711])


async def test_what_nobody_declared_is_not_sent(rig: Rig, link: RecordingLink) -> None:
    async with Running(rig.driver(), link):
        assert (await link.set("temp", 1.0)).outcome is Outcome.NOT_SENT
        assert (await link.answer(link.call("stay"))).outcome is Outcome.NOT_SENT


async def test_an_order_past_its_deadline_is_not_sent(rig: Rig, link: RecordingLink) -> None:
    async with Running(rig.driver(), link):
        answer = await link.answer(link.call("go", token=8, within_s=-1.0))
        assert answer.outcome is Outcome.NOT_SENT
        await asyncio.sleep(0.05)
    assert rig.went() == []


async def test_the_loss_of_the_device_is_noticed_at_once(rig: Rig, link: RecordingLink) -> None:
    async with Running(rig.driver(), link) as running:
        await link.value("count", 42)
        await rig.kill()
        error = await running.ended(0.5)
    assert isinstance(error, DriverError)
    assert "dev" in str(error)


async def test_a_device_that_froze_is_noticed_and_the_order_is_unknown(rig: Rig, link: RecordingLink) -> None:
    async with Running(rig.driver(), link) as running:
        await link.set("setpoint", 10.0)
        rig.freeze()
        order = link.call("go", token=9)
        error = await running.ended(rig.frozen_s)
    assert isinstance(error, DriverError)
    assert "no answer from dev within" in str(error)
    assert link.answers[order].outcome in (Outcome.UNKNOWN, Outcome.NOT_SENT)


async def test_a_device_that_is_not_there_is_told_in_a_sentence(rig: Rig, link: RecordingLink) -> None:
    driver = rig.driver()
    await rig.kill()
    async with Running(driver, link) as running:
        error = await running.ended()
    assert isinstance(error, DriverError)
    assert str(error).startswith(("cannot reach dev at", "127.0.0.1"))
    assert link.ups == []


@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.01, 0.03, 0.2])
async def test_cancelling_leaves_nothing_and_answers_every_order(rig: Rig, link: RecordingLink, after_s: float) -> None:
    """The look at tasks, sockets and ptys that were left behind is in the suite's conftest."""
    task = asyncio.create_task(rig.driver().run(link))  # type: ignore[arg-type]
    await asyncio.sleep(after_s)
    orders = [link.write("setpoint", 20.0), link.write("setpoint", 10.0)] if link.ups else []
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()
    waiting = link._orders.qsize()
    assert sum(order in link.answers for order in orders) + waiting == len(orders)


async def test_a_second_connection_works_as_the_first(rig: Rig, link: RecordingLink) -> None:
    driver = rig.driver()
    for connection in (1, 2):
        link.last.clear()
        async with Running(driver, link):
            await link.value("count", 42)
            assert len(link.ups) == connection
