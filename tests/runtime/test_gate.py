"""What may leave when: journal before effect, and stop wins."""

import pytest

from cellctl.core.messages import CommandClass, Done, Effect, Entry, Order, Outcome, Receipt, Reply
from cellctl.runtime.gate import Gate, Ways

from .doubles import call, write

NOTE = Entry("note", {})


class Ends:
    """A gate whose ways all lead into lists."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.answers: list[object] = []
        self.done: list[Done] = []
        self.gate = Gate(Ways(self.orders.append, self.answers.append, self.done.append))

    @property
    def sent(self) -> list[int]:
        return [order.id for order in self.orders]


@pytest.mark.parametrize("kind", [CommandClass.PULSE, CommandClass.BLOCK])
def test_a_pulse_and_a_block_wait_for_the_disk(kind: CommandClass) -> None:
    ends = Ends()
    ends.gate.put([NOTE, call(1, kind=kind)], 7)
    ends.gate.committed(6)
    assert ends.sent == []
    ends.gate.committed(7)
    assert ends.sent == [1]


@pytest.mark.parametrize("kind", [CommandClass.LEVEL, CommandClass.JOG, CommandClass.STOP])
def test_what_may_be_repeated_does_not_wait(kind: CommandClass) -> None:
    ends = Ends()
    ends.gate.put([NOTE, write(1, kind=kind)], 7)
    assert ends.sent == [1]


def test_what_was_decided_after_a_pulse_stays_behind_it() -> None:
    ends = Ends()
    ends.gate.put([call(1), write(2)], 7)
    ends.gate.put([write(3, signal="press.force")], 9)
    assert ends.sent == []
    ends.gate.committed(8)
    assert ends.sent == [1, 2, 3]


def test_an_answer_waits_for_the_entries_of_its_turn() -> None:
    ends = Ends()
    answer: list[Effect] = [NOTE, Reply(Receipt("r1"))]
    ends.gate.put(answer, 3)
    assert ends.answers == []
    ends.gate.committed(3)
    assert ends.answers == [Receipt("r1")]


def test_a_stop_leaves_at_once_and_withdraws_what_waits_for_its_device() -> None:
    ends = Ends()
    ends.gate.put([call(1), call(2, device="press"), write(3), Reply(Receipt("r1"))], 7)
    ends.gate.put([call(4, name="off", kind=CommandClass.STOP)], 8)
    assert ends.sent == [4]
    assert [(done.id, done.outcome) for done in ends.done] == [(1, Outcome.NOT_SENT), (3, Outcome.NOT_SENT)]
    ends.gate.committed(8)
    assert ends.sent == [4, 2]
    assert ends.answers == [Receipt("r1")]


def test_after_a_commit_nothing_waits_that_is_on_disk_already() -> None:
    ends = Ends()
    ends.gate.committed(7)
    ends.gate.put([call(1)], 7)
    assert ends.sent == [1]
