"""What is said to a line device for an order, whoever carries the lines: a connection, or its model itself.

The rule kept here: a line that says no is a refusal, never a value.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

from cellctl.driver import Call, DriverError, Link, Outcome, Quality, Sample, Value, Write
from cellctl_drivers.serial.hearing import Hearing, value_in
from cellctl_drivers.serial.lines import Line
from cellctl_drivers.serial.profile import ANY_LINE, ANYTHING, Profile, Talk, Target
from cellctl_drivers.serial.templates import Match
from cellctl_drivers.wire.orders import OrderError, RefusalError, SilenceError
from cellctl_drivers.wire.verify import verify

_WHOLE = re.compile(r"[+-]?\d+")


class Conversation(ABC):
    """Identifies the device and performs orders. Who carries the lines fills in `_ask`, `_tell` and `_greeting`."""

    _profile: Profile
    _link: Link
    _hearing: Hearing

    @abstractmethod
    async def _ask(self, text: str, match: Match, *, lines: int = 1, timeout_s: float = 0.0) -> re.Match[str]:
        """The answer of so many lines that matches; RefusalError if the device says no, SilenceError if none comes."""

    @abstractmethod
    async def _tell(self, text: str) -> None:
        """Say what is not answered."""

    @abstractmethod
    async def _greeting(self) -> str:
        """What the device says when it is connected; SilenceError if it says nothing."""

    async def _identify(self) -> str:
        """The device's identity, "" if the profile knows none, once it is made ready; WrongDevice, or DriverError if it
        does not answer, or does not let itself be made ready."""
        try:
            identity = await self._named()
            self._hearing.trusted = True
            for talk in self._profile.prepare:
                await self._talk(talk, {})
            return identity
        except SilenceError as silence:
            raise DriverError(str(silence)) from silence
        except (RefusalError, OrderError) as refusal:
            raise DriverError(f"{self._profile.id} cannot be made ready: {refusal}") from refusal

    async def _named(self) -> str:
        if self._profile.identify is None:  # it is there if it answers, whatever it says
            for question in self._profile.questions()[:1]:
                with suppress(RefusalError):
                    await self._ask(question.text, ANYTHING.fullmatch, lines=question.lines)
            return ""
        ask, expectation = self._profile.identify
        if not ask:
            return expectation.check(self._profile.id, await self._greeting())
        try:
            answer = await self._ask(ask, ANYTHING.fullmatch)
        except RefusalError as refusal:
            raise expectation.refused(self._profile.id, refusal, ask) from refusal
        return expectation.check(self._profile.id, answer[0])

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
        line = (await self._ask(target.read, target.reply.fullmatch, lines=target.lines))[0]
        sample = sample_of(target, line, self._link.now())
        self._link.put([sample])
        return sample

    async def call(self, order: Call) -> Mapping[str, Value]:
        """Send a command; what its answer holds is the result."""
        talk = self._profile.commands.get(order.name)
        if talk is None:
            raise OrderError(Outcome.NOT_SENT, f"there is no command {order.name!r}")
        return await self._talk(talk, {**order.arguments, "token": order.token})

    async def _talk(self, talk: Talk, values: Mapping[str, Value]) -> Mapping[str, Value]:
        """Say it; what the answer holds."""
        texts = [text.fill(values) for text in talk.texts]
        if talk.reply is None:
            for text in texts:
                await self._tell(text)
            return {}
        answer = await self._ask(texts[0], talk.reply.match(values), lines=talk.lines, timeout_s=talk.within_s)
        return {name: value_of(found) for name, found in answer.groupdict().items() if found is not None}


class Answers:
    """Finds the answer to a question among the lines that come in: the first `lines` of them in a row that match when
    they are put together. RefusalError for a line that says no.

    An answer of one line, or a refusal, that fits a signal is heard as well. A question that takes any line for its
    answer takes none that is told unasked.
    """

    def __init__(self, profile: Profile, match: Match, lines: int = 1, *, hearing: Hearing | None = None) -> None:
        self._line, self._match, self._lines, self._hearing = profile.line, match, lines, hearing
        self._row: list[str] = []

    def take(self, text: str) -> re.Match[str] | None:
        """The answer, if it is complete with this line."""
        if refusal := refusal_of(self._line, text):
            if self._hearing is not None:
                self._hearing.hear(text)
            raise RefusalError(refusal)
        whole = len(self._row) == self._lines - 1
        found = self._match("\n".join([*self._row, text])) if whole else None
        is_heard = self._hearing is not None and self._hearing.hear(text)
        if found is not None and not (is_heard and found.re.pattern in ANY_LINE):
            return found
        if is_heard:
            return None
        self._row.append(text)
        if whole:
            passed = self._row.pop(0)
            if self._hearing is not None:
                self._hearing.strays.line(passed)
        return None


def sample_of(target: Target, line: str, now: int) -> Sample:
    """What the line of an answer means for a point."""
    match = target.reply.fullmatch(line)
    if match is None:
        return target.reading.bad(f"the device answers {line!r}, which has another form", now)
    return target.reading.sample(value_in(match), now)


def silent(profile: Profile, targets: Sequence[Target], now: int, reason: str) -> list[Sample]:
    """What it means for these points that the device does not answer; nothing, if its silence is a fault."""
    if not profile.may_be_silent:
        return []
    return [
        target.reading.bad(f"the device is silent: {reason}", now)
        if target.silence is None
        else Sample(target.reading.signal.id, target.silence, Quality.GOOD, now, now)
        for target in targets
    ]


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
