"""A line device without its line: what would be sent is asked of its model, what the model replies is the answer."""

import asyncio
import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cellctl.driver import Contact, Device, Link, Sample
from cellctl_drivers.serial.conversation import Answers, Conversation, refusal_of, sample_of, silent
from cellctl_drivers.serial.hearing import Hearing, heard
from cellctl_drivers.serial.profile import ANY_LINE, Profile, Question
from cellctl_drivers.serial.templates import Match
from cellctl_drivers.wire.direct import Direct, Look, Plan, reached
from cellctl_drivers.wire.orders import RefusalError, SilenceError

#: So many of the last lines that need no answer may have one all the same, which is heard.
_TOLD_MAX = 16

#: What is acknowledged may bring the next line at once, so many times in a row.
_AT_ONCE_MAX = 64

#: What was told last, when the device was silent.
_SILENCE = object()


class Ask(Protocol):
    """A line that was put to the model, with the lines that it has replied so far."""

    replies: list[str]


class Lines(Protocol):
    """What a simulated device that speaks in lines takes, and what it says by itself."""

    @property
    def greeting(self) -> str:
        """What it says to a new connection; "": nothing."""

    @property
    def said_count(self) -> int:
        """How many lines it has said that nobody asked for."""

    def said_since(self, count: int) -> list[str]:
        """Those that came after so many."""

    def ask(self, text: str) -> Ask:
        """Let a line come in."""


@dataclass(slots=True)
class Ends:
    """What the looks and the orders of one connection share: both its ends, and how often in a row the far one was
    silent; to a device to which silence is a state that may happen for a while."""

    profile: Profile
    lines: Lines
    hearing: Hearing
    told: deque[Ask] = field(default_factory=lambda: deque(maxlen=_TOLD_MAX))  # what nobody waits for an answer to
    lose: Callable[[str], None] | None = None
    silences: int = 0

    def unanswered(self, timeout_s: float) -> str:
        """One more question stayed without an answer: the reason in words."""
        self.silences += 1
        reason = f"no answer from {self.profile.id} within {timeout_s * 1e3:.0f} ms"
        if self.profile.may_be_silent and self.silences > self.profile.silences_max and self.lose is not None:
            self.lose(f"{reason} ({self.silences} times in a row)")
        return reason


class DirectSerial(Conversation):
    """The driver of one line device that is touched directly."""

    def __init__(self, device: Device, contact: Contact) -> None:
        self._device, self._profile = device, Profile(device)
        self._contact = contact
        self._lines: Lines = contact.wire
        self._heard: asyncio.Future[None] | None = None

    async def run(self, link: Link) -> None:
        """One connection, until it is lost (DriverError)."""
        profile, self._link, self._lines = self._profile, link, self._contact.wire
        self._hearing = Hearing(profile, link)
        self._hearing.say = self._say
        self._ends = Ends(profile, self._lines, self._hearing)
        # On a line, each silence is followed by one more time-out in which the line is left alone.
        timeout_s = profile.line.timeout_s
        misses = 2 * (profile.silences_max + 1) if profile.silences_max else 1
        await reached(self._device, self._contact, timeout_s * misses)
        told = _ToldLook(self._ends, self._contact)
        link.up(await self._identify())
        self._hearing.begin()
        looks: list[Look] = [_QuestionLook(question, self._ends) for question in profile.questions()]
        looks += [told] if profile.hearing else []
        beats = () if profile.watchdog is None else ((profile.watchdog.every_ns, self._feed),)
        direct = Direct(self._device, link, self._contact, Plan(looks, self, timeout_s, misses, beats))
        self._ends.lose = direct.lose
        end_watch = self._contact.watch(told.miss)
        try:
            await direct.run()
        finally:
            end_watch()

    def heard(self) -> None:
        """The device did something: it may have answered."""
        if self._heard is not None and not self._heard.done():
            self._heard.set_result(None)

    def _say(self, text: str) -> None:
        self._lines.ask(text)

    def _feed(self) -> None:
        assert self._profile.watchdog is not None
        self._lines.ask(self._profile.watchdog.ask)

    async def _tell(self, text: str) -> None:
        self._profile.line.request(text)  # what could not be sent on a line is not sent here either
        self._ends.told.append(self._lines.ask(text))
        self._contact.settle()

    async def _greeting(self) -> str:
        if not self._lines.greeting:
            raise SilenceError(f"{self._profile.id} says nothing when it is connected")
        return self._lines.greeting

    async def _ask(self, text: str, match: Match, *, lines: int = 1, timeout_s: float = 0.0) -> re.Match[str]:
        self._profile.line.request(text)
        answers = Answers(self._profile, match, lines, hearing=self._hearing)
        timeout_s = timeout_s or self._profile.line.timeout_s
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        said_count, ask = self._lines.said_count, self._lines.ask(text)
        self._contact.settle()
        while True:
            for line in _taken(ask):
                self._ends.silences = 0
                if found := answers.take(line):
                    return found
            if found := self._overheard(self._lines.said_since(said_count), match):
                return found
            if loop.time() >= end_s:
                raise SilenceError(self._ends.unanswered(timeout_s))
            self._heard = loop.create_future()
            in_vain = loop.call_at(end_s, self.heard)
            try:
                await self._heard
            finally:
                in_vain.cancel()

    def _overheard(self, lines: Sequence[str], match: Match) -> re.Match[str] | None:
        """The answer among what the device says to everybody; whoever asks for any line means none of these."""
        for line in lines:
            if refusal := refusal_of(self._profile.line, line):
                raise RefusalError(refusal)
            if (found := match(line)) and found.re.pattern not in ANY_LINE:
                return found
        return None


