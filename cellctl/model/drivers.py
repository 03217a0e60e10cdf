"""The installed drivers, found by the entry point group `cellctl.drivers`.

The rule kept here: the model names no driver. It constructs one per device, which does no I/O, to find every wrong
address before anything runs.
"""

import warnings
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from cellctl.driver import AddressError, Device, DriverFactory
from cellctl.model.problems import Report, Wrong, did_you_mean
from cellctl.model.yaml_source import Document, KeyPath

GROUP = "cellctl.drivers"


class DriverMissing(LookupError):  # noqa: N818 - what is wrong with the installation
    """No driver for this protocol is installed, or it cannot be imported; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def driver_for(protocol: str) -> DriverFactory:
    """The driver of `protocol`; DriverMissing says what to install."""
    known = _installed()
    if protocol not in known:
        hint = did_you_mean(protocol, known, "" if known else "install cellctl with its drivers")
        raise DriverMissing(f"there is no driver for the protocol {protocol!r}", hint)
    return _loaded(known[protocol])


def check_driver(device: Device, profile: Document, cell: Document | None, report: Report) -> None:
    """Construct the driver of `device`, and report what it cannot use at its place in the profile or the cell."""
    place = profile.at("profile", "protocol")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            driver_for(device.protocol)(device)
    except DriverMissing as missing:
        report.add(place, Wrong("E303", str(missing), missing.hint))
    except AddressError as error:
        _report(error, device, (profile, cell), report)
    except Exception as error:  # a driver is somebody else's code: whatever it raises is told, not shown as a traceback
        hint = "this is a mistake of the driver: tell its author"
        report.add(place, Wrong("E303", f"the driver fails with {type(error).__name__}: {error}", hint))


def _report(error: AddressError, device: Device, documents: tuple[Document, Document | None], report: Report) -> None:
    profile, cell = documents
    message, _, meant = str(error).partition("; did you mean ")
    if error.where[:1] == ("at",):
        place = profile.at("profile", "protocol") if cell is None else cell.at("devices", device.id, "at")
        hint = f"did you mean {meant}" if meant else f"write the address of a {device.protocol} device"
        report.add(place, Wrong("E203", message, hint))
        return
    hint = f"did you mean {meant}" if meant else f"see how the protocol {device.protocol} writes this"
    path: KeyPath = error.where
    if cell is not None and ("devices", device.id, "set", *path[1:2]) in cell.keys:
        profile, path = cell, ("devices", device.id, "set", *path[1:])
    place = profile.key(*path) if "not known" in message else profile.at(*path)
    report.add(place, Wrong("E308", message, hint))


@cache
def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


@cache
def _loaded(point: EntryPoint) -> DriverFactory:
    try:
        factory: DriverFactory = point.load()
    except ImportError as error:
        hint = f"pip install 'cellctl[{point.name}]'"
        raise DriverMissing(f"the driver for {point.name!r} cannot be imported: {error}", hint) from error
    return factory
