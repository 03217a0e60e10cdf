"""Texts with places to be filled in: ``PWR {value:.0f}``, ``FIRE {token} {time:.0f}``, ``SHOT {token} PEAK (...)``.

The rule kept here: only plain names can be filled in, and a template that cannot work is found before it is used.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import Formatter

from cellctl.driver import AddressError, Outcome, Value
from cellctl_drivers.wire.orders import OrderError
from cellctl_drivers.wire.settings import Where, compiled, nearest

#: In a pattern, {4} is a repetition and {name} a place.
_PLACE = re.compile(r"\{([A-Za-z_]\w*)\}")

#: Text that stands for itself in a pattern, and what would repeat the character before it.
_PLAIN = re.compile(r"[\w ,;:=/-]*")
_REPEATS = ("*", "+", "?", "{")


@dataclass(frozen=True, slots=True)
class Template:
    """A text to send; no value in it may hold one of the `reserved` characters."""

    text: str
    names: frozenset[str]
    reserved: str = ""

    def fill(self, values: Mapping[str, Value]) -> str:
        """The text with `values` in it; OrderError (not sent) if one is missing or of the wrong kind."""
        try:
            line = self.text.format_map(values)
        except KeyError as error:
            raise OrderError(Outcome.NOT_SENT, f"the argument {error.args[0]!r} is missing") from None
        except ValueError as error:
            raise OrderError(Outcome.NOT_SENT, f"{self.text!r} cannot be filled in: {error}") from None
        for name in self.names:
            if found := [sign for sign in self.reserved if sign in str(values[name])]:
                raise OrderError(Outcome.REFUSED, f"{name}: {found[0]!r} means something to the device")
        if not line.isprintable():
            raise OrderError(Outcome.REFUSED, f"{line!r} holds control characters")
        return line


def parse_template(text: str, where: Where, only: tuple[str, ...] = (), *, reserved: str = "") -> Template:
    """Parse `text`; with `only`, no other names may stand in it; `reserved` characters in none of the values."""
    names = set()
    try:
        for _, name, form, conversion in Formatter().parse(text):
            if name is None:
                continue
            if not name.isidentifier() or conversion:
                raise AddressError(f"{{{name}}}: only {{name}} or {{name:format}} can be filled in", where)
            if only and name not in only:
                raise AddressError(f"{{{name}}} is not known here{nearest(name, only)}", where)
            _try_format(form or "")
            names.add(name)
    except ValueError as error:
        if isinstance(error, AddressError):
            raise
        raise AddressError(f"{text!r} cannot be filled in: {error}", where) from None
    return Template(text, frozenset(names), reserved)


#: Finds out whether a line is the answer: its match, or None.
Match = Callable[[str], re.Match[str] | None]


@dataclass(frozen=True, slots=True)
class Reply:
    """A pattern that the answer must match as a whole.

    Where nothing but plain text stands before its only place, `rest` is the pattern of what follows, compiled once.
    """

    text: str
    rest: re.Pattern[str] | None = None

    def match(self, values: Mapping[str, Value]) -> Match:
        """What matches an answer with `values` in it."""

        def fill(place: re.Match[str]) -> str:
            return str(values.get(place[1], place[0]))

        rest, place = self.rest, _PLACE.search(self.text)
        if rest is None or place is None:
            return re.compile(_PLACE.sub(lambda place: re.escape(fill(place)), self.text)).fullmatch
        head = self.text[: place.start()] + fill(place)
        return lambda line: rest.fullmatch(line, len(head)) if line.startswith(head) else None


def parse_reply(text: str, where: Where) -> Reply:
    """Parse the pattern `text`."""
    compiled(_PLACE.sub("0", text), where)
    head, *rest = _PLACE.sub("\0", text).split("\0")
    plain = len(rest) == 1 and _PLAIN.fullmatch(head) and rest[0][:1] not in _REPEATS and "|" not in rest[0]
    return Reply(text, compiled(rest[0], where) if plain else None)


def _try_format(form: str) -> None:
    for sample in (1, 1.0, "x"):
        try:
            format(sample, form)
        except ValueError as error:
            problem = error
        else:
            return
    raise problem
