"""Lebai LM3, a robot arm, at the Modbus TCP server of its controller, as the vendor's page of it lists the addresses.

Coils: 100 enable, 101 stop, 102 emergency stop, 110 shut down, 111 restart; writing 0 to them is invalid. Registers:
200 speed, 210..215 the tool, 220 the payload. Input registers from 300: turns and position of each joint, in pairs.
"""

from collections.abc import Iterable, Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import ILLEGAL_VALUE, ModbusError, Registers
from cellctl_simulators.world import Outputs

ENABLE, STOP, EMERGENCY_STOP, SHUT_DOWN, RESTART = 100, 101, 102, 110, 111
BUTTONS = (ENABLE, STOP, EMERGENCY_STOP, SHUT_DOWN, RESTART)
SPEED, TOOL, PAYLOAD, JOINTS = 200, range(210, 216), 220, 300
JOINT_COUNT = 6


class _Controller(Registers):
    """The controller's tables: a coil is a button, which can only be pressed."""

    def write(self, function: int, address: int, values: Iterable[int]) -> None:
        """Set addresses from `address` on, all or none; raises ModbusError."""
        new = list(values)
        if function in (5, 15) and not all(new):
            raise ModbusError(ILLEGAL_VALUE)
        super().write(function, address, new)


class Lm3:
    """The arm. Inputs `joint_1` to `joint_6`, in degrees. Outputs: `enabled`, `restarts` (count)."""

    inputs: Mapping[str, Value] = {f"joint_{n}": 0.0 for n in range(1, JOINT_COUNT + 1)}

    def __init__(self, random: Random | None = None) -> None:
        registers = (SPEED, *TOOL, PAYLOAD)
        self.wire = _Controller(writable={*BUTTONS, *registers}, functions=(1, 3, 4, 5, 6, 15, 16))
        self.wire.coil = dict.fromkeys(BUTTONS, 0)
        self.wire.holding = dict.fromkeys(registers, 0) | {SPEED: 100}
        self.wire.input = dict.fromkeys(range(JOINTS, JOINTS + 2 * JOINT_COUNT), 0)
        self._enabled = False
        self._restarts = 0

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the controller to the present."""
        coils = self.wire.coil
        if coils[ENABLE]:
            self._enabled = True
        if coils[STOP] or coils[EMERGENCY_STOP] or coils[SHUT_DOWN] or coils[RESTART]:
            self._enabled = False
        self._restarts += coils[RESTART]
        coils.update(dict.fromkeys(BUTTONS, 0))
        for joint in range(JOINT_COUNT):
            turns, degrees = divmod(float(inputs[f"joint_{joint + 1}"]), 360.0)
            at = JOINTS + 2 * joint
            self.wire.input[at] = int(turns) & 0xFFFF
            self.wire.input[at + 1] = int(degrees / 360 * 0x10000)
        return Outputs({"enabled": self._enabled, "restarts": self._restarts})


MODELS = {"lebai.lm3": Lm3}
