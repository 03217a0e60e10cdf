"""The beginning of a run: what the journal tells about all the runs before.

The rule kept here: nothing is guessed. The memory is the fold of the entries; after an end without order the cell is
Aborted, so that a person looks first; and what does not fit the cell's files is told before anything is started.
"""

from collections.abc import Collection
from dataclasses import dataclass

from cellctl.core.cell import Cell
from cellctl.core.equipment import Equipment
from cellctl.core.fault import Cause
from cellctl.core.memory import FORMAT, Memory
from cellctl.core.memory_plain import fold
from cellctl.core.messages import Entry
from cellctl.core.outbox import SNAPSHOT
from cellctl.core.packml import State
from cellctl.records import Records
from cellctl.runtime.ledger import JournalError

#: Kinds of the entries that control itself writes: a run begins, and ends in order.
START, END = "start", "end"

#: What may be gone when a run begins: the parts in process were taken out by hand; or the devices are others (such as
#: simulated ones, which begin anew), and what a recipe put into them is lost.
PARTS, RECIPE = "parts", "recipe"

_UNCLEAN = "Control ended without order"
_LOOK = "Look into every station, then Clear."


class MisfitError(Exception):
    """Parts in process cannot go on with the cell's files as they are now: sentences for a person."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a run begins. `folded`: so many entries were read for it."""

    memory: Memory
    clean: bool
    state: State
    folded: int

    @property
    def entry(self) -> Entry:
        """What is written down about it."""
        return Entry(START, {"state": self.state.title, "clean": self.clean, "format": FORMAT})

    def cell(self, now: int, gone: Collection[str] = ()) -> Cell:
        """The cell at its beginning, `now` (ns UTC); `gone` tells what is not there any more, of `PARTS` and `RECIPE`.

        MisfitError if parts are in process that the present files do not fit.
        """
        misfits = [] if PARTS in gone else list(self.memory.misfits)
        if misfits:
            raise MisfitError(
                " ".join(misfits) + " Put the files back as they were, or take the parts out and start with --discard."
            )
        cell = Cell(self.memory, state=self.state)
        cell.outbox.now, cell.outbox.noted = now, self.folded
        if not self.clean:
            cell.operation.causes.append(Cause("restart", "control", _UNCLEAN, _LOOK))
            cell.operation.make_safe()  # nobody knows what the end left on: each device is told as soon as it is there
        if PARTS in gone:
            cell.production.discard()
        if RECIPE in gone or self.memory.outdated:
            cell.production.unload()
        return cell


def beginning(records: Records, equipment: Equipment) -> Beginning:
    """Fold the journal, from its last snapshot on. JournalError if it holds what cannot be folded."""
    last, snapshot = records.latest(limit=1), records.latest(kind=SNAPSHOT, limit=1)
    memory, folded = Memory(equipment), 0
    after = snapshot[0].sequence - 1 if snapshot else 0
    while page := records.entries(after=after):
        for entry in page:
            try:
                memory = fold(memory, entry.kind, entry.data, entry.time_ns)
            except ValueError as error:
                raise JournalError(
                    f"Entry {entry.sequence} of the journal in {records.folder} cannot be used: {error}."
                    " Restore a backup, or begin with an empty state folder."
                ) from error
        after, folded = page[-1].sequence, folded + len(page)
    clean = not last or (last[0].kind == END and last[0].data.get("state") == State.STOPPED.title)
    return Beginning(memory, clean, State.STOPPED if clean else State.ABORTED, folded)
