"""What must hold in every world, each part checked by itself: at the port of the drivers, in the journal, in the truth.

The rule kept here: a check knows what is promised, not how it is kept. It takes nothing from the controller but what
goes in and what comes out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cellctl.core.messages import Order, Write
from cellctl.testing.bench import Bench
from cellctl.testing.watch import Watcher
from cellctl.testing.worlds.plan import Plan


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be: which check, when (virtual s), and what."""

    check: str
    at_s: float
    what: str

    def __str__(self) -> str:
        return f"{self.at_s:.3f} s  {self.check}: {self.what}"


class Check(Watcher):
    """One check. `found` tells what it has found; `look` is called again and again, `end` when all is done."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.found: list[Finding] = []
        self.bench: Bench | None = None

    def find(self, what: str) -> None:
        """Something must not be."""
        at_s = 0.0 if self.bench is None else self.bench.time_s()
        self.found.append(Finding(type(self).__name__, at_s, what))

    async def look(self, bench: Bench) -> None:
        """Look at the running cell. Control may be dead."""

    async def end(self, bench: Bench) -> None:
        """The last look, at rest."""


def target(order: Order) -> str:
    """What an order is for, as ``laser.off``."""
    return order.signal if isinstance(order, Write) else f"{order.device}.{order.name}"


def all_checks(plan: Plan) -> Sequence[Check]:
    """One of each."""
    from cellctl.testing.worlds.checks import (
        orders,
        reactions,
        readings,
        recording,
        records,
        requests,
        safe_side,
        truth,
    )

    kinds: list[type[Check]] = [
        requests.Answers, requests.Kept,
        orders.Orders, orders.Tokens, orders.Intents, orders.Evidence, orders.Deadlines,
        reactions.Interlocks, reactions.Losses, reactions.Links, reactions.SafeOutputs,
        safe_side.MadeSafe, safe_side.Owed, readings.Readings,
        records.Chain, records.Records, records.Parts, records.Replay, records.Beginning, records.Log,
        recording.Recording,
        truth.Violations, truth.Counts,
    ]  # fmt: skip
    return [kind(plan) for kind in kinds]
