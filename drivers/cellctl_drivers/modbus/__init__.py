"""Modbus TCP (by TLS too), Modbus RTU, and RTU over TCP: block reads, checked answers, writes that are read back."""

from collections.abc import Sequence
from functools import partial

from cellctl.driver import Browse, Contact, Device, Driver, Link, Order, Sample
from cellctl_drivers.modbus.profile import Profile
from cellctl_drivers.wire.exchange import connected
from cellctl_drivers.wire.line import Line
from cellctl_drivers.wire.loading import load

__all__ = ["ModbusDriver"]


class ModbusDriver:
    """One Modbus device."""

    example = "modbus://192.0.2.10:502?unit=1"

    def __init__(self, device: Device) -> None:
        self._profile = Profile(device)

    @staticmethod
    def direct(device: Device, contact: Contact) -> Driver:
        """The same without a wire, for tests at high speed."""
        from cellctl_drivers.modbus.direct import DirectModbus

        return DirectModbus(device, contact)

    def meaning(self, signal: str, wire: Sequence[str]) -> Sample:
        """The sample of a signal that `wire` holds."""
        from cellctl_drivers.modbus.translation import meaning

        return meaning(self._profile, signal, wire)

    def sending(self, order: Order) -> list[str]:
        """What would be sent for `order`."""
        from cellctl_drivers.modbus.translation import sending

        return sending(self._profile, order)

    async def run(self, link: Link) -> None:
        """One connection, until it is lost (DriverError)."""
        await load("cellctl_drivers.modbus.session")
        from cellctl_drivers.modbus.session import Session

        profile = self._profile
        line = self._line(link)
        async with connected(line, profile.id, profile.min_pause_s) as exchange:
            await Session(profile, link, exchange).run()

    async def browse(self, browse: Browse) -> None:
        """Tell which registers and bits answer."""
        await load("cellctl_drivers.modbus.browse")
        from cellctl_drivers.modbus.browse import Search, spans_of

        profile = self._profile
        spans = spans_of(browse.ranges, profile)
        line = Line(profile.endpoint, forgiving=profile.rtu)
        async with connected(line, profile.id, profile.min_pause_s) as exchange:
            await Search(profile, exchange, browse).run(spans)

    def _line(self, link: Link) -> Line:
        """RTU: one connection for all units at the address. TCP: one for each device, which numbers its requests."""
        make = partial(Line, self._profile.endpoint, forgiving=self._profile.rtu)
        return link.common((Line, self._profile.endpoint), make) if self._profile.rtu else make()
