"""Links and their supervision: every order is answered once, nothing stale is sent, and no driver harms the cell."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from cellctl.core.messages import Alive, CommandClass, Done, LinkChanged, LinkState, Outcome, Samples
from cellctl.core.signal import Sample
from cellctl.driver import Device, DriverError, Link, WrongDevice
from cellctl.runtime import supervisor as supervisor_module
from cellctl.runtime.clock import Clock
from cellctl.runtime.inbox import Inbox
from cellctl.runtime.link import QUEUE_MAX, DeviceLink, Shared
from cellctl.runtime.logs import Logs
from cellctl.runtime.supervisor import Supervisor

from .doubles import SIGNALS, call, model, until, write

STOP = CommandClass.STOP
OVEN = model().devices["oven"]


@pytest.fixture
def inbox() -> Inbox:
    return Inbox(SIGNALS)


@pytest.fixture
def link(inbox: Inbox) -> DeviceLink:
    link = DeviceLink("oven", ["oven.temp", "oven.door"], Shared(Clock(), inbox))
    link.up("OV-2")
    inbox.take()
    return link


def answers(inbox: Inbox) -> list[tuple[int, Outcome]]:
    return [(item.id, item.outcome) for item in inbox.take() if isinstance(item, Done)]


async def test_orders_come_in_order_and_stops_first(link: DeviceLink, inbox: Inbox) -> None:
    link.send(write(1))
    link.send(write(2))
    assert (await link.order()).id == 1
    link.send(call(3, name="off", kind=STOP))
    link.send(write(4))
    assert [(await link.order()).id for _ in range(2)] == [3, 4]
    assert answers(inbox) == [(2, Outcome.NOT_SENT)]


async def test_the_latest_stop_of_a_kind_wins(link: DeviceLink, inbox: Inbox) -> None:
    for order in (write(1, kind=STOP), call(2, name="off", kind=STOP), write(3, kind=STOP)):
        link.send(order)
    assert {(await link.order()).id for _ in range(2)} == {2, 3}
    assert answers(inbox) == [(1, Outcome.NOT_SENT)], "it would have written another value"


async def test_equal_stops_are_sent_once_and_all_answered(link: DeviceLink, inbox: Inbox) -> None:
    for number in (1, 2, 3):
        link.send(call(number, name="off", kind=STOP))
    order = await link.order()
    assert order.id == 3
    link.done(order, Outcome.CONFIRMED)
    link.send(call(4, name="off", kind=STOP))
    link.send(call(5, name="off", kind=STOP))
    link.close("over")
    confirmed, lost = Outcome.CONFIRMED, Outcome.NOT_SENT
    assert answers(inbox) == [(1, confirmed), (2, confirmed), (3, confirmed), (4, lost), (5, lost)]


async def test_an_order_past_its_deadline_is_never_seen(link: DeviceLink, inbox: Inbox) -> None:
    link.send(write(1, until=link.now() - 1))
    link.send(write(2))
    assert (await link.order()).id == 2
    assert answers(inbox) == [(1, Outcome.NOT_SENT)]


async def test_the_queue_is_bounded(link: DeviceLink, inbox: Inbox) -> None:
    for number in range(QUEUE_MAX + 1):
        link.send(write(number))
    assert answers(inbox) == [(QUEUE_MAX, Outcome.NOT_SENT)]
    link.send(call(99, kind=STOP))
    assert (await link.order()).id == 99


async def test_at_the_end_waiting_orders_are_not_sent_and_handed_ones_unknown(link: DeviceLink, inbox: Inbox) -> None:
    for number in (1, 2, 3):
        link.send(write(number))
    first = await link.order()
    link.done(first, Outcome.CONFIRMED)
    await link.order()
    link.close("the cable is out")
    assert answers(inbox) == [(1, Outcome.CONFIRMED), (2, Outcome.UNKNOWN), (3, Outcome.NOT_SENT)]


async def test_a_closed_link_is_deaf(link: DeviceLink, inbox: Inbox) -> None:
    link.send(write(1))
    order = await link.order()
    link.close("over")
    inbox.take()
    link.put([Sample("oven.temp", 1)])
    link.alive()
    link.up("again")
    link.done(order, Outcome.CONFIRMED)
    assert inbox.take() == []
    link.send(write(2))
    assert answers(inbox) == [(2, Outcome.NOT_SENT)]


async def test_an_answer_counts_once_and_only_for_what_was_handed_out(link: DeviceLink, inbox: Inbox) -> None:
    link.send(write(1))
    order = await link.order()
    link.done(write(7), Outcome.CONFIRMED)
    link.done(order, Outcome.CONFIRMED, {"peak": 3})
    link.done(order, Outcome.REFUSED)
    assert inbox.take() == [Done(1, Outcome.CONFIRMED, {"peak": 3})]


async def test_a_forgotten_order_is_answered_unknown(link: DeviceLink, inbox: Inbox) -> None:
    link.send(write(1, until=link.now() + 5_000_000))
    await link.order()
    link.answer_overdue()
    assert answers(inbox) == []
    link._clock._offset_ns += 2_000_000_000
    link.answer_overdue()
    assert answers(inbox) == [(1, Outcome.UNKNOWN)]


async def test_a_driver_speaks_for_its_own_device_only(link: DeviceLink, inbox: Inbox) -> None:
    link.put([Sample("press.ready", True), Sample("oven.temp", 20.0)])
    before = link.now()
    link.alive()
    link.alive(["press.ready", "oven.temp"])
    samples, whole, part = inbox.take()
    assert samples == Samples((Sample("oven.temp", 20.0),))
    assert isinstance(whole, Alive)
    assert isinstance(part, Alive)
    assert (whole.device, whole.signals, part.device, part.signals) == ("oven", None, "oven", {"oven.temp"})
    assert before <= whole.time_ns <= part.time_ns <= link.now()


def test_devices_of_one_control_have_in_common_what_the_first_has_made(inbox: Inbox) -> None:
    one, other = Shared(Clock(), inbox), Shared(Clock(), inbox)
    oven, press, stranger = (DeviceLink(name, [], shared) for name, shared in (("a", one), ("b", one), ("c", other)))
    line = oven.common("line", lambda: ["made by the oven"])
    oven.close("lost")
    assert press.common("line", lambda: ["made by the press"]) is line
    assert press.common("another line", lambda: ["made by the press"]) == ["made by the press"]
    assert stranger.common("line", lambda: ["made by the stranger"]) == ["made by the stranger"]


Attempt = Callable[[Link], Coroutine[Any, Any, None]]


class Scripted:
    """A driver whose connections go as `attempts` say; the last one lasts."""

    def __init__(self, *attempts: Attempt) -> None:
        self.attempts = list(attempts)
        self.times: list[float] = []
        self.links: list[Link] = []

    async def run(self, link: Link) -> None:
        self.times.append(asyncio.get_running_loop().time())
        self.links.append(link)
        if len(self.times) <= len(self.attempts):
            await self.attempts[len(self.times) - 1](link)
        else:
            link.up()
            await asyncio.Event().wait()


async def supervised(driver: Scripted, inbox: Inbox, logs: Logs, connections: int) -> Supervisor:
    """Run until `driver` has been started `connections` times, then end."""
    supervisor = Supervisor(OVEN, driver, Shared(Clock(), inbox), logs.log)
    task = asyncio.create_task(supervisor.run())
    await until(lambda: len(driver.times) >= connections)
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    return supervisor


async def absent(link: Link) -> None:
    raise DriverError("The oven does not answer. Is it switched on?")


async def broken(link: Link) -> None:
    link.up()
    raise ZeroDivisionError


async def ends(link: Link) -> None:
    link.up()


async def cancels_itself(link: Link) -> None:
    raise asyncio.CancelledError


async def ends_the_process(link: Link) -> None:
    raise SystemExit(3)


async def wrong(link: Link) -> None:
    raise WrongDevice("This is an OV-3.")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "PAUSE_FIRST_S", 0.002)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("attempt", [broken, ends, cancels_itself, ends_the_process])
async def test_a_driver_that_fails_is_started_again(attempt: Attempt, inbox: Inbox, log: Logs) -> None:
    driver = Scripted(attempt)
    supervisor = await supervised(driver, inbox, log, 2)
    states = [item.state for item in inbox.take() if isinstance(item, LinkChanged)]
    assert supervisor.crashes == 1
    assert states[-2:] == [LinkState.LOST, LinkState.CONNECTED]
    assert states[0] is LinkState.CONNECTING


@pytest.mark.usefixtures("quick")
async def test_an_absent_device_is_told_once_and_no_crash(inbox: Inbox, log: Logs) -> None:
    supervisor = await supervised(Scripted(absent, absent, absent, wrong), inbox, log, 5)
    told = [(item.state, item.reason) for item in inbox.take() if isinstance(item, LinkChanged)]
    assert supervisor.crashes == 0
    assert told == [
        (LinkState.CONNECTING, ""),
        (LinkState.LOST, "The oven does not answer. Is it switched on?"),
        (LinkState.WRONG_DEVICE, "This is an OV-3."),
        (LinkState.CONNECTED, ""),
    ]


async def test_pauses_grow_to_their_limit(inbox: Inbox, log: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "PAUSE_FIRST_S", 0.02)
    monkeypatch.setattr(supervisor_module, "PAUSE_LONGEST_S", 0.08)
    driver = Scripted(*[absent] * 5)
    await supervised(driver, inbox, log, 6)
    pauses = [after - before for before, after in zip(driver.times, driver.times[1:], strict=False)]
    for pause, least in zip(pauses, (0.02, 0.04, 0.08, 0.08, 0.08), strict=True):
        assert least * 0.99 <= pause < least + 0.03


async def test_the_pause_is_short_again_after_a_good_connection(
    inbox: Inbox, log: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lasts(link: Link) -> None:
        link.up()
        await asyncio.sleep(0.02)
        raise DriverError("lost")

    monkeypatch.setattr(supervisor_module, "PAUSE_FIRST_S", 0.01)
    monkeypatch.setattr(supervisor_module, "STABLE_NS", 10_000_000)
    driver = Scripted(absent, absent, absent, lasts)
    await supervised(driver, inbox, log, 5)
    assert driver.times[4] - driver.times[3] < 0.02 + 0.01 + 0.03


@pytest.mark.usefixtures("quick")
async def test_a_late_callback_of_an_older_connection_is_ignored(inbox: Inbox, log: Logs) -> None:
    driver = Scripted(absent)
    await supervised(driver, inbox, log, 2)
    inbox.take()
    driver.links[0].put([Sample("oven.temp", 666.0)])
    driver.links[0].up()
    assert inbox.take() == []


async def test_a_driver_that_will_not_end_does_not_hold_the_end_up(
    inbox: Inbox, log: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = asyncio.Event()

    async def stubborn(link: Link) -> None:
        link.up()
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue

    monkeypatch.setattr(supervisor_module, "CLOSE_S", 0.05)
    began = asyncio.get_running_loop().time()
    await supervised(Scripted(stubborn), inbox, log, 1)
    assert asyncio.get_running_loop().time() - began < 1
    released.set()
    await asyncio.sleep(0.01)


async def test_orders_without_a_connection_are_not_sent(inbox: Inbox, log: Logs) -> None:
    supervisor = Supervisor(Device("oven", "test", "", {}), Scripted(), Shared(Clock(), inbox), log.log)
    supervisor.send(write(1))
    supervisor.send(call(2, kind=STOP))
    assert answers(inbox) == [(1, Outcome.NOT_SENT), (2, Outcome.NOT_SENT)]
