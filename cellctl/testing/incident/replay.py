"""A recording replayed: the core takes the same steps at the same times, with the recorded files or with others.

The rule kept here: the core is the real one, and nothing is assumed to be equal: every turn's effects are compared
with those that were recorded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cellctl.core.cell import Cell
from cellctl.core.equipment import Equipment
from cellctl.core.messages import Done, Effect, Entry, Input
from cellctl.runtime.snapshot import thawed
from cellctl.runtime.tape import Turn, plain
from cellctl.testing.incident.happenings import Happening, happenings
from cellctl.testing.incident.orders import Orders
from cellctl.testing.incident.recording import Span, offset

#: Between two recorded turns a cell with other files may want this many of its own; more is a circle.
OWN_TURNS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Difference:
    """The first turn whose effects are not those recorded: as lines of JSON, each."""

    time_ns: int
    recorded: tuple[str, ...]
    replayed: tuple[str, ...]


@dataclass(slots=True)
class Replayed:
    """What came of a replay: the cell as it is at its end, and all that happened on the way."""

    spans: Sequence[Span]
    cell: Cell
    turns: int = 0
    entries: list[tuple[int, Entry]] = field(default_factory=list)
    happened: list[Happening] = field(default_factory=list)
    difference: Difference | None = None

    def at(self, time_ns: int) -> str:
        """A time, as seconds from the beginning of the recording."""
        return offset(self.spans, time_ns)


class Replay:
    """Steps the core through spans. `equipment` of the recorded files gives the recorded effects."""

    def __init__(self, spans: Sequence[Span], equipment: Equipment, *, same_files: bool) -> None:
        self._spans, self._equipment, self._same = spans, equipment, same_files
        self._orders = Orders()
        self._done = Replayed(spans, thawed(spans[0].snapshot, equipment))

    def run(self, until_ns: int | None = None, look: Callable[[int, Sequence[Effect]], None] | None = None) -> Replayed:
        """Replay up to `until_ns` (UTC; None: to the end); `look` is shown each turn's time and effects.

        SnapshotError if the cell has come to need what its files no longer have.
        """
        before: Span | None = None
        for span in self._spans:
            if before is not None and (span.head.run_ns, span.head.turn) != (before.head.run_ns, before.next_turn):
                self._done.cell, self._orders = thawed(span.snapshot, self._equipment), Orders()
            for turn in span.turns:
                if until_ns is not None and turn.now > until_ns:
                    return self._done
                self._take(turn, look)
            before = span
        return self._done

    def _take(self, turn: Turn, look: Callable[[int, Sequence[Effect]], None] | None) -> None:
        done = self._done
        effects = list[Effect]()
        if not self._as_recorded:
            effects += self._own_turns(turn.now)
        effects += done.cell.step(turn.now, self._inputs(turn))
        self._orders.note(turn.now, turn.effects, effects)
        done.turns += 1
        done.entries += [(turn.now, effect) for effect in effects if isinstance(effect, Entry)]
        done.happened += happenings(turn.now, effects)
        if done.difference is None:
            self._compare(turn, effects)
        if look is not None:
            look(turn.now, effects)

    @property
    def _as_recorded(self) -> bool:
        """Whether the cell decides as it did, as far as can be told."""
        return self._same and self._done.difference is None

    def _own_turns(self, until_ns: int) -> list[Effect]:
        """The turns that this cell wants before the next recorded one."""
        cell, effects = self._done.cell, list[Effect]()
        for _ in range(OWN_TURNS_MAX if cell.outbox.now else 0):  # none before its first
            if (wake_ns := cell.wake_at) >= until_ns:
                break
            now = max(wake_ns, cell.outbox.now)
            answers = list(self._orders.overdue(now))
            mine = cell.step(now, answers)
            self._orders.note(now, (), mine)
            effects += mine
            if wake_ns < now and not answers:
                break  # it is due already, and waits for something that is recorded
        return effects

    def _inputs(self, turn: Turn) -> list[Input]:
        if self._as_recorded:
            for each in turn.inputs:
                if isinstance(each, Done):
                    self._orders.answer(each)
            return list(turn.inputs)
        inputs = list[Input]()
        for each in turn.inputs:
            answer = self._orders.answer(each) if isinstance(each, Done) else each
            if answer is not None:
                inputs.append(answer)
        return [*inputs, *self._orders.overdue(turn.now)]

    def _compare(self, turn: Turn, effects: Sequence[Effect]) -> None:
        recorded, replayed = tuple(map(plain, turn.effects)), tuple(map(plain, effects))
        if recorded != replayed:
            self._done.difference = Difference(turn.now, recorded, replayed)
