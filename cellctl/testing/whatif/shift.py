"""One shift: the real core, stepped from one moment at which something happens to the next.

The rule kept here: a shift is a pure function of the cell, the seed, and its number.
"""

from cellctl.core.cell import Cell
from cellctl.core.memory import Memory
from cellctl.core.messages import Effect, Input, Refused, Reply, Request
from cellctl.core.packml import State
from cellctl.core.why import why
from cellctl.testing.whatif.chance import Chance
from cellctl.testing.whatif.outages import Outages, all_there
from cellctl.testing.whatif.person import Person
from cellctl.testing.whatif.tally import Shift, Tally
from cellctl.testing.whatif.timed import TimedCell

#: When a shift begins: not at 0, which is the time of a signal that was never read.
BEGIN_NS = 1_000_000_000


def play(timed: TimedCell, seed: int, number: int) -> Shift:
    """Play shift `number` of a seed: stopped, with the first recipe loaded and everything there, until it is over."""
    whatif, chance = timed.whatif, Chance(seed, number)
    tally = Tally(timed.equipment, timed.places, BEGIN_NS)
    equipment = timed.for_shift(chance, tally)
    cell = Cell(Memory(equipment))
    cell.production.load(equipment.recipes[whatif.orders[0].recipe])
    outages = Outages(whatif, chance, BEGIN_NS)

    def scrap(place: str) -> float:
        return timed.change(place).scrap if place else 0.0

    person = Person(whatif.orders, whatif.reaction, scrap, chance)
    inputs: list[Input] = list(all_there(iter(equipment.devices), whatif, BEGIN_NS))
    now, end_ns, stood, requests = BEGIN_NS, BEGIN_NS + whatif.shift_ns, "", 0
    while True:
        effects = cell.step(now, inputs)
        tally.take(effects, now)
        _check(effects)
        person.look(cell, now)
        due_ns, outage_ns = _earlier(cell.due_at, person.due_ns), outages.due_ns
        if due_ns is None and (cell.state is State.EXECUTE or outage_ns is None):
            stood = _standstill(cell)
            break
        now = max(now, _earlier(due_ns, outage_ns) or now)
        if now > end_ns:
            break
        inputs = list(outages.until(now))
        if person.due_ns is not None and person.due_ns <= now and (action := person.act(cell)) is not None:
            requests += 1
            inputs.append(Request(f"{requests}", action, "person"))
    return tally.shift(number, end_ns, stood)


def _earlier(one: int | None, other: int | None) -> int | None:
    return min((at for at in (one, other) if at is not None), default=None)


def _check(effects: list[Effect]) -> None:
    """A person does only what the cell says is possible: a refusal is a mistake of this program."""
    for effect in effects:
        if isinstance(effect, Reply) and isinstance(effect.answer, Refused):
            raise AssertionError(effect.answer.reason)


def _standstill(cell: Cell) -> str:
    """Why nothing will ever happen again: what the parts wait for, or else what the cell says."""
    waits = [f"{part.serial}: {wait}" for part in cell.memory.parts for wait in cell.production.waits_for(part)]
    return "; ".join(waits) or "; ".join(cause.text for cause in why(cell)) or f"the cell stays in {cell.state.title}"
