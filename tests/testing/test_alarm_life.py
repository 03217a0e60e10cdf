"""Alarms of the bundled cell, from the device through the whole runtime into the journal, and through a power cut."""

import pytest

from cellctl.gateway.alarms import AlarmRecords


@pytest.mark.cell("battery-module", recipe="module-8s", state="Idle")
async def test_an_alarm_through_its_life_and_through_a_power_cut(cell, clock, faults, operator):
    faults.set("plc.air_pressure", to=5.4)
    await clock.until(lambda: "air_falling" in cell.bench.control.cell.alarms.active, limit="1 min")
    cell.assert_alarm("air_falling", state="unacknowledged")
    await operator.acknowledge("air_falling")
    cell.assert_alarm("air_falling", state="acknowledged")
    assert (
        await operator.shelve("air_falling", "9 h").refused()
        == "the alarm air_falling may be shelved for at most 480 min"
    )
    await operator.shelve("air_falling", "1 min", "the compressor is being mended")
    await cell.bench.kill()
    await cell.bench.power_on()
    cell.assert_alarm("air_falling", state="shelved")
    (shelved,) = cell.bench.control.cell.alarms.hidden
    assert (shelved.by, shelved.reason) == ("operator", "the compressor is being mended")
    await clock.advance("61 s")
    cell.assert_alarm("air_falling", state="unacknowledged")
    cell.bench.flush()
    told = AlarmRecords(cell.bench.records.folder).history(alarm="air_falling")
    assert [one["what"] for one in told] == [
        "raised", "first", "acknowledged", "shelved", "returned", "raised", "unshelved", "first",
    ]  # fmt: skip
