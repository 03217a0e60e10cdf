"""A double of a device: it answers one line in the device's place, and then is gone; the device hears nothing of it."""

from collections.abc import Mapping
from copy import deepcopy

from cellctl.driver import Value
from cellctl_simulators.wire import Ask, Lines
from cellctl_simulators.world import Model

#: So many updates a double gets until it has answered.
_UPDATES_MAX = 100


def _silent(ask: Ask) -> None:
    """A double has none."""


def answer_of_double(model: Model, line: str, now_ns: int, inputs: Mapping[str, Value]) -> tuple[int, list[str]]:
    """What the device would reply to `line` at `now_ns`, and when (ns of its world); none if it would be silent."""
    assert isinstance(model.wire, Lines)
    double = deepcopy(model, {id(model.wire.double): _silent, id(model.wire.mask): None})
    assert isinstance(double.wire, Lines)
    ask = double.wire.ask(line)
    at_ns, due_ns = now_ns, double.update(now_ns, inputs).call_at_ns
    for _ in range(_UPDATES_MAX):
        if due_ns is None or ask.replies:
            break
        at_ns, due_ns = due_ns, double.update(due_ns, inputs).call_at_ns
    return at_ns, ask.replies
