"""The inbox: order is kept, overload thins samples only, and an edge is not lost."""

import pytest

from cellctl.core.messages import Alive, Done, LinkChanged, LinkState, Operate, Outcome, Request, Samples, Tick
from cellctl.core.packml import Command
from cellctl.core.signal import Quality, Sample, Signal
from cellctl.runtime.inbox import Inbox

SIGNALS = {
    "a.x": Signal("a.x", "float"),
    "a.door": Signal("a.door", "bool", latch="falling"),
    "a.pulse": Signal("a.pulse", "bool", latch="rising"),
}


def sample(signal: str, value: object, quality: Quality = Quality.GOOD) -> Samples:
    return Samples((Sample(signal, value, quality),))  # type: ignore[arg-type]


def told(inbox: Inbox) -> list[tuple[str, object]]:
    return [(one.signal, one.value) for item in inbox.take() if isinstance(item, Samples) for one in item.samples]


async def test_everything_comes_out_once_and_in_order() -> None:
    inbox = Inbox(SIGNALS)
    lost = LinkChanged("a", LinkState.LOST)
    for item in (sample("a.x", 1), sample("a.x", 2), lost, sample("a.x", 3), Tick()):
        inbox.put(item)
    first, *rest = inbox.take()
    assert isinstance(first, Samples)
    assert [one.value for one in first.samples] == [1, 2]
    assert rest == [lost, sample("a.x", 3), Tick()]
    assert inbox.take() == []


async def test_under_overload_the_newest_of_each_signal_stays() -> None:
    inbox = Inbox(SIGNALS, samples_max=10)
    for number in range(1000):
        inbox.put(sample("a.x", number))
    values = told(inbox)
    assert values[-1] == ("a.x", 999)
    assert len(values) <= 11
    assert inbox.thinned == 1000 - len(values)


async def test_requests_answers_and_link_changes_are_never_thinned() -> None:
    inbox = Inbox(SIGNALS, samples_max=3)
    kept = [
        item
        for number in range(20)
        for item in (
            Request(f"r{number}", Operate(Command.HOLD)),
            Done(number, Outcome.CONFIRMED),
            LinkChanged("a", LinkState.LOST, str(number)),
        )
    ]
    for item in kept:
        for number in range(5):
            inbox.put(sample("a.x", number))
        inbox.put(item)
    taken = inbox.take()
    assert [item for item in taken if not isinstance(item, Samples)] == kept
    assert sum(len(item.samples) for item in taken if isinstance(item, Samples)) < 300


@pytest.mark.parametrize(("signal", "edge"), [("a.door", False), ("a.pulse", True)])
async def test_a_latched_edge_survives_thinning(signal: str, edge: bool) -> None:
    inbox = Inbox(SIGNALS, samples_max=4)
    inbox.put(sample(signal, not edge))
    inbox.put(sample(signal, edge))
    for _ in range(20):
        inbox.put(sample(signal, not edge))
    values = told(inbox)
    assert (signal, edge) in values
    assert values[-1] == (signal, not edge)


async def test_a_bad_sample_is_no_edge() -> None:
    inbox = Inbox(SIGNALS, samples_max=4)
    inbox.put(sample("a.door", False, Quality.BAD))
    for _ in range(20):
        inbox.put(sample("a.door", True))
    assert set(told(inbox)) == {("a.door", True)}


async def test_samples_do_not_move_across_a_link_change() -> None:
    inbox = Inbox(SIGNALS, samples_max=4)
    for number in range(10):
        inbox.put(sample("a.x", number))
    inbox.put(LinkChanged("a", LinkState.LOST))
    for number in range(10, 20):
        inbox.put(sample("a.x", number))
    before, change, after = inbox.take()
    assert isinstance(before, Samples)
    assert isinstance(after, Samples)
    assert (before.samples[-1].value, change, after.samples[-1].value) == (9, LinkChanged("a", LinkState.LOST), 19)


async def test_of_the_signs_of_life_of_a_turn_the_newest_since_the_last_change_counts() -> None:
    inbox = Inbox(SIGNALS)
    lost = LinkChanged("a", LinkState.LOST)
    some = frozenset({"a.x"})
    for item in (Alive("a", 1), Alive("b", 2), Alive("a", 3, some), lost, Alive("a", 4), Alive("a", 5, some)):
        inbox.put(item)
    inbox.put(Alive("a", 6))
    assert inbox.take() == [lost, Alive("b", 2), Alive("a", 6), Alive("a", 5, some)]
    assert inbox.take() == []


def test_the_bell_is_rung_until_it_is_heard() -> None:
    rung: list[object] = []

    def ring(item: object) -> bool:
        rung.append(item)
        return item != Alive("a", 1)

    inbox = Inbox(SIGNALS, ring=ring)
    for item in (Alive("a", 1), Tick(), LinkChanged("a", LinkState.LOST)):
        inbox.put(item)
    assert rung == [Alive("a", 1), Tick()]
    inbox.take()
    inbox.put(Tick())
    assert rung[2:] == [Tick()]
