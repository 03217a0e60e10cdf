"""Ten thousand random link faults: a campaign for each seed, and what was found in words.

    python -m tests.links.soak [--faults 10000] [--seeds 1..20] [--processes 2] [--first] [--json]

The rule kept here: a seed that fails fails again alone, with the same number of faults for each seed.
"""

import argparse
import json
import logging
import multiprocessing
import os
import sys
import time
from collections import Counter
from functools import partial

from tests.links.campaign import Told, random_faults
from tests.links.limits import LINKS


def main() -> int:
    """Let it happen, and tell; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.links.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=int, default=10_000, help="so many in all  [10000]")
    parser.add_argument("--seeds", default="1..20", help="a campaign for each of them  [1..20]")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--first", action="store_true", help="stop at the first that fails")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    arguments = parser.parse_args()
    first, _, last = arguments.seeds.partition("..")
    seeds = range(int(first), int(last or first) + 1)
    play = partial(_played, faults=-(-arguments.faults // len(seeds)))
    begun_s, all_told = time.monotonic(), []
    with multiprocessing.get_context("spawn").Pool(min(arguments.processes, len(seeds))) as pool:
        for told in pool.imap(play, seeds):
            all_told.append(told)
            if not arguments.json:
                print(_line(told), flush=True)
            if told.findings and arguments.first:
                pool.terminate()
                break
    failed = [told for told in all_told if told.findings]
    if arguments.json:
        print(json.dumps({"failed": [{"seed": told.seed, "findings": told.findings} for told in failed]}))
    else:
        print(_summary(all_told, time.monotonic() - begun_s))
    return 1 if failed else 0


def _played(seed: int, faults: int) -> Told:
    logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)
    return random_faults(seed, faults)


def _line(told: Told) -> str:
    lines = [
        f"seed {told.seed:4}: {told.faults.total():5} faults, {told.lost:4} connections lost,"
        f" {told.outcomes.total():6} orders, {told.samples:7} good values, {told.virtual_s / 60:6.1f} virtual min"
    ]
    if told.findings:
        lines += [
            *(f"    {finding}" for finding in told.findings),
            "  Before that:",
            *(f"    {it}" for it in told.story[-12:]),
        ]
    return "\n".join(lines)


def _summary(all_told: list[Told], took_s: float) -> str:
    faults = sum((told.faults for told in all_told), Counter[str]())
    outcomes = sum((told.outcomes for told in all_told), Counter[str]())
    slowest = {id: max(told.slowest_s.get(id, 0.0) for told in all_told) for id in LINKS}
    failed = sum(bool(told.findings) for told in all_told)
    return "\n".join(
        [
            f"{faults.total()} faults: " + ", ".join(f"{count} {kind}" for kind, count in faults.most_common()),
            f"{outcomes.total()} orders: "
            + ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common()),
            "Back after at most: "
            + ", ".join(f"{id} {slow_s:.2f} s of {LINKS[id].back_s:.2f} s" for id, slow_s in slowest.items()),
            f"{f'{failed} of {len(all_told)} seeds failed' if failed else 'All held'}, in {took_s:.0f} s.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
