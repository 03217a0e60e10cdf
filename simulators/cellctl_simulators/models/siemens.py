"""Siemens PAC2200, an energy meter, as its register list describes it.

Input registers (function 4): 32-bit floats in V, A, W and VA, and energies in Wh as 64-bit floats, high word first.
"""

from cellctl_simulators.metering import Layout, Meter, Place, by_phase


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


MODELS = {"siemens.pac2200": Pac2200}
