"""Hunt the planted bugs: apply each patch to a copy of the product, and play random worlds until one fails. Those in
`links/` are hunted with random link faults instead, those in `kills/` with deaths of control.

    python tests/mutants/hunt.py [NAME ...] [--seeds 1..500] [--level direct|wire]

The rule kept here: a bug counts as found only if the worlds of the product itself, without it, all hold.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MUTANTS = Path(__file__).parent
PRODUCT = ("cellctl", "drivers", "simulators", "recipes")

#: Campaigns of random link faults, and the faults in each.
LINK_SEEDS, LINK_FAULTS = "1..20", 250

#: Deaths of control: at points of a job, by power cuts, and real ones.
DEATHS = {"points": "200", "cuts": "50", "kills": "50", "stops": "0", "starts": "0"}


def patches() -> dict[str, Path]:
    """All planted bugs by name."""
    folders = (MUTANTS, MUTANTS / "links", MUTANTS / "kills")
    return {path.stem: path for path in sorted(path for folder in folders for path in folder.glob("*.patch"))}


@contextmanager
def mutated(patch: Path) -> Iterator[dict[str, str]]:
    """A copy of the product with one bug in it: the environment in which it is the product."""
    with tempfile.TemporaryDirectory(prefix="cellctl-mutant-") as name:
        copy = Path(name)
        for folder in PRODUCT:
            shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
        subprocess.run(["git", "apply", str(patch)], cwd=copy, check=True)
        path = os.pathsep.join([*(str(copy / folder) for folder in (".", "drivers", "simulators")), str(ROOT)])
        yield {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def hunt(patch: Path, seeds: str, level: str) -> tuple[int, str] | None:
    """The first seed at which something fails, and what was found; None if nothing does."""
    worlds = ["cellctl.cli", "fuzz", "battery-module", "--seeds", seeds, "--level", level]
    return _hunted(patch, [*worlds, "--first", "--json"])


def hunt_on_links(patch: Path, seeds: str = LINK_SEEDS) -> tuple[int, str] | None:
    """The same with random link faults."""
    first, _, last = seeds.partition("..")
    faults = (int(last or first) - int(first) + 1) * LINK_FAULTS
    return _hunted(patch, ["tests.links.soak", "--seeds", seeds, "--faults", str(faults), "--first", "--json"])


def hunt_by_killing(patch: Path, **deaths: str) -> tuple[object, str] | None:
    """The same with deaths of control, the first point, campaign or trace at which something fails."""
    wanted = [word for name, count in {**DEATHS, **deaths}.items() for word in (f"--{name}", count)]
    return _hunted(patch, ["tests.kills.soak", *wanted, "--first", "--json"])


def _hunted(patch: Path, argv: list[str]) -> tuple[Any, str] | None:
    with mutated(patch) as environment:
        command = [sys.executable, "-m", *argv]
        told = subprocess.run(command, env=environment, cwd=tempfile.gettempdir(), capture_output=True, text=True)
    if not told.stdout:
        raise SystemExit(f"{patch.stem}: {told.stderr}")
    failed = json.loads(told.stdout)["failed"]
    return (failed[0]["seed"], failed[0]["findings"][0].splitlines()[0]) if failed else None


def main() -> int:
    """Hunt, and tell; 1 if a bug was not found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="which bugs  [all]")
    parser.add_argument("--seeds", default="1..500")
    parser.add_argument("--level", default="direct", choices=["direct", "wire"])
    arguments = parser.parse_args()
    missed = 0
    for name, patch in patches().items():
        if arguments.names and name not in arguments.names:
            continue
        begun_s = time.monotonic()
        kind = patch.parent.name
        if kind == "links":
            found, seeds = hunt_on_links(patch), LINK_SEEDS
        elif kind == "kills":
            found, seeds = hunt_by_killing(patch), str(DEATHS)
        else:
            found, seeds = hunt(patch, arguments.seeds, arguments.level), arguments.seeds
        missed += found is None
        where = f"seed {found[0]:>4}  {found[1][:150]}" if found else f"NOT FOUND in {seeds}"
        print(f"{name:45} {time.monotonic() - begun_s:5.1f} s  {where}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
