"""Profiles: found, laid over what they extend, and turned into the signals and commands of a device.

The rule kept here: a profile is data about a device type; addresses in it are the business of its driver, everything
else is checked here.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

from cellctl.model.problems import Report, Wrong, did_you_mean
from cellctl.model.shape import Shaped, validate
from cellctl.model.shapes import ProfileFile
from cellctl.model.yaml_source import Document, KeyPath, read

_logger = logging.getLogger(__name__)

GROUP = "cellctl.profiles"
#: The section of a profile that holds the protocol's settings, where it is not named like the protocol.
_SECTIONS = {"serial": "line"}
_ALL_SECTIONS = ("modbus", "opcua", "line")


def section_of(protocol: str) -> str:
    """The section with the settings of a protocol."""
    return _SECTIONS.get(protocol, protocol)


@dataclass(frozen=True, slots=True)
class Profile:
    """A checked profile; `complete` is false if something in it is wrong, so that names may be missing."""

    document: Document
    file: ProfileFile
    complete: bool

    @property
    def section(self) -> str:
        """The section with the settings of the protocol."""
        return section_of(self.file.profile.protocol)

    @property
    def settings(self) -> dict[str, Any]:
        """The protocol's settings."""
        return dict(getattr(self.file, self.section, None) or (self.file.model_extra or {}).get(self.section) or {})

    @property
    def identify(self) -> dict[str, Any] | None:
        """What the device must say of itself; None if it is not asked."""
        return dict(self.file.identify) if isinstance(self.file.identify, dict) else None


@dataclass(slots=True)
class Profiles:
    """All profiles that a cell can name: its own, and those of the installed packages."""

    folder: Path
    report: Report
    _own: dict[str, Document] = field(default_factory=dict)
    _checked: dict[str, Profile | None] = field(default_factory=dict)
    _unreadable: set[str] = field(default_factory=set)

    def read_own(self) -> None:
        """Read and check all profiles of the cell, used or not."""
        for path in sorted((self.folder / "profiles").glob("*.yaml")):
            self._collect(path)
        for name in self._own:
            self.get(name)

    def read_file(self, path: Path) -> Profile | None:
        """Read and check one profile that lies in no cell; None if it cannot be used."""
        name = self._collect(path)
        return self.get(name) if name else None

    def _collect(self, path: Path) -> str:
        """Read a file; the id of its profile, or nothing if it cannot be used."""
        document = read(path, self.folder, self.report)
        name = _id_of(document) if document else ""
        if document is None or not name:
            self._unreadable.add(path.stem)
            if document is not None:
                validate(document, ProfileFile, self.report)
            return ""
        if name in self._own:
            hint = f"it stands in {self._own[name].file.name} too; rename one of them"
            wrong = Wrong("E302", f"the profile {name!r} stands here twice", hint)
            self.report.add(document.at("profile", "id"), wrong)
            return ""
        self._own[name] = document
        return name

    @property
    def own(self) -> frozenset[str]:
        """The ids of the cell's own profiles."""
        return frozenset(self._own)

    @property
    def names(self) -> list[str]:
        """The ids of all profiles there are."""
        return sorted({*self._own, *bundled()})

    def knows(self, name: str) -> bool:
        """Whether there is a profile `name`, readable or not."""
        return name in self._own or name in self._unreadable or name in bundled()

    def get(self, name: str) -> Profile | None:
        """The profile `name` with all that it extends; None if there is none, or it cannot be used."""
        if name not in self._checked:
            self._checked[name] = None
            errors = self.report.errors
            document = self._extended(name, ())
            shaped = validate(document, ProfileFile, self.report) if document else None
            if shaped is not None:
                self._check_keys(shaped)
                self._check_identify(shaped)
                self._checked[name] = Profile(shaped.document, shaped.shape, self.report.errors == errors)
        return self._checked[name]

    def _extended(self, name: str, children: tuple[str, ...]) -> Document | None:
        document = self.document(name)
        if document is None:
            return None
        head = document.data.get("profile")
        parent = head.get("extends") if isinstance(head, dict) else None
        if not isinstance(parent, str):
            return document
        place = document.at("profile", "extends")
        if parent in (*children, name):
            self.report.add(place, Wrong("E301", f"{name!r} extends itself", "extend another profile"))
            return None
        if not self.knows(parent):
            wrong = Wrong("E301", f"there is no profile {parent!r}", did_you_mean(parent, self.names))
            self.report.add(place, wrong)
            return None
        below = self._extended(parent, (*children, name))
        return None if below is None else overlay(below, document, ("signals", "commands"))

    def document(self, name: str) -> Document | None:
        """The profile `name` as its file says it, without what it extends; None if it cannot be read."""
        if name in self._own or name not in bundled():
            return self._own.get(name)
        path = bundled()[name]
        return _installed(path, path.stat().st_mtime_ns) or read(path, path.parent, self.report)

    def _check_identify(self, shaped: Shaped[ProfileFile]) -> None:
        """Warn of a device that is written to without having said what it is."""
        if shaped.shape.identify is None:
            hint = "add 'identify: ...', or 'identify: none' if it cannot say what it is"
            wrong = Wrong("W318", "nothing finds out whether another device answers at the address", hint)
            self.report.add(shaped.document.key("profile"), wrong)

    def _check_keys(self, shaped: Shaped[ProfileFile]) -> None:
        protocol = shaped.shape.profile.protocol
        section = section_of(protocol)
        fields = [*ProfileFile.model_fields, section]
        present = [key for key in _ALL_SECTIONS if getattr(shaped.shape, key) is not None]
        for key in [*present, *(shaped.shape.model_extra or {})]:
            if key != section:
                known = [name for name in fields if name not in _ALL_SECTIONS or name == section]
                hint = (
                    f"the settings of {protocol} stand in {section!r}" if key in present else did_you_mean(key, known)
                )
                wrong = Wrong("E121", f"the key {key!r} is not known here", hint)
                self.report.add(shaped.document.key(key), wrong)


