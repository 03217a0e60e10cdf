"""Hours of the bundled cell with all its troubles, in virtual time: what is counted is what was made."""

from collections import Counter
from random import Random

import pytest

from cellctl.gateway.parts import Parts
from cellctl.testing.worlds.attendant import Attendant

SHIFT_MIN = 3 * 60

#: Minutes of the shift in which nobody is there, and the magazine runs empty.
BREAKS = (range(45, 51), range(90, 102), range(140, 146))

#: What is to be made: some ten minutes each, with a changeover between them. Then the cell is cleaned.
ORDERS = (("module-12s", 50), ("module-8s", 70)) * 5

#: Whoever looks after the cell comes by this often.
ROUND_S = 10

#: Minute of the shift -> what goes wrong in it.
TROUBLES = {
    9: lambda cell: cell.faults.unplug("laser", for_="45 s"),
    27: lambda cell: cell.faults.black_hole("grip", for_="30 s"),
    36: lambda cell: cell.world.set("laser.weak_rate", 0.2),
    40: lambda cell: cell.world.set("laser.weak_rate", 0.0),
    61: lambda cell: cell.world.set("eol.insulation", 40.0),
    64: lambda cell: cell.world.set("eol.insulation", 850.0),
    75: lambda cell: cell.faults.no_reply("robot", for_="15 s"),
    81: lambda cell: cell.world.set("plc.guard_closed", False),
    82: lambda cell: cell.world.set("plc.guard_closed", True),
    124: lambda cell: cell.faults.reset("plc"),
    151: lambda cell: cell.faults.partition("eol, meter", for_="20 s"),
}

#: In this one the power of the controller fails.
KILLED_MIN = 113


@pytest.mark.timeout(400)
@pytest.mark.cell("battery-module", seed=8)
async def test_a_shift_with_all_its_troubles_loses_no_part(cell, clock, journal, world):
    attendant = Attendant(cell.bench, ORDERS, Random("shift"))
    for minute in range(SHIFT_MIN):
        if minute == KILLED_MIN:
            await power_fails(cell, attendant)
        TROUBLES.get(minute, lambda cell: None)(cell)
        there = not any(minute in pause for pause in BREAKS)
        if world.get("plc.magazine_ready") != there:
            world.set("plc.magazine_ready", there)
        for _ in range(60 // ROUND_S):
            await clock.advance(ROUND_S)
            if there:
                await attendant.look()

    made, truth = Counter(), world.truth()
    for tally in cell.bench.seen.tallies.values():
        made += tally.results
    places = Counter(module["place"] for module in truth["parts"].values())
    assert attendant.done
    assert made.total() == sum(quantity for _, quantity in ORDERS)
    assert places == {"outfeed": made["good"], "reject_bin": made["scrap"]}
    assert truth["violations"] == []
    assert world.compare(Parts(cell.bench.setup.folder).latest(10_000)[::-1]) == []
    begun, ended = ({note["part"] for note in journal.noted(kind)} for kind in ("part", "part.done"))
    assert begun == ended, "those too that were in the cell when the power failed"
    assert journal.verify().broken_at is None

    assert made["scrap"] > 0, "there were troubles enough"
    assert len(journal.noted("question")) > 10
    assert len(journal.noted("start")) == 2
    assert {note["device"] for note in journal.noted("link") if note["state"] == "lost"} >= {"laser", "grip", "plc"}
    assert {note["state"] for note in journal.noted("state")} >= {"Held", "Suspended", "Aborted", "Completed"}


async def power_fails(cell, attendant):
    """Control is gone in this moment, and is switched on again; the modules stay where they are."""
    await cell.bench.kill()
    await cell.clock.advance("40 s")
    await cell.bench.power_on()
    attendant.restarted()
