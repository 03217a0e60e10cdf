"""Carlo Gavazzi EM330, EM340 and EM24, energy analysers, as their communication protocols describe them.

Input registers (function 4, or 3): 32-bit whole numbers, low word first, in 0.1 V, mA, 0.1 W and 0.1 kWh; power factor
and frequency are whole numbers of 16 bits. The EM24 has the same quantities, most of the later ones shifted.
"""

from random import Random

from cellctl_simulators.metering import Layout, Meter, Place, by_phase

_COMMON = (
    *by_phase(0x00, "voltage", form="i", factor=10),
    *by_phase(0x0C, "current", form="i", factor=1000),
    *by_phase(0x12, "power", form="i", factor=10),
    Place(0x28, "power", "i", 10),
)


class _Analyser(Meter):
    """What function 3 tells, function 4 tells too."""

    def __init__(self, random: Random | None = None) -> None:
        super().__init__(random)
        self.wire.holding = self.wire.input


class Em330(_Analyser):
    """The analyser for current transformers."""

    layout = Layout(
        (
            *_COMMON, *by_phase(0x2E, "power_factor", form="h", factor=1000), Place(0x31, "power_factor", "h", 1000),
            Place(0x33, "frequency", "h", 10), Place(0x34, "import_energy", "i", 10),
            *by_phase(0x40, "import_energy", form="i", factor=10), Place(0x4E, "export_energy", "i", 10),
        ),
        lsw=True,
    )  # fmt: skip


class Em340(Em330):
    """The analyser for direct connection."""


class Em24(_Analyser):
    """The older analyser."""

    layout = Layout(
        (
            *_COMMON, *by_phase(0x32, "power_factor", form="h", factor=1000), Place(0x35, "power_factor", "h", 1000),
            Place(0x37, "frequency", "h", 10), Place(0x42, "import_energy", "i", 10),
            *by_phase(0x46, "import_energy", form="i", factor=10), Place(0x5C, "export_energy", "i", 10),
        ),
        lsw=True,
    )  # fmt: skip


MODELS = {"carlo-gavazzi.em330": Em330, "carlo-gavazzi.em340": Em340, "carlo-gavazzi.em24": Em24}
