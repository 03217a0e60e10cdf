"""What a device must say to be the expected one.

The rule kept here: nothing is written to a device that said something else.
"""

from cellctl.driver import AddressError, Value, WrongDevice
from cellctl_drivers.wire.settings import Section, compiled


class Expectation:
    """The `expect:` of an `identify:` section: a number, a range ``A..B``, or for texts a pattern."""

    def __init__(self, section: Section) -> None:
        self.text = section.text("expect")
        self._bounds = _bounds(self.text)
        self._pattern = compiled(self.text, section.at("expect"))
        if self._bounds is not None and self._bounds[0] > self._bounds[1]:
            raise AddressError(f"{self.text!r} holds no number", section.at("expect"))

    def refused(self, device: str, why: Exception, asked: object) -> WrongDevice:
        """What it means that the device does not answer what only the expected one has to."""
        return WrongDevice(f"{device} is another device than expected: {why} ({asked}), wanted {self.text!r}")

    def check(self, device: str, found: Value) -> str:
        """The identity as a text; WrongDevice if `found` is not what is expected."""
        if isinstance(found, str):
            right = self._pattern.fullmatch(found) is not None
        else:
            right = self._bounds is not None and self._bounds[0] <= found <= self._bounds[1]
        if not right:
            raise WrongDevice(f"{device} is another device than expected: it says {found!r}, wanted {self.text!r}")
        return str(found)


def _bounds(text: str) -> tuple[int, int] | None:
    low, separator, high = text.partition("..")
    try:
        return int(low, 0), int(high if separator else low, 0)
    except ValueError:
        return None
