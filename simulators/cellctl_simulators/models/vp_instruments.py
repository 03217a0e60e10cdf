"""VPInstruments VPFlowScope, a flow meter of compressed air, as the maker's register table lists it.

A register number is the name of a value of two words: it is read with this number and a count of 2, and its neighbours
are other values. The totaliser becomes 0 when anything is written to it.
"""

from collections.abc import Iterable, Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ModbusError, Registers, float32
from cellctl_simulators.world import Outputs

VELOCITY, FLOW, LITRES, PRESSURE, TEMPERATURE, TOTAL = 16, 17, 18, 32, 64, 128
FINE = 8  # the flows as floats stand so much further on
STEP_NS = 1_000_000_000
PIPE_M3_PER_H = 1.77  # at 1 m/s


class _Items(Registers):
    """Values of two words by their number."""

    def __init__(self) -> None:
        super().__init__(functions=(3, 16))
        self.items: dict[int, tuple[int, int]] = {}
        self.is_reset = False

    def read(self, function: int, address: int, count: int) -> list[int]:
        """The words of an item; raises ModbusError."""
        if function not in self.functions:
            raise ModbusError(ILLEGAL_FUNCTION)
        if count != 2 or address not in self.items:
            raise ModbusError(ILLEGAL_ADDRESS)
        return list(self.items[address])

    def write(self, function: int, address: int, values: Iterable[int]) -> None:
        """Reset the totaliser; raises ModbusError."""
        if function not in self.functions:
            raise ModbusError(ILLEGAL_FUNCTION)
        if address != TOTAL:
            raise ModbusError(ILLEGAL_ADDRESS)
        self.is_reset = True


class VpFlowScope:
    """The meter. Inputs: `flow` in m3/h, `pressure` in bar, `temperature` in degC. Outputs: `total` in m3, `power`."""

    inputs: Mapping[str, Value] = {"flow": 0.0, "pressure": 7.0, "temperature": 21.0}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = self._items = _Items()
        self._total_m3 = 0.0
        self._last_ns = 0
        self._flow_m3_per_h = 0.0  # since then

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the meter to `now_ns`."""
        self._total_m3 += self._flow_m3_per_h * (now_ns - self._last_ns) / 3.6e12
        self._last_ns, self._flow_m3_per_h = now_ns, float(inputs["flow"])
        if self._items.is_reset:
            self._items.is_reset, self._total_m3 = False, 0.0
        flows = {
            VELOCITY: self._flow_m3_per_h / PIPE_M3_PER_H,
            FLOW: self._flow_m3_per_h,
            LITRES: self._flow_m3_per_h * 1000 / 60,
        }
        rest = {PRESSURE: inputs["pressure"], TEMPERATURE: inputs["temperature"], TOTAL: self._total_m3}
        self._items.items = {number: _tenths(float(value)) for number, value in (flows | rest).items()}
        self._items.items |= {number + FINE: float32(value) for number, value in flows.items()}
        outputs = {"total": self._total_m3, "power": 2.0}
        return Outputs(outputs, now_ns + STEP_NS if self._flow_m3_per_h else None)


def _tenths(value: float) -> tuple[int, int]:
    """The two registers of a whole number of tenths, high word first."""
    return divmod(round(value * 10) & 0xFFFFFFFF, 0x10000)


MODELS = {"vp-instruments.vpflowscope": VpFlowScope}
