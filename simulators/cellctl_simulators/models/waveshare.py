"""Waveshare Modbus RTU Relay, 8 relays: coils from 0, by functions 1, 5 and 15."""

from collections.abc import Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Registers
from cellctl_simulators.world import Outputs

RELAYS = 8


class Relays:
    """The module. Outputs: `relays` as bits, `power`."""

    inputs: Mapping[str, Value] = {}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = Registers(writable=range(RELAYS), functions=(1, 5, 15))
        self.wire.coil = dict.fromkeys(range(RELAYS), 0)

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the module to the present."""
        on = [relay for relay in range(RELAYS) if self.wire.coil[relay]]
        return Outputs({"relays": sum(1 << relay for relay in on), "power": 0.2 + 0.4 * len(on)})


MODELS = {"waveshare.relay-8ch": Relays}
