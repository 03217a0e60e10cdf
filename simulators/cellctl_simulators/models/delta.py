"""Delta frequency inverters VFD-E, VFD-EL and MS300, as the Modbus chapters of their manuals describe them.

Written: 2000h the control word (bits 0-1: 1 stop, 2 run, 3 jog; bits 4-5: 1 forward, 2 reverse, 3 the other way), 2001h
the frequency in 0.01 Hz, 2002h (bit 1: clear the fault). Read: 2100h the fault, 2101h the state, 2102h and 2103h the
frequency as set and as it is. Like the most careful of them, the model answers one register per request.
"""

from collections.abc import Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.driving import Ramp
from cellctl_simulators.wire import Registers
from cellctl_simulators.world import Outputs

CONTROL, FREQUENCY, RESET = 0x2000, 0x2001, 0x2002
FAULT, STATE, SET_FREQUENCY, OUTPUT_FREQUENCY, OUTPUT_VOLTAGE, ROTATION = 0x2100, 0x2101, 0x2102, 0x2103, 0x2106, 0x210C
STOP, RUN = 1, 2  # bits 0-1 of the control word; 0 leaves everything as it is
FORWARD, REVERSE, CHANGE = 1, 2, 3  # bits 4-5; 0 too
STOPPED, STOPPING, STANDBY, RUNNING = range(4)  # bits 0-1 of the state
IS_FORWARD, TO_FORWARD, TO_REVERSE, IS_REVERSE = range(4)  # bits 3-4 of the state
BY_WIRE = 1 << 8 | 1 << 10  # of the state: frequency and control come over the wire
CLEAR = 0b10
HZ_MAX, POLE_PAIRS, VOLTAGE_V, RAMP_S = 50.0, 2, 230, 2.0


class Vfd:
    """The VFD-E with a motor of four poles. Input `fault` is the number of a fault that is there (0: none).
    Output `speed` is what the motor does, in Hz, below 0 in reverse."""

    inputs: Mapping[str, Value] = {"fault": 0}
    shown = range(FAULT, OUTPUT_FREQUENCY + 1)

    def __init__(self, random: Random | None = None) -> None:
        self.wire = Registers(writable={CONTROL, FREQUENCY, RESET}, functions=(3, 6), count_max=1)
        self.wire.holding = dict.fromkeys((CONTROL, FREQUENCY, RESET, *self.shown), 0)
        self._ramp = Ramp(RAMP_S)
        self._runs = self._reversed = False
        self._fault = 0

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the drive to `now_ns`."""
        registers = self.wire.holding
        self._obey(registers[CONTROL])
        registers[CONTROL] = 0  # taken: what is 0 leaves everything as it is
        if registers[RESET] & CLEAR:
            self._fault = 0
        registers[RESET] = 0
        self._fault = self._fault or int(inputs["fault"])
        if self._fault:
            self._runs = False
            self._ramp.drop()
        wanted = registers[FREQUENCY] if self._runs else 0
        target = wanted / HZ_MAX * (-1 if self._reversed else 1)
        arrival_ns = self._ramp.follow(now_ns, target)
        hertz = self._ramp.at(now_ns) * HZ_MAX / 100
        self._show(hertz)
        return Outputs({"speed": hertz} if arrival_ns is None else {}, arrival_ns)

    def _obey(self, control: int) -> None:
        match control & 0b11:
            case 1:
                self._runs = False
            case 2:
                self._runs = not self._fault
        match control >> 4 & 0b11:
            case 1 | 2 as direction:
                self._reversed = direction == REVERSE
            case 3:
                self._reversed = not self._reversed

    def _show(self, hertz: float) -> None:
        registers = self.wire.holding
        state = (RUNNING if registers[FREQUENCY] else STANDBY) if self._runs else STOPPING if hertz else STOPPED
        turns_back = hertz < 0 or (hertz == 0 and self._reversed)
        direction = (IS_REVERSE if turns_back else TO_REVERSE) if self._reversed else TO_FORWARD if turns_back else 0
        registers[FAULT] = self._fault
        registers[STATE] = state | direction << 3 | BY_WIRE
        registers[SET_FREQUENCY] = registers[FREQUENCY]
        registers[OUTPUT_FREQUENCY] = round(abs(hertz) * 100)


class Ms300(Vfd):
    """The MS300, which tells voltage and rotation too."""

    shown = range(FAULT, ROTATION + 1)

    def _show(self, hertz: float) -> None:
        super()._show(hertz)
        registers = self.wire.holding
        registers[OUTPUT_VOLTAGE] = round(abs(hertz) / HZ_MAX * VOLTAGE_V * 10)
        registers[ROTATION] = round(abs(hertz) * 60 / POLE_PAIRS)


MODELS = {"delta.vfd-e": Vfd, "delta.vfd-el": Vfd, "delta.ms300": Ms300}
