"""Siemens: the energy meter PAC2200 and the frequency inverter SINAMICS V20, as their register lists describe them.

PAC2200: input registers (function 4) hold 32-bit floats in V, A, W and VA, and energies in Wh as 64-bit floats, high
word first.
V20: holding registers 99 control word, 100 set speed, 109 status word, 110 actual speed; 16384 is 100 %. It starts with
the rising edge of bit 0, acknowledges a fault with that of bit 7, and trips when its client falls silent.
"""

from collections.abc import Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.driving import Heard, Ramp
from cellctl_simulators.metering import Layout, Meter, Place, by_phase
from cellctl_simulators.wire import word
from cellctl_simulators.world import Outputs


class Pac2200(Meter):
    """The meter."""

    layout = Layout(
        (
            *by_phase(1, "voltage"), *by_phase(13, "current"), *by_phase(25, "power"), *by_phase(37, "power_factor"),
            Place(63, "apparent_power"), Place(65, "power"), Place(67, "reactive_power"), Place(69, "power_factor"),
            Place(801, "import_energy", "d", 1e3), Place(809, "export_energy", "d", 1e3),
        )
    )  # fmt: skip
    functions = (4,)


CONTROL, SET_SPEED, STATUS, SPEED = 99, 100, 109, 110
FULL = 16_384  # of the speeds: 100 %
ON, NO_COAST, NO_QUICK_STOP, ENABLES, ACKNOWLEDGE, BY_WIRE, REVERSE = 0x1, 0x2, 0x4, 0x78, 0x80, 0x400, 0x800
IS_READY, IS_ON, RUNS, FAULTED, ON_INHIBITED, RUNS_RIGHT = 0x1, 0x2, 0x4, 0x8, 0x40, 0x4000
#: Bits of the status word that are 0 when something is the matter: coasting, quick stop, deviation, current, overloads.
LOW_ACTIVE = 1 << 4 | 1 << 5 | 1 << 8 | 1 << 11 | 1 << 13 | 1 << 15
COAST, QUICK_STOP = 1 << 4, 1 << 5
SILENCE_NS = 2_000_000_000  # P2014, of the client's time
SILENCE_PARTS = 8  # how finely the silence is measured
F72 = 72
RAMP_S = 2.0


class V20:
    """The inverter. Input `fault` is the number of a fault that is there (0: none). Outputs: `speed` in %, below 0 in
    reverse, and `trip`, the fault that its display shows."""

    inputs: Mapping[str, Value] = {"fault": 0}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = Heard(writable={CONTROL, SET_SPEED}, functions=(3, 6, 16))
        self.wire.watched = range(CONTROL, SPEED + 1)
        self.wire.holding = dict.fromkeys((CONTROL, SET_SPEED, STATUS, SPEED), 0)
        self._ramp = Ramp(RAMP_S)
        self._control = 0
        self._on = self._inhibited = self._driven = False
        self._fault = 0
        self._heard_ns = 0

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the inverter to `now_ns`."""
        registers = self.wire.holding
        silence_ns = int(SILENCE_NS * float(inputs.get("speed", 1.0)))
        self._listen(now_ns, silence_ns)
        control = registers[CONTROL]
        self._acknowledge(control, int(inputs["fault"]))
        self._switch(control)
        self._control = control
        target = 0.0
        if self._on and control & ENABLES == ENABLES:
            target = _signed(registers[SET_SPEED]) * 100 / FULL * (-1 if control & REVERSE else 1)
        arrival_ns = self._ramp.follow(now_ns, target)
        percent = self._ramp.at(now_ns)
        registers[SPEED] = word(percent * FULL / 100)
        registers[STATUS] = self._status(control, percent)
        calls_ns = [arrival_ns] if arrival_ns is not None else []
        calls_ns += [now_ns + silence_ns // SILENCE_PARTS] if self._driven and not self._fault else []
        rest = {"speed": percent} if arrival_ns is None else {}
        return Outputs({"trip": self._fault, **rest}, min(calls_ns, default=None))

    def _listen(self, now_ns: int, silence_ns: int) -> None:
        """The client is expected to go on once it has begun to drive."""
        if self.wire.taken():
            self._heard_ns = now_ns
        if self._driven and now_ns - self._heard_ns > silence_ns:
            self._trip(F72)

    def _acknowledge(self, control: int, present: int) -> None:
        if self._fault and control & ACKNOWLEDGE and not self._control & ACKNOWLEDGE:
            self._fault, self._driven = 0, False
            self._inhibited = bool(control & ON)
        if present:
            self._trip(present)

    def _switch(self, control: int) -> None:
        """On with the rising edge of its bit only, off with its 0; at once where the motor is to coast."""
        if not control & BY_WIRE:
            return
        self._driven = True
        if not control & ON:
            self._on = self._inhibited = False
        elif not self._control & ON and not self._fault and not self._inhibited:
            self._on = bool(control & NO_COAST and control & NO_QUICK_STOP)
        if not control & NO_COAST:
            self._on = False
            self._ramp.drop()
        if not control & NO_QUICK_STOP:
            self._on = False

    def _trip(self, fault: int) -> None:
        self._fault = self._fault or fault
        self._on, self._inhibited = False, True
        self._ramp.drop()

    def _status(self, control: int, percent: float) -> int:
        status = LOW_ACTIVE | (0 if self._fault else IS_READY)
        status &= ~((0 if control & NO_COAST else COAST) | (0 if control & NO_QUICK_STOP else QUICK_STOP))
        status |= (IS_ON if self._on else 0) | (RUNS if self._on or percent else 0)
        status |= (FAULTED if self._fault else 0) | (ON_INHIBITED if self._inhibited else 0)
        return status | (RUNS_RIGHT if percent >= 0 else 0)


def _signed(register: int) -> int:
    return register - 0x10000 if register & 0x8000 else register


MODELS = {"siemens.pac2200": Pac2200, "siemens.v20": V20}
