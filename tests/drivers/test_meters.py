"""The bundled meters end to end: the real driver and the bundled profile on the wire of the simulated device."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import pytest

from cellctl.driver import Value

from .bought import Bought
from .recording import until

POWER_W = 6900.0
#: Hours pass in seconds, so that energy can be seen.
FAST = 3600.0

#: What each meter shows of POWER_W at 230 V and a power factor of 0.93, in its own units.
SHOWN: dict[str, dict[str, Value]] = {
    "eastron.sdm72": {"power": 6900},
    "schneider.iem3155": {"power": 6.9, "power_l3": 2.3, "voltage_l2": 230, "current_l1": 10.753, "frequency": 50},
    **dict.fromkeys(
        ("carlo-gavazzi.em330", "carlo-gavazzi.em340", "carlo-gavazzi.em24"),
        {"power": 6900, "power_l2": 2300, "voltage_l3": 230, "current_l1": 10.753, "power_factor": 0.93}
        | {"frequency": 50},
    ),
    "siemens.pac2200": {"power": 6900, "power_l1": 2300, "voltage_l1": 230, "current_l3": 10.753, "power_factor": 0.93},
    "eastron.sdm120": {
        **{"power": 6900, "apparent_power": 7419.4, "reactive_power": 2727.1, "power_factor": 0.93},
        **{"frequency": 50, "voltage_l1": 230, "current_l1": 32.258},
    },
    "eastron.sdm630": {
        **{"power": 6900, "power_l1": 2300, "power_l2": 2300, "power_l3": 2300, "power_factor": 0.93},
        **{"voltage_l1": 230, "voltage_l2": 230, "voltage_l3": 230, "frequency": 50},
        **{"current_l1": 10.753, "current_l2": 10.753, "current_l3": 10.753},
    },
}
#: Meters that do not count in kWh.
PER_KWH = {"schneider.iem3155": 1000.0, "siemens.pac2200": 1000.0}


@pytest.mark.parametrize("profile", SHOWN)
async def test_the_meter_shows_what_flows(profile: str) -> None:
    async with Bought(profile, every="30 ms") as meter:
        meter.set("power", POWER_W)
        await meter.reads(rel=0.01, **SHOWN[profile])
        assert [name for name, sample in meter.link.last.items() if sample.reason] == []


@pytest.mark.parametrize("profile", SHOWN)
async def test_the_meter_counts_what_flows_in_and_what_flows_back(profile: str) -> None:
    async with Bought(profile, every="30 ms", speed=FAST) as meter:
        last, per_kwh = meter.link.last, PER_KWH.get(profile, 1.0)

        def counted(name: str) -> float:
            value = last[name].value if name in last else None
            return float(value) / per_kwh if isinstance(value, int | float) else 0.0

        meter.set("power", POWER_W)
        await until(lambda: counted("import_energy") > 1.0)
        assert counted("export_energy") == 0.0
        meter.set("power", -POWER_W)
        await until(lambda: counted("export_energy") > 1.0)
        bought, sold = counted("import_energy"), meter.truth("energy")
        assert bought == pytest.approx(sold, abs=0.1)
        if "total_energy" in last:
            meter.set("power", 0.0)
            await until(lambda: _equal(counted("total_energy"), counted("import_energy") + counted("export_energy")))


def _equal(one: float, other: float) -> bool:
    return abs(one - other) < 0.01
