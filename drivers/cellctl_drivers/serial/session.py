"""One connection to a line device.

The rule kept here: identified before anything is written; a line that is no answer to the question is passed over, and
a line that says no is a refusal, never a value.
"""

import re
from collections.abc import Awaitable, Callable
from functools import partial

from cellctl.driver import DriverError, Link
from cellctl_drivers.serial.conversation import Answers, Conversation, sample_of, silent
from cellctl_drivers.serial.framing import Framer
from cellctl_drivers.serial.hearing import Hearing
from cellctl_drivers.serial.profile import ANYTHING, Profile, Question, Watchdog
from cellctl_drivers.serial.templates import Match
from cellctl_drivers.wire.exchange import Exchange, Take
from cellctl_drivers.wire.line import Urgency
from cellctl_drivers.wire.orders import RefusalError, SilenceError
from cellctl_drivers.wire.rounds import Job, Rounds


class Session(Conversation):
    """What is done on one connection, from identification to its loss."""

    def __init__(self, profile: Profile, link: Link, hearing: Hearing, exchange: Exchange) -> None:
        self._profile, self._link = profile, link
        self._hearing, self._exchange = hearing, exchange
        exchange.silences_max = profile.silences_max
        hearing.say = lambda text: exchange.say(profile.line.request(text))

    async def run(self) -> None:
        """Identify the device, then read and perform orders until the connection is lost (DriverError)."""
        self._link.up(await self._identify())
        self._hearing.begin()
        jobs = [Job(question.every_ns, self._reader(question)) for question in self._profile.questions()]
        if (watchdog := self._profile.watchdog) is not None:
            jobs.insert(0, Job(watchdog.every_ns, partial(self._feed, watchdog), Urgency.WATCHDOG))
        await Rounds(self._link, jobs, self, self._exchange.lost).run()

    async def _ask(self, text: str, match: Match, *, lines: int = 1, timeout_s: float = 0.0) -> re.Match[str]:
        line = self._profile.line
        take = taker(self._hearing.framer, Answers(self._profile, match, lines, hearing=self._hearing))
        try:
            return await self._exchange.ask(line.request(text), take, timeout_s or line.timeout_s)
        except SilenceError:
            self._hearing.framer.forget()  # the rest of a line does not come any more
            raise

    async def _greeting(self) -> str:
        """It may have come before anybody waits for it."""
        if self._hearing.greeting is None:
            take = taker(self._hearing.framer, Answers(self._profile, ANYTHING.fullmatch))
            found = await self._exchange.ask(b"", take, self._profile.line.timeout_s)
            return found[0]
        return self._hearing.greeting

    def _reader(self, question: Question) -> Callable[[], Awaitable[None]]:
        match, targets = question.targets[0].reply.fullmatch, question.targets

        async def read() -> None:
            try:
                text = (await self._ask(question.text, match, lines=question.lines))[0]
            except RefusalError as refusal:
                now = self._link.now()
                self._link.put([target.reading.bad(str(refusal), now) for target in targets])
                return
            except SilenceError as silence:
                self._link.put(silent(self._profile, targets, self._link.now(), str(silence)))
                raise
            now = self._link.now()
            self._link.put([sample_of(target, text, now) for target in targets])

        return read

    async def _feed(self, watchdog: Watchdog) -> None:
        try:
            await self._ask(watchdog.ask, watchdog.reply.fullmatch)
        except RefusalError as refusal:
            raise DriverError(f"{self._profile.id} does not take its watchdog: {refusal}") from refusal

    async def _tell(self, text: str) -> None:
        await self._exchange.tell(self._profile.line.request(text))


def taker(framer: Framer, answers: Answers) -> Take[re.Match[str]]:
    """What finds the answer in the bytes received; RefusalError for a line that says no."""

    def take(received: bytearray) -> re.Match[str] | None:
        while (text := framer.next(received)) is not None:
            if found := answers.take(text):
                return found
        return None

    return take
