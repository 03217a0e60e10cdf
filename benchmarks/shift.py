"""P16: what a part of a shift costs that is only played, in CPU time, against the same part on the bench."""

import asyncio
import heapq
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

from benchmarks.rounds import Row, figures
from cellctl.model.whatif import read_whatif
from cellctl.testing import Setup, VirtualLoop, cell_model, on_bench
from cellctl.testing.whatif.calibration import Calibration, calibrate
from cellctl.testing.whatif.places import placed
from cellctl.testing.whatif.shift import play
from cellctl.testing.whatif.timed import timed_cell

CELL, RECIPE, WIP = "battery-module", "module-12s", 2
#: Enough for the start of the bench to cost little beside them.
PARTS_ON_BENCH = 40
HOUR_NS = 3_600_000_000_000


def rows() -> Iterator[Row]:
    """The row."""
    yield Row(
        "P16",
        f"a part of {CELL} in a played shift, against one on the bench (direct level)",
        "ms",
        figures({"ours": _played, "floor": _added_up, "peer": _on_bench}),
        "≤ 1/20 of the bench",
        1 / 20,
        against="peer",
        note="Both run the same core. On the bench its phases talk to simulated devices, through asyncio and the"
        " journal; in a played shift they only take their time. The floor draws the duration of each phase and puts its"
        " end into a heap and out again.",
    )


@cache
def _seen() -> Calibration:
    return calibrate(cell_model(CELL), [RECIPE], WIP)


def _played() -> float:
    equipment = cell_model(CELL).equipment
    timed = timed_cell(
        placed(equipment, WIP), _seen(), replace(read_whatif(None, equipment), wip=(WIP,), shift_ns=HOUR_NS)
    )
    start = time.process_time()
    made = play(timed, 1, 1).good
    return (time.process_time() - start) / made * 1e3


def _on_bench() -> float:
    loop = VirtualLoop()
    start = time.process_time()
    with asyncio.Runner(loop_factory=lambda: loop) as runner, tempfile.TemporaryDirectory() as folder:
        runner.run(_produce(Setup(cell_model(CELL), Path(folder))))
    return (time.process_time() - start) / PARTS_ON_BENCH * 1e3


async def _produce(setup: Setup) -> None:
    async with on_bench(setup) as cell:
        job = await cell.produce(RECIPE, PARTS_ON_BENCH)
        await cell.clock.until(job.done)


def _added_up() -> float:
    random, ends, now, made = Random(1), list[tuple[int, int]](), 0, 0
    phases = [times for place, times in _seen().places.items() if place.startswith(f"{RECIPE}/")]
    start = time.process_time()
    for _ in range(WIP):
        heapq.heappush(ends, (random.choice(phases[0]), 0))
    while now < HOUR_NS:
        now, phase = heapq.heappop(ends)
        made += phase + 1 == len(phases)
        following = (phase + 1) % len(phases)
        heapq.heappush(ends, (now + random.choice(phases[following]), following))
    return (time.process_time() - start) / made * 1e3
