"""Advantech ADAM-6050 and ADAM-6060, digital inputs and outputs, as drivers of them use the wire.

Everything is a coil: inputs from 0, outputs from 16, as the wire counts (the manual counts from 1).
"""

from collections.abc import Mapping
from functools import partial
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Registers
from cellctl_simulators.world import Outputs

FIRST_OUTPUT, OUTPUTS = 16, 6


class Adam:
    """One module. Input `di`: the digital inputs as bits. Output `do`: the outputs or relays as bits."""

    inputs: Mapping[str, Value] = {"di": 0}

    def __init__(self, di: int, random: Random | None = None) -> None:
        written = range(FIRST_OUTPUT, FIRST_OUTPUT + OUTPUTS)
        self.wire = Registers(writable=written, functions=(1, 5))
        self.wire.coil = dict.fromkeys((*range(di), *written), 0)
        self._di = di

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the module to the present."""
        coils = self.wire.coil
        coils.update({channel: int(inputs["di"]) >> channel & 1 for channel in range(self._di)})
        return Outputs({"do": sum(coils[FIRST_OUTPUT + channel] << channel for channel in range(OUTPUTS))})


MODELS = {"advantech.adam-6050": partial(Adam, 12), "advantech.adam-6060": partial(Adam, 6)}
