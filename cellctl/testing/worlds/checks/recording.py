"""What the flight recorder must be able to tell: the same again."""

from cellctl.core.signal import FAR_NS
from cellctl.core.view import view_of
from cellctl.testing.bench import Bench
from cellctl.testing.incident.recording import offset, recorded
from cellctl.testing.incident.replay import Replay
from cellctl.testing.worlds.checks import Check


class Recording(Check):
    """What was recorded, taken by the core once more, gives the same effects and leaves the same cell."""

    async def end(self, bench: Bench) -> None:
        """Replay all of it."""
        if not bench.alive or bench.recorder is None:
            return
        bench.recorder.drain()
        spans = recorded(bench.setup.folder, FAR_NS)
        for span in spans:
            if span.problem:
                self.find(f"the recording cannot be read after {offset(spans, span.end_ns)}: {span.problem}")
        replayed = Replay(spans, bench.control.cell.equipment, same_files=True).run()
        if (difference := replayed.difference) is not None:
            at, was, now = replayed.at(difference.time_ns), difference.recorded, difference.replayed
            self.find(f"at {at} of the recording the cell decided {was}, and in the replay {now}")
        elif view_of(replayed.cell) != bench.view:
            self.find("the replayed cell is shown otherwise than the live one")
