"""The devices of a cell: each row of `devices:` with its profile and its driver.

The rule kept here: a device whose profile is wrong stays known by name, and what it might have is not called missing.
Its driver is constructed, which does no I/O, to find every wrong address before anything runs.
"""

import shlex
import warnings
from dataclasses import dataclass, field, replace
from typing import Any

from cellctl.core.context import PhaseContext
from cellctl.core.equipment import CommandSpec
from cellctl.core.signal import Signal
from cellctl.driver import AddressError, Device, Driver
from cellctl.model.conditions import Known
from cellctl.model.device import parts_of
from cellctl.model.drivers import DriverMissing, driver_for
from cellctl.model.golden import check_golden
from cellctl.model.phase_context import WORDS
from cellctl.model.problems import Place, Report, Wrong, did_you_mean
from cellctl.model.profile import Profile, Profiles
from cellctl.model.quantity import plain
from cellctl.model.secrets import Secret, stand_in
from cellctl.model.shape import Shaped
from cellctl.model.shapes import CellFile, DeviceRow
from cellctl.model.yaml_source import Document, KeyPath
from cellctl.records import STATE_FOLDER

#: A device of such a name could not be reached as c.<name> in a phase.
RESERVED = frozenset({*WORDS, *(name for name in dir(PhaseContext) if not name.startswith("_"))})


@dataclass(slots=True)
class Devices:
    """All devices of a cell; those in `incomplete` may have more than is here."""

    names: dict[str, str] = field(default_factory=dict)
    signals: dict[str, Signal] = field(default_factory=dict)
    commands: dict[str, CommandSpec] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    secrets: dict[tuple[str, str], Place] = field(default_factory=dict)
    incomplete: set[str] = field(default_factory=set)

    @property
    def known(self) -> Known:
        """What may be named."""
        incomplete = frozenset(self.incomplete)
        return Known(frozenset(self.names), self.signals, self.commands, incomplete=incomplete)


class DeviceReader:
    """Reads the rows of `devices:`."""

    def __init__(self, cell: Shaped[CellFile], profiles: Profiles, report: Report) -> None:
        self._cell = cell
        self._profiles = profiles
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
        check_security(device, profile, self._cell.document, self._report)
        driver = check_driver(device, profile.document, self._cell.document, self._report)
        if driver is not None and not row.set:  # what stands in the profile holds for its own settings
            check_golden(driver, parts, profile, self._report)
        self._found.devices[name] = self._with_access(device, row)
        return profile.complete and parts.complete(profile)

    def _with_access(self, device: Device, row: DeviceRow) -> Device:
        return replace(device, user=self._text(device.id, row, "user"), password=self._text(device.id, row, "password"))

    def _text(self, device: str, row: DeviceRow, key: str) -> str:
        given = getattr(row, key)
        if not isinstance(given, Secret):
            return str(given)
        place = self._found.secrets[device, key] = self._cell.document.at("devices", device, key)
        try:
            return stand_in(given)
        except Wrong as wrong:
            self._report.add(place, wrong)
            return ""


def check_profile(profile: Profile, report: Report) -> None:
    """Check a profile that no device has, at the address that it, or else its driver, gives as an example."""
    parts = parts_of("device", profile, report)
    device = parts.device("device", profile, profile.file.profile.at or _example(profile), profile.settings)
    check_security(device, profile, None, report)
    if device.address and (driver := check_driver(device, profile.document, None, report)):
        check_golden(driver, parts, profile, report)


def check_security(device: Device, profile: Profile, cell: Document | None, report: Report) -> None:
    """Warn of a connection that is said to be without encryption, where that is said."""
    if device.settings.get("security") != "none":
        return
    here = ("devices", device.id, "set", "security")
    place = profile.document.at(profile.section, "security")
    if cell is not None and here in cell.values:
        place = cell.at(*here)
    state = "STATE" if cell is None else shlex.quote(str(cell.file.parent / STATE_FOLDER))
    hint = f"remove 'security', and trust the device: cellctl cert trust {device.id} --state {state}"
    report.add(place, Wrong("W317", "what goes to and fro can be read and changed on its way", hint))


def _example(profile: Profile) -> str:
    try:
        return getattr(driver_for(profile.file.profile.protocol), "example", "")
    except DriverMissing:
        return "?"  # told when the driver is needed


def check_driver(device: Device, profile: Document, cell: Document | None, report: Report) -> Driver | None:
    """Construct the driver of `device`, and report what it cannot use at its place in the profile or the cell."""
    place = profile.at("profile", "protocol")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return driver_for(device.protocol)(device)
    except DriverMissing as missing:
        report.add(place, Wrong("E303", str(missing), missing.hint))
    except AddressError as error:
        _report(error, device, (profile, cell), report)
    except Exception as error:  # a driver is somebody else's code: whatever it raises is told, not shown as a traceback
        hint = "this is a mistake of the driver: tell its author"
        report.add(place, Wrong("E303", f"the driver fails with {type(error).__name__}: {error}", hint))
    return None


def _report(error: AddressError, device: Device, documents: tuple[Document, Document | None], report: Report) -> None:
    profile, cell = documents
    message, _, meant = str(error).partition("; did you mean ")
    message, _, listed = message.partition("; there are ")
    known = f"did you mean {meant}" if meant else listed and f"there are: {listed}"
    if error.where[:1] == ("at",):
        alone = ("profile", "at") if ("profile", "at") in profile.values else ("profile", "protocol")
        place = profile.at(*alone) if cell is None else cell.at("devices", device.id, "at")
        report.add(place, Wrong("E203", message, known or f"write the address of a {device.protocol} device"))
        return
    hint = known or f"see how the protocol {device.protocol} writes this"
    path: KeyPath = error.where
    if cell is not None and ("devices", device.id, "set", *path[1:2]) in cell.keys:
        profile, path = cell, ("devices", device.id, "set", *path[1:])
    place = profile.key(*path) if "not known" in message else profile.at(*path)
    report.add(place, Wrong("E308", message, hint))
