"""OPC UA client: one subscription per connection, exact types, writes that are read back."""

from cellctl.driver import Browse, Contact, Device, Driver, Link, Order
from cellctl_drivers.opcua.profile import Profile
from cellctl_drivers.wire.loading import load

__all__ = ["OpcUaDriver"]


class OpcUaDriver:
    """One OPC UA server as a device."""

    example = "opc.tcp://192.0.2.10:4840"

    def __init__(self, device: Device) -> None:
        self._profile = Profile(device)

    @staticmethod
    def direct(device: Device, contact: Contact) -> Driver:
        """The same without a wire, for tests at high speed."""
        from cellctl_drivers.opcua.direct import DirectOpcUa

        return DirectOpcUa(device, contact)

    def sending(self, order: Order) -> list[str]:
        """What would be sent for `order`."""
        from cellctl_drivers.opcua.telling import sending

        return sending(self._profile, order)

    async def run(self, link: Link) -> None:
        """One connection, until it is lost (DriverError)."""
        await load("cellctl_drivers.opcua.session")
        from cellctl_drivers.opcua.connection import connected
        from cellctl_drivers.opcua.session import Session

        async with connected(self._profile, link.now()) as client:
            await Session(self._profile, link, client).run()

    async def browse(self, browse: Browse) -> None:
        """Tell the objects and variables of the server."""
        await load("cellctl_drivers.opcua.browse")
        from cellctl_drivers.opcua.browse import Walk
        from cellctl_drivers.opcua.connection import connected

        async with connected(self._profile) as client:
            await Walk(self._profile, client, browse).run()
