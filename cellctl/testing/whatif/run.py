"""Many shifts, side by side in several processes.

The rule kept here: what comes out depends on the cell, the file, the seed and the number of shifts alone, not on how
many processes there are nor on which is ready first.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from cellctl.core.procedure import phases_of
from cellctl.model.whatif import PhaseChange, WhatIf, read_whatif
from cellctl.testing.cells import cell_model
from cellctl.testing.whatif.calibration import Calibration, CalibrationFailed, calibrate
from cellctl.testing.whatif.outcome import FASTER, Outcome, Variant
from cellctl.testing.whatif.places import placed
from cellctl.testing.whatif.shift import play
from cellctl.testing.whatif.tally import Shift
from cellctl.testing.whatif.timed import timed_cell

#: So many shifts are played in one go: a few seconds, so that the progress is seen and the start costs little.
SHIFTS_AT_ONCE = 4

#: One of so many shifts is played again for each phase, with that phase faster. The luck is the same in both, so that
#: few are enough.
SHIFTS_A_PROBE = 25


@dataclass(frozen=True, slots=True)
class Try:
    """Shifts of one cell with one `wip` (None: that of the recipes), `faster`: with one phase faster than it is."""

    cell: str
    whatif: WhatIf
    calibration: Calibration
    seed: int
    wip: int | None
    faster: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some shifts of a `Try`, by their numbers."""

    of: Try
    numbers: range


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to be played."""

    whatif: WhatIf
    seed: int
    wips: tuple[tuple[int, ...], ...]  # of each variant: the recipes' own may differ
    pieces: tuple[Piece, ...]

    @property
    def shifts(self) -> int:
        """How many shifts there are in all."""
        return sum(len(piece.numbers) for piece in self.pieces)


def plan_of(cell: str, file: Path | None, shifts: int, seed: int) -> Plan:
    """What to play for `shifts` shifts of each variant; how long everything takes is found out here.

    CellInvalid or FilesInvalid if files are wrong, CalibrationFailed if it cannot be known how long everything takes.
    """
    model = cell_model(cell)
    whatif = read_whatif(file, model.equipment)
    recipes = list(dict.fromkeys(order.recipe for order in whatif.orders))
    if not recipes:
        raise CalibrationFailed("the cell has no recipe")
    masters = [model.equipment.recipes[recipe] for recipe in recipes]
    phases = dict.fromkeys(step.phase for master in masters for step in phases_of(master.procedure))
    unknown = [phase for phase in phases if whatif.phases.get(phase, PhaseChange()).takes is None]
    pieces: list[Piece] = []
    for wip in whatif.wip or (None,):
        seen = calibrate(model, recipes, wip) if unknown else Calibration({}, {}, {})
        as_it_is = Try(cell, whatif, seen, seed, wip)
        pieces += _pieces(as_it_is, shifts)
        for phase in phases:
            pieces += _pieces(replace(as_it_is, faster=phase), max(1, shifts // SHIFTS_A_PROBE))
    own = tuple(sorted({master.wip for master in masters}))
    return Plan(whatif, seed, tuple((wip,) for wip in whatif.wip) or (own,), tuple(pieces))


def played(plan: Plan, processes: int | None = None) -> Iterator[tuple[Piece, list[Shift]]]:
    """Play it in as many processes as there are processors; each piece as it comes."""
    count = min(processes or os.cpu_count() or 1, len(plan.pieces))
    if count <= 1:
        yield from ((piece, shifts_of(piece)) for piece in plan.pieces)
        return
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        try:
            under_way = {pool.submit(shifts_of, piece): piece for piece in plan.pieces}
            for done in as_completed(under_way):
                yield under_way[done], done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def shifts_of(piece: Piece) -> list[Shift]:
    """Play one piece."""
    this = piece.of
    timed = timed_cell(placed(cell_model(this.cell).equipment, this.wip), this.calibration, _faster(this))
    return [play(timed, this.seed, number) for number in piece.numbers]


def outcome_of(plan: Plan, results: Iterator[tuple[Piece, list[Shift]]]) -> Outcome:
    """Put together what came of all pieces, in whatever order they come."""
    found: dict[tuple[int | None, str], dict[int, Shift]] = {}
    for piece, shifts in results:
        found.setdefault((piece.of.wip, piece.of.faster), {}).update({shift.number: shift for shift in shifts})
    variants = []
    for wip, shown in zip(plan.whatif.wip or (None,), plan.wips, strict=True):
        shifts = [shift for _, shift in sorted(found[wip, ""].items())]
        probes = {phase: list(some.values()) for (of, phase), some in found.items() if of == wip and phase}
        variants.append(Variant(shown, tuple(shifts), _gains(found[wip, ""], probes)))
    return Outcome(plan.whatif, plan.seed, tuple(variants))


def _gains(as_it_is: dict[int, Shift], probes: dict[str, list[Shift]]) -> dict[str, float]:
    """For each phase, how much more is made with it faster, as a share of what is made."""
    gains = {}
    for phase, faster in sorted(probes.items(), key=lambda one: one[0]):
        before = sum(as_it_is[shift.number].good for shift in faster)
        gains[phase] = sum(shift.good for shift in faster) / before - 1 if before else 0.0
    return gains


def _pieces(of: Try, shifts: int) -> list[Piece]:
    return [
        Piece(of, range(first, min(first + SHIFTS_AT_ONCE, shifts + 1)))
        for first in range(1, shifts + 1, SHIFTS_AT_ONCE)
    ]


def _faster(this: Try) -> WhatIf:
    if not this.faster:
        return this.whatif
    change = this.whatif.phases.get(this.faster, PhaseChange())
    faster = replace(change, scale=change.scale * (1 - FASTER))
    return replace(this.whatif, phases={**this.whatif.phases, this.faster: faster})
