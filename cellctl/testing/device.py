"""One device and its driver in a test, with no cell and in real time: for those who write a profile or a driver.

The rule kept here: the driver is given what `cellctl io` would give it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cellctl.commission.found import alone
from cellctl.commission.visit import Visit
from cellctl.model.drivers import driver_for


@asynccontextmanager
async def connected(profile: Path | str, at: str = "") -> AsyncIterator[Visit]:
    """`async with connected(PROFILE, AT) as visit:`, from `cellctl.testing`, is one connection to the device of a
    profile (its id, or a file) at this address, or at that of the profile. It is in real time, in an `async def` test
    as pytest-asyncio runs it.

    `await visit.read(["net"], 2.0)` gives the first samples that come within so many seconds; `visit.write("limit", 5)`
    and `visit.call("tare")` give what became of it: `outcome`, `result` and `reason`. `visit.lasts(5.0)` stays for so
    long. `visit.samples` has the last of each signal. [Add a driver](../how-to/add-a-driver.md) shows it.

    DriverError if it cannot be made; FilesInvalid or LookupError for a profile that cannot be used, AddressError for
    such an address.
    """
    device = alone(str(profile), at).device
    async with Visit(device, driver_for(device.protocol)(device)) as visit:
        yield visit
