"""Eastron SDM630, a three-phase energy meter, as its Modbus manual describes it.

Input registers (function 4): one 32-bit float per quantity, high word first, at most 40 quantities a request; addresses
between the quantities read as zero.
"""

import struct
from collections.abc import Callable, Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Registers, float32
from cellctl_simulators.world import Outputs

COUNT_MAX = 80
LAST_ADDRESS = 381
VOLTAGE_V = 230.0
POWER_FACTOR = 0.93
NS_PER_HOUR = 3600e9

#: Where the quantities of `_measure` stand, in its order; each takes two registers, and all are packed at once.
_QUANTITIES = (*range(0x00, 0x24, 2), 0x2A, 0x30, 0x34, 0x38, 0x3C, 0x3E, 0x46, 0x48, 0x4A, 0x156)
_ADDRESSES = tuple(address + word for address in _QUANTITIES for word in (0, 1))
_FLOATS = struct.Struct(f">{len(_QUANTITIES)}f")
_WORDS = struct.Struct(f">{len(_ADDRESSES)}H")


class _Quantities(Registers):
    """The meter's registers: calculated when somebody reads them, for the power changes far more often."""

    def __init__(self, measure: Callable[[], None]) -> None:
        super().__init__(functions=(3, 4), count_max=COUNT_MAX)
        self.old = True
        self._measure = measure

    def read(self, function: int, address: int, count: int) -> list[int]:
        """The values of `count` addresses; raises ModbusError."""
        if self.old:
            self.old = False
            self._measure()
        return super().read(function, address, count)


class Sdm630:
    """The meter. Input `power` is what the three phases carry together, in W. Output `energy` is the import in kWh."""

    inputs: Mapping[str, Value] = {"power": 0.0}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = _Quantities(self._measure)
        self.wire.input = dict.fromkeys(range(LAST_ADDRESS + 1), 0)
        self.wire.holding = self._settings()
        self._random = random or Random(0)
        self._second = -1
        self._voltage_v = [VOLTAGE_V] * 3
        self._energy_kwh = 0.0
        self._power_w = 0.0
        self._last_ns = 0

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the meter to `now_ns`; the power has been what it was at the last update."""
        self._energy_kwh += self._power_w * (now_ns - self._last_ns) / NS_PER_HOUR / 1000
        self._last_ns, self._power_w = now_ns, float(inputs["power"])
        second = now_ns // 1_000_000_000
        if second != self._second:
            self._second = second
            self._voltage_v = [VOLTAGE_V + self._random.gauss(0, 0.4) for _ in range(3)]
        self.wire.old = True
        return Outputs({"energy": self._energy_kwh})

    def _measure(self) -> None:
        phase_w = self._power_w / 3
        phase_va = phase_w / POWER_FACTOR
        phase_var = (phase_va**2 - phase_w**2) ** 0.5
        voltages = self._voltage_v
        values = (
            *voltages, *(phase_va / each for each in voltages), *[phase_w] * 3, *[phase_va] * 3, *[phase_var] * 3,
            *[POWER_FACTOR] * 3, sum(voltages) / 3, 3 * phase_va / VOLTAGE_V, self._power_w, 3 * phase_va,
            3 * phase_var, POWER_FACTOR, 50.0, self._energy_kwh, 0.0, self._energy_kwh,
        )  # fmt: skip
        words = _WORDS.unpack(_FLOATS.pack(*values))
        self.wire.input.update(zip(_ADDRESSES, words, strict=True))

    def _settings(self) -> dict[int, int]:
        """System type 3 (three phases, four wires), no parity, address 1, 9600 baud: floats, even where they count."""
        registers = dict.fromkeys(range(0x20), 0)
        for address, value in {0x0A: 3.0, 0x12: 0.0, 0x14: 1.0, 0x1C: 2.0}.items():
            registers[address], registers[address + 1] = float32(value)
        return registers


MODELS = {"eastron.sdm630": Sdm630}
