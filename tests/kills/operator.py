"""Whoever leads the cell from outside, over its socket, through all its deaths: orders, changeovers, commands, answers.

The rule kept here: a request without an answer is repeated under the same id, as the documentation tells clients to;
then it is done once, however often control died meanwhile.
"""

import json
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from cellctl.core.messages import Action, AddJob, ConfirmStep, Operate, Recover, Request, StartChangeover
from cellctl.core.packml import Command
from cellctl.core.wire import encode_line, encode_request
from cellctl.gateway.link import SOCKET
from cellctl.records import Records
from tests.kills.truthful import answer

RECIPES = ("module-8s", "module-12s")
QUANTITIES = (2, 3, 1, 4)

#: No order is open in these, or the next one is waited for.
_REST = ("Stopped", "Idle", "Completed")

#: How often the cell is looked at.
_LOOK_S = 0.02

#: What is pressed in which state.
_PRESS = {
    "Stopped": Command.RESET,
    "Completed": Command.RESET,
    "Idle": Command.START,
    "Held": Command.UNHOLD,
    "Suspended": Command.UNSUSPEND,
}


def asked(path: Path, message: bytes, within_s: float) -> dict[str, Any] | None:
    """What is answered at a socket to one line; None if nobody is there, or not in time."""
    with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX) as near:
        near.settimeout(max(0.001, within_s))
        near.connect(str(path))
        near.sendall(message)
        with near.makefile("rb") as answers:
            told: dict[str, Any] = json.loads(answers.readline())
            return told
    return None


class Operator:
    """`ordered` tells the accepted orders (recipe, quantity). Without `more`, no further one is given."""

    def __init__(self, state: Path, devices: Path) -> None:
        self.ordered: list[tuple[str, int]] = []
        self.questions = 0
        self.more = True
        self._control, self._devices, self._records = state / SOCKET, devices, Records(state)
        self._open: AddJob | None = None  # given, and nobody has said whether it was taken
        self._tries = 0
        self._accepted: Request | None = None  # the last order that was
        self.wrong: list[str] = []

    def view(self, within_s: float) -> dict[str, Any] | None:
        """The cell as it is shown now."""
        told = asked(self._control, encode_line({"view": {}}), within_s)
        return None if told is None else told.get("view")

    def truth(self) -> dict[str, Any]:
        """What is true of the world."""
        told = asked(self._devices, b'{"do": "truth"}\n', 30.0)
        assert told is not None, "the simulated devices are gone"
        return dict(told["truth"])

    def idle(self, view: Mapping[str, Any]) -> bool:
        """Whether all is made that was ordered."""
        return not view["jobs"] and not view["parts"] and view["state"] in _REST

    def done(self, view: Mapping[str, Any]) -> bool:
        """Whether there is nothing more to do."""
        return not self.more and self._open is None and self.idle(view)

    def lead(self, until: Callable[[], bool], within_s: float) -> None:
        """Do what has to be done until it is so, or until the time is over."""
        end_s = time.monotonic() + within_s
        while not until() and (left_s := end_s - time.monotonic()) > 0:
            if (view := self.view(left_s)) is not None:
                if self.done(view):
                    return
                if (action := self._action(view)) is not None:
                    self._submit(action, end_s - time.monotonic())
            time.sleep(max(0.0, min(_LOOK_S, end_s - time.monotonic())))

    def press(self, command: Command) -> None:
        """Send a command that must be accepted."""
        request = Request(f"request-{time.monotonic_ns()}", Operate(command), "anna", "test")
        told = asked(self._control, encode_line({"submit": encode_request(request)}), 30.0)
        assert told is not None, "nobody answers"
        assert "receipt" in told, told

    def repeat(self, within_s: float) -> None:
        """Ask again what was accepted: it is answered as before, and not done again."""
        if self._accepted is not None:
            told = asked(self._control, encode_line({"submit": encode_request(self._accepted)}), within_s)
            if told is not None and "receipt" not in told:
                self.wrong.append(f"{self._accepted} was accepted, and asked again it is told: {told}")

    def _action(self, view: Mapping[str, Any]) -> Action | None:
        """The next thing to do; None: wait."""
        changeover = view["changeover"]
        if view["state"] == "Aborted":
            return Operate(Command.CLEAR) if "clear" in view["commands"] else None
        if view["questions"]:
            return self._answer(view["questions"][0])
        if changeover is not None and not changeover["done"]:
            return _confirmed(changeover)
        if self.idle(view):
            return self._open or (self._order(view) if self.more else None)
        command = _PRESS.get(view["state"])
        return Operate(command) if command is not None and command.name.lower() in view["commands"] else None

    def _order(self, view: Mapping[str, Any]) -> Action | None:
        number = len(self.ordered)
        recipe, quantity = RECIPES[number // 2 % 2], QUANTITIES[number % 4]
        if (view["recipe"] or {}).get("id") != recipe:
            return StartChangeover(recipe)
        return AddJob(f"job-{number + 1}", recipe, quantity)

    def _answer(self, question: Mapping[str, Any]) -> Action:
        """Go and see."""
        time.sleep(0.2)  # what is in work comes to its end
        seen = (self._records.entries(limit=10_000_000), self.truth())
        self.questions += 1
        return Recover(question["id"], answer(question["part"], question["kind"], question["choices"], seen=seen))

    def _submit(self, action: Action, within_s: float) -> None:
        """Ask; an order under an id of its own, the same until somebody answers."""
        id = f"request-{time.monotonic_ns()}"
        if isinstance(action, AddJob):
            self._open, id = action, f"add-{action.job}-{self._tries}"
        request = Request(id, action, "anna", "test")
        told = asked(self._control, encode_line({"submit": encode_request(request)}), within_s)
        if isinstance(action, AddJob) and told is not None:
            self._open = None
            if "receipt" in told:
                self._accepted = request
                self.ordered.append((action.recipe, action.quantity))
            else:
                self._tries += 1


def _confirmed(changeover: Mapping[str, Any]) -> Action | None:
    step = changeover["steps"][changeover["index"]] if changeover["index"] < len(changeover["steps"]) else None
    if step is None or not (changeover["failed"] or step["confirm"]):
        return None
    return ConfirmStep(changeover["index"], step["confirm"].removeprefix("scan ") if step["confirm"] != "tick" else "")
