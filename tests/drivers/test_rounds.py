"""The reading rounds: absolute times, orders in between, nothing lost."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio

import pytest

from cellctl.driver import Call, DriverError, Outcome, Value, Write
from cellctl.testing import VirtualLoop
from cellctl_drivers.wire.line import Urgency
from cellctl_drivers.wire.orders import SilenceError
from cellctl_drivers.wire.rounds import Job, Rounds

from .recording import RecordingLink, until

MS = 1_000_000


class Performed:
    """Carries orders out by writing them down."""

    def __init__(self, log: list[str], takes_s: float = 0.0) -> None:
        self._log = log
        self._takes_s = takes_s

    async def set(self, order: Write) -> dict[str, Value]:
        self._log.append(f"begin {order.name}")
        await asyncio.sleep(self._takes_s)
        self._log.append(f"end {order.name}")
        return {}

    async def call(self, order: Call) -> dict[str, Value]:
        raise SilenceError("nobody answers")


async def _for(rounds: Rounds, seconds: float) -> None:
    task = asyncio.create_task(rounds.run())
    await asyncio.sleep(seconds)
    assert not task.done(), task.exception()
    task.cancel()
    await asyncio.wait((task,))


def lost() -> asyncio.Future[str]:
    return asyncio.get_running_loop().create_future()


class VirtualLink(RecordingLink):
    """Its time is that of a loop whose clock jumps."""

    def now(self) -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        return loop.utc_ns()


def test_readings_neither_drift_nor_bunch() -> None:
    times: dict[str, list[float]] = {"a": [], "b": []}

    async def main() -> None:
        link = VirtualLink()
        start = link.now()

        def job(name: str, takes_s: float) -> Job:
            async def run() -> None:
                times[name].append((link.now() - start) / MS)
                await asyncio.sleep(takes_s)

            return Job(20 * MS, run)

        await _for(Rounds(link, [job("a", 0.004), job("b", 0.0)], Performed([]), lost()), 0.65)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())
    begin = times["b"][0]  # both have been read once
    assert times["a"][1:] == pytest.approx([begin + 10 + 20 * n for n in range(len(times["a"]) - 1)], abs=0.1)
    assert times["b"][1:] == pytest.approx([begin + 20 + 20 * n for n in range(len(times["b"]) - 1)], abs=0.1)
    assert min(len(seen) for seen in times.values()) >= 32


async def test_an_order_goes_before_the_next_reading(link: RecordingLink) -> None:
    log: list[str] = []

    async def read() -> None:
        log.append("read")
        await asyncio.sleep(0.01)

    task = asyncio.create_task(Rounds(link, [Job(1 * MS, read)] * 1, Performed(log, 0.03), lost()).run())
    await until(lambda: log.count("read") >= 3)
    before = log.count("read")
    orders = [link.write("x", 1), link.write("y", 1)]
    await link.answer(orders[-1])
    task.cancel()
    await asyncio.wait((task,))
    log = log[: log.index("end y") + 1]
    assert log.index("begin x") + 1 == log.index("end x")
    assert log.index("begin y") + 1 == log.index("end y")
    assert log.index("begin x") <= before + 1
    assert log[log.index("end x") :].count("read") <= 1


async def test_what_keeps_a_device_alive_all_the_time_lets_others_in_between(link: RecordingLink) -> None:
    """On a slow line an output that is renewed every 10 ms could never be switched off."""
    log: list[str] = []

    def slow(name: str, *, urgent: bool = True) -> Job:
        async def run() -> None:
            log.append(name)
            await asyncio.sleep(0.02)

        return Job(10 * MS, run, Urgency.RENEWAL if urgent else Urgency.READING)

    jobs = [slow("a"), slow("b"), slow("read", urgent=False)]
    task = asyncio.create_task(Rounds(link, jobs, Performed(log), lost()).run())
    await until(lambda: log.count("read") > 2)
    assert (await link.set("x", 1)).outcome is Outcome.CONFIRMED
    assert (await link.set("y", 1)).outcome is Outcome.CONFIRMED
    task.cancel()
    await asyncio.wait((task,))
    kept = [each for each in log if each in ("a", "b")]
    assert abs(kept.count("a") - kept.count("b")) <= 1, "both have their turns"
    assert len(kept) >= 2 * log.count("read") - 2, "and both before something else"


async def test_an_order_goes_before_what_is_held(link: RecordingLink) -> None:
    log: list[str] = []

    async def renew() -> None:
        log.append("renew")
        await asyncio.sleep(0.02)

    jobs = [Job(10 * MS, renew, Urgency.RENEWAL) for _ in range(8)]
    task = asyncio.create_task(Rounds(link, jobs, Performed(log), lost()).run())
    await until(lambda: len(log) > 10)
    before = len(log)
    orders = [link.write(f"x{number}", 1) for number in range(3)]
    for order in orders:
        await link.answer(order)
    task.cancel()
    await asyncio.wait((task,))
    assert log[before:].count("renew") <= len(orders), "but the one that is being written when an order comes"


async def test_what_is_urgent_goes_before_orders(link: RecordingLink) -> None:
    log: list[str] = []

    async def feed() -> None:
        log.append("feed")

    task = asyncio.create_task(
        Rounds(link, [Job(10 * MS, feed, Urgency.WATCHDOG)], Performed(log, 0.011), lost()).run()
    )
    orders = [link.write(f"x{number}", 1) for number in range(8)]
    await link.answer(orders[-1])
    task.cancel()
    await asyncio.wait((task,))
    assert log.count("feed") >= 7


async def test_a_reading_without_answer_is_no_loss_and_an_order_is_unknown(link: RecordingLink) -> None:
    async def read() -> None:
        raise SilenceError("nobody answers")

    task = asyncio.create_task(Rounds(link, [Job(5 * MS, read)], Performed([]), lost()).run())
    answer = await link.answer(link.call("go"))
    assert (answer.outcome, answer.reason) == (Outcome.UNKNOWN, "nobody answers")
    assert not task.done()
    task.cancel()
    await asyncio.wait((task,))


async def test_a_loss_is_noticed_while_nothing_is_due(link: RecordingLink) -> None:
    gone = lost()
    task = asyncio.create_task(Rounds(link, [], Performed([]), gone).run())
    await asyncio.sleep(0.01)
    gone.set_result("it fell off the table")
    with pytest.raises(DriverError, match="it fell off the table"):
        await asyncio.wait_for(task, 0.1)


async def test_an_order_that_was_taken_but_not_begun_is_not_sent(link: RecordingLink) -> None:
    async def read() -> None:
        await asyncio.sleep(0.05)
        raise DriverError("gone")

    task = asyncio.create_task(Rounds(link, [Job(MS, read)], Performed([]), lost()).run())
    await asyncio.wait((task,))  # the first round comes before any order
    assert task.exception() is not None

    calls = 0

    async def read_once_more() -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            await asyncio.sleep(0.05)
            raise DriverError("gone")

    task = asyncio.create_task(Rounds(link, [Job(MS, read_once_more)], Performed([]), lost()).run())
    await until(lambda: calls == 2)
    order = link.write("x", 1)
    await asyncio.wait((task,))
    assert (await link.answer(order)).outcome is Outcome.NOT_SENT
