"""Many worlds, side by side in several processes: what was found in which, made as small as it can be.

The rule kept here: one seed is one world, whoever plays it and in what order.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

from cellctl.testing.cells import cell_model, simulated_model
from cellctl.testing.worlds.plan import Level, Plan
from cellctl.testing.worlds.play import plan_of, play
from cellctl.testing.worlds.shrink import shrunk


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one world. `findings` in words, none if all held; `plan` what happened; `shortest` the least of it
    that still fails in the same way, and `told` what the cell was at in that."""

    seed: int
    level: Level
    virtual_s: float
    findings: tuple[str, ...] = ()
    plan: str = ""
    shortest: str = ""
    told: str = ""


def fuzz(cell: str, worlds: Sequence[tuple[int, Level]], processes: int | None = None) -> Iterator[Outcome]:
    """Play the worlds (seed, level) of a cell, in as many processes as there are processors; each outcome as it comes.

    CellInvalid if the cell's files are wrong.
    """
    simulated_model(cell)
    count = min(processes or os.cpu_count() or 1, len(worlds))
    if count <= 1:
        yield from (one(cell, seed, level) for seed, level in worlds)
        return
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        try:
            for done in as_completed([pool.submit(one, cell, seed, level) for seed, level in worlds]):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def one(cell: str, seed: int, level: Level) -> Outcome:
    """Play one world, and make it smaller if something was found."""
    model = cell_model(cell)
    plan = plan_of(seed, model, level)
    played = play(plan, model)
    if not played.findings:
        return Outcome(seed, level, played.virtual_s)
    check = played.findings[0].check

    def fails(smaller: Plan) -> bool:
        return any(finding.check == check for finding in play(smaller, model).findings)

    shortest = shrunk(plan, fails)
    findings = tuple(str(finding) for finding in played.findings)
    return Outcome(seed, level, played.virtual_s, findings, plan.told(), shortest.told(), play(shortest, model).told)
