"""The bundled cell makes parts over its real protocols: what control believes is what the world holds."""

import asyncio
from collections.abc import Callable
from typing import Any

from cellctl.core.messages import Operate, Refused
from cellctl.core.packml import Command


async def test_parts_are_made_and_counted_as_the_world_holds_them(shop: Callable[..., Any]) -> None:
    async with shop(speed=20) as cell:
        await cell.change_over("module-8s")
        await cell.produce("J1", "module-8s", 3)
        await cell.until("Completed", 30)
        truth = cell.sim.truth()
        assert truth["violations"] == []
        assert (truth["good"], truth["reject"]) == (cell.view["good"], cell.view["reject"]) == (3, 0)
        assert [part["welds"] for part in truth["parts"].values()] == [list(range(1, 17))] * 3
        for _ in range(500):  # people see what is decided; the file has it some milliseconds later
            if len(done := cell.noted("part.done")) == 3:
                break
            await asyncio.sleep(0.02)
        assert [(part["part"], part["result"]) for part in done] == [(f"J1-000{n}", "good") for n in (1, 2, 3)]
        codes = [record["value"] for record in cell.noted("record") if record["name"] == "code"]
        assert codes == list(truth["parts"])


async def test_the_operator_leads_the_cell_through_its_states(shop: Callable[..., Any]) -> None:
    async with shop(speed=5) as cell:
        await cell.change_over("module-8s")
        await cell.produce("J1", "module-8s", 2)
        await cell.until(lambda: any(part["phases"] == ["weld_busbars"] for part in cell.view["parts"]))
        for command, reached in (
            (Command.HOLD, "Held"),
            (Command.UNHOLD, "Execute"),
            (Command.SUSPEND, "Suspended"),
            (Command.UNSUSPEND, "Execute"),
            (Command.STOP, "Stopped"),
            (Command.RESET, "Idle"),
            (Command.START, "Execute"),
            (Command.ABORT, "Aborted"),
        ):
            await cell.do(Operate(command))
            await cell.until(reached)
        refused = await cell.ask(Operate(Command.START))
        assert isinstance(refused, Refused)
        assert "Aborted" in refused.reason
        assert refused.possible == ("clear",)
        for command, reached in ((Command.CLEAR, "Stopped"), (Command.RESET, "Idle"), (Command.START, "Completed")):
            await cell.do(Operate(command))
            await cell.until(reached, 60)
        truth = cell.sim.truth()
        assert truth["violations"] == []
        assert [part["welds"] for part in truth["parts"].values()] == [list(range(1, 17))] * 2
        assert cell.view["good"] == 2


async def test_the_cell_waits_for_material_and_goes_on_by_itself(shop: Callable[..., Any]) -> None:
    async with shop(speed=10) as cell:
        await cell.change_over("module-8s")
        await cell.produce("J1", "module-8s", 2)
        cell.sim.set("plc.magazine_ready", False)
        await cell.until("Suspended", 30)
        assert cell.view["why"][0]["id"] == "infeed"
        cell.sim.set("plc.magazine_ready", True)
        await cell.until("Completed", 40)
        assert cell.sim.truth()["good"] == 2


async def test_an_open_guard_aborts_and_refuses_the_start(shop: Callable[..., Any]) -> None:
    async with shop(speed=10) as cell:
        await cell.change_over("module-8s")
        await cell.produce("J1", "module-8s", 1)
        await cell.until(lambda: any(part["phases"] == ["weld_busbars"] for part in cell.view["parts"]))
        cell.sim.set("plc.guard_closed", False)
        await cell.until("Aborted")
        assert cell.sim.get("laser.on") is False
        await cell.do(Operate(Command.CLEAR))
        await cell.until("Stopped")
        refused = await cell.ask(Operate(Command.RESET))
        assert isinstance(refused, Refused)
        assert "guard" in refused.reason
        cell.sim.set("plc.guard_closed", True)
        await cell.until(lambda: "reset" in cell.view["commands"])
        await cell.do(Operate(Command.RESET))
        await cell.until("Idle")
        await cell.do(Operate(Command.START))
        await cell.until("Completed", 40)
        assert [part["welds"] for part in cell.sim.truth()["parts"].values()] == [list(range(1, 17))]


async def test_a_hold_in_the_middle_of_a_measurement_measures_again(shop: Callable[..., Any]) -> None:
    async with shop(speed=5) as cell:
        await cell.change_over("module-8s")
        await cell.produce("J1", "module-8s", 1)
        await cell.until(lambda: cell.link.signals["eol.state"].value == "RUN", 30)
        await cell.do(Operate(Command.HOLD))
        await cell.until("Held")
        await cell.do(Operate(Command.UNHOLD))
        await cell.until("Completed", 30)
        assert cell.sim.truth()["good"] == 1
