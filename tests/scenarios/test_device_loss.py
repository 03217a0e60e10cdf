"""Each device is lost while parts are being made: what follows is right, and nothing is done twice."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cellctl.core.messages import Operate
from cellctl.core.packml import Command

DEVICES = ("plc", "robot", "grip", "laser", "eol", "meter")


async def _lose_and_go_on(cell: Any, device: str, away_s: float) -> None:
    """Lose `device` in the middle of welding, and go on as an operator would once it is back."""
    await cell.change_over("module-8s")
    await cell.produce("J1", "module-8s", 1)
    await cell.until(lambda: any(part["phases"] == ["weld_busbars"] for part in cell.view["parts"]), 30)
    await asyncio.sleep(0.3)
    await cell.sim.stop_server(device)
    await cell.until(lambda: not cell.linked(device), 3)
    assert all(not sample.good for name, sample in cell.link.signals.items() if name.startswith(f"{device}."))
    assert any(cause["id"] == device for cause in cell.view["why"])
    reached = {"plc": "Aborted", "meter": "Execute"}.get(device, "Held")
    await cell.until(reached)
    await asyncio.sleep(away_s)
    assert cell.state == (reached if device != "meter" or away_s < 5 else "Completed")
    await cell.sim.start_server(device)
    await cell.until(lambda: cell.linked(device), 4)
    if reached == "Held":
        await cell.until(lambda: "unhold" in cell.view["commands"], 4)
        await cell.do(Operate(Command.UNHOLD))
    elif reached == "Aborted":
        for command, state in ((Command.CLEAR, "Stopped"), (Command.RESET, "Idle"), (Command.START, "Execute")):
            await cell.until(lambda command=command: command.name.lower() in cell.view["commands"], 4)
            await cell.do(Operate(command))
            await cell.until(state)
    await cell.until("Completed", 60)
    truth = cell.sim.truth()
    assert truth["violations"] == []
    assert [part["welds"] for part in truth["parts"].values()] == [list(range(1, 17))]
    assert (truth["good"], cell.view["good"]) == (1, 1)


@pytest.mark.parametrize("away_s", [1, 30])
async def test_each_device_is_lost_and_comes_back(shop: Callable[..., Any], away_s: float) -> None:
    async def one(device: str) -> None:
        async with shop(device, speed=3) as cell:
            await _lose_and_go_on(cell, device, away_s)

    async with asyncio.TaskGroup() as group:  # six cells side by side
        for device in DEVICES:
            group.create_task(one(device))


async def test_a_shot_whose_answer_was_lost_is_not_fired_again(shop: Callable[..., Any]) -> None:
    async with shop(speed=1) as cell:
        await cell.change_over("module-8s")
        await cell.produce("J1", "module-8s", 1)
        await cell.until(lambda: any(part["phases"] == ["weld_busbars"] for part in cell.view["parts"]), 30)
        for shots in (2, 5, 8, 11):
            await _firing(cell, shots)
            await cell.sim.stop_server("laser")  # the shot goes on, its answer does not come
            await cell.until("Held")
            await cell.sim.start_server("laser")
            await cell.until(lambda: "unhold" in cell.view["commands"], 4)
            await cell.do(Operate(Command.UNHOLD))
        await cell.until("Completed", 60)
        truth = cell.sim.truth()
        assert truth["violations"] == []
        (part,) = truth["parts"].values()
        assert part["welds"] == list(range(1, 17))
        assert _settled_later(cell), "no answer was lost"
        recorded = [one["value"] for one in cell.noted("record") if one["name"] == "peak"]
        assert recorded == part["peaks"]


async def _firing(cell: Any, shots: int) -> None:
    """Wait until the laser is firing, after so many shots."""
    for _ in range(10_000):
        if cell.sim.get("laser.firing") and cell.sim.get("laser.shots") >= shots:
            return
        await asyncio.sleep(0.002)
    pytest.fail("the laser does not fire")


def _settled_later(cell: Any) -> set[int]:
    """The tokens of shots that were fired before the laser was lost and known to be done only after that."""
    fired: set[int] = set()
    doubtful: set[int] = set()
    settled: set[int] = set()
    for entry in cell.records.entries(limit=100_000):
        match entry.kind, entry.data:
            case "intent", {"command": "laser.fire", "token": token}:
                fired.add(token)
            case "done", {"command": "laser.fire", "token": token}:
                fired.discard(token)
                settled |= doubtful & {token}
            case "link", {"device": "laser", "state": "lost"}:
                doubtful |= fired
    return settled
