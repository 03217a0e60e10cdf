"""What a line device says without being asked: events of scanners and buttons, the greeting of a new connection.

The rule kept here: a line is heard when it fits a signal as a whole, and not before the device is known to be the right
one. Nothing is kept but what comes while the device is made ready: a line becomes samples at once, and is answered
after that if it has to be, or it is passed over and counted. A line that broke off is not the beginning of a later one.
"""

import re
from collections import deque
from collections.abc import Callable

from cellctl.driver import Link, Sample
from cellctl_drivers.serial.counting import framer_of
from cellctl_drivers.serial.framing import Strays
from cellctl_drivers.serial.profile import Profile
from cellctl_drivers.wire.orders import OrderError, SilenceError

#: So many lines are kept while a device is made ready; it is a matter of few questions.
_EARLY_MAX = 64


class Hearing:
    """Listens on one connection: `listen` to bytes, or `hear` line by line."""

    def __init__(self, profile: Profile, link: Link) -> None:
        self._profile, self._link = profile, link
        self.strays = Strays(profile.id)
        self.framer = framer_of(profile.line.framing, self.strays)
        self.say: Callable[[str], None] = lambda text: None  # what answers lines that are heard
        self.trusted = False  # the device is known to be the right one
        self._early: deque[str] | None = deque(maxlen=_EARLY_MAX)  # what was heard while it is made ready
        self.greeting: str | None = None  # the first line of a device that greets
        self._begun_ns = 0  # when the last bytes of a line came that has begun

    def listen(self, received: bytearray) -> None:
        """Take what nobody asked for out of `received`; the beginning of a line stays, if one may be heard."""
        if not self._profile.listens:
            self.strays.loose(bytes(received))
            received.clear()
            return
        now, begun = self._link.now(), self.framer.begun
        if begun and now - self._begun_ns > self._profile.line.timeout_s * 1e9:
            self.strays.loose(bytes(received[:begun]))
            del received[:begun]
            begun = 0
        if not begun or len(received) != begun:
            self._begun_ns = now
        while (text := self._next(received)) is not None:
            if not self.hear(text):
                self.strays.line(text)
        self.framer.begun = len(received)

    def hear(self, text: str) -> bool:
        """Whether the line is one that is told unasked; its signals then have its values."""
        if self._profile.greets and self.greeting is None:
            self.greeting = text
            return True
        samples = heard(self._profile, text, self._link.now())
        if samples and not self.trusted:
            self.strays.line(text)
        elif samples and self._early is not None:
            self._early.append(text)
        elif samples:
            self._link.put(samples)
            self.acknowledge(text)
        return bool(samples)

    def begin(self) -> None:
        """The device is made ready: from now on all is told, first what was heard meanwhile."""
        early, self._early = self._early or (), None
        for text in early:
            self.hear(text)

    def acknowledge(self, text: str) -> None:
        """Say what this line is to be answered with, now that it is told."""
        for answer in answers_to(self._profile, text):
            self.say(answer)

    def _next(self, received: bytearray) -> str | None:
        try:
            return self.framer.next(received)
        except SilenceError:  # a line that never ends, which is counted: the next one has a beginning
            return None


def heard(profile: Profile, text: str, now: int) -> list[Sample]:
    """The samples of the signals that hear this line; none if it is no line that is told unasked."""
    samples = []
    for target in profile.hearing:
        assert target.hear is not None
        if match := target.hear.fullmatch(text):
            samples.append(target.reading.sample(value_in(match), now))
    return samples


def answers_to(profile: Profile, text: str) -> list[str]:
    """What is said to a line that is heard: the same to all of its signals only once."""
    answers: dict[str, None] = {}
    for target in profile.hearing:
        assert target.hear is not None
        if target.answer is not None and (match := target.hear.fullmatch(text)):
            try:
                answer = target.answer.fill({name: found or "" for name, found in match.groupdict().items()})
                profile.line.request(answer)
            except OrderError:  # it would hold what cannot be sent: the device is not told that it was understood
                continue
            answers[answer] = None
    return list(answers)


def value_in(match: re.Match[str]) -> str:
    """The part of a line that is the value: its group of this name, or all of it."""
    return match["value"] if "value" in match.re.groupindex else match[0]
