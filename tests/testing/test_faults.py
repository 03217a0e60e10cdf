"""Every kind of fault on a running cell, at both levels: what breaks is what the kind says, and ending it heals it."""

import pytest

from cellctl.core.packml import Command
from cellctl.faults import KINDS, FaultError
from cellctl.testing import NotAccepted

BOTH = pytest.mark.parametrize(
    "level",
    [
        pytest.param("direct", marks=pytest.mark.cell("battery-module", recipe="module-8s", state="Idle")),
        pytest.param("wire", marks=pytest.mark.cell("battery-module", recipe="module-8s", state="Idle", wire=True)),
    ],
)
WIRE = pytest.mark.cell("battery-module", recipe="module-8s", state="Idle", wire=True)


# --- on the line ----------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("device", ["plc", "laser", "grip", "robot", "eol", "meter"])
async def test_an_unplugged_device_is_missed_until_it_is_back(cell, clock, faults, device, level):
    faults.unplug(device, for_="10 s")
    await clock.until(lambda: not cell.connected(device), limit="5 s")
    await clock.until(lambda: cell.connected(device), limit="25 s")


@BOTH
@pytest.mark.parametrize("device", ["plc", "laser", "grip"])
async def test_a_silent_line_is_noticed_though_nobody_tells(cell, clock, faults, device, level):
    hole = faults.black_hole(device)
    await clock.until(lambda: not cell.connected(device), limit="15 s")
    hole.end()
    await clock.until(lambda: cell.connected(device), limit="40 s")
    assert not hole.running


@BOTH
async def test_a_partition_takes_several_devices_at_once(cell, clock, faults, level):
    faults.partition("laser, grip", for_="12 s")
    await clock.until(lambda: not cell.connected("laser") and not cell.connected("grip"), limit="10 s")
    assert cell.connected("robot")
    await clock.until(lambda: not cell.bench.control.cell.missing, limit="60 s")


@BOTH
@pytest.mark.parametrize("device", ["plc", "laser", "grip"])
async def test_a_reset_line_is_taken_up_again_by_itself(cell, clock, journal, faults, device, level):
    before = len(journal.noted("link"))
    faults.reset(device)
    await clock.advance("6 s")
    told = [note["state"] for note in journal.noted("link")[before:] if note["device"] == device]
    assert "connected" in told[1:], told
    assert cell.connected(device)


@BOTH
async def test_an_order_whose_answer_is_lost_was_carried_out(cell, clock, faults, world, level):
    job = await cell.produce("module-8s", 1)
    await clock.until(lambda: world.get("laser.shots") >= 3, limit="60 s")
    faults.no_reply("laser", for_="8 s")
    await clock.until("Held", limit="20 s")
    await clock.until(lambda: "unhold" in cell.view.commands, limit="60 s")
    cell.operator.press("unhold")
    await clock.until(job.done, limit="5 min")
    assert world.welds("part-1") == list(range(1, 17))
    assert world.truth()["violations"] == []


@BOTH
async def test_a_slow_line_makes_orders_slow(cell, clock, faults, world, level):
    job = await cell.produce("module-8s", 1)
    await clock.until(lambda: world.get("laser.shots") >= 2, limit="60 s")
    quick = await clock.until(lambda: world.get("laser.shots") >= 4, limit="60 s")
    faults.delay("laser", by="60 ms", jitter="10 ms")
    slow = await clock.until(lambda: world.get("laser.shots") >= 6, limit="60 s")
    assert slow > quick + 0.1
    await clock.until(job.done, limit="5 min")


@WIRE
@pytest.mark.parametrize(
    ("kind", "options"),
    [("loss", {"share": 0.3}), ("truncate", {"share": 0.3}), ("corrupt", {"share": 0.3}), ("reorder", {"share": 0.4}),
     ("duplicate", {"share": 0.4}), ("split", {}), ("slow", {"rate": 400}),
     ("garbage", {"share": 0.4, "way": "answers"}), ("flood", {"rate": 2000})],
)  # fmt: skip
@pytest.mark.parametrize("device", ["laser", "grip", "meter"])
async def test_bytes_that_go_wrong_never_go_wrong_in_the_cell(
    cell, clock, faults, journal, world, kind, options, device
):
    job = await cell.produce("module-8s", 1)
    await clock.until(lambda: world.get("laser.shots") >= 3, limit="60 s")
    faults(kind, device, for_="20 s", **options)
    for _ in range(120):
        await clock.advance("1 s")
        if "unhold" in cell.view.commands:
            cell.operator.press("unhold")
        if cell.questions:
            cell.operator.answer("retry")
        if job.done():
            break
    else:
        await clock.until(job.done, limit="5 min")
    truth = world.truth()
    assert truth["violations"] == []
    assert journal.verify().broken_at is None


