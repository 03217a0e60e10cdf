"""A thousand kills, every point at which a job can be killed, a thousand power cuts, and Stop whatever is wrong.

    python -m tests.kills.soak [--kills 1000] [--points all] [--cuts 1000] [--starts 50] [--processes 2] [--first]
                               [--stops 1] [--json]

`--kills 0` and so on leave one out. The rule kept here: whatever fails is told with the seed or the point that fails
again; times are told as they were measured, and those of starts are measured while nothing else runs here.
"""

import argparse
import json
import logging
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from cellctl.core.packml import Command
from tests.kills import killing, points, power, stopping

#: Kills in one campaign, and cuts of one trace.
KILLS_EACH, CUTS_EACH = 100, 250

#: From its start until control shows its parts, s, of ninety-nine of a hundred starts.
RESUME_S = 2.0

#: The seed of a campaign in which every control is started as a user starts it.
STARTS_SEED = 1_000

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class Part:
    """What came of one kind of proof: a line of what was done, and what failed (which, and what was found)."""

    told: str = ""
    failed: list[tuple[object, list[str]]] = field(default_factory=list)


class Pool:
    """So many processes; what comes of each piece of work, in the order of the work."""

    def __init__(self, processes: int, *, first: bool) -> None:
        self._processes, self._first = processes, first

    def each(self, work: Callable[[T], R], what: Sequence[T], wrong: Callable[[R], object]) -> Iterator[R]:
        """Until all is done, or until something is wrong if only the first is wanted."""
        if not what:
            return
        with multiprocessing.get_context("spawn").Pool(min(self._processes, len(what)), _quiet) as pool:
            for done in pool.imap(work, what):
                yield done
                if self._first and wrong(done):
                    pool.terminate()
                    return


def all_points(pool: Pool, count: str) -> Part:
    """Control dies at each point of a job, in virtual time."""
    if whole := [found for asked in (True, False) for found in points.play(None, asked=asked).found]:
        return Part("Nothing died yet, and it is wrong already.", [("no point", whole)])
    chosen = points.points() if count == "all" else points.sample(int(count), 0)
    runs = list(pool.each(points.play, chosen, lambda run: run.found))
    deaths, questions = sum(run.deaths for run in runs), sum(run.questions for run in runs)
    told = f"{len(runs)} points of one job: control died {deaths} times, {questions} questions were asked."
    return Part(told, [(str(run.point), run.found) for run in runs if run.found])


def kills(pool: Pool, count: int) -> Part:
    """Control is killed at random, in real processes."""
    work = [(seed, min(KILLS_EACH, count - at)) for seed, at in enumerate(range(0, count, KILLS_EACH), 1)]
    campaigns = list(pool.each(_killed, work, lambda told: told.found))
    made, entries = sum(one.made for one in campaigns), sum(one.entries for one in campaigns)
    slowest_s = sorted(chain.from_iterable(one.resumed_s for one in campaigns))
    told = (
        f"{sum(one.kills for one in campaigns)} kills: {made} modules made, {entries} entries,"
        f" {sum(one.questions for one in campaigns)} questions; {_times(slowest_s)} from the start to its parts shown."
    )
    return Part(told, [(one.seed, one.found) for one in campaigns if one.found])


def starts(count: int) -> Part:
    """The same, each control as a user starts it, and nothing else runs."""
    one = killing.kill(STARTS_SEED, count, real_each=1)
    times_s = sorted(one.resumed_s)
    if _rank(times_s, 0.99) > RESUME_S:
        one.found.append(f"p99 from the start to its parts shown is {_rank(times_s, 0.99):.2f} s")
    told = f"{count} starts: {_times(times_s)} from the start to its parts shown (goal: p99 {RESUME_S:g} s)."
    return Part(told, [(one.seed, one.found)] if one.found else [])


