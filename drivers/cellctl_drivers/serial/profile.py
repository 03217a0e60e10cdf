"""Everything that can be known of a line device before it is connected.

The rule kept here: all texts, patterns and settings are parsed and checked at once, without pyserial and without I/O.

The profile language: ``line:`` says what stands around each line (see `lines`); its `error` is the pattern of a line
that says no (its group ``code`` is looked up in `errors`) and `ack` the pattern of the answer to every ``write:``
(none: a write has no answer). A signal has ``read:`` with an optional ``reply:`` pattern, whose group ``value`` is the
value (none: the whole line), and ``write:`` with ``{value}``. A command has ``ask:`` with an optional ``reply:``, whose
groups are its results, and ``within:`` if its answer takes longer than `timeout`; or ``send:``, a line or a list of
them, which has no answer. ``prepare:`` is a list of such talks, for each connect. An answer of several ``lines:`` is
put together before its pattern is applied. A signal may ``hear:`` a pattern in what the device says by itself, and give
it an ``answer:``, and ``identify:`` without ``ask`` expects the greeting of a new connection. Where ``silence: is a
state``, or a signal says what ``silence: {means:}``, up to ``silent_max`` questions in a row may stay without an
answer. No value that is sent may hold one of the ``reserved:`` characters.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from cellctl.driver import AddressError, Command, Device, Point, Value
from cellctl_drivers.serial.lines import parse_line
from cellctl_drivers.serial.templates import Reply, Template, parse_reply, parse_template
from cellctl_drivers.wire.endpoint import Endpoint, Tcp, parse_tcp, parse_tty, scheme_of
from cellctl_drivers.wire.expectation import Expectation
from cellctl_drivers.wire.reading import Reading
from cellctl_drivers.wire.settings import Section, Where, compiled

_SCHEMES = ("serial", "tcp")
_BAUD = 9600
#: No answer of a device has more lines.
_LINES_MAX = 32
#: So many questions in a row stay without an answer until a device to which silence is a state counts as gone.
_SILENT_MAX = 8
#: Any line.
ANYTHING = re.compile(r"(?s:.*)")
#: How that is written.
ANY_LINE = (".*", ANYTHING.pattern)


@dataclass(frozen=True, slots=True)
class Target:
    """One point: the question and the pattern of its answer, what writes it, the pattern of what tells it unasked with
    what is said to it then, and its value while the device is silent."""

    reading: Reading
    read: str | None
    reply: re.Pattern[str]
    write: Template | None
    ack: re.Pattern[str] | None
    lines: int = 1
    hear: re.Pattern[str] | None = None
    answer: Template | None = None
    silence: Value | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked again and again, the lines of its answer, and the points that it holds."""

    text: str
    every_ns: int
    lines: int
    targets: list[Target]


@dataclass(frozen=True, slots=True)
class Talk:
    """What is said for a command, or at each connect: lines, and the answer to wait for (None: there is none)."""

    texts: Sequence[Template]
    reply: Reply | None
    within_s: float
    lines: int = 1


@dataclass(frozen=True, slots=True)
class Watchdog:
    """A question asked every `every_ns` to keep the device running."""

    ask: str
    reply: re.Pattern[str]
    every_ns: int


class Profile:
    """One line device; AddressError for whatever cannot be used."""

    def __init__(self, device: Device) -> None:
        settings = Section(device.settings, ("line",))
        self.id = device.id
        self.endpoint = _endpoint(device.address)
        self.line = parse_line(settings)
        self.min_pause_s = settings.duration("min_pause", "0 ms") / 1e9
        ack = settings.pattern("ack")
        self._reserved = settings.text("reserved", "")
        silence = settings.choice("silence", "is a fault", ("is a fault", "is a state"))
        silent_max = settings.integer("silent_max", _SILENT_MAX, (1, 1000))
        prepare = settings.take("prepare") or []
        settings.close()
        self.targets = {name: _target(point, ack, self._reserved) for name, point in device.points.items()}
        #: Whether a device that does not answer tells something by it.
        self.may_be_silent = silence == "is a state" or any(each.silence is not None for each in self.targets.values())
        usual_max = 0 if isinstance(self.endpoint, Tcp) else 1
        #: How many questions in a row may stay without an answer before the connection counts as lost.
        self.silences_max = silent_max if self.may_be_silent else usual_max
        self.hearing = [target for target in self.targets.values() if target.hear is not None]
        self.commands = {name: self._command(command) for name, command in device.commands.items()}
        self.prepare = self._preparing(prepare, settings)
        self.identify = _identify(device.identify)
        self.watchdog = _watchdog(device.watchdog)
        self._check()

    @property
    def greets(self) -> bool:
        """Whether the device says what it is when it is connected."""
        return self.identify is not None and not self.identify[0]

    @property
    def listens(self) -> bool:
        """Whether the device says something that it was not asked for."""
        return bool(self.hearing) or self.greets

    def questions(self) -> "list[Question]":
        """What is asked, how often, and the points that each answer holds."""
        questions: dict[tuple[str, int, int], Question] = {}
        for target in self.targets.values():
            if target.read is not None:
                key = (target.read, target.reading.point.every_ns, target.lines)
                questions.setdefault(key, Question(*key, [])).targets.append(target)
        return list(questions.values())

    def _command(self, command: Command) -> Talk:
        return self._talk(Section(command.options, ("commands", command.name)))

    def _preparing(self, told: object, settings: Section) -> list[Talk]:
        """What is said at each connect, once the device is identified."""
        listed = told if isinstance(told, list | tuple) else [told]
        talks = []
        for number, each in enumerate(listed):
            where = (*settings.at("prepare"), number) if isinstance(told, list | tuple) else settings.at("prepare")
            if not isinstance(each, Mapping):
                raise AddressError("write {ask: LINE, reply: PATTERN}, or {send: LINE}", where)
            talks.append(self._talk(Section(each, where)))
            if any(text.names for text in talks[-1].texts):
                raise AddressError("nobody is there who could fill this in", where)
        return talks

    def _talk(self, options: Section) -> Talk:
        asks = "ask" in options
        key = "ask" if asks else "send"
        if asks == ("send" in options):
            raise AddressError("either `ask` (with an answer) or `send` (without)", options.at("ask"))
        told = options.take(key)
        lines_told = told if isinstance(told, list) and told and not asks else [options.text(key)]
        texts = [parse_template(str(line), options.at(key), reserved=self._reserved) for line in lines_told]
        pattern = parse_reply(options.text("reply", ".*"), options.at("reply")) if asks else None
        within_s = options.duration("within", f"{self.line.timeout_s} s") / 1e9
        lines = options.integer("lines", 1, (1, _LINES_MAX)) if asks else 1
        options.close()
        return Talk(texts, pattern, within_s, lines)

    def _check(self) -> None:
        """AddressError for what cannot be sent, whatever it is filled with."""
        asked: list[tuple[str, Where]]
        asked = [(target.read, ("signals", name, "read")) for name, target in self.targets.items() if target.read]
        asked += [(self.identify[0], ("identify", "ask"))] if self.identify and self.identify[0] else []
        asked += [(self.watchdog.ask, ("watchdog", "ask"))] if self.watchdog else []
        for text, where in asked:
            self.line.check(text, where)
        for number, talk in enumerate(self.prepare):
            for line in talk.texts:
                self.line.check(line.text.format(), ("line", "prepare", number))
        writes = ((target.write, ("signals", name, "write")) for name, target in self.targets.items())
        answers = ((target.answer, ("signals", name, "answer")) for name, target in self.targets.items())
        for template, where in chain(writes, answers):
            if template is not None and (not template.text or not template.text.isprintable()):
                raise AddressError(f"{template.text!r} is not one line of printable characters", where)


