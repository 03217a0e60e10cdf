"""VPInstruments VPFlowScope: the model against the maker's table, and the profile against the model."""

import struct

import pytest

from cellctl_simulators.models.vp_instruments import VpFlowScope
from cellctl_simulators.wire import ModbusError

from .phase_trial import trial

HOUR_NS = 3_600_000_000_000
AIR = {"flow": 123.4, "pressure": 6.5, "temperature": -5.0}


def meter(**inputs):
    made = VpFlowScope()
    made.update(0, {**made.inputs, **AIR, **inputs})
    return made


def test_each_number_is_a_value_of_two_words():
    made = meter()
    assert made.wire.read(3, 17, 2) == [0, 1234]
    assert made.wire.read(3, 18, 2) == [0, 20567]
    assert made.wire.read(3, 32, 2) == [0, 65]
    assert made.wire.read(3, 64, 2) == [0xFFFF, 0xFFCE]
    assert struct.unpack(">f", struct.pack(">HH", *made.wire.read(3, 25, 2)))[0] == pytest.approx(123.4)
    for number, count in ((17, 1), (16, 4), (19, 2), (0, 2)):
        with pytest.raises(ModbusError):
            made.wire.read(3, number, count)


def test_the_total_grows_and_is_reset_by_any_write():
    made = meter()
    made.update(HOUR_NS, {**made.inputs, **AIR})
    assert made.wire.read(3, 128, 2) == [0, 1234]
    made.wire.write(16, 128, [1, 2])
    made.update(HOUR_NS, {**made.inputs, **AIR})
    assert made.wire.read(3, 128, 2) == [0, 0]
    for function, number in ((16, 17), (6, 128)):
        with pytest.raises(ModbusError):
            made.wire.write(function, number, [0, 0])


def test_air_is_metered(tmp_path):
    body = """
        c.record("flow", c.dev.flow.value)
        c.record("litres", c.dev.flow_litres.value)
        c.record("fine", round(c.dev.fine_flow.value, 3))
        c.record("pressure", c.dev.pressure.value)
        c.record("temperature", c.dev.temperature.value)
        await c.until("dev.total > 0.4 m3", timeout="55 s")
        await c.dev.reset_total()
        await c.until("dev.total < 0.3 m3", timeout="5 s")
    """
    at = "modbus+rtu:/dev/ttyUSB0?baud=38400&unit=9"
    told, _ = trial(tmp_path, "vp-instruments.vpflowscope", at, body, {**AIR, "flow": 90.0})
    assert told == {"flow": 90.0, "litres": 1500.0, "fine": 90.0, "pressure": 6.5, "temperature": -5.0}
