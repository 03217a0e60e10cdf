"""Makes modules in virtual time and prints what that cost: ``virtual_cell.py LEVEL MODULES [shares]``.

LEVEL is wire, direct, or bare: the event loop without a cell. With `shares` it is looked once a millisecond of CPU who
works; what a library does counts for whoever called it.
"""

import asyncio
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import cast

from cellctl.testing import Setup, VirtualLoop, cell_model, on_bench, wall_clock
from cellctl.testing.bench import Level

#: How long the bare loop runs (virtual s), its tasks, and how often each wakes.
BARE_S = 600.0
TASKS = 6
TICK_S = 0.1

#: Part of a file's path -> whose code it is; the first that fits.
PLACES = {
    "/asyncua/": "asyncua",
    "/pymodbus/": "pymodbus",
    "/cellctl/core/": "the core",
    "/cellctl/runtime/": "the runtime",
    "/cellctl/testing/virtual/": "the event loop",
    "/cellctl/testing/": "the test kit",
    "/cellctl_drivers/": "the drivers",
    "/cellctl_simulators/servers/": "the servers of the devices",
    "/cellctl_simulators/": "the simulated world",
    "/battery-module/models/": "the device models",
    "/battery-module/phases/": "the phases",
}


class Shares:
    """Whose code runs, looked at once a millisecond of CPU time."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def begin(self) -> None:
        """From now on."""
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)

    def end(self) -> dict[str, float]:
        """The share of each place."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        return {place: count / self._seen.total() for place, count in self._seen.items()}

    def _look(self, _: int, frame: FrameType | None) -> None:
        while frame is not None:
            path = frame.f_code.co_filename
            for part, place in PLACES.items():
                if part in path:
                    self._seen[place] += 1
                    return
            frame = frame.f_back
        self._seen["all else"] += 1


async def make(setup: Setup, modules: int, shares: Shares | None) -> dict[str, object]:
    """Make modules, after a first one; what that cost."""
    loop = asyncio.get_running_loop()
    async with on_bench(setup) as cell:
        first = await cell.produce("module-12s")
        await cell.clock.until(first.done)
        if shares is not None:
            shares.begin()
        begin_s, cpu_s = loop.time(), time.process_time()
        job = await cell.produce("module-12s", modules)
        await cell.clock.until(job.done)
        speed = (loop.time() - begin_s) / (time.process_time() - cpu_s)
        found = {} if shares is None else shares.end()
        assert job.good == modules
    return {"speed": speed, "shares": found}


async def tick() -> dict[str, object]:
    """The bare loop."""

    async def ticking() -> None:
        for _ in range(round(BARE_S / TICK_S)):
            await asyncio.sleep(TICK_S)

    cpu_s = time.process_time()
    await asyncio.gather(*(ticking() for _ in range(TASKS)))
    return {"speed": BARE_S / (time.process_time() - cpu_s)}


def main() -> None:
    """Run what the arguments say."""
    level, modules, shares = sys.argv[1], int(sys.argv[2]), Shares() if "shares" in sys.argv else None
    loop = VirtualLoop()
    wall = wall_clock(loop) if level == "wire" else nullcontext()
    with tempfile.TemporaryDirectory() as folder, wall, asyncio.Runner(loop_factory=lambda: loop) as runner:
        if level == "bare":
            print(json.dumps(runner.run(tick())))
        else:
            setup = Setup(cell_model("battery-module"), Path(folder), cast(Level, level))
            print(json.dumps(runner.run(make(setup, modules, shares))))


if __name__ == "__main__":
    main()
