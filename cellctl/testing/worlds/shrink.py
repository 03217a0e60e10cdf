"""Makes a world that fails as small as it can be and still fails: fewer things that happen, fewer parts.

The rule kept here: smaller is only what fails in the same check. Bounded: a good guess after so many plays is enough.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from cellctl.testing.worlds.plan import Act, Plan

#: So often a plan is played at most while it is made smaller.
PLAYS_MAX = 80


def shrunk(plan: Plan, fails: Callable[[Plan], bool], plays: int = PLAYS_MAX) -> Plan:
    """The smallest plan found for which `fails` still says yes. `plan` itself does."""
    smaller = True
    while smaller and plays > 0:
        smaller = False
        for candidate in _smaller(plan):
            plays -= 1
            if fails(candidate):
                plan, smaller = candidate, True
                break
            if plays <= 0:
                break
    return plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Plans that lack something, the boldest first."""
    for acts in _fewer(plan.acts):
        yield plan.with_acts(acts)
    if len(plan.jobs) > 1:
        yield replace(plan, jobs=plan.jobs[:1])
        yield replace(plan, jobs=plan.jobs[1:])
    if any(quantity > 1 for _, quantity in plan.jobs):
        yield replace(plan, jobs=tuple((recipe, 1) for recipe, _ in plan.jobs))
    for index in range(len(plan.conditions)):
        yield replace(plan, conditions=plan.conditions[:index] + plan.conditions[index + 1 :])


def _fewer(acts: tuple[Act, ...]) -> Iterator[tuple[Act, ...]]:
    """Without all, without a half, without each one of them."""
    if not acts:
        return
    yield ()
    if len(acts) > 2:
        half = len(acts) // 2
        yield acts[:half]
        yield acts[half:]
    if len(acts) > 1:
        for index in range(len(acts)):
            yield acts[:index] + acts[index + 1 :]
