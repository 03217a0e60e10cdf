"""Each device is lost while parts are being made: what follows is right, and nothing is done twice."""

from collections.abc import Iterable
from typing import Any

import pytest

DEVICES = ("plc", "robot", "grip", "laser", "eol", "meter")


@pytest.mark.parametrize("away", ["1 s", "30 s"])
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.cell("battery-module", recipe="module-8s", state="Idle", wire=True)
async def test_each_device_is_lost_and_comes_back(cell, clock, operator, world, faults, device, away):
    """Lose `device` in the middle of welding, and go on as an operator would once it is back."""
    job = await cell.produce("module-8s", 1)
    await clock.until(lambda: world.get("laser.shots") >= 3, limit="30 s")
    gone = faults.unplug(device)
    await clock.until(lambda: not cell.connected(device), limit="3 s")
    assert not any(cell.signal(name).good for name in cell.signals if name.startswith(f"{device}."))
    assert device in [cause.id for cause in cell.view.why]
    reached = {"plc": "Aborted", "meter": "Execute"}.get(device, "Held")
    await clock.until(reached, limit="3 s")
    await clock.advance(away)
    assert cell.state == (reached if device != "meter" or away == "1 s" else "Completed")
    gone.end()
    await clock.until(lambda: cell.connected(device), limit="6 s")
    for press, state in {"Held": (("unhold", "Execute"),), "Aborted": _ANEW}.get(reached, ()):
        await clock.until(lambda press=press: press in cell.view.commands, limit="4 s")
        operator.press(press)
        await clock.until(state, limit="20 s")
    await clock.until("Completed", limit="60 s")
    truth = world.truth()
    assert truth["violations"] == []
    assert world.welds("part-1") == list(range(1, 17))
    assert (truth["good"], job.good) == (1, 1)


_ANEW = (("clear", "Stopped"), ("reset", "Idle"), ("start", "Execute"))


@pytest.mark.cell("battery-module", recipe="module-8s", state="Idle", wire=True)
async def test_a_shot_whose_answer_was_lost_is_not_fired_again(cell, clock, operator, world, faults, journal):
    """The shot goes on, its answer does not come."""
    await cell.produce("module-8s", 1)
    for shots in (2, 5, 8, 11):
        await clock.until(lambda shots=shots: world.get("laser.firing") and world.get("laser.shots") >= shots)
        gone = faults.unplug("laser")
        await clock.until("Held", limit="10 s")
        gone.end()
        await clock.until(lambda: "unhold" in cell.view.commands, limit="10 s")
        operator.press("unhold")
    await clock.until("Completed", limit="60 s")
    truth = world.truth()
    assert truth["violations"] == []
    (part,) = truth["parts"].values()
    assert part["welds"] == list(range(1, 17))
    assert _settled_later(journal.entries()), "no answer was lost"
    recorded = [one["value"] for one in journal.noted("record") if one["name"] == "peak"]
    assert recorded == part["peaks"]


def _settled_later(entries: Iterable[Any]) -> set[int]:
    """The tokens of shots that were fired before the laser was lost and known to be done only after that."""
    fired: set[int] = set()
    doubtful: set[int] = set()
    settled: set[int] = set()
    for entry in entries:
        match entry.kind, entry.data:
            case "intent", {"command": "laser.fire", "token": token}:
                fired.add(token)
            case "done", {"command": "laser.fire", "token": token}:
                fired.discard(token)
                settled |= doubtful & {token}
            case "link", {"device": "laser", "state": "lost"}:
                doubtful |= fired
    return settled
