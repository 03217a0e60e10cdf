"""Remote inputs and outputs of Moxa and Advantech: the models against the manuals, the profiles against the models."""

import struct

import pytest

from cellctl_simulators.models import advantech, moxa, waveshare
from cellctl_simulators.wire import ModbusError

from .phase_trial import trial

AT = "modbus://10.20.1.40:502?unit=1"


def module(name, **inputs):
    made = (moxa.MODELS | advantech.MODELS | waveshare.MODELS)[name]()
    made.update(0, {**made.inputs, **inputs})
    return made


def test_moxa_inputs_are_discretes_a_word_and_counters():
    e1210 = module("moxa.iologik-e1210", di=0b101)
    e1210.update(1, {"di": 0b100})
    e1210.update(2, {"di": 0x8101})
    assert e1210.wire.read(2, 0, 16) == [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]
    assert e1210.wire.read(4, 48, 1) == [0x8101]
    assert e1210.wire.read(4, 16, 6) == [0, 2, 0, 0, 0, 1], "rising edges, high word first"
    assert e1210.wire.read(4, 46, 2) == [0, 1]


def test_moxa_counters_have_two_words():
    e1210 = module("moxa.iologik-e1210")
    for _ in range(0x10001):
        e1210.update(0, {"di": 1})
        e1210.update(0, {"di": 0})
    assert e1210.wire.read(4, 16, 2) == [1, 1]


def test_moxa_outputs_are_coils_and_a_word():
    e1211 = module("moxa.iologik-e1211")
    e1211.wire.write(15, 0, [1, 0, 1])
    assert e1211.update(0, {"di": 0}).outputs == {"do": 0b101}
    assert e1211.wire.read(3, 32, 1) == [0b101]
    e1211.wire.write(6, 32, [0x8001])
    assert e1211.update(0, {"di": 0}).outputs == {"do": 0x8001}
    assert e1211.wire.read(1, 0, 16) == [1, *[0] * 14, 1]


def test_moxa_analogue_inputs_are_raw_and_scaled():
    e1240 = module("moxa.iologik-e1240", volt_0=10.0, volt_7=2.5)
    assert e1240.wire.read(4, 0, 1) == [0xFFFF]
    assert struct.unpack(">f", struct.pack(">HH", *e1240.wire.read(4, 22, 2))) == (2.5,)
    e1240.wire.write(5, 0x1030, [1])
    e1240.update(0, e1240.inputs)
    assert e1240.wire.read(1, 0x1030, 1) == [0], "what clears never reads as 1"


@pytest.mark.parametrize(
    ("name", "function", "address"),
    [
        ("moxa.iologik-e1210", 1, 0),
        ("moxa.iologik-e1211", 2, 0),
        ("moxa.iologik-e1212", 2, 8),
        ("moxa.iologik-e1212", 1, 8),
        ("moxa.iologik-e1214", 2, 6),
        ("moxa.iologik-e1214", 4, 28),
        ("moxa.iologik-e1240", 4, 24),
        ("advantech.adam-6050", 1, 12),
        ("advantech.adam-6060", 1, 6),
        ("advantech.adam-6060", 1, 22),
    ],
)
def test_what_is_not_there_is_refused(name, function, address):
    with pytest.raises(ModbusError) as refusal:
        module(name).wire.read(function, address, 1)
    assert refusal.value.code == 2


def test_adam_has_coils_only():
    adam = module("advantech.adam-6050", di=0x801)
    assert adam.wire.read(1, 0, 12) == [1, *[0] * 10, 1]
    adam.wire.write(5, 17, [1])
    assert adam.update(0, {"di": 0}).outputs == {"do": 0b10}
    for function, address, code in ((5, 0, 2), (15, 16, 1)):
        with pytest.raises(ModbusError) as refusal:
            adam.wire.write(function, address, [1])
        assert refusal.value.code == code


@pytest.mark.parametrize(
    ("profile", "last"),
    [
        ("moxa.iologik-e1211", 15),
        ("moxa.iologik-e1212", 7),
        ("moxa.iologik-e1214", 5),
        ("advantech.adam-6050", 5),
        ("advantech.adam-6060", 5),
    ],
)
def test_outputs_are_switched_and_read_back(profile, last, tmp_path):
    body = f"""
        await c.dev.do_1.on()
        await c.dev.do_{last}.on()
        await c.dev.do_1.off()
        c.record("first", c.dev.do_1.value)
        c.record("last", c.dev.do_{last}.value)
    """
    told, outputs = trial(tmp_path, profile, AT, body)
    assert told == {"first": False, "last": True}
    assert outputs["do"] == 1 << last


