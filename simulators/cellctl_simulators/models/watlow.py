"""Watlow EZ-ZONE PM, a temperature controller, as its communications manual numbers its parameters; it heats a furnace.

Every parameter has two registers, the low word first. Temperatures on the wire are in the unit of parameter 2490: 30 is
degF, as it is delivered, 15 is degC. 62 as the type of the sensor (368) means that the input is off.
"""

from collections.abc import Mapping
from functools import partial
from random import Random

from cellctl.driver import Value
from cellctl_simulators.heating import Furnace
from cellctl_simulators.wire import Registers, float32, float_of
from cellctl_simulators.world import Outputs

INPUT, SENSOR, ALARM_HIGH, ALARM_LOW, POWER, SETPOINT, OPEN_LOOP, UNIT = 360, 368, 1480, 1482, 1904, 2160, 2162, 2490
FAHRENHEIT, CELSIUS = 30, 15
THERMOCOUPLE = 95
PARAMETERS = (INPUT, SENSOR, ALARM_HIGH, ALARM_LOW, POWER, SETPOINT, OPEN_LOOP, UNIT)
WRITTEN = (ALARM_HIGH, ALARM_LOW, SETPOINT, OPEN_LOOP)


class EzZone:
    """The controller. Input `room` is the temperature around the furnace. Output: `temperature`; both in degC."""

    inputs: Mapping[str, Value] = {"room": 20.0}

    def __init__(self, unit: int, random: Random | None = None) -> None:
        writable = {register for number in WRITTEN for register in (number, number + 1)}
        self.wire = Registers(writable=writable, functions=(3, 6, 16))
        self.wire.holding = {register: 0 for number in PARAMETERS for register in (number, number + 1)}
        self.wire.holding |= {UNIT: unit, SENSOR: THERMOCOUPLE}
        self._fahrenheit = unit == FAHRENHEIT
        self._furnace = Furnace(20.0)
        for number, celsius in ((SETPOINT, 20.0), (ALARM_HIGH, 150.0), (ALARM_LOW, 0.0)):
            self._put(number, self._shown(celsius))

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring controller and furnace to `now_ns`."""
        registers, furnace, room_c = self.wire.holding, self._furnace, float(inputs["room"])
        asked = float_of(registers[SETPOINT + 1], registers[SETPOINT])
        setpoint_c = (asked - 32) / 1.8 if self._fahrenheit else asked
        call_at_ns = furnace.advance(now_ns, room_c, lambda: furnace.wanted(setpoint_c, room_c))
        self._put(INPUT, self._shown(furnace.temperature_c))
        self._put(POWER, furnace.output)
        return Outputs({"temperature": round(furnace.temperature_c, 2)}, call_at_ns)

    def _shown(self, celsius: float) -> float:
        return celsius * 1.8 + 32 if self._fahrenheit else celsius

    def _put(self, number: int, value: float) -> None:
        self.wire.holding[number + 1], self.wire.holding[number] = float32(value)


MODELS = {"watlow.ez-zone": partial(EzZone, FAHRENHEIT), "watlow.ez-zone-degc": partial(EzZone, CELSIUS)}
