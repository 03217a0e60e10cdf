"""From a raw value of the wire to a sample, and from a wanted value to a raw one.

The rule kept here: every reading of every protocol goes through `Reading.sample`, and nothing leaves it as good that is
no number, outside its range, or a value by which the device says "fault".
"""

import math
from collections.abc import Mapping

from cellctl.driver import AddressError, Outcome, Point, Quality, Sample, Signal, Value
from cellctl_drivers.wire.orders import OrderError

_WORDS: Mapping[str, bool] = {
    "1": True,
    "on": True,
    "true": True,
    "yes": True,
    "0": False,
    "off": False,
    "false": False,
    "no": False,
}

#: Written and read values count as equal within this part of the value: a float32 on the wire has no more digits.
_ROUNDING = 1e-6


class Reading:
    """The decoding of one point, and its last value: it is kept when a reading turns out to be bad."""

    def __init__(self, point: Point, equals: Value | None = None) -> None:
        self.point = point
        self.signal = point.signal
        self._equals = equals
        self._last: Value | None = None
        # x / 10 is the decimal that a person expects, x * 0.1 is not.
        inverse = round(1 / point.scale) if 0 < abs(point.scale) < 1 else 0
        self._divisor = inverse if inverse and math.isclose(1 / point.scale, inverse, rel_tol=1e-12) else 0
        self._plain = point.scale == 1 and point.offset == 0
        if point.scale == 0:
            raise AddressError("a scale of 0 makes every value 0", ("signals", self.signal.name, "scale"))
        if self.signal.verify is not None and point.write is not None and point.read is None:
            raise AddressError("there is no `read` to verify with", ("signals", self.signal.name, "verify"))

    def sample(self, raw: Value, now: int, *, time_ns: int = 0) -> Sample:
        """The sample that the raw value means; `time_ns` is the source's own time, if it tells one."""
        try:
            raw = _number(raw, self.signal)
            if raw in self.point.bad_if and not isinstance(raw, bool):
                return self.bad(f"the device reports {raw!r}, which means a fault", now)
            value = self._value(raw)
        except ValueError as error:
            return self.bad(str(error), now)
        self._last = value
        problem = outside(self.signal, value)
        return Sample(self.signal.id, value, Quality.BAD if problem else Quality.GOOD, time_ns or now, now, problem)

    def bad(self, reason: str, now: int) -> Sample:
        """The last value, marked bad."""
        return Sample(self.signal.id, self._last, Quality.BAD, now, now, reason)

    def raw(self, value: Value) -> Value:
        """What to put on the wire for `value`; OrderError (refused) if it may not be written."""
        signal = self.signal
        if isinstance(value, float) and not math.isfinite(value):
            raise OrderError(Outcome.REFUSED, f"{value} is not a number that can be written")
        if (isinstance(value, str) != (signal.type == "text")) or (isinstance(value, bool) != (signal.type == "bool")):
            raise OrderError(Outcome.REFUSED, f"{value!r} is not of type {signal.type}")
        if problem := outside(signal, value):
            raise OrderError(Outcome.REFUSED, problem)
        if isinstance(value, str | bool) or self._plain:
            return value
        shifted = value - self.point.offset
        return shifted * self._divisor if self._divisor else shifted / self.point.scale

    def confirms(self, wanted: Value, sample: Sample) -> bool:
        """Whether `sample`, read after writing `wanted`, shows that it took effect (within `verify`)."""
        read = sample.value
        if sample.quality is Quality.BAD or read is None:
            return False
        if isinstance(wanted, str | bool) or isinstance(read, str | bool):
            return read == wanted
        return abs(read - wanted) <= (self.signal.verify or 0.0) + _ROUNDING * max(1.0, abs(wanted))

    def _value(self, raw: Value) -> Value:
        if self._equals is not None:
            return raw == self._equals
        match self.signal.type:
            case "bool":
                return _truth(raw)
            case "text":
                return str(raw)
        number = float(raw) if self.signal.type == "float" else raw
        assert not isinstance(number, str)
        if not self._plain:
            number = (number / self._divisor if self._divisor else number * self.point.scale) + self.point.offset
        if not math.isfinite(number):
            raise ValueError(f"the device reports {number}, which is not a number")
        return float(number) if self.signal.type == "float" else round(number)


def outside(signal: Signal, value: Value) -> str:
    """Why `value` is not credible, or ""."""
    if isinstance(value, str | bool):
        return ""
    if (signal.low is not None and value < signal.low) or (signal.high is not None and value > signal.high):
        low = "" if signal.low is None else f"{signal.low:g}"
        high = "" if signal.high is None else f"{signal.high:g}"
        return f"{value:g} {signal.unit}".rstrip() + f" is outside {low}..{high}"
    return ""


def _number(raw: Value, signal: Signal) -> Value:
    """A text that should be a number, as that number."""
    if signal.type not in ("int", "float") or not isinstance(raw, str):
        return raw
    try:
        return int(raw)
    except ValueError:
        pass
    try:
        return float(raw)
    except ValueError:
        raise ValueError(f"the device reports {raw!r}, which is not a number") from None


def _truth(raw: Value) -> bool:
    if not isinstance(raw, str):
        return bool(raw)
    try:
        return _WORDS[raw.strip().lower()]
    except KeyError:
        raise ValueError(f"the device reports {raw!r}, which is neither on nor off") from None
