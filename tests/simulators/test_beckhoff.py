"""Beckhoff BK7300: the model's watchdog against the manual, and the profile against the model."""

import pytest

from cellctl_simulators.models.beckhoff import Bk7300
from cellctl_simulators.wire import ModbusError

from .phase_trial import trial

MS = 1_000_000
S = 1_000_000_000
NOTHING = {"di": 0}
AT = "modbus+rtu:/dev/ttyUSB0?baud=9600&unit=1"


def coupler():
    made = Bk7300()
    made.update(0, NOTHING)
    return made


def ask(made, now_ns, *write):
    """One request, as a server carries it out."""
    made.update(now_ns, NOTHING)
    if write:
        made.wire.write(6, write[0], [write[1]])
    else:
        made.wire.read(3, 0, 1)
    return made.update(now_ns, NOTHING)


def test_the_process_image():
    made = Bk7300()
    made.update(0, {"di": 0xA5C3})
    assert made.wire.read(3, 0, 1) == [0xA5C3]
    assert made.wire.read(3, 0x1010, 4) == [0, 0, 16, 16]
    assert ask(made, 0, 0x0800, 0x8001).outputs["do"] == 0x8001
    for address in (1, 0x0801, 0x1000):
        with pytest.raises(ModbusError):
            made.wire.read(3, address, 1)


def test_the_first_write_arms_the_watchdog_and_only_writes_feed_it():
    made = coupler()
    for now_ns in range(0, 5 * S, 200 * MS):
        assert ask(made, now_ns).outputs["expired"] is False, "nothing was written yet"
    ask(made, 5 * S, 0x0800, 1)
    made.update(5 * S + 400 * MS, NOTHING)
    assert made.wire.read(3, 0x1020, 1) == [600]
    ask(made, 5 * S + 900 * MS, 0x0800, 1)
    assert ask(made, 6 * S + 800 * MS).outputs == {"do": 1, "expired": False}
    assert ask(made, 6 * S + 900 * MS).outputs == {"do": 0, "expired": True}
    assert ask(made, 7 * S, 0x0800, 1).outputs["do"] == 0


def test_any_request_feeds_it_once_it_is_told_so():
    made = coupler()
    ask(made, 0, 0x1122, 1)
    ask(made, 0, 0x0800, 1)
    for now_ns in range(0, 5 * S, 900 * MS):
        assert ask(made, now_ns).outputs == {"do": 1, "expired": False}
    assert made.update(6 * S, NOTHING).outputs == {"do": 0, "expired": True}


def test_its_time_can_be_set_only_before_it_is_armed():
    made = coupler()
    ask(made, 0, 0x1120, 2500)
    made.update(1 * S, NOTHING)
    assert made.wire.read(3, 0x1020, 1) == [1500]
    with pytest.raises(ModbusError):
        made.wire.write(6, 0x1120, [0])


def test_a_time_of_zero_switches_it_off():
    made = coupler()
    ask(made, 0, 0x1120, 0)
    ask(made, 0, 0x0800, 7)
    assert made.update(100 * S, NOTHING).outputs == {"do": 7, "expired": False}


OUTPUT = """
    await c.dev.out_0.set(0x8001)
    await c.sleep("3 s")
    c.record("out", c.dev.out_0.value)
    c.record("in", c.dev.in_0.value)
"""


def test_outputs_stay_while_the_cell_reads(tmp_path):
    told, outputs = trial(tmp_path, "beckhoff.bk7300", AT, OUTPUT, {"di": 0xA5C3})
    assert told == {"out": 0x8001, "in": 0xA5C3}
    assert outputs == {"do": 0x8001, "expired": False}


def test_a_cell_may_have_another_time_set_before_the_first_write_arms_it(tmp_path):
    body = 'c.record("time", c.dev.watchdog_time.value)\nc.record("type", c.dev.watchdog_type.value)'
    settings = "prepare: [{holding 0x1120: 500}, {holding 0x1122: 1}]"
    told, outputs = trial(tmp_path, "beckhoff.bk7300", AT, body, settings=settings)
    assert told == {"time": 500, "type": 1}
    assert outputs == {"do": 0, "expired": False}


def test_the_watchdog_runs_out_if_its_type_is_left_as_it_was_delivered(tmp_path):
    body = 'c.record("remaining", c.dev.watchdog_remaining.value)'
    told, outputs = trial(tmp_path, "beckhoff.bk7300", AT, body, settings="prepare: [{holding 0x1120: 1000}]")
    assert told == {"remaining": 0}
    assert outputs == {"do": 0, "expired": True}
