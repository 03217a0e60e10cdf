"""Play random worlds: `cellctl fuzz`."""

import shlex
import sys
from typing import TYPE_CHECKING, Any, Literal

import click

from cellctl.cli.terminal import FAILED, Failure, document, paint, say

if TYPE_CHECKING:
    from cellctl.testing.worlds.fuzz import Outcome
    from cellctl.testing.worlds.plan import Level

SCHEMA = "cellctl.fuzz/1"

#: So many findings of one world are told.
FINDINGS_TOLD = 5


class Seeds(click.ParamType[range]):
    """A seed, or A..B."""

    name = "a..b"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> range:
        """The seeds; a usage error if there are none."""
        first, dots, last = str(value).partition("..")
        if not first.isdecimal() or (dots and not last.isdecimal()):
            self.fail(f"{value!r} is neither a seed nor A..B, such as 1..500.", param, ctx)
        seeds = range(int(first), int(last if dots else first) + 1)
        if not seeds:
            self.fail(f"{value}: the first seed is greater than the last.", param, ctx)
        return seeds


@click.command()
@click.argument("cell", default=".")
@click.option("--seeds", type=Seeds(), default="1..100", show_default=True, metavar="A..B", help="One world for each.")
@click.option(
    "--level",
    type=click.Choice(["direct", "wire", "both"]),
    default="both",
    show_default=True,
    help="Without protocols, which is quick, or over them.",
)
@click.option("--processes", type=click.IntRange(1, 256), help="Side by side  [default: one for each processor]")
@click.option("--first", "only_first", is_flag=True, help="Stop at the first world that fails.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def fuzz(
    cell: str, seeds: range, level: "Level | Literal['both']", processes: int | None, only_first: bool, as_json: bool
) -> None:
    """Let random things go wrong in the simulated CELL and see whether all that must hold still holds.

    For each seed a world: parts to make, faults of lines, devices, disk and clock, wrong commands, kills. A world that
    fails is told with the shortest that still fails, and with the line that repeats it.
    """
    from cellctl.testing import CellInvalid
    from cellctl.testing.report import product
    from cellctl.testing.worlds.fuzz import fuzz

    levels: tuple[Level, ...] = ("direct", "wire") if level == "both" else (level,)
    worlds = [(seed, each) for seed in seeds for each in levels]
    failed: list[Outcome] = []
    played_s = 0.0
    try:
        with click.progressbar(
            length=len(worlds), label="Worlds", file=sys.stderr, hidden=not sys.stderr.isatty()
        ) as bar:
            for outcome in fuzz(cell, worlds, processes):
                bar.update(1)
                played_s += outcome.virtual_s
                if outcome.findings:
                    failed.append(outcome)
                    if only_first:
                        break
    except CellInvalid as invalid:
        raise Failure(str(invalid), 3) from invalid
    failed.sort(key=lambda one: (one.seed, one.level))
    if as_json:
        document(SCHEMA, {"product": product(), "worlds": len(worlds), "failed": [_plain(one, cell) for one in failed]})
    else:
        for one in failed:
            _tell(one, cell, product())
    if failed:
        raise Failure(f"{len(failed)} of {len(worlds)} worlds failed.", FAILED)
    length = f"{played_s / 3600:.1f} virtual hours" if played_s >= 3600 else f"{played_s / 60:.0f} virtual minutes"
    say(f"All held in {len(worlds)} worlds, {length}.")


def _tell(one: "Outcome", cell: str, product: str) -> None:
    click.echo(paint(f"Seed {one.seed}, {one.level} ({product}):", "red", bold=True))
    for finding in one.findings[:FINDINGS_TOLD]:
        click.echo(f"  {finding}")
    if len(one.findings) > FINDINGS_TOLD:
        click.echo(f"  and {len(one.findings) - FINDINGS_TOLD} more")
    click.echo("The shortest that still fails:")
    click.echo(_indented(one.shortest))
    click.echo("There:")
    click.echo(_indented(one.told))
    click.echo(f"To repeat it: {_repeat(one, cell)}\n")


def _plain(one: "Outcome", cell: str) -> dict[str, Any]:
    return {
        "seed": one.seed, "level": one.level, "findings": list(one.findings), "plan": one.plan,
        "shortest": one.shortest, "told": one.told, "repeat": _repeat(one, cell),
    }  # fmt: skip


def _repeat(one: "Outcome", cell: str) -> str:
    return f"cellctl fuzz {shlex.quote(cell)} --seeds {one.seed} --level {one.level}"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
