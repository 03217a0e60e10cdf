"""What leads to the safe side is owed until the device has confirmed it."""

from typing import Any

import pytest

from cellctl.core.messages import CommandClass, Write
from cellctl.core.packml import Command, State
from cellctl.core.phase import phase
from tests.core.bench import Bench, confirm, equipment, never, refuse


@phase(station="s1")
async def burn(c):
    async with c.safe(c.laser.off):
        await c.laser.power.set(100)
        await c.sleep("20 s")


def burning() -> Bench:
    bench = Bench(equipment(burn))
    bench.produce(seconds=0.5)
    return bench


def offs(bench: Bench) -> int:
    return len(bench.sent("laser.off"))


def test_a_device_that_was_away_is_made_safe_as_soon_as_it_is_back() -> None:
    bench = burning()
    bench.answers["laser.off"] = refuse  # what the link says of a device that is not there
    bench.lose("laser")
    bench.until(State.HELD, 3)
    sent = offs(bench)
    bench.advance(5)
    assert offs(bench) == sent, "nothing is sent to a device that is not there"
    bench.answers["laser.off"] = confirm
    bench.back("laser")
    assert offs(bench) == sent + 1
    assert bench.sent("laser.off")[-1].command_class is CommandClass.STOP
    bench.advance(5)
    assert offs(bench) == sent + 1, "it has confirmed"
    assert bench.cell.safe_side.wake_at is None


def test_a_device_that_does_not_confirm_is_told_again_and_again_and_people_are_told_once() -> None:
    bench = burning()
    bench.answers["laser.off"] = refuse
    bench.fire(Command.STOP)
    bench.until(State.STOPPED)
    sent = offs(bench)
    bench.advance(3.5)
    assert offs(bench) == sent + 3
    assert len(bench.noted("safe.unconfirmed")) == 1
    assert ("unsafe", "The laser has not confirmed laser.off") in [(one.kind, one.text) for one in bench.view().why]
    assert bench.cell.wake_at <= bench.now + 1_000_000_000
    bench.answers["laser.off"] = confirm
    bench.advance(1.5)
    assert "unsafe" not in [one.kind for one in bench.view().why]


def test_a_safe_value_is_owed_like_a_safe_command() -> None:
    bench = burning()
    bench.answers["plc.horn"] = refuse
    bench.fire(Command.STOP)
    bench.until(State.STOPPED)
    assert list(bench.cell.safe_side.owed) == ["plc.horn"]
    sent = len(bench.sent("plc.horn"))
    bench.advance(1.1)
    again = bench.sent("plc.horn")[sent:]
    assert [(order.value, order.command_class) for order in again if isinstance(order, Write)] == [
        (False, CommandClass.STOP)
    ]


def test_a_newer_order_takes_the_place_of_what_is_owed() -> None:
    bench = burning()
    bench.answers["laser.off"] = refuse
    bench.fire(Command.HOLD)
    bench.until(State.HELD, 4)
    assert list(bench.cell.safe_side.owed) == ["laser.off"]
    sent = offs(bench)
    bench.fire(Command.UNHOLD)
    bench.until(State.EXECUTE)
    bench.advance(3)
    assert list(bench.cell.safe_side.owed) == []
    assert offs(bench) == sent


@pytest.mark.parametrize("answer", [never, refuse])
def test_the_state_goes_on_although_something_is_owed(answer: Any) -> None:
    bench = burning()
    bench.answers["laser.off"] = answer
    bench.fire(Command.ABORT)
    bench.until(State.ABORTED, 3)