@WIRE
@pytest.mark.parametrize("device", ["laser", "grip", "robot"])
async def test_a_line_that_is_cut_within_an_exchange_is_taken_up_again(cell, clock, faults, journal, device):
    before = len(journal.noted("link"))
    faults.cut(device, after=3, way="answers")
    await clock.advance("6 s")
    told = [note["state"] for note in journal.noted("link")[before:] if note["device"] == device]
    assert told == ["lost", "connected"]


@WIRE
async def test_a_line_that_hangs_within_an_exchange_comes_back_with_the_end_of_the_fault(cell, clock, faults):
    hanging = faults.hang("laser", after=3)
    await clock.until(lambda: not cell.connected("laser"), limit="5 s")
    await clock.advance("20 s")
    assert not cell.connected("laser")
    hanging.end()
    await clock.until(lambda: cell.connected("laser"), limit="10 s")


# --- in the device ----------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("signal", "input_", "moves"),
    [("plc.air_pressure", "plc.air_pressure", 5.0), ("laser.window", "laser.window", 91.0)],
)
async def test_a_frozen_value_stays_as_it_was(cell, clock, faults, world, signal, input_, moves, level):
    before = cell.signal(signal).value
    frozen = faults.frozen(signal)
    await clock.advance("3 s")
    world.set(input_, moves)
    await clock.advance("10 s")
    assert cell.signal(signal).value == pytest.approx(before, abs=0.2)
    frozen.end()
    await clock.advance("10 s")
    assert cell.signal(signal).value == pytest.approx(moves, abs=0.2)


@BOTH
async def test_a_stuck_laser_says_yes_and_does_nothing(cell, clock, faults, world, level):
    job = await cell.produce("module-8s", 1)
    await clock.until(lambda: world.get("laser.shots") >= 2, limit="60 s")
    shots = world.get("laser.shots")
    stuck = faults.stuck("laser.on")
    await clock.advance("2 s")
    assert cell.connected("laser")
    stuck.end()
    assert world.get("laser.shots") >= shots
    await clock.until(job.done, limit="5 min")


@BOTH
async def test_a_value_that_the_device_does_not_take_is_no_changeover(cell, clock, faults, level):
    faults.clamp("laser.power", high=900)
    with pytest.raises(NotAccepted, match="the changeover failed"):
        await cell.change_over("module-12s")
    await clock.advance("1 s")
    (failed,) = cell.journal.noted("changeover.failed")
    assert failed["reason"] == "weld_power: wanted 1450 W, found 900.0"


@BOTH
@pytest.mark.parametrize("device", ["plc", "laser", "robot", "eol"])
async def test_a_strange_device_is_not_taken_for_the_right_one(cell, clock, faults, device, level):
    strange = faults.wrong_identity(device)
    await clock.until(lambda: not cell.connected(device), limit="10 s")
    await clock.advance("20 s")
    assert not cell.connected(device)
    strange.end()
    await clock.until(lambda: cell.connected(device), limit="60 s")


@BOTH
@pytest.mark.parametrize("device", ["plc", "laser", "grip", "robot", "eol", "meter"])
async def test_a_rebooted_device_has_forgotten_everything(cell, clock, faults, world, device, level):
    job = await cell.produce("module-8s", 1)
    await clock.until(lambda: world.get("laser.shots") >= 2, limit="60 s")
    shots = world.get("laser.shots")
    faults.reboot(device, for_="4 s")
    await clock.until(lambda: not cell.connected(device), limit="10 s")
    if device == "laser":
        assert world.get("laser.shots") == 0 < shots
    await clock.until(lambda: cell.connected(device), limit="60 s")
    assert not job.done()
    assert world.truth()["violations"] == []


@BOTH
async def test_an_open_guard_aborts_until_it_is_closed(cell, clock, faults, world, level):
    await cell.produce("module-8s", 1)
    await clock.until(lambda: world.get("laser.shots") >= 2, limit="60 s")
    faults.set("plc.guard_closed", to=False, for_="5 s")
    await clock.until("Aborted", limit="3 s")
    await clock.advance("6 s")
    assert world.get("plc.guard_closed") is True
    assert world.truth()["violations"] == []


# --- in the controller ------------------------------------------------------------------------------------------------


@pytest.mark.cell("battery-module", recipe="module-8s", state="Idle")
async def test_control_dies_at_the_entry_that_was_said(cell, clock, faults, world, journal):
    await cell.produce("module-8s", 1)
    await clock.until(lambda: world.get("laser.shots") >= 2, limit="60 s")
    at = cell.bench.control.journal.sequence + 5
    faults.kill(after=5)
    await clock.until(lambda: not cell.bench.alive, limit="10 s")
    await cell.bench.kill()
    assert at <= cell.bench.records.latest(limit=1)[0].sequence <= at + 5
    await cell.bench.power_on()
    assert cell.state == "Aborted"


