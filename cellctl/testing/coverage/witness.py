"""Who looks on while a test runs, and notes what of the cell was exercised.

The rule kept here: what counts stands in the journal, on disk. What a killed control did not get to write has not
happened.
"""

from collections.abc import Mapping
from typing import Any

from cellctl.core.messages import Entry
from cellctl.core.recipe import Download
from cellctl.faults import Fault
from cellctl.model import CellModel
from cellctl.runtime.beginning import START
from cellctl.runtime.ledger import Row
from cellctl.testing.coverage.items import (
    ALARMS,
    BEGUN,
    CHANGEOVER,
    FINISHED,
    FULFILLED,
    INTERLOCKS,
    NOT_FULFILLED,
    POLICIES,
    RAISED,
    RECOVERIES,
    RETURNED,
    STATE_COMPLETES,
    STATES,
    TRANSITIONS,
    Item,
    changeover_step,
    place,
)
from cellctl.testing.watch import Watcher


class Witness(Watcher):
    """Looks on in one test. `seen`: what was exercised; `broken`: the kinds of faults that were let happen.

    The end of the test, which stops every cell, exercises nothing.
    """

    def __init__(self, model: CellModel) -> None:
        self.seen: set[Item] = set()
        self.broken: set[str] = set()
        self._recipes = model.equipment.recipes
        self._last: int | None = None
        self._state = ""
        self._trigger = STATE_COMPLETES
        self._recipe_of: dict[str, str] = {}  # by the serial of the part
        self._phase_of: dict[tuple[str, str], str] = {}  # by the serial and the path of the step

    def begin(self) -> None:
        """Look on, once more if control had ended."""
        self._last = None

    def ending(self, last: int) -> None:
        """Look away after the entry `last`."""
        self._last = last

    def injected(self, fault: Fault) -> None:
        """Note its kind."""
        self.broken.add(fault.kind)

    def kept(self, row: Row) -> None:
        """Note what the entry tells."""
        if self._last is not None and row.sequence > self._last:
            return
        data: Mapping[str, Any] = row.entry.data
        match row.entry:
            case Entry("part"):
                self._recipe_of[data["part"]] = data["recipe"]
            case Entry("phase"):
                self._phase_of[data["part"], data["step"]] = data["phase"]
                self._see(BEGUN, self._recipe_of.get(data["part"], ""), place(data["step"]))
            case Entry("phase.done"):
                self._see(FINISHED, self._recipe_of.get(data["part"], ""), place(data["step"]))
            case Entry("fault") if "step" in data:
                self._met(data["part"], data["step"], data["fault"])
            case Entry("recovery"):
                self._recovered(data["part"], data["step"], _kind(data["key"]), data["choice"])
            case Entry("question"):
                self._asked(data["part"], data["question"])
            case Entry("changeover.step"):
                steps = self._recipes[data["recipe"]].changeover or (Download(),)
                self._see(CHANGEOVER, data["recipe"], changeover_step(data["index"], steps[data["index"]]))
            case Entry("alarm"):
                self._see(ALARMS, data["alarm"], RAISED if data["raised"] else RETURNED)
            case Entry("interlock"):
                self._see(INTERLOCKS, data["interlock"], FULFILLED if data["fulfilled"] else NOT_FULFILLED)
            case _:
                self._moved(row.entry.kind, data)

    def _moved(self, kind: str, data: Mapping[str, Any]) -> None:
        """What the entry tells of the machine: a `state` that no `command` went before was reached by itself."""
        match kind:
            case "command":
                self._trigger = data["command"]
            case "state":
                self._see(TRANSITIONS, self._trigger, self._state)
                self._enter(data["state"])
            case _ if kind == START:
                self._enter(data["state"])

    def _enter(self, state: str) -> None:
        self._see(STATES, "", state)
        self._state, self._trigger = state, STATE_COMPLETES

    def _met(self, part: str, step: str, kind: str) -> None:
        self._see(POLICIES, self._recipe_of.get(part, ""), f"{place(step)} {kind}")

    def _recovered(self, part: str, step: str, kind: str, choice: str) -> None:
        self._met(part, step, kind)
        self._see(RECOVERIES, self._phase_of.get((part, step), ""), f"{kind}: {choice}")

    def _asked(self, part: str, question: str) -> None:
        """A fault that waits for a person has happened, answered or not."""
        for of, step in self._phase_of:
            if of == part and question.startswith(begin := f"{part}/{step}/"):
                self._met(part, step, _kind(question.removeprefix(begin)))

    def _see(self, section: str, group: str, name: str) -> None:
        self.seen.add(Item(section, group, name))


def _kind(key: str) -> str:
    """The kind of fault in the key of its place: ``step:3/weak_weld#1``; a command stands for a pulse in doubt."""
    kind = key.rpartition("#")[0].rpartition("/")[2]
    return "in_doubt" if "." in kind else kind
