"""The models of energy meters, against the register maps of their makers."""

import struct

import pytest

from cellctl_simulators.models.carlo_gavazzi import Em24, Em330, Em340
from cellctl_simulators.models.eastron import Sdm72, Sdm120, Sdm630
from cellctl_simulators.models.schneider import Iem3155
from cellctl_simulators.models.siemens import Pac2200
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


def test_the_iem3155_tells_kilowatts_as_floats_and_energy_as_whole_watthours_in_64_bits():
    """The manual's registers, less one: A 3000, V 3028, kW 3054 and 3060, Hz 3110; Wh 3204, 3208, 3518.. (phases)."""
    meter = after_two_hours(Iem3155())
    places = (2999, 3027, 3053, 3059, 3109)
    told = [number(meter, address, "f", function=3) for address in places]
    assert told == pytest.approx([10.753, 230, 2.3, 6.9, 50], rel=0.01)
    energies = [number(meter, address, "q", function=3) for address in (3203, 3207, 3517, 3525)]
    assert energies == [6900, 2300, 2300, 2300]
    assert refused(meter, 4, 3203, 4) == 1


@pytest.mark.parametrize("model", [Em330, Em340])
def test_the_em330_and_the_em340_tell_whole_numbers_low_word_first(model):
    """0.1 V, mA, 0.1 W, 0.1 kWh; the power factor in thousandths and the frequency in 0.1 Hz have 16 bits."""
    meter = after_two_hours(model())
    told = [number(meter, address, "i", lsw=True) for address in (0x00, 0x0C, 0x12, 0x28)]
    assert told == pytest.approx([2300, 10753, 23000, 69000], rel=0.01)
    assert [number(meter, address, "i", lsw=True) for address in (0x34, 0x40, 0x4E)] == [69, 23, 23]
    assert [number(meter, address, "h") for address in (0x31, 0x33)] == [930, 500]
    assert meter.wire.read(3, 0x28, 2) == meter.wire.read(4, 0x28, 2) == [69000 - 65536, 1]


def test_the_em24_tells_the_same_elsewhere():
    meter = after_two_hours(Em24())
    told = [number(meter, address, "i", lsw=True) for address in (0x28, 0x42, 0x46, 0x5C)]
    assert told == [69000, 69, 23, 23]
    assert [number(meter, address, "h") for address in (0x35, 0x37)] == [930, 500]
    assert refused(meter, 4, 0x4E, 2) == 2


def test_the_pac2200_tells_energy_in_64_bit_floats():
    meter = after_two_hours(Pac2200())
    places = (1, 13, 25, 65, 69)
    told = [number(meter, address, "f") for address in places]
    assert told == pytest.approx([230, 10.753, 2300, 6900, 0.93], rel=0.01)
    assert [number(meter, address, "d") for address in (801, 809)] == pytest.approx([6900, 2300])