def overlay(below: Document, above: Document, rows: Iterable[str]) -> Document:
    """`above` laid over `below`: sections key by key, and in the sections `rows` each row key by key."""
    merged = Document(above.file, dict(below.data), dict(below.values), dict(below.keys))
    _lay(merged, above, (), frozenset(rows))
    return merged


def _lay(merged: Document, above: Document, path: KeyPath, rows: frozenset[str]) -> None:
    source, target = _value(above.data, path), _value(merged.data, path)
    for key, value in source.items():
        here = (*path, key)
        deeper = len(here) == 1 or (len(here) == 2 and path[0] in rows)
        if deeper and isinstance(value, dict) and isinstance(target.get(key), dict):
            target[key] = dict(target[key])
            _lay(merged, above, here, rows)
        else:
            target[key] = value
            for places, new in ((merged.keys, above.keys), (merged.values, above.values)):
                for stale in [old for old in places if old[: len(here)] == here]:
                    del places[stale]
                places.update({old: place for old, place in new.items() if old[: len(here)] == here})


def _value(data: dict[str, Any], path: KeyPath) -> dict[str, Any]:
    for step in path:
        data = data[str(step)]
    return data


def _id_of(document: Document) -> str:
    head = document.data.get("profile")
    name = head.get("id") if isinstance(head, dict) else None
    return name if isinstance(name, str) else ""


@cache
def bundled() -> dict[str, Path]:
    """The profiles that installed packages bring: id ``vendor.model`` -> file."""
    found: dict[str, Path] = {}
    for point in entry_points(group=GROUP):
        try:
            found |= {f"{path.parent.name}.{path.stem}": path for path in _files_of(point.value)}
        except (ImportError, TypeError) as error:  # the packages of others go on
            package = "an unknown package" if point.dist is None else point.dist.name
            _logger.warning("%s says that it has profiles in %r, and has not: %s", package, point.value, error)
    return found


def _files_of(package: str) -> Iterator[Path]:
    for vendor in files(package).iterdir():
        if vendor.is_dir():
            yield from (Path(str(file)) for file in vendor.iterdir() if file.name.endswith(".yaml"))


@cache
def _installed(path: Path, _: int) -> Document | None:
    """The file of an installed package as it is at that time, read once, for there are many; None if something in it is
    wrong. Nobody changes a document."""
    report = Report()
    document = read(path, path.parent, report)
    return None if report.problems else document
