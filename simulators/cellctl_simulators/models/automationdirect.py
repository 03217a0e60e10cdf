"""AutomationDirect CLICK, a PLC with an empty program, as its address tables map it.

X from discrete 0, Y from coil 0x2000, C from 0x4000, timers, counters and system relays as discretes from 0xB000,
0xC000 and 0xF000; DS from register 0, DD from 0x4000, DF from 0x7000. Numbers of 32 bits have the low word first.
"""

from collections.abc import Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Registers
from cellctl_simulators.world import Outputs

X, Y, C, T, CT, SC = 0, 0x2000, 0x4000, 0xB000, 0xC000, 0xF000
DS, DD, DF = 0, 0x4000, 0x7000
INPUTS, OUTPUTS = 8, 6  # of the basic unit
RELAYS, TIMERS, NUMBERS = 2000, 500, 4500


class Click:
    """The PLC. A site's program is a subclass that overrides `program`.

    Input `x`: the digital inputs as bits. Output `y`: the digital outputs as bits.
    """

    inputs: Mapping[str, Value] = {"x": 0}

    def __init__(self, random: Random | None = None) -> None:
        coils = (*range(Y, Y + OUTPUTS), *range(C, C + RELAYS))
        registers = (*range(DS, DS + NUMBERS), *range(DD, DD + 2000), *range(DF, DF + 1000))
        self.wire = Registers(writable={*coils, *registers}, functions=(1, 2, 3, 5, 6, 15, 16))
        self.wire.coil = dict.fromkeys(coils, 0)
        self.wire.discrete = {first + n: 0 for first, count in _DISCRETES for n in range(count)}
        self.wire.holding = dict.fromkeys(registers, 0)

    def program(self, now_ns: int) -> int | None:
        """The user's program, up to `now_ns`, on the tables of `wire`; tells when it goes on by itself."""
        return None

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Read the inputs, run the program, write the outputs: one scan."""
        self.wire.discrete.update({X + n: int(inputs["x"]) >> n & 1 for n in range(INPUTS)})
        call_at_ns = self.program(now_ns)
        return Outputs({"y": sum(self.wire.coil[Y + n] << n for n in range(OUTPUTS))}, call_at_ns)


_DISCRETES = ((X, INPUTS), (T, TIMERS), (CT, 250), (SC, 1000))
MODELS = {"automationdirect.click": Click}
