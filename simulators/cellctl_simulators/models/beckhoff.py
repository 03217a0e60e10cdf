"""Beckhoff BK7300, a bus coupler, as its manual (p. 36) maps it; here with 16 digital inputs and 16 outputs.

Inputs from 0, outputs from 0x0800, lengths of the process image in bits from 0x1010. The habits are those of its
watchdog: armed from the factory, by the first write; fed only by writes (0x1122 = 0) or by any request (1); its time
can be set only while it is not armed, and is kept without power. What it does after it has expired is the model's
reading: the outputs fall, and stay so until the power was off.
"""

from collections.abc import Iterable, Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import ModbusError, Registers
from cellctl_simulators.world import Outputs

IN, OUT, LENGTHS, REMAINING, TIME, RESET, TYPE = 0x0000, 0x0800, 0x1010, 0x1020, 0x1120, 0x1121, 0x1122
BITS = 16
TIME_AS_DELIVERED_MS = 1000
SERVER_FAILURE = 4  # the exception for what cannot be done now


class _Coupler(Registers):
    """The coupler's registers: every request, and every write, is noticed."""

    def __init__(self) -> None:
        super().__init__(writable=(OUT, TIME, TYPE), functions=(3, 6, 16))
        self.asked = self.written = self.armed = False

    def read(self, function: int, address: int, count: int) -> list[int]:
        """The values of `count` addresses; raises ModbusError."""
        values = super().read(function, address, count)
        self.asked = True
        return values

    def write(self, function: int, address: int, values: Iterable[int]) -> None:
        """Set addresses from `address` on, all or none; raises ModbusError."""
        new = list(values)
        if self.armed and address <= TIME < address + len(new):
            raise ModbusError(SERVER_FAILURE)
        super().write(function, address, new)
        self.asked = self.written = True


class Bk7300:
    """The coupler. Input `di`: the digital inputs as bits. Outputs: `do` as bits, `expired`."""

    inputs: Mapping[str, Value] = {"di": 0}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = self._registers = _Coupler()
        self.wire.holding = dict.fromkeys((IN, OUT, REMAINING, TYPE, RESET, *range(LENGTHS, LENGTHS + 4)), 0)
        self.wire.holding |= {TIME: TIME_AS_DELIVERED_MS, LENGTHS + 2: BITS, LENGTHS + 3: BITS}
        self._last_ns = self._end_ns = 0
        self._expired = False

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the coupler to `now_ns`."""
        wire, registers = self._registers, self.wire.holding
        registers[IN] = int(inputs["di"]) & 0xFFFF
        time_ns = registers[TIME] * int(1_000_000 * float(inputs.get("speed", 1.0)))
        if time_ns and (wire.written or (wire.armed and wire.asked and registers[TYPE])):
            wire.armed, self._end_ns = True, self._last_ns + time_ns  # it was asked when it was last brought up to date
        wire.asked = wire.written = False
        self._last_ns = now_ns
        if wire.armed and now_ns >= self._end_ns:
            self._expired = True
        if self._expired:
            registers[OUT] = 0
        counts = wire.armed and not self._expired
        registers[REMAINING] = (self._end_ns - now_ns) // 1_000_000 if counts else 0
        return Outputs({"do": registers[OUT], "expired": self._expired}, self._end_ns if counts else None)


MODELS = {"beckhoff.bk7300": Bk7300}
