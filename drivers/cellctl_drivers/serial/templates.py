"""Texts with places to be filled in: ``PWR {value:.0f}``, ``FIRE {token} {time:.0f}``, ``SHOT {token} PEAK (...)``.

The rule kept here: only plain names can be filled in, and a template that cannot work is found before it is used.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter

from cellctl.driver import AddressError, Outcome, Value
from cellctl_drivers.wire.orders import OrderError
from cellctl_drivers.wire.settings import Where, compiled, nearest

#: In a pattern, {4} is a repetition and {name} a place.
_PLACE = re.compile(r"\{([A-Za-z_]\w*)\}")


@dataclass(frozen=True, slots=True)
class Template:
    """A text to send."""

    text: str
    names: frozenset[str]

    def fill(self, values: Mapping[str, Value]) -> str:
        """The text with `values` in it; OrderError (not sent) if one is missing or of the wrong kind."""
        try:
            line = self.text.format_map(values)
        except KeyError as error:
            raise OrderError(Outcome.NOT_SENT, f"the argument {error.args[0]!r} is missing") from None
        except ValueError as error:
            raise OrderError(Outcome.NOT_SENT, f"{self.text!r} cannot be filled in: {error}") from None
        if not line.isprintable():
            raise OrderError(Outcome.REFUSED, f"{line!r} holds control characters")
        return line


def parse_template(text: str, where: Where, only: tuple[str, ...] = ()) -> Template:
    """Parse `text`; with `only`, no other names may stand in it."""
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
    return Template(text, frozenset(names))


@dataclass(frozen=True, slots=True)
class Reply:
    """A pattern that the answer must match as a whole."""

    text: str

    def pattern(self, values: Mapping[str, Value]) -> re.Pattern[str]:
        """The pattern with `values` in it."""
        return re.compile(_PLACE.sub(lambda place: re.escape(str(values.get(place[1], place[0]))), self.text))


def parse_reply(text: str, where: Where) -> Reply:
    """Parse the pattern `text`."""
    compiled(_PLACE.sub("0", text), where)
    return Reply(text)


def _try_format(form: str) -> None:
    for sample in (1, 1.0, "x"):
        try:
            format(sample, form)
        except ValueError as error:
            problem = error
        else:
            return
    raise problem