class _QuestionLook:
    """One question that is put again and again, and the points that its answer holds."""

    is_open = False

    def __init__(self, question: Question, ends: Ends) -> None:
        self.every_ns = question.every_ns
        self.signals = [target.reading.signal.id for target in question.targets]
        self._question, self._ends = question, ends
        self._ask: Ask | None = None  # that is not answered yet
        self._asked_ns = 0
        self._told: object = None

    def differs(self) -> bool:
        """Nobody knows without asking."""
        return True

    def ask(self) -> None:
        """Put it, unless its answer is still waited for."""
        if self._ask is None:
            self._ask, self._asked_ns = self._ends.lines.ask(self._question.text), 0
            match = self._question.targets[0].reply.fullmatch
            self._answers = Answers(self._ends.profile, match, self._question.lines, hearing=self._ends.hearing)

    def answer(self, now: int) -> Sequence[Sample]:
        """The samples of an answer that is another than the last one, or of silence."""
        assert self._ask is not None
        targets = self._question.targets
        for text in _taken(self._ask):
            try:
                found = self._answers.take(text)
            except RefusalError as refusal:
                return self._new(str(refusal), [target.reading.bad(str(refusal), now) for target in targets])
            if found:
                return self._new(found[0], [sample_of(target, found[0], now) for target in targets])
        self._asked_ns = self._asked_ns or now
        timeout_s = self._ends.profile.line.timeout_s
        if now - self._asked_ns < timeout_s * 1e9:
            return ()
        self._ask = None
        reason = self._ends.unanswered(timeout_s)
        known, self._told = self._told is _SILENCE, _SILENCE
        return () if known else silent(self._ends.profile, targets, now, reason)

    def _new(self, text: str, samples: Sequence[Sample]) -> Sequence[Sample]:
        """The samples, if they come of another answer than the last one."""
        self._ask, self._ends.silences = None, 0
        known, self._told = self._told == text, text
        return () if known else samples


class _ToldLook:
    """What the device says without being asked: it is there at once."""

    every_ns = 1_000_000
    is_open = False
    signals: Sequence[str] = ()  # that nothing was said does not mean that anything still holds

    def __init__(self, ends: Ends, contact: Contact) -> None:
        self._ends, self._contact = ends, contact
        self._count = ends.lines.said_count

    def miss(self) -> None:
        """What is said while nothing passes is lost."""
        if self._contact.trouble:
            self._taken()

    def differs(self) -> bool:
        """Whether something was said."""
        return self._ends.lines.said_count != self._count or any(ask.replies for ask in self._ends.told)

    def ask(self) -> None:
        """Nobody asks."""

    def answer(self, now: int) -> Sequence[Sample]:
        """The samples of all that was said, and of what comes because it is answered."""
        samples: list[Sample] = []
        for _ in range(_AT_ONCE_MAX):
            if not (texts := self._taken()):
                break
            samples += [sample for text in texts for sample in heard(self._ends.profile, text, now)]
            for text in texts:
                self._ends.hearing.acknowledge(text)
            self._contact.settle()
        return samples

    def _taken(self) -> list[str]:
        lines = self._ends.lines
        texts, self._count = lines.said_since(self._count), lines.said_count
        return texts + [text for ask in self._ends.told for text in _taken(ask)]


def _taken(ask: Ask) -> list[str]:
    replies, ask.replies = ask.replies, []
    return replies