@pytest.mark.parametrize(
    ("profile", "last"),
    [
        ("moxa.iologik-e1210", 15),
        ("moxa.iologik-e1212", 7),
        ("moxa.iologik-e1214", 5),
        ("advantech.adam-6050", 11),
        ("advantech.adam-6060", 5),
    ],
)
def test_inputs_are_read(profile, last, tmp_path):
    counted = f'c.record("count", c.dev.counter_{last}.value)' if profile.startswith("moxa") else ""
    body = f"""
        c.record("first", c.dev.di_0.value)
        c.record("last", c.dev.di_{last}.value)
        {counted}
    """
    told, _ = trial(tmp_path, profile, AT, body, {"di": 1 << last})
    assert told == {"first": False, "last": True} | ({"count": 1} if counted else {})


def test_analogue_inputs_are_read_and_the_alarm_is_cleared(tmp_path):
    body = """
        await c.dev.clear_watchdog_alarm()
        c.record("value", c.dev.value_3.value)
        c.record("raw", c.dev.raw_3.value)
    """
    told, _ = trial(tmp_path, "moxa.iologik-e1240", AT, body, {"volt_3": 2.5})
    assert told == {"value": 2.5, "raw": 16384}


def test_moxa_analogue_outputs_have_a_safe_state():
    e1241 = module("moxa.iologik-e1241")
    e1241.wire.write(6, 0x403, [0x8000])
    assert e1241.update(0, {"watchdog": False}).outputs["volt_3"] == pytest.approx(5.0, abs=0.001)
    assert e1241.update(0, {"watchdog": True}).outputs["volt_3"] == 0.0
    assert e1241.update(0, {"watchdog": False}).outputs["volt_3"] == 0.0, "until it is cleared"
    assert e1241.wire.read(1, 0x1010, 4) == [1, 1, 1, 1]
    e1241.wire.write(5, 0x1023, [1])
    assert e1241.update(0, {"watchdog": False}).outputs["volt_3"] == pytest.approx(5.0, abs=0.001)
    assert (e1241.wire.read(1, 0x1010, 4), e1241.wire.read(1, 0x1023, 1)) == ([1, 1, 1, 0], [0])


def test_waveshare_relays_are_coils():
    relays = module("waveshare.relay-8ch")
    relays.wire.write(15, 0, [1, 0, 0, 0, 0, 0, 0, 1])
    assert relays.update(0, {}).outputs["relays"] == 0x81
    for function, address in ((1, 8), (3, 0)):
        with pytest.raises(ModbusError):
            relays.wire.read(function, address, 1)


def test_analogue_outputs_are_set_and_cleared(tmp_path):
    body = """
        await c.dev.raw_3.set(32768)
        await c.until("dev.is_safe_3", timeout="5 s")
        c.record("safe", c.dev.is_safe_0.value)
        await c.sleep("2 s")
        await c.dev.clear_safe()
        await c.until("not dev.is_safe_3", timeout="2 s")
    """
    happens = [("1 s", {"watchdog": True}), ("500 ms", {"watchdog": False})]
    told, outputs = trial(tmp_path, "moxa.iologik-e1241", AT, body, happens=happens)
    assert told == {"safe": True}
    assert outputs["volt_3"] == pytest.approx(5.0, abs=0.001)


def test_relays_are_switched(tmp_path):
    body = """
        for relay in (c.dev.relay_1, c.dev.relay_8, c.dev.relay_3):
            await relay.on()
        await c.dev.relay_3.off()
        c.record("first", c.dev.relay_1.value)
        await c.sleep("1 s")
        c.record("third", c.dev.relay_3.value)
    """
    at = "modbus+rtu:/dev/ttyUSB0?baud=9600&unit=1"
    told, outputs = trial(tmp_path, "waveshare.relay-8ch", at, body)
    assert told == {"first": True, "third": False}
    assert outputs["relays"] == 0x81
