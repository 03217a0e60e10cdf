"""A cell whose devices stand on one serial line, down to the bytes, in virtual time: what is wrong with one of them is
seen of that one alone."""

from pathlib import Path

import pytest

from cellctl.driver import Quality

CELL = Path(__file__).parents[1] / "data" / "one-line"
LINE = pytest.mark.cell(str(CELL), wire=True)
DEVICES = ("grip", "mains", "drive")

#: What a silent meter costs the others: the profile of the meter says a time-out of 500 ms.
METER_COSTS_S = 1.0
#: So long may a value wait for the turn in which the cell takes notice of it, if nothing depends on it.
TURN_S = 0.2
EVERY_S = {"grip": 0.05, "drive": 1.0}

#: An answer that comes later than anybody waits for it may meet that of another, which then waits until the line is
#: quiet and lets the others have it for as long: twice its own time-out.
MET_S = {"grip": 0.4, "drive": 1.0}


def ports(cell):
    return {address.partition("?")[0] for address in cell.bench.simulation.addresses.values()}


def links(journal, before=0):
    return [(note["device"], note["state"]) for note in journal.noted("link")[before:]]


def check_values(cell, *devices):
    """What these devices tell is good and right."""
    right = {"grip": ("position", 0, 0), "mains": ("frequency", 49, 51), "drive": ("frequency", 49, 51)}
    for device in devices:
        name, low, high = right[device]
        sample = cell.signal(f"{device}.{name}")
        assert sample.quality is Quality.GOOD, (device, sample)
        assert low <= sample.value <= high


def age_s(cell, name):
    """How long ago the value was told or confirmed."""
    return (cell.bench.loop.utc_ns() - cell.bench.control.cell.image.seen_ns(name)) / 1e9


@LINE
async def test_all_are_connected_over_one_port(cell, clock, journal):
    await clock.advance("3 s")
    assert len(ports(cell)) == 1
    assert sorted(links(journal)) == [(device, "connected") for device in sorted(DEVICES)]
    check_values(cell, *DEVICES)


@LINE
@pytest.mark.parametrize(
    ("kind", "options"),
    [("unplug", {}), ("black_hole", {}), ("no_reply", {}), ("delay", {"by": "700 ms"}), ("slow", {"rate": 20}),
     ("loss", {"share": 0.6}), ("corrupt", {"share": 0.6}), ("truncate", {"share": 0.6}), ("duplicate", {"share": 0.6}),
     ("reorder", {"share": 0.6}), ("split", {}), ("reboot", {})],
)  # fmt: skip
async def test_what_is_wrong_with_one_is_seen_of_that_one_alone(cell, clock, faults, journal, kind, options):
    await clock.advance("2 s")
    before = len(journal.noted("link"))
    faults(kind, "mains", for_="20 s", **options)
    for _ in range(400):
        await clock.advance("50 ms")
        check_values(cell, "grip", "drive")
        for device, name in (("grip", "position"), ("drive", "frequency")):
            most_s = EVERY_S[device] + METER_COSTS_S + MET_S[device] * (kind in ("slow", "reorder")) + TURN_S
            assert age_s(cell, f"{device}.{name}") < most_s
    await clock.until(lambda: cell.connected("mains"), limit="10 s")
    await clock.advance("2 s")
    check_values(cell, *DEVICES)
    assert {device for device, _ in links(journal, before)} <= {"mains"}


@LINE
async def test_two_dead_ones_leave_the_third_alone(cell, clock, faults, journal):
    await clock.advance("2 s")
    before = len(journal.noted("link"))
    faults.partition("mains, drive", for_="30 s")
    for _ in range(600):
        await clock.advance("50 ms")
        check_values(cell, "grip")
    await clock.until(lambda: cell.connected("mains") and cell.connected("drive"), limit="20 s")
    assert {device for device, _ in links(journal, before)} == {"mains", "drive"}


@LINE
async def test_a_line_that_is_cut_is_cut_for_all_and_all_come_back(cell, clock, faults, journal):
    before = len(journal.noted("link"))
    faults.reset("mains")
    await clock.advance("5 s")
    assert sorted(links(journal, before)) == sorted(
        [(each, state) for each in DEVICES for state in ("lost", "connected")]
    )


@LINE
async def test_a_port_that_is_gone_comes_back_with_its_devices(cell, clock, faults):
    holes = [faults.unplug(device) for device in DEVICES]
    await clock.until(lambda: not any(map(cell.connected, DEVICES)), limit="5 s")
    for hole in holes:
        hole.end()
    await clock.until(lambda: all(map(cell.connected, DEVICES)), limit="10 s")
    await clock.advance("2 s")
    check_values(cell, *DEVICES)


@LINE
async def test_a_new_control_opens_the_line_anew(cell, clock):
    await cell.bench.kill()
    await clock.advance("1 s")
    await cell.bench.power_on()
    await clock.until(lambda: all(map(cell.connected, DEVICES)), limit="10 s")
    await clock.advance("2 s")
    check_values(cell, *DEVICES)
