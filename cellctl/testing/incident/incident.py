"""An incident: a recording with its cell, to be looked at, replayed and tested.

    incident = Incident.read("2026-11-25-air.incident")
    incident.assert_gone("hold", "air_pressure", at="+72.305 s", cell="cells/battery-module")

The rule kept here: a recording is replayed with the files it was made with, unless others are named. These files hold
phases, which are Python: a recording from somebody whom one would not let write phases is not to be replayed.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from cellctl.core.equipment import Equipment
from cellctl.core.messages import Effect
from cellctl.core.units import UnitError, duration_ns
from cellctl.core.view import View, view_of
from cellctl.model import CellModel
from cellctl.runtime.snapshot import SnapshotError
from cellctl.testing.cells import CellInvalid, cell_model
from cellctl.testing.incident.happenings import Happening, happenings
from cellctl.testing.incident.recording import IncidentError, Span, offset, read, remarks
from cellctl.testing.incident.replay import Difference, Replay, Replayed

__all__ = ["Difference", "Incident", "IncidentError", "Replayed"]

#: How long after its moment something that was mended must not happen either: a mend that only delays is none.
AFTER_NS = 2_000_000_000

#: And how long before: a changed condition may come true a little earlier.
BEFORE_NS = 500_000_000


class Incident:
    """Spans of a recording. `remarks`: what a person should know of it before he believes it."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self.spans = tuple(spans)
        self.remarks = list(remarks(self.spans))

    @classmethod
    def read(cls, path: Path | str) -> "Incident":
        """The incident in a file; IncidentError if there is none."""
        return cls(read(Path(path)))

    # --- what it is -------------------------------------------------------------------------------------------

    @property
    def cell(self) -> str:
        """The id of the cell."""
        return self.spans[0].head.cell

    @property
    def begin_ns(self) -> int:
        """Where the recording begins (ns UTC)."""
        return self.spans[0].head.now

    @property
    def end_ns(self) -> int:
        """Where it ends (ns UTC)."""
        return self.spans[-1].end_ns

    @property
    def turns(self) -> int:
        """How many turns were recorded."""
        return sum(len(span.turns) for span in self.spans)

    @property
    def happened(self) -> list[Happening]:
        """What happened that nobody had asked for, as it was recorded, oldest first."""
        return [each for span in self.spans for turn in span.turns for each in happenings(turn.now, turn.effects)]

    def at(self, time_ns: int) -> str:
        """A time as seconds from the beginning."""
        return offset(self.spans, time_ns)

    def time_ns(self, text: str) -> int:
        """The time (ns UTC) of "+72.305 s"; IncidentError for a text that is none."""
        try:
            return self.begin_ns + duration_ns(text.strip().removeprefix("+"))
        except UnitError as error:
            raise IncidentError(
                f"{text!r} is not a time from the beginning, such as '+72.305 s', nor a number of the list."
            ) from error

    # --- again ------------------------------------------------------------------------------------------------

    def replay(
        self,
        *,
        cell: Path | str | None = None,
        until: str | None = None,
        look: Callable[[int, Sequence[Effect]], None] | None = None,
    ) -> Replayed:
        """Replay it up to `until` ("+72.305 s"; None: to its end), with the files of `cell`, or those recorded.

        `look` is shown each turn. IncidentError if it cannot be replayed, CellInvalid if the files are wrong.
        """
        until_ns = None if until is None else self.time_ns(until)
        try:
            return Replay(self.spans, self._equipment(cell), same_files=cell is None).run(until_ns, look)
        except SnapshotError as error:
            raise IncidentError(str(error)) from error

    def assert_gone(self, kind: str, id: str, *, at: str, cell: Path | str | None = None) -> None:
        """AssertionError if what happened at the time `at` happens again, with the files of `cell`.

        IncidentError if the recording does not reach until then.
        """
        moment_ns = self.time_ns(at)
        if self.end_ns < moment_ns:
            told = " ".join(self.remarks)
            raise IncidentError(f"The recording ends at {self.at(self.end_ns)}, before {at}. {told}".rstrip())
        after = self.at(moment_ns + AFTER_NS)
        replayed = self.replay(cell=cell, until=after)
        for one in replayed.happened:
            if (one.kind, one.id) == (kind, id) and one.time_ns >= moment_ns - BEFORE_NS:
                why = [cause.text for cause in self.view(replayed).why]
                told = "\n".join([f"{kind} {id} at {self.at(one.time_ns)}: {one.text}", *why])
                raise AssertionError(f"It happens again: {told}")

    def view(self, replayed: Replayed) -> View:
        """What people would be shown of the cell at the end of the replay."""
        return view_of(replayed.cell)

    def _equipment(self, cell: Path | str | None) -> Equipment:
        simulated = self.spans[0].head.simulated
        model = self._recorded_model() if cell is None else cell_model(cell)
        known = {device: model.devices[device].address for device in simulated if device in model.devices}
        return model.simulated(known).equipment

    def _recorded_model(self) -> CellModel:
        files = self.spans[0].head.files
        if not files:
            raise IncidentError("The recording holds no files of a cell: name the cell that it is to be replayed with.")
        with TemporaryDirectory(prefix="cellctl-incident-") as name:
            folder = Path(name).resolve()
            for path, text in files.items():
                target = (folder / path).resolve()
                if not target.is_relative_to(folder):
                    raise IncidentError(f"The recording names a file outside of a cell: {path}.")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")
            try:
                return cell_model(folder)
            except CellInvalid as invalid:
                plain = re.sub(re.escape(str(folder)) + "/?", "", str(invalid))
                raise IncidentError(f"The files in the recording are not valid for this cellctl:\n{plain}") from invalid
