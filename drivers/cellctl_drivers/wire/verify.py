"""Reading back what was written.

The rule kept here: a write is confirmed by what the device then says of the signal, not by its "yes".
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from cellctl.driver import Outcome, Sample, Value
from cellctl_drivers.wire.orders import OrderError, RefusalError
from cellctl_drivers.wire.reading import Reading

#: A device may take a few of its own cycles to show a new value; after this a difference is a fact.
SETTLE_S = 0.4
_AGAIN_S = 0.04


async def verify(reading: Reading, wanted: Value, read: Callable[[], Awaitable[Sample]]) -> Mapping[str, Value]:
    """What was read back, as `read_back`, once it is what was `wanted`; nothing for a signal without `verify`.

    OrderError (unknown) with what was read if it differs for SETTLE_S.
    """
    if reading.signal.verify is None:
        return {}
    loop = asyncio.get_running_loop()
    end = loop.time() + SETTLE_S
    while True:
        try:
            sample = await read()
        except RefusalError as refusal:
            raise OrderError(Outcome.UNKNOWN, f"wrote {wanted}, but it cannot be read back: {refusal}") from refusal
        found = {} if sample.value is None else {"read_back": sample.value}
        if reading.confirms(wanted, sample):
            return found
        if loop.time() >= end:
            reads = f"reads {sample.value}" + (f" ({sample.reason})" if sample.reason else "")
            raise OrderError(Outcome.UNKNOWN, f"wrote {wanted}, {reads}", found)
        await asyncio.sleep(_AGAIN_S)
