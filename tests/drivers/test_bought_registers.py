"""Bought devices with a habit in their registers: the real driver and the bundled profile against the simulated device,
over a real port and without a wire."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
from collections.abc import Callable

from cellctl.driver import Outcome

from .bought import Bought
from .recording import RecordingLink, until


async def test_a_k_ducer_is_run_until_there_is_a_result(bought: Callable[..., Bought]) -> None:
    async with bought("kolver.kdu", torque=248) as screwdriver:
        assert screwdriver.link.ups == ["KDU-1A vM.00.38"]
        await screwdriver.call("select_program", program=7)
        await screwdriver.reads(program=7)
        await screwdriver.write("lever", True)
        await screwdriver.reads(new_result=True, ok=True, torque=248.0, code=13, result_program=7)
        await screwdriver.write("lever", False)
        await screwdriver.reads(new_result=False, ok_count=1)
        screwdriver.set("torque", 300)
        await screwdriver.write("lever", True)
        await screwdriver.reads(ok=False, torque=300.0, code=32)
    assert screwdriver.link.last["ok_count"].value == 1


async def test_a_k_ducer_stops_when_its_cell_is_gone(bought: Callable[..., Bought]) -> None:
    async with bought("kolver.kdu") as screwdriver:
        await screwdriver.write("lever", True)
        await until(lambda: screwdriver.truth("running") is True)
        screwdriver.running.task.cancel()
        await asyncio.wait((screwdriver.running.task,))
        await until(lambda: screwdriver.truth("running") is False)
        assert screwdriver.truth("ok") == 0
        screwdriver.is_over = True


async def test_a_k_ducer_that_is_stopped_is_held_no_longer(bought: Callable[..., Bought]) -> None:
    async with bought("kolver.kdu") as screwdriver:
        await screwdriver.write("lever", True)
        await until(lambda: screwdriver.truth("running") is True)
        answer = await screwdriver.link.answer(screwdriver.link.stop("stop_motor"))
        assert answer.outcome is Outcome.CONFIRMED
        await until(lambda: screwdriver.truth("running") is False)
        await screwdriver.call("release_motor")
        await asyncio.sleep(0.3)
        assert screwdriver.truth("running") is False


async def test_a_wago_coupler_whose_watchdog_has_expired_is_connected_again() -> None:
    """It refuses every reading then, so that whoever asked first what it is would never come in again."""
    async with Bought("wago.750") as coupler:
        await coupler.reads(watchdog=1, series=750, watchdog_time=2000, device_failures=0)
        await coupler.simulation.stop_server("dev")
        await coupler.ended()
        await until(lambda: coupler.truth("watchdog") == 2)
        await coupler.simulation.start_server("dev")
        link = RecordingLink()
        async with coupler.again(link):
            await until(lambda: "watchdog" in link.last and link.last["watchdog"].value == 1)
        assert link.ups
