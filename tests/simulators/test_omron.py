"""Omron E5CC: the model against the manual's commands, and the profile against the model."""

import pytest

from cellctl_simulators.models.omron import E5cc
from cellctl_simulators.wire import ModbusError

from .phase_trial import trial

S = 1_000_000_000
CLOSED = {"door_open": False}


def test_nothing_is_taken_before_writing_is_on():
    oven = E5cc()
    for address, value in ((0x2103, 1000), (0, 0x0100)):
        with pytest.raises(ModbusError, match="4"):
            oven.wire.write(6, address, [value])
    oven.wire.write(6, 0, [0x0001])
    oven.wire.write(6, 0x2103, [1050])
    assert oven.wire.read(3, 0x2103, 1) == [1050]


def test_an_operation_that_there_is_not_is_refused():
    oven = E5cc()
    oven.wire.write(6, 0, [0x0001])
    for command in (0x0002, 0x0103, 0x1F00):
        with pytest.raises(ModbusError, match="3"):
            oven.wire.write(6, 0, [command])


def test_it_heats_while_it_runs_and_cools_when_it_is_stopped():
    oven = E5cc()
    oven.wire.write(6, 0, [0x0001])
    oven.wire.write(6, 0x2103, [1000])
    assert oven.update(10 * S, CLOSED).outputs["temperature"] == pytest.approx(20.0)
    oven.wire.write(6, 0, [0x0100])
    assert oven.update(200 * S, CLOSED).outputs["temperature"] == pytest.approx(100.0, abs=10)
    assert oven.wire.read(3, 0x2004, 1)[0] > 0
    oven.wire.write(6, 0, [0x0101])
    assert oven.update(500 * S, CLOSED).outputs["temperature"] < 30.0
    assert oven.wire.read(3, 0x2004, 1) == [0]


def test_a_write_wears_the_eeprom_out_unless_it_goes_to_ram():
    oven = E5cc()
    oven.wire.write(6, 0, [0x0001])
    oven.wire.write(6, 0x2103, [500])
    oven.wire.write(6, 0, [0x0401])
    oven.wire.write(6, 0x2103, [600])
    assert oven.update(0, CLOSED).outputs["eeprom_writes"] == 1


def test_the_oven_is_driven_by_its_profile(tmp_path):
    body = """
        await c.dev.setpoint.set(60.0)
        async with c.safe(c.dev.stop):
            await c.dev.run()
            await c.until("dev.temperature > 50 degC", timeout="55 s")
            c.record("heats", c.dev.output.value > 0)
        await c.until("dev.output == 0 %", timeout="2 s")
        c.record("off", c.dev.output.value)
    """
    told, outputs = trial(tmp_path, "omron.e5cc", "modbus+rtu:/dev/ttyUSB0?unit=1", body)
    assert told == {"heats": True, "off": 0.0}
    assert outputs["eeprom_writes"] == 0, "it was made ready to take writes into RAM"
