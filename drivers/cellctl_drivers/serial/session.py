"""One connection to a line device.

The rule kept here: identified before anything is written; a line that is no answer to the question is passed over, and
a line that says no is a refusal, never a value.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from cellctl.driver import DriverError, Link
from cellctl_drivers.serial.conversation import Conversation, refusal_of, sample_of
from cellctl_drivers.serial.profile import Line, Profile, Target, Watchdog
from cellctl_drivers.serial.templates import Match
from cellctl_drivers.wire.exchange import Exchange, Take
from cellctl_drivers.wire.orders import RefusalError, SilenceError
from cellctl_drivers.wire.rounds import Job, Rounds

_logger = logging.getLogger(__name__)

#: No answer of a device that speaks in lines is longer.
_LINE_BYTES_MAX = 4096


class Session(Conversation):
    """What is done on one connection, from identification to its loss."""

    def __init__(self, profile: Profile, link: Link, exchange: Exchange) -> None:
        self._profile = profile
        self._link = link
        self._exchange = exchange

    async def run(self) -> None:
        """Identify the device, then read and perform orders until the connection is lost (DriverError)."""
        self._link.up(await self._identify())
        jobs = [Job(every, self._reader(ask, targets)) for (ask, every), targets in self._profile.questions().items()]
        if (watchdog := self._profile.watchdog) is not None:
            jobs.insert(0, Job(watchdog.every_ns, partial(self._feed, watchdog), urgent=True))
        await Rounds(self._link, jobs, self, self._exchange.lost).run()

    async def _ask(self, text: str, match: Match, timeout_s: float = 0.0) -> re.Match[str]:
        line = self._profile.line
        request = text.encode("latin-1", "replace") + line.end
        return await self._exchange.ask(request, taker(line, match), timeout_s or line.timeout_s)

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
