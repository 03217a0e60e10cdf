"""Moxa ioLogik E1200, remote inputs and outputs, as appendix A of the user's manual maps them.

Digital inputs: discretes from 0, all of them as input register 48, their counters from 16 on (two registers, high word
first). Outputs: coils from 0, all of them as holding register 32. Analogue inputs: raw as input registers from 0,
scaled as floats from 8 on. Analogue outputs: raw as holding registers from 0x400 on; coils from 0x1010 on tell
which of them are in their safe state. What clears something is a coil that is written as 1 and reads as 0.
"""

from collections.abc import Mapping
from functools import partial
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Registers, float32
from cellctl_simulators.world import Outputs

COUNTERS, ALL_INPUTS, ALL_OUTPUTS, SCALED, CLEAR_WATCHDOG = 16, 48, 32, 8, 0x1030
ANALOGUE, IS_SAFE, CLEAR_SAFE = 0x400, 0x1010, 0x1020
FULL_SCALE_V = 10.0


class IoLogik:
    """One module with so many channels of each kind.

    Inputs: `di`, the digital inputs as bits; `volt_0` and so on. Outputs: `do`, the digital outputs as bits.
    """

    def __init__(self, di: int, do: int, ai: int = 0, random: Random | None = None) -> None:
        self.inputs: Mapping[str, Value] = {"di": 0, **{f"volt_{channel}": 0.0 for channel in range(ai)}}
        self.wire = Registers(writable={*range(do), ALL_OUTPUTS, CLEAR_WATCHDOG}, functions=(1, 2, 3, 4, 5, 6, 15, 16))
        self.wire.discrete = dict.fromkeys(range(di), 0)
        self.wire.coil = dict.fromkeys((*range(do), CLEAR_WATCHDOG), 0)
        self.wire.holding = {ALL_OUTPUTS: 0} if do else {}
        counters = range(COUNTERS, COUNTERS + 2 * di)
        self.wire.input = dict.fromkeys((*counters, *([ALL_INPUTS] if di else []), *range((1 + 2) * ai)), 0)
        self._di, self._do, self._ai = di, do, ai
        self._di_bits = self._do_bits = 0
        self._counts = [0] * di

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the module to the present."""
        self._digital_inputs(int(inputs["di"]))
        for channel in range(self._ai):
            share = max(0.0, min(float(inputs[f"volt_{channel}"]) / FULL_SCALE_V, 1.0))
            self.wire.input[channel] = round(share * 0xFFFF)
            at = SCALED + 2 * channel
            self.wire.input[at], self.wire.input[at + 1] = float32(share * FULL_SCALE_V)
        self.wire.coil[CLEAR_WATCHDOG] = 0
        if self._do:
            self._digital_outputs()
        return Outputs({"do": self._do_bits} if self._do else {})

    def _digital_inputs(self, bits: int) -> None:
        for channel in range(self._di):
            now = bits >> channel & 1
            if now and not self._di_bits >> channel & 1:
                self._counts[channel] = (self._counts[channel] + 1) & 0xFFFFFFFF
            self.wire.discrete[channel] = now
            at = COUNTERS + 2 * channel
            self.wire.input[at], self.wire.input[at + 1] = divmod(self._counts[channel], 0x10000)
        self._di_bits = bits
        if self._di:
            self.wire.input[ALL_INPUTS] = bits & ((1 << self._di) - 1)

    def _digital_outputs(self) -> None:
        """Coils and word are two views of the same outputs: whichever was written counts."""
        coils, word = self.wire.coil, self.wire.holding[ALL_OUTPUTS]
        if word == self._do_bits:
            word = sum(coils[channel] << channel for channel in range(self._do))
        self._do_bits = self.wire.holding[ALL_OUTPUTS] = word & ((1 << self._do) - 1)
        coils.update({channel: self._do_bits >> channel & 1 for channel in range(self._do)})


class IoLogikE1241:
    """The module with 4 analogue outputs. Input `watchdog`: nobody has talked to it for too long, it goes to its safe
    state. Outputs: `volt_0` and so on, as they are."""

    inputs: Mapping[str, Value] = {"watchdog": False}
    channels = range(4)

    def __init__(self, random: Random | None = None) -> None:
        clear = [CLEAR_SAFE + channel for channel in self.channels]
        raws = [ANALOGUE + channel for channel in self.channels]
        self.wire = Registers(writable={*raws, *clear}, functions=(1, 3, 5, 6, 15, 16))
        self.wire.holding = dict.fromkeys(raws, 0)
        self.wire.coil = dict.fromkeys((*clear, *(IS_SAFE + channel for channel in self.channels)), 0)

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the module to the present."""
        coils, volts = self.wire.coil, {}
        for channel in self.channels:
            if coils[CLEAR_SAFE + channel]:
                coils[IS_SAFE + channel] = 0
            coils[CLEAR_SAFE + channel] = 0
            if inputs["watchdog"]:
                coils[IS_SAFE + channel] = 1
            share = 0.0 if coils[IS_SAFE + channel] else self.wire.holding[ANALOGUE + channel] / 0xFFFF
            volts[f"volt_{channel}"] = share * FULL_SCALE_V
        return Outputs(volts)


MODELS = {
    "moxa.iologik-e1210": partial(IoLogik, 16, 0, 0),
    "moxa.iologik-e1211": partial(IoLogik, 0, 16, 0),
    "moxa.iologik-e1212": partial(IoLogik, 8, 8, 0),
    "moxa.iologik-e1214": partial(IoLogik, 6, 6, 0),
    "moxa.iologik-e1240": partial(IoLogik, 0, 0, 8),
    "moxa.iologik-e1241": IoLogikE1241,
}
