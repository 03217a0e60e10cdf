"""The models of energy meters, against the register maps of their makers."""

import struct

import pytest

from cellctl_simulators.models.eastron import Sdm72, Sdm120, Sdm630
from cellctl_simulators.wire import ModbusError

HOUR = 3600_000_000_000
#: 6.9 kW in for one hour, then 2.3 kW back for one hour.
FLOW = ((0, 6900.0), (HOUR, -2300.0), (2 * HOUR, 6900.0))


def after_two_hours(meter):
    for now_ns, power_w in FLOW:
        meter.update(now_ns, {"power": power_w})
    return meter


def number(meter, address, form, *, function=4, lsw=False):
    """What stands from `address` on, as the map says it is to be read."""
    words = meter.wire.read(function, address, struct.calcsize(form) // 2)
    return struct.unpack(f">{form}", struct.pack(f">{len(words)}H", *(reversed(words) if lsw else words)))[0]


def refused(meter, function, address, count):
    with pytest.raises(ModbusError) as refusal:
        meter.wire.read(function, address, count)
    return refusal.value.code


@pytest.mark.parametrize("model", [Sdm72, Sdm120, Sdm630])
def test_every_sdm_tells_its_energies_at_the_same_places(model):
    """Floats, high word first: import 48, export 4A, total 156 (hexadecimal), in kWh."""
    meter = after_two_hours(model())
    energies = [number(meter, address, "f") for address in (0x48, 0x4A, 0x156)]
    assert energies == pytest.approx([6.9, 2.3, 9.2])


def test_the_sdm120_tells_its_only_phase_where_the_others_tell_their_first():
    meter = after_two_hours(Sdm120())
    places = (0x00, 0x06, 0x0C, 0x12, 0x18, 0x1E, 0x46)
    told = [number(meter, address, "f") for address in places]
    assert told == pytest.approx([230, 32.26, 6900, 7419.4, 2727, 0.93, 50], rel=0.01)
    assert [refused(meter, 4, address, 2) for address in (0x02, 0x34)] == [2, 2]


def test_the_sdm72_tells_power_and_energy_only():
    meter = after_two_hours(Sdm72())
    assert number(meter, 0x34, "f") == pytest.approx(6900)
    assert [refused(meter, 4, address, 2) for address in (0x00, 0x46)] == [2, 2]


def test_the_sdm630_tells_each_phase_and_what_they_are_together():
    meter = after_two_hours(Sdm630())
    assert [number(meter, address, "f") for address in (0x0C, 0x0E, 0x10, 0x34)] == [2300.0, 2300.0, 2300.0, 6900.0]
    assert [number(meter, address, "f") for address in (0x2A, 0x30, 0x3E)] == pytest.approx(
        [230, 32.26, 0.93], rel=0.01
    )


@pytest.mark.parametrize("model", [Sdm72, Sdm120, Sdm630])
def test_no_sdm_answers_more_than_forty_quantities(model):
    assert refused(model(), 4, 0x34, 82) == 3
