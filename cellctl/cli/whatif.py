"""Shifts that have not been worked yet: `cellctl whatif`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellctl.cli.terminal import INVALID, Failure, document, say, table

if TYPE_CHECKING:
    from cellctl.testing.whatif.outcome import Outcome, Variant

SCHEMA = "cellctl.whatif/1"

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("cell", default=".")
@click.option(
    "-n", "--shifts", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Of each variant."
)
@click.option("--vary", type=FILE, help="What is other than today: a YAML file.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Another one is other luck.")
@click.option("--processes", type=click.IntRange(1, 256), help="Side by side  [default: one for each processor]")
@click.option("--picture", type=FILE, metavar="FILE.svg", help="Draw it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def whatif(
    cell: str, shifts: int, vary: Path | None, seed: int, processes: int | None, picture: Path | None, as_json: bool
) -> None:
    """Let CELL work many shifts in virtual time: how many parts an hour, what limits it, what a change would bring.

    How long everything takes is seen from the simulated cell. --vary FILE says what else may happen: faster phases,
    devices that fail, parts in process, several recipes, a person who comes late.
    """
    from cellctl.model import FilesInvalid, SimulatorsMissing
    from cellctl.testing import CellInvalid
    from cellctl.testing.whatif.calibration import CalibrationFailed
    from cellctl.testing.whatif.picture import drawn
    from cellctl.testing.whatif.run import outcome_of, plan_of, played

    if picture is not None and not picture.absolute().parent.is_dir():
        raise click.UsageError(f"There is no folder {picture.parent} for the picture.")
    try:
        plan = plan_of(cell, vary, shifts, seed)
    except (CellInvalid, FilesInvalid) as invalid:
        raise Failure(str(invalid), INVALID) from invalid
    except (CalibrationFailed, SimulatorsMissing) as failed:
        sentence, _, detail = str(failed).partition("\n")
        raise Failure(f"The simulated cell cannot be timed: {sentence}.", detail=detail) from failed
    with click.progressbar(length=plan.shifts, label="Shifts", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def seen() -> Any:
            for piece, some in played(plan, processes):
                bar.update(len(some))
                yield piece, some

        outcome = outcome_of(plan, seen())
    if picture is not None:
        picture.write_text(drawn(outcome), encoding="utf-8")
    if as_json:
        document(SCHEMA, _plain(outcome))
    else:
        _tell(outcome)


def _tell(outcome: "Outcome") -> None:
    from cellctl.core.units import duration_text

    jobs = ", then ".join(
        order.recipe + (f" x {order.quantity}" if order.quantity else "") for order in outcome.whatif.orders
    )
    shifts = len(outcome.variants[0].shifts)
    hours = outcome.whatif.shift_ns / 3.6e12
    length = f"{hours:.3g} h" if hours >= 1 else duration_text(outcome.whatif.shift_ns)
    click.echo(f"{jobs}: {shifts} {'shift' if shifts == 1 else 'shifts'} of {length}, seed {outcome.seed}\n")
    table(_HEAD, [_row(variant) for variant in outcome.variants])
    for title, figures, form in _TABLES:
        click.echo()
        _compare(title, outcome, [getattr(variant, figures) for variant in outcome.variants], form)
    for note in _notes(outcome):
        say(note)


_HEAD = (
    "wip", "good parts/h: p10", "p50", "p90", "oee", "availability", "performance", "quality", "busiest"
)  # fmt: skip


#: The further tables: heading, figures of a variant by name, and the form of each figure.
_TABLES = (
    ("of the shift in", "states", "{:.1%}"),
    ("of the shift busy", "busy", "{:.1%}"),
    ("works for each part", "work_s", "{:.2f} s"),
    ("more parts if 10 % faster", "gains", "{:+.1%}"),
)  # fmt: skip


def _row(variant: "Variant") -> tuple[str, ...]:
    from cellctl.testing.whatif.outcome import FACTORS

    made = variant.parts_per_hour
    factors = (variant.median(factor) for factor in FACTORS)
    name, share = variant.limit
    figures = (f"{figure:.1f}" for figure in (made.p10, made.p50, made.p90))
    return (variant.name, *figures, *(_percent(factor) for factor in factors), f"{name}, {_percent(share)}")


def _compare(title: str, outcome: "Outcome", columns: list[dict[str, float]], form: str) -> None:
    """One row for each name, the greatest first; one column for each variant."""
    names = dict.fromkeys(name for column in columns for name in column)
    greatest = {name: max(column.get(name, 0.0) for column in columns) for name in names}
    rows = [
        (name, *(_spaced(form.format(column.get(name, 0.0))) for column in columns))
        for name in sorted(names, key=lambda name: -greatest[name])
    ]
    table((title, *(f"wip {variant.name}" for variant in outcome.variants)), rows)


def _notes(outcome: "Outcome") -> list[str]:
    notes = []
    for variant in outcome.variants:
        if stood := variant.stood:
            notes.append(
                f"With wip {variant.name} {len(stood)} of {len(variant.shifts)} shifts came to a standstill for good:"
                f" {stood[0].stood}."
            )
    performance = [variant.median("performance") for variant in outcome.variants]
    if any(shift.ideal_ns is None for variant in outcome.variants for shift in variant.shifts):
        notes.append("There is no OEE without the recipe's 'ideal_cycle'.")
    if any(value is not None and value > 1 for value in performance):
        notes.append(
            "A performance above 100 % says that the recipe's 'ideal_cycle' is longer than what the cell does."
        )
    return notes


def _plain(outcome: "Outcome") -> dict[str, Any]:
    from cellctl.testing.whatif.outcome import FACTORS

    return {
        "seed": outcome.seed,
        "shift_s": outcome.whatif.shift_ns / 1e9,
        "jobs": [{"recipe": order.recipe, "quantity": order.quantity} for order in outcome.whatif.orders],
        "variants": [
            {
                "wip": list(variant.wip),
                "shifts": len(variant.shifts),
                "good_parts_per_hour": dict(zip(("p10", "p50", "p90"), _quantiles(variant), strict=True)),
                **{factor: _rounded(variant.median(factor)) for factor in FACTORS},
                "busiest": variant.limit[0],
                "busy": {name: _rounded(share) for name, share in variant.busy.items()},
                "work_s_per_part": {phase: _rounded(work_s) for phase, work_s in variant.work_s.items()},
                "states": {name: _rounded(share) for name, share in variant.states.items()},
                "gain_if_10_percent_faster": {name: _rounded(gain) for name, gain in variant.gains.items()},
                "standstills": [{"shift": shift.number, "why": shift.stood} for shift in variant.stood],
            }
            for variant in outcome.variants
        ],
    }


def _quantiles(variant: "Variant") -> tuple[float, ...]:
    made = variant.parts_per_hour
    return tuple(round(figure, 3) for figure in (made.p10, made.p50, made.p90))


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 5)


def _percent(share: float | None) -> str:
    return "-" if share is None else _spaced(f"{share:.1%}")


def _spaced(figure: str) -> str:
    """With a space before the percent sign, as in the files."""
    return figure.replace("%", " %")
