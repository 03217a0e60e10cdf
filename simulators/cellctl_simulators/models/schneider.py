"""Schneider Electric iEM3155, an energy meter of the iEM3000 series, as its user manual (DOCA0005) describes it.

Holding registers (function 3), counted from 0: 32-bit floats in V, A, kW and Hz, and energies as whole Wh in 64 bits,
high word first.
"""

from cellctl_simulators.metering import Layout, Meter, Place, by_phase


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


MODELS = {"schneider.iem3155": Iem3155}
