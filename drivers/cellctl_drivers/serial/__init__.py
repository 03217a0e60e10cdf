"""Line protocols over a serial port or TCP: one line asked, one line answered."""

from collections.abc import Sequence

from cellctl.driver import Browse, Contact, Device, Driver, Link, Order, Sample
from cellctl_drivers.serial.hearing import Hearing
from cellctl_drivers.serial.profile import Profile
from cellctl_drivers.serial.session import Session
from cellctl_drivers.wire.endpoint import Tty
from cellctl_drivers.wire.exchange import connected
from cellctl_drivers.wire.line import Line

__all__ = ["SerialDriver"]


class SerialDriver:
    """One device that is asked and answers in lines."""

    example = "tcp://192.0.2.10:5000"

    def __init__(self, device: Device) -> None:
        self._profile = Profile(device)

    @staticmethod
    def direct(device: Device, contact: Contact) -> Driver:
        """The same without a wire, for tests at high speed."""
        from cellctl_drivers.serial.direct import DirectSerial

        return DirectSerial(device, contact)

    def meaning(self, signal: str, wire: Sequence[str]) -> Sample:
        """The sample of a signal that `wire` holds."""
        from cellctl_drivers.serial.translation import meaning

        return meaning(self._profile, signal, wire)

    def sending(self, order: Order) -> list[str]:
        """What would be sent for `order`."""
        from cellctl_drivers.serial.translation import sending

        return sending(self._profile, order)

    async def run(self, link: Link) -> None:
        """One connection, until it is lost (DriverError)."""
        profile, hearing = self._profile, Hearing(self._profile, link)
        line = Line(profile.endpoint, forgiving=isinstance(profile.endpoint, Tty))
        async with connected(line, profile.id, profile.min_pause_s, hearing.listen) as exchange:
            await Session(profile, link, hearing, exchange).run()

    async def browse(self, browse: Browse) -> None:
        """Tell what the device says by itself."""
        from cellctl_drivers.serial.browse import Ear, check_ranges

        check_ranges(browse.ranges)
        profile, ear = self._profile, Ear(browse)
        line = Line(profile.endpoint, forgiving=isinstance(profile.endpoint, Tty))
        async with connected(line, profile.id, profile.min_pause_s, ear.listen) as exchange:
            await ear.attend(exchange)
