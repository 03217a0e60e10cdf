"""The peer of P7: µs of CPU time that bluesky's RunEngine takes for one `mv` of a device that is done at once.

Run by the python of the peers' environment: ``python peer_bluesky.py STEPS``.
"""

import sys
import time
from collections.abc import Iterator
from typing import Any

import bluesky.plan_stubs
from bluesky import RunEngine


class Done:
    """A status that is done before anybody asks."""

    done = success = True

    def add_callback(self, callback: Any) -> None:
        """Tell at once."""
        callback(self)

    def exception(self, timeout: float | None = None) -> None:
        """Nothing went wrong."""


class Axis:
    """The least that can be set."""

    name, parent = "axis", None

    def set(self, value: int) -> Done:
        """Take the value."""
        self.value = value
        return Done()


def plan(axis: Axis, steps: int) -> Iterator[Any]:
    """Set the axis, again and again."""
    for value in range(steps):
        yield from bluesky.plan_stubs.mv(axis, value)


def main() -> None:
    """Warm up, measure, print."""
    engine, axis, steps = RunEngine(context_managers=[]), Axis(), int(sys.argv[1])
    engine(plan(axis, 50))
    start = time.process_time()
    engine(plan(axis, steps))
    print((time.process_time() - start) / steps * 1e6)


if __name__ == "__main__":
    main()
