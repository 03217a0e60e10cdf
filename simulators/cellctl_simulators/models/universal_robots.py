"""The Modbus server of a Universal Robots controller, from the vendor's list of its registers.

0 digital inputs, 1 outputs (2 sets, 3 clears bits of them), 30..33 the same for the configurable ones, 128..255 for the
user's program, 256.. version and state, 400..405 the tool in 0.1 mm and mrad, 450 the current in mA. Any unit id.
"""

from collections.abc import Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.models.ur_dashboard import Dashboard
from cellctl_simulators.wire import Registers, word
from cellctl_simulators.world import Outputs

RUNNING = 7  # robot mode, register 258
BITS_10 = 0x03FF  # eight inputs of the box, two of the tool
PROGRAM = range(128, 256)
IDLE_MA, MOVING_MA = 420, 1650

#: register to set bits, register to clear bits, register of the outputs that they act on
MASKS = ((2, 3, 1), (32, 33, 31))

Pose = tuple[float, float, float]


class UrArm:
    """The arm with an empty program. A site's program is a subclass that overrides `program`.

    Inputs: `digital_in`, `protective_stop`, `emergency_stop`. Outputs: `moving`, `power` in W.
    """

    inputs: Mapping[str, Value] = {"digital_in": 0, "protective_stop": False, "emergency_stop": False}

    def __init__(self, random: Random | None = None) -> None:
        state = dict.fromkeys((*range(34), *PROGRAM, *range(256, 266), *range(400, 406), 450), 0)
        self.wire = Registers(writable={1, 2, 3, 31, 32, 33, *PROGRAM}, functions=(3, 6, 16))
        self.wire.holding = state
        state.update({256: 5, 257: 14, 258: RUNNING, 260: 1})
        self.moving = False
        self.pose: Pose = (0.0, -300.0, 500.0)  # mm, in the frame of the arm's foot

    def program(self, now_ns: int, inputs: Mapping[str, Value], *, stopped: bool) -> int | None:
        """The user's program, up to `now_ns`; sets `moving` and `pose` and tells when it goes on by itself."""
        return None

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the controller and its program to `now_ns`."""
        registers = self.wire.holding
        for set_mask, clear_mask, target in MASKS:
            registers[target] = (registers[target] | registers[set_mask]) & ~registers[clear_mask] & BITS_10
            registers[set_mask] = registers[clear_mask] = 0
        stopped = bool(inputs["protective_stop"] or inputs["emergency_stop"])
        call_at_ns = self.program(now_ns, inputs, stopped=stopped)
        registers[0] = int(inputs["digital_in"]) & BITS_10
        registers[261] = int(bool(inputs["protective_stop"]))
        registers[262] = int(bool(inputs["emergency_stop"]))
        for address, millimetres in enumerate(self.pose, start=400):
            registers[address] = word(millimetres * 10)
        registers[450] = MOVING_MA if self.moving else IDLE_MA
        return Outputs({"moving": self.moving, "power": 340.0 if self.moving else 120.0}, call_at_ns)


MODELS = {"universal-robots.ur": UrArm, "universal-robots.dashboard": Dashboard}