@pytest.mark.cell("battery-module", recipe="module-8s", state="Idle")
@pytest.mark.parametrize(
    ("kind", "state", "alarm"),
    [("disk_full", "Held", "system.journal_full"), ("fsync_error", "Aborted", "system.journal_error")],
)
async def test_nothing_is_promised_that_a_broken_disk_did_not_keep(cell, clock, faults, world, kind, state, alarm):
    job = await cell.produce("module-8s", 1)
    await clock.until(lambda: world.get("laser.shots") >= 2, limit="60 s")
    faults(kind, for_="10 s")
    await clock.until(state, limit="20 s")
    assert cell.view.why[0].id == alarm
    assert "is not possible: The" in cell.view.refusals["unhold" if state == "Held" else "clear"]
    shots = world.get("laser.shots")
    await clock.advance("20 s")
    assert world.get("laser.shots") == shots
    assert not job.done()
    assert "This is over" in cell.view.why[0].text
    assert {"alarm": alarm, "raised": False} in cell.journal.noted("alarm")
    assert cell.journal.verify().broken_at is None
    if state == "Held":
        await cell.bench.fire(Command.UNHOLD)
        await clock.until(job.done, limit="2 min")
        assert world.truth()["violations"] == []


@pytest.mark.cell("battery-module", recipe="module-8s", state="Idle")
async def test_a_slow_disk_makes_the_cell_slow_and_nothing_else(cell, clock, faults, world):
    slow = faults.slow_disk(by="400 ms")
    job = await cell.produce("module-8s", 1)
    await clock.until(job.done, limit="10 min")
    slow.end()
    assert world.welds("part-1") == list(range(1, 17))


@pytest.mark.cell("battery-module", recipe="module-8s", state="Idle")
@pytest.mark.parametrize("by", ["2 h", "-2 h"])
async def test_a_stepped_clock_changes_what_is_written_and_not_what_is_done(cell, clock, faults, world, by):
    job = await cell.produce("module-8s", 1)
    await clock.until(lambda: world.get("laser.shots") >= 2, limit="60 s")
    faults.clock_step(by=by)
    await clock.until(job.done, limit="2 min")
    assert (job.good, world.truth()["violations"]) == (1, [])
    assert cell.journal.verify().broken_at is None


# --- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.cell("battery-module")
async def test_a_fault_that_there_is_not_says_what_was_meant(cell, faults):
    for wrong, told in (
        (lambda: faults.unplugg("laser"), "there is no fault 'unplugg'; did you mean 'unplug'?"),
        (lambda: faults.unplug("lazer"), "no device 'lazer' is simulated; did you mean 'laser'?"),
        (lambda: faults.frozen("laser.windwo"), "laser has no signal or command 'windwo'; did you mean 'window'?"),
        (lambda: faults.set("plc.guard", to=False), "there is no input 'plc.guard'; did you mean 'plc.guard_closed'?"),
        (lambda: faults.set("plc.guard_closed", to=3), "plc.guard_closed is of type bool, 3 is not"),
        (lambda: faults.loss("laser"), "loss needs the bytes of a wire: @pytest.mark.cell(..., wire=True)"),
        (lambda: faults.stuck("plc.air_pressure"), "plc.air_pressure is not written: stuck changes nothing"),
        (lambda: faults.frozen("laser.fire"), "laser.fire is not read: it cannot be frozen"),
        (
            lambda: faults.wrong_identity("meter"),
            "meter tells no identity (`identify` in its profile): nobody would notice",
        ),
    ):
        with pytest.raises(FaultError) as error:
            wrong()
        assert str(error.value) == told
    assert cell.bench.simulation.faults.running == []


@pytest.mark.cell("battery-module")
async def test_every_kind_is_a_method(faults):
    assert set(KINDS) <= set(dir(faults))


@BOTH
async def test_an_unplugged_device_stays_so_whatever_else_happens_to_it(cell, clock, faults, level):
    away = faults.unplug("laser")
    await clock.advance("1 s")
    faults.reset("laser")
    faults.wrong_identity("laser", for_="1 s")
    await clock.advance("5 s")
    assert not cell.connected("laser")
    for again in (lambda: faults.unplug("laser"), lambda: faults.reboot("laser", for_="1 s")):
        with pytest.raises(FaultError, match=r"unplug laser is on already: end it first \(fault 1\)"):
            again()
    away.end()
    await clock.until(lambda: cell.connected("laser"), limit="20 s")


@pytest.mark.cell("battery-module")
async def test_what_is_set_on_purpose_is_set_back_to_what_it_was(cell, clock, faults, world):
    faults.set("plc.air_pressure", to=4.0, for_="2 s")
    await clock.advance("1 s")
    with pytest.raises(FaultError, match="is on already"):
        faults.set("plc.air_pressure", to=5.0, for_="5 s")
    await clock.advance("10 s")
    assert world.get("plc.air_pressure") == 6.1
