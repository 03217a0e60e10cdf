"""Omron E5CC, a temperature controller with an oven behind it, as its communications manual describes it (2-byte mode).

Holding registers from 2000 (hexadecimal): temperature, status, set point in use, heater current, outputs; 2103 the set
point that is written. The decimal point is left out. Address 0 takes operation commands, a code and its argument in one
word; before writing is switched on by one, nothing else is taken.
"""

from collections.abc import Iterable, Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import FAILURE, ILLEGAL_VALUE, ModbusError, Registers, word
from cellctl_simulators.world import Outputs

OPERATION, SETPOINT = 0x0000, 0x2103
TEMPERATURE, SETPOINT_IN_USE, CURRENT, OUTPUT = 0x2000, 0x2002, 0x2003, 0x2004

#: code of an operation command -> the arguments that it takes
COMMANDS: Mapping[int, range] = {
    0x00: range(2), 0x01: range(2), 0x02: range(8), 0x03: range(3), 0x04: range(2), 0x05: range(1), 0x09: range(2),
    0x0C: range(1),
}  # fmt: skip
WRITING, RUNNING, MEMORY = 0x00, 0x01, 0x04
RAM = 1

STEP_NS = 100_000_000
BAND_K = 20.0  # proportional band
HEATER_A = 4.0
GAIN_K_PER_S = 4.0  # with the heater fully on
LOSS_PER_S = 0.02
ROOM_C = 20.0


class _Area(Registers):
    """The registers, with the rule of writing."""

    def __init__(self) -> None:
        super().__init__(writable=(OPERATION, SETPOINT), functions=(3, 6, 16), count_max=16)
        self.holding = {
            OPERATION: 0,
            **dict.fromkeys(range(0x2000, 0x2006), 0),
            **dict.fromkeys(range(0x2103, 0x2107), 0),
        }
        self.settings = {WRITING: 0, RUNNING: 1, MEMORY: 0}  # running: 0 runs, 1 is stopped
        self.eeprom_writes = 0

    def write(self, function: int, address: int, values: Iterable[int]) -> None:
        """Take an operation command, or values once writing is on; raises ModbusError."""
        words = list(values)
        if address == OPERATION and len(words) == 1:
            code, argument = divmod(words[0], 256)
            if argument not in COMMANDS.get(code, ()):
                raise ModbusError(ILLEGAL_VALUE)
            if code != WRITING and not self.settings[WRITING]:
                raise ModbusError(FAILURE)
            self.settings[code] = argument
            return
        if not self.settings[WRITING]:
            raise ModbusError(FAILURE)
        super().write(function, address, words)
        self.eeprom_writes += self.settings[MEMORY] != RAM


class E5cc:
    """The controller. Input `door_open` lets the heat out. Outputs: `temperature` in degC, `power` in W,
    `eeprom_writes`, which wear it out."""

    inputs: Mapping[str, Value] = {"door_open": False}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = _Area()
        self._temperature_c = ROOM_C
        self._last_ns = 0

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring oven and controller to `now_ns`, step by step."""
        runs = self.wire.settings[RUNNING] == 0
        target_c = _signed(self.wire.holding[SETPOINT]) / 10
        output = self._output(target_c) if runs else 0.0
        loss = LOSS_PER_S * (10 if inputs["door_open"] else 1)
        while self._last_ns + STEP_NS <= now_ns:
            self._last_ns += STEP_NS
            change = GAIN_K_PER_S * output - loss * (self._temperature_c - ROOM_C)
            self._temperature_c += change * STEP_NS / 1e9
            output = self._output(target_c) if runs else 0.0
        self.wire.holding |= {
            TEMPERATURE: word(self._temperature_c * 10),
            SETPOINT_IN_USE: self.wire.holding[SETPOINT],
            CURRENT: word(output * HEATER_A * 10),
            OUTPUT: word(output * 1000),
        }
        told = {"temperature": self._temperature_c, "power": output * 920.0, "eeprom_writes": self.wire.eeprom_writes}
        return Outputs(told, self._last_ns + STEP_NS if runs or self._temperature_c > ROOM_C + 0.1 else None)

    def _output(self, target_c: float) -> float:
        return min(1.0, max(0.0, 0.5 + (target_c - self._temperature_c) / BAND_K))


def _signed(register: int) -> int:
    return register - 0x10000 if register & 0x8000 else register


MODELS = {"omron.e5cc": E5cc}
