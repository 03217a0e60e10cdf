"""The clocks of the process as those of a loop: for libraries that ask the computer for the time.

cellctl itself is told the time. asyncua stamps values with `datetime.now` and paces its subscriptions by
`time.monotonic`; uvicorn dates its answers. Within `wall_clock` all of them are told the loop's time.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from cellctl.testing.virtual.loop import VirtualLoop


@contextmanager
def wall_clock(loop: VirtualLoop) -> Iterator[None]:
    """`time.monotonic`, `time.time`, `datetime.now` and their like tell the time of `loop`, in the whole process."""
    import time_machine

    with ExitStack() as stack:
        journey = time_machine.travel(loop.utc_ns() / 1e9, tick=False)
        traveller = journey.start()
        stack.callback(journey.stop)
        traveller.time_ns = loop.utc_ns  # type: ignore[method-assign]
        for name, clock in (
            ("monotonic", loop.time),
            ("monotonic_ns", loop.monotonic_ns),
            ("perf_counter", loop.time),
            ("perf_counter_ns", loop.monotonic_ns),
        ):
            stack.enter_context(patch.object(time, name, clock))
        yield
