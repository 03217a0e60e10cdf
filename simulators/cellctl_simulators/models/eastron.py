"""Eastron SDM630, SDM120 and SDM72, energy meters, as their Modbus manuals describe them.

Input registers (function 4): one 32-bit float per quantity, high word first, at most 40 quantities a request. In the
SDM630 the addresses between the quantities read as zero; of the small ones nobody has said so, and they have none.
"""

from random import Random

from cellctl_simulators.metering import Layout, Meter, Place, by_phase
from cellctl_simulators.wire import float32

COUNT_MAX = 80
LAST_ADDRESS = 381

_ENERGY = (Place(0x48, "import_energy"), Place(0x4A, "export_energy"), Place(0x156, "total_energy"))


class Sdm72(Meter):
    """The three-phase meter that tells power and energy only."""

    layout = Layout((Place(0x34, "power"), *_ENERGY))
    functions = (4,)
    count_max = COUNT_MAX


class Sdm120(Meter):
    """The single-phase meter: what the others tell of their first phase, it tells of its only one."""

    phases = 1
    layout = Layout(
        (
            *(
                Place(0x00, "voltage_l1"),
                Place(0x06, "current_l1"),
                Place(0x0C, "power"),
                Place(0x12, "apparent_power"),
            ),
            *(Place(0x18, "reactive_power"), Place(0x1E, "power_factor"), Place(0x46, "frequency"), *_ENERGY),
        )
    )
    functions = (4,)
    count_max = COUNT_MAX


class Sdm630(Meter):
    """The three-phase meter."""

    layout = Layout(
        (
            *by_phase(0x00, "voltage"), *by_phase(0x06, "current"), *by_phase(0x0C, "power"),
            *by_phase(0x12, "apparent_power"), *by_phase(0x18, "reactive_power"), *by_phase(0x1E, "power_factor"),
            Place(0x2A, "voltage"), Place(0x2E, "current"), Place(0x30, "current_sum"), Place(0x34, "power"),
            Place(0x38, "apparent_power"), Place(0x3C, "reactive_power"), Place(0x3E, "power_factor"),
            Place(0x46, "frequency"), *_ENERGY,
        )
    )  # fmt: skip
    count_max = COUNT_MAX

    def __init__(self, random: Random | None = None) -> None:
        super().__init__(random)
        self.wire.input |= {each: 0 for each in range(LAST_ADDRESS + 1) if each not in self.wire.input}
        self.wire.holding = self._settings()

    def _settings(self) -> dict[int, int]:
        """System type 3 (three phases, four wires), no parity, address 1, 9600 baud: floats, even where they count."""
        registers = dict.fromkeys(range(0x20), 0)
        for address, value in {0x0A: 3.0, 0x12: 0.0, 0x14: 1.0, 0x1C: 2.0}.items():
            registers[address], registers[address + 1] = float32(value)
        return registers


MODELS = {"eastron.sdm72": Sdm72, "eastron.sdm120": Sdm120, "eastron.sdm630": Sdm630}
