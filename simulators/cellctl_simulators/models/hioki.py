"""The battery tester Hioki BT3562: resistance and voltage in one answer.

Leading zeros and plus signs are blank. A number like 10.0000E+8 means that the value is over the range, one like
10.0000E+9 that the measurement failed.
"""

from collections.abc import Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Ask, Lines
from cellctl_simulators.world import Outputs

MEASURING_NS = 100_000_000
RESISTANCE_MAX = 3.1  # Ohm, of the range that it is set to
VOLTAGE_MAX = 60.0
OVER_RANGE, FAULT = " 10.0000E+8", " 10.0000E+9"


class Bt3562:
    """The tester. Inputs: `resistance` in Ohm and `voltage` of what lies in the nest, and `contact` of the probes.

    Outputs: `measurements` (count), `power`.
    """

    inputs: Mapping[str, Value] = {"resistance": 0.0150, "voltage": 3.7, "contact": True}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = Lines(end="\r\n")
        self._reading: list[Ask] = []
        self._end_ns = 0  # of the present measurement; it measures again and again
        self._count = 0

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Measure what was asked for, and tell."""
        if self._reading and now_ns >= self._end_ns:
            reading, self._reading, self._count = self._reading, [], self._count + 1
            for ask in reading:
                ask.reply(_measured(inputs))
        for ask in self.wire.take():
            for word in ask.text.split(";"):  # what is wrong drops the rest of its line
                if not self._does(word.strip().upper(), ask, now_ns, inputs):
                    break
        return Outputs({"measurements": self._count, "power": 30.0}, self._end_ns if self._reading else None)

    def _does(self, word: str, ask: Ask, now_ns: int, inputs: Mapping[str, Value]) -> bool:
        match word:
            case "*IDN?":
                ask.reply("HIOKI,BT3562,0,V1.10")
            case ":FETC?" | ":FETCH?":
                ask.reply(_measured(inputs))
            case ":READ?":
                if not self._reading:
                    self._end_ns = now_ns + MEASURING_NS
                self._reading.append(ask)
            case _:
                return False
        return True


def _measured(inputs: Mapping[str, Value]) -> str:
    if not inputs["contact"]:
        return f"{FAULT},{FAULT}"
    resistance, voltage = float(inputs["resistance"]), float(inputs["voltage"])
    first = OVER_RANGE if resistance > RESISTANCE_MAX else f"{resistance * 1e3:8.2f}E-3"
    second = OVER_RANGE if abs(voltage) > VOLTAGE_MAX else f"{voltage:8.4f}E+0"
    return f"{first},{second}"


MODELS = {"hioki.bt3562": Bt3562}
