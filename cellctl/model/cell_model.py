"""The checked content of a cell's files: what the control process, the simulators and the screens start from.

The rule kept here: it is frozen. Whoever needs another one, as for a simulated run, makes it from this one.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cellctl.core.equipment import Equipment
from cellctl.driver import Device
from cellctl.model.phase_file import PhaseFile
from cellctl.model.problems import FilesInvalid, Place, Report, Wrong
from cellctl.model.secrets import revealed
from cellctl.pki import PKI_FOLDER


@dataclass(frozen=True, slots=True)
class Oee:
    """How stops are counted: shorter ones than `short_stop_ns` are minor; `reasons` are those to choose from."""

    short_stop_ns: int
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Energy:
    """The signal that counts energy, and what a kWh emits in kgCO2e (0: not told), with the source of that figure."""

    meter: str
    co2_per_kwh: float = 0.0
    source: str = ""


@dataclass(frozen=True, slots=True)
class CellModel:
    """One cell: `equipment` for the core, `devices` for the drivers, and what only screens and reports need.

    `profiles` names the profile of each device, `models` the device model that simulates it; `secrets` tells where
    cell.yaml names the secrets (device, `user` or `password`); `phase_files` has the file of each phase; `texts` has
    every text for people in all its languages (a text without languages has the language ''):
    ``interlock.guard.text``, ``recipe.module-12s.weld_power.label``. `keep_ns`: how long the journal keeps its entries,
    if the file says so.
    """

    folder: Path
    equipment: Equipment
    devices: Mapping[str, Device]
    profiles: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[tuple[str, str], Place] = field(default_factory=dict)
    phase_files: Mapping[str, PhaseFile] = field(default_factory=dict)
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    timezone: str = "UTC"
    oee: Oee | None = None
    energy: Energy | None = None
    keep_ns: int | None = None

    def revealed(self, state: Path, simulated: Collection[str] = ()) -> "CellModel":
        """The same cell as it runs on a state folder: with its secrets, but for those of `simulated` devices, and with
        the place of its certificates. FilesInvalid if a secret is not there."""
        devices = {name: replace(device, pki=state / PKI_FOLDER) for name, device in self.devices.items()}
        report = Report()
        for (name, key), place in self.secrets.items():
            if name not in simulated:
                device = devices[name]
                try:
                    if key == "user":
                        devices[name] = replace(device, user=revealed(device.user, state))
                    else:
                        devices[name] = replace(device, password=revealed(device.password, state))
                except Wrong as wrong:
                    report.add(place, wrong)
        if report.errors:
            raise FilesInvalid(report.problems)
        return replace(self, devices=devices)

    def simulated(self, addresses: Mapping[str, str]) -> "CellModel":
        """The same cell with these devices (id -> address) simulated; KeyError for a device that it has not."""
        devices = dict(self.devices)
        for device, address in addresses.items():
            devices[device] = replace(devices[device], address=address, user="", password="", simulated=True)
        marked = self.equipment.simulated | frozenset(addresses)
        return replace(self, devices=devices, equipment=replace(self.equipment, simulated=marked))
