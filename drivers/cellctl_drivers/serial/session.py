"""One connection to a line device.

The rule kept here: identified before anything is written; a line that is no answer to the question is passed over, and
a line that says no is a refusal, never a value.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from cellctl.driver import Call, DriverError, Link, Outcome, Sample, Value, Write, WrongDevice
from cellctl_drivers.serial.profile import ANYTHING, Line, Profile, Target, Watchdog
from cellctl_drivers.serial.templates import Match
from cellctl_drivers.wire.exchange import Exchange, Take
from cellctl_drivers.wire.orders import OrderError, RefusalError, SilenceError
from cellctl_drivers.wire.rounds import Job, Rounds
from cellctl_drivers.wire.verify import verify

_logger = logging.getLogger(__name__)

#: No answer of a device that speaks in lines is longer.
_LINE_BYTES_MAX = 4096

_WHOLE = re.compile(r"[+-]?\d+")


class Session:
    """What is done on one connection, from identification to its loss."""

    def __init__(self, profile: Profile, link: Link, exchange: Exchange) -> None:
        self._profile = profile
        self._link = link
        self._exchange = exchange

    async def run(self) -> None:
        """Identify the device, then read and perform orders until the connection is lost (DriverError)."""
        try:
            identity = await self._identify()
        except SilenceError as silence:
            raise DriverError(str(silence)) from silence
        self._link.up(identity)
        jobs = [Job(every, self._reader(ask, targets)) for (ask, every), targets in self._profile.questions().items()]
        if (watchdog := self._profile.watchdog) is not None:
            jobs.insert(0, Job(watchdog.every_ns, partial(self._feed, watchdog), urgent=True))
        await Rounds(self._link, jobs, self, self._exchange.lost).run()

    async def _ask(self, text: str, match: Match, timeout_s: float = 0.0) -> re.Match[str]:
        line = self._profile.line
        request = text.encode("latin-1", "replace") + line.end
        return await self._exchange.ask(request, taker(line, match), timeout_s or line.timeout_s)

    async def _identify(self) -> str:
        if self._profile.identify is None:
            await self._hear()
            return ""
        ask, expectation = self._profile.identify
        try:
            answer = await self._ask(ask, ANYTHING.fullmatch)
        except RefusalError as refusal:
            raise WrongDevice(
                f"{self._profile.id} is another device than expected: {refusal} ({ask}), wanted {expectation.text!r}"
            ) from refusal
        return expectation.check(self._profile.id, answer[0])

    async def _hear(self) -> None:
        """A device that has no identity is there if it answers, whatever it says."""
        for ask, _ in list(self._profile.questions())[:1]:
            with suppress(RefusalError):
                await self._ask(ask, ANYTHING.fullmatch)

    def _reader(self, ask: str, targets: Sequence[Target]) -> Callable[[], Awaitable[None]]:
        first = targets[0]

        async def read() -> None:
            try:
                line = (await self._ask(ask, first.reply.fullmatch))[0]
            except RefusalError as refusal:
                now = self._link.now()
                self._link.put([target.reading.bad(str(refusal), now) for target in targets])
                return
            now = self._link.now()
            self._link.put([sample_of(target, line, now) for target in targets])

        return read

    async def _feed(self, watchdog: Watchdog) -> None:
        try:
            await self._ask(watchdog.ask, watchdog.reply.fullmatch)
        except RefusalError as refusal:
            raise DriverError(f"{self._profile.id} does not take its watchdog: {refusal}") from refusal

    async def set(self, order: Write) -> Mapping[str, Value]:
        """Write a signal and read it back."""
        target = self._profile.targets.get(order.name)
        if target is None or target.write is None:
            raise OrderError(Outcome.NOT_SENT, f"{order.signal} cannot be written")
        text = target.write.fill({"value": target.reading.raw(order.value)})
        if target.ack is None:
            await self._tell(text)
        else:
            await self._ask(text, target.ack.fullmatch)
        return await verify(target.reading, order.value, partial(self._refresh, target))

    async def _refresh(self, target: Target) -> Sample:
        assert target.read is not None
        line = (await self._ask(target.read, target.reply.fullmatch))[0]
        sample = sample_of(target, line, self._link.now())
        self._link.put([sample])
        return sample

    async def call(self, order: Call) -> Mapping[str, Value]:
        """Send a command; what its answer holds is the result."""
        talk = self._profile.commands.get(order.name)
        if talk is None:
            raise OrderError(Outcome.NOT_SENT, f"there is no command {order.name!r}")
        values = {**order.arguments, "token": order.token}
        text = talk.text.fill(values)
        if talk.reply is None:
            await self._tell(text)
            return {}
        answer = await self._ask(text, talk.reply.match(values), talk.within_s)
        return {name: value_of(found) for name, found in answer.groupdict().items() if found is not None}

    async def _tell(self, text: str) -> None:
        await self._exchange.tell(text.encode("latin-1", "replace") + self._profile.line.end)


def taker(line: Line, match: Match) -> Take[re.Match[str]]:
    """What finds the line that is the answer (`match`) in the bytes received; RefusalError for a line that says no."""

    def take(received: bytearray) -> re.Match[str] | None:
        while (length := received.find(line.end)) >= 0:
            text = received[:length].decode("latin-1")
            del received[: length + len(line.end)]
            if refusal := refusal_of(line, text):
                raise RefusalError(refusal)
            if found := match(text):
                return found
            _logger.info("passed over an unexpected line: %.80r", text)
        if len(received) > _LINE_BYTES_MAX:
            raise SilenceError("what the device sends has no line end")
        return None

    return take


def sample_of(target: Target, line: str, now: int) -> Sample:
    """What the line of an answer means for a point."""
    match = target.reply.fullmatch(line)
    if match is None:
        return target.reading.bad(f"the device answers {line!r}, which has another form", now)
    return target.reading.sample(match["value"] if "value" in match.re.groupindex else line, now)


def refusal_of(line: Line, text: str) -> str:
    """Why the device says no, or "" if it does not."""
    error = None if line.error is None else line.error.fullmatch(text)
    if error is None:
        return ""
    code = error.groupdict().get("code")
    if code is None:
        return f"the device answers {error[0]!r}"
    return f"{line.errors.get(code, 'the device refuses')} ({error[0]})"


def value_of(text: str) -> Value:
    """A group of an answer: a number if it is one."""
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text
