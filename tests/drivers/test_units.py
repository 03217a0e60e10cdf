"""Several units on one line, over real pseudo terminals and sockets: each has its own values, and what one of them does
wrong is its own affair. How long the others may wait for it is held in `test_units_in_time.py`."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from cellctl.driver import Outcome

from .plant import SPOILT, Plant, Spoil, Unit
from .recording import RecordingLink, Running, until
from .servers import TcpServer


@pytest.fixture
async def plant() -> AsyncIterator[Plant]:
    plant = Plant()
    yield plant
    plant.line.close()


async def test_several_units_share_one_port(plant: Plant) -> None:
    async with plant.running(1), plant.running(2), plant.running(3):
        for unit, link in plant.links.items():
            await link.value("count", 100 + unit)
            await link.value("setpoint", unit)
            assert (await link.set("setpoint", float(unit))).outcome is Outcome.CONFIRMED
    plant.check_values()


async def test_the_port_is_given_back_by_the_last_and_not_before(plant: Plant) -> None:
    async with plant.running(1) as first:
        async with plant.running(2):
            await plant.links[2].value("count", 102)
        seen = len(plant.links[1].confirmed)
        await until(lambda: len(plant.links[1].confirmed) > seen + 3)
        assert not first.task.done()
        stranger = Running(plant.driver(3), RecordingLink())
        async with stranger:
            assert str(await stranger.ended()).startswith("cannot reach unit3"), "the port is in use by another control"
    async with Running(plant.driver(3), RecordingLink()) as alone:
        await alone.link.value("count", 103)


async def test_on_a_port_of_a_host_rtu_units_share_one_connection(plant: Plant) -> None:
    server = await TcpServer(*plant.units.values()).start()
    plant.address = lambda unit: f"modbus+rtu+tcp://127.0.0.1:{server.port}?unit={unit}"  # type: ignore[method-assign]
    async with plant.running(1), plant.running(2), plant.running(3):
        for unit, link in plant.links.items():
            await link.value("count", 100 + unit)
    assert server.connections == 1
    await server.close()


async def test_a_connection_on_which_nobody_hears_anything_is_made_anew(plant: Plant) -> None:
    """As after a power cut of a gateway, which knows nothing of the connection any more, and says nothing."""
    server = await TcpServer(*plant.units.values()).start()
    plant.address = lambda unit: f"modbus+rtu+tcp://127.0.0.1:{server.port}?unit={unit}"  # type: ignore[method-assign]
    async with plant.kept(1) as one, plant.kept(2) as two:
        await one.value("count", 101)
        await two.value("count", 102)
        server.go_deaf()
        await until(lambda: len(one.ups) > 1 and len(two.ups) > 1, 6.0)
    assert server.connections == 2
    await server.close()


# --- one of them fails ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
async def test_a_spoilt_unit_is_lost_and_its_neighbours_are_not(plant: Plant, spoil: Spoil) -> None:
    async with plant.running(1) as one, plant.running(2) as two, plant.kept(3):
        for unit, link in plant.links.items():
            await link.value("count", 100 + unit)
        spoil(plant.units[3])
        await until(lambda: len(plant.ended[3]) > 2)
        seen = [len(plant.links[unit].confirmed) for unit in (1, 2)]
        await until(lambda: all(len(plant.links[unit].confirmed) > seen[unit - 1] + 5 for unit in (1, 2)))
        assert not one.task.done()
        assert not two.task.done()
    assert "(2 times in a row)" in str(plant.ended[3][0])
    plant.check_values()


async def test_a_unit_that_comes_back_is_connected_and_its_neighbour_never_was_lost(plant: Plant) -> None:
    async with plant.running(1) as one, plant.kept(2) as two:
        await two.value("count", 102)
        plant.units[2].fault.silent = True
        await until(lambda: len(plant.ended[2]) > 1)
        plant.units[2].fault.silent = False
        await until(lambda: len(two.ups) == 2)
        answer = await two.set("setpoint", 2.0)
        assert answer.outcome is Outcome.CONFIRMED
        assert not one.task.done()
    plant.check_values()


async def test_one_failure_is_forgiven(plant: Plant) -> None:
    async with plant.running(1) as one, plant.running(2) as two:
        for _ in range(4):
            await until(lambda: not plant.units[2].fault.garbage)
            seen = len(plant.links[2].confirmed)
            await until(lambda seen=seen: len(plant.links[2].confirmed) > seen + 2)  # type: ignore[misc]
            plant.units[2].fault.garbage.append(b"\xff")
        assert not one.task.done()
        assert not two.task.done()
    plant.check_values()


async def test_a_port_that_is_pulled_ends_all_and_all_come_back(plant: Plant) -> None:
    async with plant.kept(1) as one, plant.kept(2) as two, plant.kept(3) as three:
        links = (one, two, three)
        for unit, link in plant.links.items():
            await link.value("count", 100 + unit)
        plant.line.unplug()
        await until(lambda: all(plant.ended.values()), 0.2)
        for unit, (first, *_) in plant.ended.items():
            assert str(first).startswith(f"the connection to unit{unit} was lost")
        await until(lambda: str(plant.ended[3][-1]).startswith(f"cannot reach unit3 at {plant.line.path}"))
        plant.line.plug()
        await until(lambda: all(len(link.ups) == 2 for link in links))
    plant.check_values()


@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.05, 0.07, 0.1])
async def test_cancelling_one_leaves_the_line_usable_and_its_late_answer_is_nobodys(
    plant: Plant, after_s: float
) -> None:
    """The unit is cancelled while its answer is on the way; the same unit is then asked for another register."""
    async with plant.running(2) as two:
        async with plant.running(1, "setpoint") as one:
            await plant.links[1].value("setpoint", 1)
            plant.units[1].fault.delays_s = [0.08]
            await until(lambda: not plant.units[1].fault.delays_s)
            await asyncio.sleep(after_s)
            one.task.cancel()
            await asyncio.wait((one.task,), timeout=0.02)
            assert one.task.cancelled(), "it does not wait for the line"
        async with plant.running(1, "locked") as again:
            seen = len(plant.links[2].confirmed)
            await plant.links[1].value("locked", 71)
            await until(lambda: len(plant.links[2].confirmed) > seen + 5)
            assert not again.task.done()
        assert not two.task.done()
    plant.check_values()
    assert not list(_asked_too_early(plant.units[1]))


def _asked_too_early(unit: Unit) -> Iterator[float]:
    """The times at which anybody was asked between a question to this unit and its late answer."""
    asked_s = 0.0
    for at_s, way, frame in unit.log:
        if way == "<" and asked_s:
            yield at_s
        asked_s = at_s if way == "<" and frame[0] == unit.unit else 0.0
