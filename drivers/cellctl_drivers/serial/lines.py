"""The line of a device: what stands around what is said, how long an answer may take, and what one that says no is.

The rule kept here: what stands around a line is no part of it, neither its signs nor the number that says how long it
is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cellctl.driver import AddressError
from cellctl_drivers.serial.framing import Framing, Length
from cellctl_drivers.wire.orders import OrderError
from cellctl_drivers.wire.settings import Section, Where

#: A length stands near the beginning of a line.
_AT_MAX = 64
_DIGITS_MAX, _BYTES_MAX = 8, 4


@dataclass(frozen=True, slots=True)
class Line:
    """What stands around lines that come and go, how long an answer may take, and what one that says no looks like."""

    framing: Framing
    said: Framing
    timeout_s: float
    error: re.Pattern[str] | None
    errors: Mapping[str, str] = field(default_factory=dict)

    def request(self, text: str) -> bytes:
        """What is sent for a line; OrderError (not sent) if it cannot be."""
        return self.said.around(text.encode("latin-1", "replace"))

    def check(self, text: str, where: Where) -> None:
        """AddressError for a text that is not one line to be sent."""
        if not text or not text.isprintable():
            raise AddressError(f"{text!r} is not one line of printable characters", where)
        try:
            self.request(text)
        except OrderError as error:
            raise AddressError(str(error), where) from None


def parse_line(settings: Section) -> Line:
    """``{start, end, send_start, send_end, length, timeout, error, errors}``."""
    length = _length(settings)
    framing = Framing(_sign(settings, "end", "" if length else "\n"), _sign(settings, "start", ""), length)
    end, start = (_sign(settings, f"send_{key}", getattr(framing, key).decode("latin-1")) for key in ("end", "start"))
    errors = settings.take("errors") or {}
    if not framing.end and not length:
        raise AddressError("a line needs an end, or a length", settings.at("end"))
    if not isinstance(errors, Mapping):
        raise AddressError("`errors` gives a text for each code", settings.at("errors"))
    timeout_s = settings.duration("timeout", "1 s") / 1e9
    texts = {str(code): str(text) for code, text in errors.items()}
    return Line(framing, replace(framing, end=end, start=start), timeout_s, settings.pattern("error"), texts)


def _sign(settings: Section, key: str, default: str) -> bytes:
    """What stands before or after a line."""
    text = settings.text(key, default)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise AddressError(f"{text!r} is more than bytes can hold", settings.at(key)) from None


def _length(settings: Section) -> Length | None:
    """``{at: 0, digits: 4}`` or ``{at: 2, bytes: 2, byte_order: lsb}``, with `more` that it does not count."""
    told = settings.take("length")
    if told is None:
        return None
    where = settings.at("length")
    if not isinstance(told, Mapping):
        raise AddressError("write where the length stands: length: {at: 0, digits: 4}", where)
    section = Section(told, where)
    binary = "bytes" in section
    if binary == ("digits" in section):
        raise AddressError("a length is so many `digits`, or so many `bytes`", where)
    at = section.integer("at", 0, (0, _AT_MAX))
    size = section.integer("bytes", 1, (1, _BYTES_MAX)) if binary else section.integer("digits", 1, (1, _DIGITS_MAX))
    more = section.integer("more", 0, (-_AT_MAX, _AT_MAX))
    if not binary and "byte_order" in section:
        raise AddressError("digits have no byte order", section.at("byte_order"))
    lsb = section.choice("byte_order", "msb", ("msb", "lsb")) == "lsb"
    section.close()
    return Length(at, size, binary, lsb, more)