def _endpoint(address: str) -> Endpoint:
    endpoint, query = parse_tty(address, baud=_BAUD) if scheme_of(address, _SCHEMES) == "serial" else parse_tcp(address)
    query.close()
    return endpoint


def _target(point: Point, ack: re.Pattern[str] | None, reserved: str) -> Target:
    options = Section(point.options, ("signals", point.signal.name))
    reply, hear = options.pattern("reply"), options.pattern("hear")
    ack = options.pattern("ack") or ack
    equals = options.text("equals") if "equals" in options else None
    lines = options.integer("lines", 1, (1, _LINES_MAX))
    answer = _answer(options, hear)
    silence = _meant(options, point.signal.type)
    options.close()
    for key, pattern in (("reply", reply), ("hear", hear)):
        if pattern is not None and "value" not in pattern.groupindex:
            raise AddressError("the pattern needs a group (?P<value>...)", options.at(key))
    if equals is not None and point.signal.type != "bool":
        raise AddressError("`equals` makes a bool: the signal's type must be bool", options.at("equals"))
    write = None
    if point.write:
        write = parse_template(point.write, options.at("write"), only=("value",), reserved=reserved)
    return Target(Reading(point, equals), point.read, reply or ANYTHING, write, ack, lines, hear, answer, silence)


def _answer(options: Section, hear: re.Pattern[str] | None) -> Template | None:
    """What is said to a line that is heard; it may hold groups of the line."""
    if "answer" not in options:
        return None
    if hear is None:
        raise AddressError("only what is heard is answered: `hear` is missing", options.at("answer"))
    return parse_template(options.text("answer"), options.at("answer"), only=tuple(hear.groupindex))


def _meant(options: Section, kind: str) -> Value | None:
    """The value that a signal has while the device is silent; None: none."""
    told = options.take("silence")
    if told is None:
        return None
    if not isinstance(told, Mapping):
        raise AddressError("silence means a value: silence: {means: VALUE}", options.at("silence"))
    section = Section(told, options.at("silence"))
    value = section.take("means")
    section.close()
    kinds = {"bool": (bool,), "int": (int,), "float": (int, float), "text": (str,)}[kind]
    if not isinstance(value, kinds) or (kind != "bool" and isinstance(value, bool)):
        raise AddressError(f"{value!r} is no value of a signal of type {kind}", section.at("means"))
    assert isinstance(value, bool | int | float | str)
    return value


def _identify(identify: Mapping[str, object] | None) -> tuple[str, Expectation] | None:
    """What is asked ("": nothing, the device greets), and what must be said."""
    if identify is None:
        return None
    section = Section(identify, ("identify",))
    ask = section.text("ask", "")
    expectation = Expectation(section)
    section.close()
    return ask, expectation


def _watchdog(watchdog: Mapping[str, object] | None) -> Watchdog | None:
    if watchdog is None:
        return None
    section = Section(watchdog, ("watchdog",))
    ask = section.text("ask")
    reply = compiled(section.text("reply", ".*"), section.at("reply"))
    every_ns = section.duration("every", "1 s")
    section.close()
    if every_ns == 0:
        raise AddressError("a watchdog needs a period", section.at("every"))
    return Watchdog(ask, reply, every_ns)
