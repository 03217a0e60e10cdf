"""The devices of a cell: each row of `devices:` with its profile and its driver.

The rule kept here: a device whose profile is wrong stays known by name, and what it might have is not called missing.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cellctl.core.context import PhaseContext
from cellctl.core.equipment import CommandSpec
from cellctl.core.signal import Signal
from cellctl.driver import Device
from cellctl.model.conditions import Known
from cellctl.model.device import parts_of
from cellctl.model.drivers import check_driver
from cellctl.model.phase_context import WORDS
from cellctl.model.problems import Report, Wrong, did_you_mean
from cellctl.model.profile import Profiles
from cellctl.model.quantity import plain
from cellctl.model.secrets import reveal, stand_in
from cellctl.model.shape import Shaped
from cellctl.model.shapes import CellFile, DeviceRow
from cellctl.model.yaml_source import Secret

#: A device of such a name could not be reached as c.<name> in a phase.
RESERVED = frozenset({*WORDS, *(name for name in dir(PhaseContext) if not name.startswith("_"))})


@dataclass(frozen=True, slots=True)
class Access:
    """Where secrets are read from (None: they are not needed), and the devices that need none."""

    state: Path | None = None
    simulated: Collection[str] = ()


@dataclass(slots=True)
class Devices:
    """All devices of a cell; those in `incomplete` may have more than is here."""

    names: dict[str, str] = field(default_factory=dict)
    signals: dict[str, Signal] = field(default_factory=dict)
    commands: dict[str, CommandSpec] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    incomplete: set[str] = field(default_factory=set)

    @property
    def known(self) -> Known:
        """What may be named."""
        incomplete = frozenset(self.incomplete)
        return Known(frozenset(self.names), self.signals, self.commands, incomplete=incomplete)


class DeviceReader:
    """Reads the rows of `devices:`."""

    def __init__(self, cell: Shaped[CellFile], profiles: Profiles, access: Access, report: Report) -> None:
        self._cell = cell
        self._profiles = profiles
        self._access = access
        self._report = report
        self._found = Devices()

    def read(self) -> Devices:
        """All devices."""
        self._found.incomplete |= {row for section, row in self._cell.left_out if section == "devices"}
        for name, row in self._cell.shape.devices.items():
            self._found.names[name] = plain(row.name) if row.name else name
            if name in RESERVED:
                hint = f"choose another name, such as {name}_1"
                wrong = Wrong("E129", f"{name!r} is a word of the phases: c.{name} is taken", hint)
                self._report.add(self._cell.document.key("devices", name), wrong)
            if not self._device(name, row):
                self._found.incomplete.add(name)
        return self._found

    def _device(self, name: str, row: DeviceRow) -> bool:
        """Take one device in; whether all its signals and commands are known."""
        profile = self._profiles.get(row.profile)
        if profile is None:
            if not self._profiles.knows(row.profile):
                hint = did_you_mean(row.profile, self._profiles.names)
                wrong = Wrong("E202", f"there is no profile {row.profile!r}", hint)
                self._report.add(self._cell.document.at("devices", name, "profile"), wrong)
            return False
        parts = parts_of(name, profile, self._report)
        self._found.signals |= parts.signals
        self._found.commands |= parts.commands
        if profile.file.sim is not None:
            self._found.models[name] = profile.file.sim.model
        settings: dict[str, Any] = profile.settings | row.set
        device = parts.device(name, profile, row.at, settings)
        check_driver(device, profile.document, self._cell.document, self._report)
        self._found.devices[name] = self._with_access(device, row)
        return profile.complete and parts.complete(profile)

    def _with_access(self, device: Device, row: DeviceRow) -> Device:
        return replace(device, user=self._text(device.id, row, "user"), password=self._text(device.id, row, "password"))

    def _text(self, device: str, row: DeviceRow, key: str) -> str:
        given = getattr(row, key)
        if not isinstance(given, Secret):
            return str(given)
        try:
            if self._access.state is None or device in self._access.simulated:
                return stand_in(given)
            return reveal(given, self._access.state)
        except Wrong as wrong:
            self._report.add(self._cell.document.at("devices", device, key), wrong)
            return ""
