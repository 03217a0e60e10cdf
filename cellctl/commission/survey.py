"""What a device tells about itself, collected: see `Browser` in the port.

The rule kept here: what was found is kept, whatever happens afterwards.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cellctl.driver import AddressError, Browser, Device, Driver, Finding
from cellctl.model import DriverMissing, driver_for
from cellctl.model.drivers import protocols

#: Progress is told no more often than this.
TELL_S = 1.0


class BrowseMissing(LookupError):  # noqa: N818 - what the driver cannot do
    """The driver of a device cannot ask it what it has: a sentence for a person."""


@dataclass(slots=True)
class Survey:
    """A browse, as a driver is given it, and what came of it."""

    ranges: Sequence[str] = ()
    depth_max: int = 8
    count_max: int = 1000
    listen_s: float = 10.0
    tell: Callable[[str], None] = lambda text: None
    findings: list[Finding] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    sections: dict[str, Mapping[str, object]] = field(default_factory=dict)
    _told_s: float = 0.0

    def found(self, finding: Finding) -> None:
        """Something that the device has."""
        self.findings.append(finding)

    def progress(self, text: str) -> None:
        """How far it is; passed on if the last time was not just now."""
        now_s = time.monotonic()
        if now_s - self._told_s >= TELL_S:
            self._told_s = now_s
            self.tell(text)

    def cut(self, reason: str) -> None:
        """What was left out."""
        self.left_out.append(reason)

    def section(self, name: str, content: Mapping[str, object]) -> None:
        """A section of a profile for this device."""
        self.sections[name] = content


async def survey(device: Device, asked: Survey) -> None:
    """Ask `device`; BrowseMissing if its driver cannot, DriverError and AddressError as in the port."""
    driver: Driver = driver_for(device.protocol)(device)
    if not isinstance(driver, Browser):
        raise BrowseMissing(
            f"The driver for {device.protocol} cannot ask a device what it has. Its manual says it; "
            "a list of it can be read with 'cellctl import csv'."
        )
    await driver.browse(asked)


def device_at(address: str, settings: Mapping[str, object]) -> Device:
    """A device of which nothing is known but the address; AddressError if no installed driver can use it."""
    wrong: list[AddressError] = []
    examples = []
    for protocol in protocols():
        try:
            factory = driver_for(protocol)
        except DriverMissing:
            continue
        examples.append(str(getattr(factory, "example", protocol)))
        device = Device("device", protocol, address, {}, settings=settings, alone=True)
        try:
            factory(device)
            return device
        except AddressError as error:
            if "begins no address" not in str(error):
                wrong.append(error)
    if wrong:
        raise wrong[0]
    raise AddressError(f"no installed driver knows {address!r}; addresses look like {', '.join(examples)}", ("at",))