def cuts(pool: Pool, count: int) -> Part:
    """The power fails below SQLite."""
    work = [(seed, min(CUTS_EACH, count - at)) for seed, at in enumerate(range(0, count, CUTS_EACH), 1)]
    try:
        done = list(pool.each(_cut, work, lambda told: told.found))
    except power.NoCompiler:
        return Part("No power cuts: there is no C compiler on this machine.")
    told = (
        f"{sum(one.cuts for one in done)} power cuts below SQLite, in {sum(one.records for one in done)} writes and"
        f" {sum(one.syncs for one in done)} synchronisations of {sum(one.entries for one in done)} entries."
    )
    return Part(told, [(one.seed, one.found) for one in done if one.found])


def stops(pool: Pool) -> Part:
    """Stop and Abort, whatever is wrong: how soon nothing has energy, and the cell is at rest."""
    work = [
        (trouble, command, later_s)
        for trouble in stopping.TROUBLES
        for command in (Command.STOP, Command.ABORT)
        for later_s in stopping.LATER_S
    ]
    done = list(pool.each(_stopped, work, lambda one: one.wrong))
    with tempfile.TemporaryDirectory(prefix="cellctl-stop-") as name:
        for proof in (stopping.stopped_without_gateway, stopping.stopped_before_many):
            state = Path(name) / proof.__name__
            state.mkdir()
            done.append(proof(state))
    slowest = {(one.trouble, one.command): one for one in sorted(done, key=lambda one: one.safe_s or 0.0)}
    order = list(dict.fromkeys((one.trouble, one.command) for one in done))
    told = "\n".join(["Stop and Abort, the slowest of each:", *(f"  {slowest[each]}" for each in order)])
    return Part(told, [(f"{one.command.title}, {one.trouble}", [one.wrong]) for one in done if one.wrong])


def main() -> int:
    """Let it happen, and tell; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1_000, help="so many in all  [1000]")
    parser.add_argument("--points", default="all", help="so many, or all  [all]")
    parser.add_argument("--cuts", type=int, default=1_000, help="so many in all  [1000]")
    parser.add_argument("--starts", type=int, default=50, help="so many in all  [50]")
    parser.add_argument("--stops", type=int, choices=[0, 1], default=1, help="whether Stop always works  [1]")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--first", action="store_true", help="stop at the first that fails")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    arguments = parser.parse_args()
    pool, begun_s = Pool(arguments.processes, first=arguments.first), time.monotonic()
    proofs: list[tuple[Any, Callable[[], Part]]] = [
        (arguments.points, lambda: all_points(pool, arguments.points)),
        (arguments.cuts, lambda: cuts(pool, arguments.cuts)),
        (arguments.kills, lambda: kills(pool, arguments.kills)),
        (arguments.stops, lambda: stops(pool)),
        (arguments.starts, lambda: starts(arguments.starts)),
    ]
    failed: list[tuple[object, list[str]]] = []
    for wanted, proof in proofs:
        if wanted in (0, "0"):
            continue
        part = proof()
        failed += part.failed
        if not arguments.json:
            print("\n".join([part.told, *(f"  {which}: {found}" for which, found in part.failed)]), flush=True)
        if part.failed and arguments.first:
            break
    if arguments.json:
        print(json.dumps({"failed": [{"seed": which, "findings": found} for which, found in failed]}))
    else:
        print(f"{f'{len(failed)} failed' if failed else 'All held'}, in {time.monotonic() - begun_s:.0f} s.")
    return 1 if failed else 0


def _quiet() -> None:
    logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)


def _killed(work: tuple[int, int]) -> killing.Told:
    return killing.kill(*work)


def _cut(work: tuple[int, int]) -> power.Cuts:
    return power.cut(*work)


def _stopped(work: tuple[str, Command, float]) -> stopping.Stopped:
    return stopping.stopped(*work)


def _rank(times_s: Sequence[float], share: float) -> float:
    return times_s[min(len(times_s) - 1, int(share * len(times_s)))] if times_s else 0.0


def _times(times_s: Sequence[float]) -> str:
    return f"p50 {_rank(times_s, 0.5):.2f} s, p99 {_rank(times_s, 0.99):.2f} s, max {_rank(times_s, 1.0):.2f} s"


if __name__ == "__main__":
    sys.exit(main())
