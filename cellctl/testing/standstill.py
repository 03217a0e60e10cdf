"""Whether a cell stands still for good: nothing is left that could ever make it go on by itself.

The rule kept here: a wait in vain is told at once, and never a wait that could still end. Polls go on for ever and
change nothing; what counts is whether the cell waits for time, whether a device has something before it, whether an
order is under way or a fault is to come, and whether what is waited for still moves.
"""

from cellctl.testing.bench import Bench
from cellctl.testing.virtual import Deadlock

#: A test that fails shows its own line, not those in here.
__tracebackhide__ = True

#: So long (virtual seconds) must everything have been as it is: longer than any driver needs to connect anew.
STILL_S = 10.0

#: How often that is looked at (virtual seconds): often enough that nothing which moves is missed twenty times in a row.
LOOK_S = 0.5


class Standstill:
    """Looks at the bench again and again; `check` raises `Deadlock` when it stands still."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._looked_s = bench.loop.time()
        self._begin(self._picture())

    def check(self, what: str) -> None:
        """Deadlock if `what` is waited for in vain."""
        now_s = self._bench.loop.time()
        if now_s < self._looked_s + LOOK_S:
            return
        self._looked_s, picture = now_s, self._picture()
        if picture != self._seen or self._cell_waits_for_time():
            self._begin(picture)
        elif now_s - self._since_s >= STILL_S:
            if self._a_device_has_something_before_it():
                self._begin(picture)
            else:
                raise Deadlock(f"this will never be so: {what}\n{self._bench.told()}")

    def _begin(self, picture: object) -> None:
        self._since_s, self._seen = self._bench.loop.time(), picture
        self._due = dict(self._bench.simulation.due)

    def _cell_waits_for_time(self) -> bool:
        bench = self._bench
        return not bench.alive or bench.due > 0 or bench.control.cell.due_at is not None

    def _a_device_has_something_before_it(self) -> bool:
        """Whether something is due that was due before already; what is put off again and again is only kept alive."""
        due = self._bench.simulation.due
        return any(due.get(device) == at for device, at in self._due.items())

    def _picture(self) -> object:
        """What would be another if anything had moved that matters."""
        bench = self._bench
        if not bench.alive:
            return None
        cell = bench.control.cell
        links = tuple(link.state for link in cell.links.values())
        values = tuple(cell.image.read(name).value for name in sorted(cell.awaited) if name in cell.image.signals)
        return cell.state, cell.outbox.orders, links, values
