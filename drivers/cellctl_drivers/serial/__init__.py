"""Line protocols over a serial port or TCP: one line asked, one line answered."""

from cellctl.driver import Contact, Device, Driver, Link
from cellctl_drivers.serial.profile import Profile
from cellctl_drivers.serial.session import Session
from cellctl_drivers.wire.exchange import connected

__all__ = ["SerialDriver"]


class SerialDriver:
    """One device that is asked and answers in lines."""

    def __init__(self, device: Device) -> None:
        self._profile = Profile(device)

    @staticmethod
    def direct(device: Device, contact: Contact) -> Driver:
        """The same without a wire, for tests at high speed."""
        from cellctl_drivers.serial.direct import DirectSerial

        return DirectSerial(device, contact)

    async def run(self, link: Link) -> None:
        """One connection, until it is lost (DriverError)."""
        profile = self._profile
        async with connected(profile.endpoint, profile.id, profile.min_pause_s) as exchange:
            await Session(profile, link, exchange).run()
