"""Hunt the planted bugs: apply each patch to a copy of the product, and play random worlds until one fails.

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

ROOT = Path(__file__).parents[2]
MUTANTS = Path(__file__).parent
PRODUCT = ("cellctl", "drivers", "simulators", "recipes")


def patches() -> dict[str, Path]:
    """All planted bugs by name."""
    return {path.stem: path for path in sorted(MUTANTS.glob("*.patch"))}


@contextmanager
def mutated(patch: Path) -> Iterator[dict[str, str]]:
    """A copy of the product with one bug in it: the environment in which it is the product."""
    with tempfile.TemporaryDirectory(prefix="cellctl-mutant-") as name:
        copy = Path(name)
        for folder in PRODUCT:
            shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
        subprocess.run(["git", "apply", str(patch)], cwd=copy, check=True)
        path = os.pathsep.join(str(copy / folder) for folder in (".", "drivers", "simulators"))
        yield {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def hunt(patch: Path, seeds: str, level: str) -> tuple[int, str] | None:
    """The first seed at which a world fails, and what was found; None if none does."""
    argv = [sys.executable, "-m", "cellctl.cli", "fuzz", "battery-module", "--seeds", seeds, "--level", level]
    with mutated(patch) as environment:
        told = subprocess.run(
            [*argv, "--first", "--json"], env=environment, cwd=tempfile.gettempdir(), capture_output=True, text=True
        )
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
        found = hunt(patch, arguments.seeds, arguments.level)
        missed += found is None
        where = f"seed {found[0]:>4}  {found[1][:150]}" if found else f"NOT FOUND in {arguments.seeds}"
        print(f"{name:45} {time.monotonic() - begun_s:5.1f} s  {where}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
