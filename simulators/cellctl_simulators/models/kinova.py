"""Kinova Gen3, a robot arm: its state, as the vendor's Modbus interface control document lists it.

Discrete inputs 0 to 9 are the ten states, of which exactly one is on (4 fault, 7 ready, 8 plays a sequence); 32 to 62
are bits of faults.
"""

from collections.abc import Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Registers
from cellctl_simulators.world import Outputs

STATES, FAULTS = range(10), range(32, 63)
FAULT, READY, SEQUENCE = 4, 7, 8


class Gen3:
    """The arm. Inputs: `playing` a sequence, `faults` as bits."""

    inputs: Mapping[str, Value] = {"playing": False, "faults": 0}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = Registers(functions=(2,))
        self.wire.discrete = dict.fromkeys((*STATES, *FAULTS), 0)

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the state to the present."""
        faults = int(inputs["faults"])
        state = FAULT if faults else SEQUENCE if inputs["playing"] else READY
        self.wire.discrete.update({each: int(each == state) for each in STATES})
        self.wire.discrete.update({first: faults >> bit & 1 for bit, first in enumerate(FAULTS)})
        return Outputs()


MODELS = {"kinova.gen3": Gen3}
