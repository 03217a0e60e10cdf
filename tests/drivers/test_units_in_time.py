"""Several units on one line, in virtual time: who goes first, and how long one waits for another that fails.

The bound that is held here: a neighbour waits for a silent unit twice its time-out (five times if it keeps sending),
and then has the line for as long. Each unit that begins to fail costs that once; those that fail already do not add up.
"""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from cellctl.driver import Call, CommandClass, Outcome
from cellctl.testing.virtual import VirtualLoop

from .plant import SPOILT, TIMEOUT_S, Plant, now_s
from .recording import until
from .rigs import GO
from .servers import MemoryLine, TcpServer

#: One exchange of another that was on the line already, with its pauses.
EXCHANGE_S = 0.006


def in_virtual_time(test: Callable[[Plant], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """The test, given its plant on a line in memory."""

    def run() -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(_played(test))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


async def _played(test: Callable[[Plant], Coroutine[Any, Any, None]]) -> None:
    plant = Plant(MemoryLine)
    await plant.line.plug()  # type: ignore[misc]
    await test(plant)
    plant.line.close()
    plant.check_values()


# --- one of them fails ----------------------------------------------------------------------------------------------


#: What a neighbour waits for it: the request and the time until the line is quiet.
COSTS_S = {"dead": 2 * TIMEOUT_S, "slow": 2.9 * TIMEOUT_S, "garbled": TIMEOUT_S + 0.01}


@pytest.mark.parametrize("kind", SPOILT)
def test_a_spoilt_unit_costs_its_neighbours_the_stated_time(kind: str) -> None:
    async def test(plant: Plant) -> None:
        async with plant.running(1) as one, plant.running(2) as two, plant.kept(3):
            for unit, link in plant.links.items():
                await link.value("count", 100 + unit)
            SPOILT[kind](plant.units[3])
            begun_s = now_s()
            await asyncio.sleep(3.0)
            for unit, running in ((1, one), (2, two)):
                assert not running.task.done(), "a neighbour was lost"
                assert plant.units[unit].longest_gap_s(begun_s) < COSTS_S[kind] + 0.01 + EXCHANGE_S
                asked = sum(at_s > begun_s for at_s in plant.units[unit].asked_s)
                assert asked > 0.45 * 3.0 / 0.01, "less than half of the line is left to the neighbours"
        assert len(plant.ended[3]) > 2

    in_virtual_time(test)()


@in_virtual_time
async def test_a_unit_that_keeps_sending_costs_five_timeouts_and_is_lost_at_once(plant: Plant) -> None:
    async with plant.running(1) as one, plant.running(2) as two, plant.running(3) as three:
        for unit, link in plant.links.items():
            await link.value("count", 100 + unit)

        def babble(request: bytes) -> bytes:
            for number in range(20) if request[0] == 3 else ():
                asyncio.get_running_loop().call_later(number * TIMEOUT_S / 4, plant.line.send, b"\xff")
            return b""

        begun_s = now_s()
        plant.units[3].respond = babble  # type: ignore[method-assign]
        assert str(await three.ended()) == "unit3 never stops sending"
        await asyncio.sleep(1.0)
        assert not one.task.done()
        assert not two.task.done()
        assert 5 * TIMEOUT_S < plant.units[1].longest_gap_s(begun_s) < 5 * TIMEOUT_S + 0.01 + EXCHANGE_S


@in_virtual_time
async def test_two_dead_units_do_not_add_up(plant: Plant) -> None:
    async with plant.running(1) as one, plant.kept(2), plant.kept(3):
        await plant.links[3].value("count", 103)
        for unit in (2, 3):
            plant.units[unit].fault.silent = True
        await until(lambda: plant.ended[2] and plant.ended[3])
        begun_s = now_s()
        await asyncio.sleep(3.0)
        assert not one.task.done()
        assert plant.units[1].longest_gap_s(begun_s) < COSTS_S["dead"] + 0.01 + EXCHANGE_S
        assert min(len(plant.ended[2]), len(plant.ended[3])) > 3


@pytest.mark.parametrize("again_s", [(1e-6,), (0.001,), (0.0012, 0.0024)])
@pytest.mark.parametrize("gateway", [True, False])
def test_an_answer_that_comes_again_is_not_taken_for_the_next(again_s: tuple[float, ...], gateway: bool) -> None:
    """No answer on a line says to what: one that nobody asked for has to come while nobody asks."""

    async def test(plant: Plant) -> None:
        line: Any = plant.line
        if gateway:
            line = await TcpServer(*plant.units.values()).start()
            plant.address = lambda unit: f"modbus+rtu+tcp://127.0.0.1:{line.port}?unit={unit}"  # type: ignore[method-assign]
        once = plant.units[1].respond

        def again(request: bytes) -> bytes:
            answer = once(request)
            for after_s in again_s:
                asyncio.get_running_loop().call_later(after_s, lambda: line.send(answer))
            return answer

        plant.units[1].respond = again  # type: ignore[method-assign]
        async with plant.running(1, "count", "setpoint", "locked") as running:
            for name, value in (("count", 101), ("setpoint", 1), ("locked", 71)):
                await plant.links[1].value(name, value)
            await asyncio.sleep(1.0)
            assert not running.task.done()
        if gateway:
            await line.close()

    in_virtual_time(test)()


# --- who goes first ---------------------------------------------------------------------------------------------------


async def _busy(plant: Plant) -> None:
    """All three always have something to read, and each answer takes 15 ms."""
    for unit in plant.units.values():
        unit.fault.delays_s = [0.015] * 1000
    for link in plant.links.values():
        await until(lambda link=link: len(link.last) == 3)  # type: ignore[misc]


NAMES = ("count", "setpoint", "far")  # not one of them lies beside another


@in_virtual_time
async def test_an_order_overtakes_the_readings_of_all_units(plant: Plant) -> None:
    async with plant.running(1, *NAMES), plant.running(2, *NAMES), plant.running(3, *NAMES):
        await _busy(plant)
        for unit, link in plant.links.items():
            before = len(plant.frames())
            await link.answer(link.call("go", token=unit))
            since = plant.frames()[before:]
            sent = next(index for index, frame in enumerate(since) if (frame[0], frame[1]) == (unit, 6))
            # one that was on the line already, and one that the unit itself had begun to ask for
            assert sent <= 2, [frame.hex() for frame in since]


@in_virtual_time
async def test_a_stop_goes_before_the_orders_of_others(plant: Plant) -> None:
    many = {"write": {f"holding {80 + 2 * number}": "$token" for number in range(8)}}
    sequence = {"many": type(GO)("many", CommandClass.LEVEL, GO.timeout_ns, many), "go": GO}
    one, two, three = plant.links.values()
    async with (
        plant.running(1, *NAMES, commands=sequence),
        plant.running(2, *NAMES, commands=sequence),
        plant.running(3, *NAMES),
    ):
        await _busy(plant)
        orders = [(link, link.call("many", token=unit)) for unit, link in ((1, one), (2, two))]
        await until(lambda: plant.frames()[-1][1] == 6)
        before = len(plant.frames())
        three._orders.put_nowait(Call(99, "dev", "go", three.now() + 10**9, {}, 9, CommandClass.STOP))
        await three.answer(99)
        since = plant.frames()[before:]
        assert next(index for index, frame in enumerate(since) if (frame[0], frame[1]) == (3, 6)) <= 2
        assert not any(order in link.answers for link, order in orders), "it went before what was ordered before"
        for link, order in orders:
            assert (await link.answer(order)).outcome is Outcome.CONFIRMED


async def _spared(plant: Plant) -> float:
    """Unit 3 is silent once; when its neighbours begin to have the line for themselves, which is for 120 ms."""
    for unit, link in plant.links.items():
        await link.value("count", 100 + unit)
    plant.units[3].fault.delays_s = [60.0]
    await until(lambda: not plant.units[3].fault.delays_s)
    silent_s = now_s()
    await until(lambda: plant.units[1].asked_s[-1] > silent_s)
    return now_s()


@in_virtual_time
async def test_the_neighbours_of_a_unit_that_was_silent_have_the_line_for_as_long(plant: Plant) -> None:
    async with plant.running(1), plant.running(2), plant.running(3):
        begun_s = await _spared(plant)
        await until(lambda: plant.units[3].asked_s[-1] > begun_s)
        assert now_s() - begun_s > 1.8 * TIMEOUT_S
        assert sum(at_s > begun_s for at_s in plant.units[1].asked_s) > 4


@in_virtual_time
async def test_an_order_to_a_unit_that_was_silent_goes_at_once(plant: Plant) -> None:
    """Though nobody else has anything to ask, and so nobody looks whose turn it is."""
    async with plant.running(1, every_s=5.0), plant.running(3):
        await plant.links[3].value("count", 103)
        plant.units[3].fault.delays_s = [60.0]
        await until(lambda: not plant.units[3].fault.delays_s)
        await asyncio.sleep(2 * TIMEOUT_S + 0.02)
        begun_s = now_s()
        assert (await plant.links[3].answer(plant.links[3].call("go", token=5))).outcome is Outcome.CONFIRMED
        assert now_s() - begun_s < TIMEOUT_S


@in_virtual_time
async def test_a_unit_that_was_silent_is_kept_alive(plant: Plant) -> None:
    fed = {"write": "holding 90 uint16", "every": "20 ms"}
    async with plant.running(1), plant.running(2), plant.running(3, watchdog=fed):
        begun_s = await _spared(plant)
        await asyncio.sleep(1.6 * TIMEOUT_S)
        assert sum(at_s > begun_s for at_s in plant.units[3].asked_s) >= 3


@in_virtual_time
async def test_the_pause_between_frames_holds_for_the_line(plant: Plant) -> None:
    patient = {"settings": {"timeout": "60 ms", "min_pause": "12 ms"}}
    async with plant.running(1), plant.running(2, **patient), plant.running(3):
        await plant.links[2].value("count", 102)
        begun_s = now_s()
        await asyncio.sleep(0.4)
        log = sorted(entry for unit in plant.units.values() for entry in unit.log if entry[0] > begun_s)
    answered_s = [at_s for at_s, way, _ in log if way == ">"]
    asked_s = [at_s for at_s, way, _ in plant.units[1].log if way == "<" and at_s > answered_s[0]]
    assert len(asked_s) > 20
    for at_s in asked_s:
        assert at_s - max(each for each in answered_s if each < at_s) > 0.0115
