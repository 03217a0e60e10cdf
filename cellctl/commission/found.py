"""The device that is meant: one of a cell, or a profile at an address.

The rule kept here: what a visit knows of a device is what a cell would know of it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from cellctl.core.equipment import CommandSpec
from cellctl.core.signal import Signal
from cellctl.driver import Device
from cellctl.model import CellModel
from cellctl.model.device import Lease, parts_of
from cellctl.model.devices import check_profile
from cellctl.model.drivers import driver_for
from cellctl.model.problems import FilesInvalid, Report
from cellctl.model.profile import Profiles

T = TypeVar("T")

#: The name of a device that is in no cell.
ALONE = "device"

_HASH_SIGNS = 16


@dataclass(frozen=True, slots=True)
class Found:
    """A device with its signals and commands, by their names within it; the cell that it is of, if any; the files of
    its profile, its own first, then what that extends, by their ids; and its lease, if the profile says one."""

    device: Device
    signals: Mapping[str, Signal]
    commands: Mapping[str, CommandSpec]
    cell: str = ""
    files: Mapping[str, Path] = field(default_factory=dict)
    lease: Lease | None = None

    def hashes(self) -> tuple[str, ...]:
        """Of each file of its profile the beginning of its SHA-256; files that are not to be read have none."""
        return tuple(_hash(path) for path in self.files.values())


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:_HASH_SIGNS]
    except OSError:
        return "unknown"


def in_cell(model: CellModel, name: str) -> Found:
    """A device of the cell; KeyError if it has none of that name."""
    signals, commands = model.equipment.signals, model.equipment.commands
    profiles = Profiles(model.folder, Report())
    profiles.read_own()
    files = _files(profiles, model.profiles.get(name, ""))
    profile = profiles.get(model.profiles.get(name, ""))
    lease = None if profile is None else parts_of(name, profile, Report()).lease
    return Found(model.devices[name], _of(name, signals), _of(name, commands), model.equipment.id, files, lease)


def alone(profile: str, address: str = "") -> Found:
    """A device by its profile (its id, or a file), and its address if that is not the profile's own example.

    LookupError if there is no such profile, FilesInvalid if it cannot be used, AddressError if the address cannot.
    """
    report = Report()
    path = Path(profile)
    is_file = path.suffix == ".yaml"
    profiles = Profiles(path.parent if is_file else Path(), report)
    found = profiles.read_file(path) if is_file else profiles.get(profile)
    if found is None:
        if report.problems:
            raise FilesInvalid(report.problems)
        raise LookupError(profile)
    check_profile(found, report)
    if report.errors:
        raise FilesInvalid(report.problems)
    parts = parts_of(ALONE, found, report)
    device = replace(parts.device(ALONE, found, address or found.file.profile.at, found.settings), alone=True)
    driver_for(device.protocol)(device)
    files = _files(profiles, found.file.profile.id)
    return Found(device, _of(ALONE, parts.signals), _of(ALONE, parts.commands), files=files, lease=parts.lease)


def _files(profiles: Profiles, name: str) -> Mapping[str, Path]:
    files: dict[str, Path] = {}
    while name and name not in files and (document := profiles.document(name)) is not None:
        files[name] = document.file
        name = str(document.data["profile"].get("extends") or "")
    return files


def _of(device: str, things: Mapping[str, T]) -> Mapping[str, T]:
    return {name.partition(".")[2]: thing for name, thing in things.items() if name.partition(".")[0] == device}
