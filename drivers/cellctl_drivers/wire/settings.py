"""Reading a section of a profile key by key.

The rule kept here: every key is asked for by somebody; one that nobody asked for is a mistake and is told with its path
and the nearest key that exists.
"""

import difflib
import re
from collections.abc import Mapping

from cellctl.driver import AddressError, UnitError, duration_ns

Where = tuple[str | int, ...]

#: Keys of a row that say where it comes from; they mean nothing to a driver.
_REMARKS = frozenset({"source", "confidence", "text"})


class Section:
    """The keys of one mapping of a profile; every wrong value is an AddressError with the path of its key."""

    def __init__(self, values: Mapping[str, object], where: Where) -> None:
        self._values = values
        self._where = where
        self._known: dict[str, None] = {}

    def __contains__(self, key: str) -> bool:
        self._known[key] = None
        return self._values.get(key) is not None

    def at(self, key: str) -> Where:
        """The path of `key`."""
        return (*self._where, key)

    def take(self, key: str) -> object | None:
        """Whatever stands under `key`."""
        self._known[key] = None
        return self._values.get(key)

    def text(self, key: str, default: str | None = None) -> str:
        """The text under `key`; a number is taken as it is written."""
        value = self.take(key)
        if value is None:
            if default is None:
                raise AddressError(f"{key!r} is missing", self._where)
            return default
        if isinstance(value, Mapping | list) or value is True or value is False:
            raise AddressError(f"{value!r} is not a text", self.at(key))
        return str(value)

    def choice(self, key: str, default: str, options: tuple[str, ...]) -> str:
        """One of `options`."""
        value = self.text(key, default)
        if value not in options:
            raise AddressError(f"{value!r} cannot be chosen here{nearest(value, options)}", self.at(key))
        return value

    def integer(self, key: str, default: int, bounds: tuple[int, int]) -> int:
        """A whole number within `bounds`."""
        value = self.text(key, str(default))
        try:
            number = int(value, 0)
        except ValueError:
            raise AddressError(f"{value!r} is not a whole number", self.at(key)) from None
        if not bounds[0] <= number <= bounds[1]:
            raise AddressError(f"{number} is outside {bounds[0]}..{bounds[1]}", self.at(key))
        return number

    def flag(self, key: str) -> bool:
        """Whether `key` is true; false if it is not there."""
        value = self.take(key)
        if not isinstance(value, bool | None):
            raise AddressError(f"{value!r} is neither true nor false", self.at(key))
        return bool(value)

    def duration(self, key: str, default: str) -> int:
        """A length of time as written in the files (``"500 ms"``), in ns."""
        try:
            return duration_ns(self.text(key, default))
        except UnitError as error:
            raise AddressError(str(error), self.at(key)) from None

    def pattern(self, key: str) -> re.Pattern[str] | None:
        """A regular expression, or None when the key is not there."""
        return compiled(self.text(key), self.at(key)) if key in self else None

    def close(self) -> None:
        """Nothing more is asked for: what is left over is an error."""
        for key in self._values:
            if key not in self._known and key not in _REMARKS and not str(key).startswith("x-"):
                raise AddressError(
                    f"the key {key!r} is not known here{nearest(str(key), tuple(self._known))}", self.at(str(key))
                )


def compiled(text: str, where: Where) -> re.Pattern[str]:
    """A regular expression of a profile; AddressError if it is none."""
    try:
        return re.compile(text)
    except re.error as error:
        raise AddressError(f"{text!r} is not a pattern: {error}", where) from None


def nearest(word: str, known: tuple[str, ...]) -> str:
    """The end of an error message: what was meant, as far as that can be guessed."""
    if close := difflib.get_close_matches(word, known, n=1, cutoff=0.6):
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(known)}" if known else ""
