"""Schneider Electric: the energy meter iEM3155 and the frequency inverters ATV12 and ATV320, as their manuals say.

iEM3155 (DOCA0005): holding registers (function 3), counted from 0, hold 32-bit floats in V, A, kW and Hz, and energies
as whole Wh in 64 bits, high word first.
ATV: the states of CiA 402 (the power stage runs in the last one only) in register 3201, moved on by commands in 8501;
8602 set speed and 8604 actual speed in rpm, 3204 current in 0.1 A, 7121 the last fault, which stays after its reset.
"""

from collections.abc import Callable, Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.driving import Ramp
from cellctl_simulators.metering import Layout, Meter, Place, by_phase
from cellctl_simulators.wire import Registers, word
from cellctl_simulators.world import Outputs


class Iem3155(Meter):
    """The meter."""

    layout = Layout(
        (
            *by_phase(2999, "current"), Place(3009, "current"), *by_phase(3027, "voltage"), Place(3035, "voltage"),
            *by_phase(3053, "power", factor=1e-3), Place(3059, "power", factor=1e-3),
            Place(3067, "reactive_power", factor=1e-3), Place(3075, "apparent_power", factor=1e-3),
            Place(3109, "frequency"), Place(3203, "import_energy", "q", 1e3), Place(3207, "export_energy", "q", 1e3),
            *by_phase(3517, "import_energy", form="q", factor=1e3),
        )
    )  # fmt: skip
    table = "holding"
    functions = (3,)


CONTROL, SET_SPEED, SPEED, STATUS, CURRENT, LAST_FAULT = 8501, 8602, 8604, 3201, 3204, 7121
DISABLED, READY, SWITCHED_ON, RUNNING, FAULT = 0x40, 0x21, 0x23, 0x27, 0x08
MAINS = 0x0210  # of the status word: there is voltage, and the wire is in command
RESET, REVERSE = 1 << 7, 1 << 11
NOMINAL_RPM, NOMINAL_A, RAMP_S = 1500, 4.2, 2.0


def _shutdown(control: int) -> bool:
    return control & 0b0111 == 0b0110


def _switch_on(control: int) -> bool:
    return control & 0b1111 == 0b0111


def _enable(control: int) -> bool:
    return control & 0b1111 == 0b1111


def _no_voltage(control: int) -> bool:
    return control & 0b0010 == 0


#: From a state, by a command, to a state. Whatever is not here changes nothing: no state can be passed over.
_STEPS: tuple[tuple[int, Callable[[int], bool], int], ...] = (
    (DISABLED, _shutdown, READY),
    (READY, _switch_on, SWITCHED_ON),
    (SWITCHED_ON, _enable, RUNNING),
    (RUNNING, _switch_on, SWITCHED_ON),
    (RUNNING, _shutdown, READY),
    (SWITCHED_ON, _shutdown, READY),
    (READY, _no_voltage, DISABLED),
    (SWITCHED_ON, _no_voltage, DISABLED),
    (RUNNING, _no_voltage, DISABLED),
)


class Altivar:
    """The inverter with a motor for 1500 rpm. Input `fault` is the number of a fault that is there (0: none). Output
    `speed` is in rpm, below 0 in reverse."""

    inputs: Mapping[str, Value] = {"fault": 0}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = Registers(writable={CONTROL, SET_SPEED}, functions=(3, 6, 16))
        self.wire.holding = dict.fromkeys((CONTROL, SET_SPEED, SPEED, STATUS, CURRENT, LAST_FAULT), 0)
        self._state = DISABLED
        self._control = 0
        self._ramp = Ramp(RAMP_S)

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the inverter to `now_ns`."""
        registers = self.wire.holding
        control = registers[CONTROL]
        self._move(control, int(inputs["fault"]))
        self._control = control
        target = 0.0
        if self._state == RUNNING:
            target = registers[SET_SPEED] * 100 / NOMINAL_RPM * (-1 if control & REVERSE else 1)
        arrival_ns = self._ramp.follow(now_ns, target)
        rpm = self._ramp.at(now_ns) * NOMINAL_RPM / 100
        registers[SPEED] = word(rpm)
        registers[STATUS] = self._state | MAINS
        registers[CURRENT] = round(NOMINAL_A * 10) if rpm else 0
        return Outputs({"speed": rpm} if arrival_ns is None else {}, arrival_ns)

    def _move(self, control: int, present: int) -> None:
        if self._state == FAULT and control & RESET and not self._control & RESET:
            self._state = DISABLED
        if present and self._state != FAULT:
            self._state, self.wire.holding[LAST_FAULT] = FAULT, present
            self._ramp.drop()
        if control == self._control:
            return  # a command counts when it is given
        for state, commanded, then in _STEPS:
            if self._state == state and commanded(control):
                self._state = then
                return


MODELS = {"schneider.iem3155": Iem3155, "schneider.atv12": Altivar, "schneider.atv320": Altivar}
