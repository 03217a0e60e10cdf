"""The installed drivers, found by the entry point group `cellctl.drivers`.

The rule kept here: nobody names a driver. It is imported when a device of its protocol is met.
"""

from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from cellctl.driver import Contact, Device, Driver, DriverFactory
from cellctl.model.problems import did_you_mean

GROUP = "cellctl.drivers"


class DriverMissing(LookupError):  # noqa: N818 - what is wrong with the installation
    """No driver for this protocol is installed, or it cannot be imported; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.add_note(hint)  # pytest shows it


def driver_for(protocol: str) -> DriverFactory:
    """The driver of `protocol`; DriverMissing says what to install."""
    known = _installed()
    if protocol not in known:
        hint = did_you_mean(protocol, known, "" if known else "install cellctl with its drivers")
        raise DriverMissing(f"there is no driver for the protocol {protocol!r}", hint)
    return _loaded(known[protocol])


def protocols() -> list[str]:
    """What devices can speak here: the protocols of the installed drivers."""
    return sorted(_installed())


def direct_driver_for(protocol: str) -> Callable[[Device, Contact], Driver]:
    """The driver of `protocol` without a wire; DriverMissing if there is none, or it needs its wire."""
    direct: Callable[[Device, Contact], Driver] | None = getattr(driver_for(protocol), "direct", None)
    if direct is None:
        hint = "give it a 'direct', or use the wire: @pytest.mark.cell(wire=True), cellctl fuzz --level wire"
        raise DriverMissing(f"the driver for {protocol!r} cannot do without its wire", hint)
    return direct


@cache
def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


@cache
def _loaded(point: EntryPoint) -> DriverFactory:
    try:
        factory: DriverFactory = point.load()
    except Exception as error:  # it is somebody else's code
        package = "cellctl" if point.dist is None else point.dist.name
        hint = f"it is {point.value!r} of the package {package!r}: install that anew, or correct it"
        if package == "cellctl":
            hint = f"pip install 'cellctl[{point.name}]'"
        raise DriverMissing(f"the driver for {point.name!r} cannot be imported: {error}", hint) from error
    return factory
