"""Units of measurement: one table, exact conversion, and the text form of a quantity.

The rule kept here: a number in a file carries its unit, and a unit is converted, never dropped.
"""

import math
import re
from dataclasses import dataclass

# symbol -> (dimension, factor to the dimension's first unit, offset to it); SI prefixes where the field uses them.
_TABLE: dict[str, tuple[str, float, float]] = {
    "": ("number", 1.0, 0.0),
    "%": ("ratio", 0.01, 0.0),
    "ns": ("time", 1e-9, 0.0),
    "us": ("time", 1e-6, 0.0),
    "ms": ("time", 1e-3, 0.0),
    "s": ("time", 1.0, 0.0),
    "min": ("time", 60.0, 0.0),
    "h": ("time", 3600.0, 0.0),
    "d": ("time", 86400.0, 0.0),
    "um": ("length", 1e-6, 0.0),
    "mm": ("length", 1e-3, 0.0),
    "cm": ("length", 1e-2, 0.0),
    "m": ("length", 1.0, 0.0),
    "in": ("length", 0.0254, 0.0),
    "mm/s": ("speed", 1e-3, 0.0),
    "m/s": ("speed", 1.0, 0.0),
    "m/min": ("speed", 1 / 60, 0.0),
    "mrad": ("angle", 1e-3, 0.0),
    "rad": ("angle", 1.0, 0.0),
    "deg": ("angle", math.pi / 180, 0.0),
    "rpm": ("rotation", 1.0, 0.0),
    "g": ("mass", 1e-3, 0.0),
    "kg": ("mass", 1.0, 0.0),
    "t": ("mass", 1e3, 0.0),
    "N": ("force", 1.0, 0.0),
    "kN": ("force", 1e3, 0.0),
    "Nm": ("torque", 1.0, 0.0),
    "cNm": ("torque", 1e-2, 0.0),
    "Pa": ("pressure", 1.0, 0.0),
    "kPa": ("pressure", 1e3, 0.0),
    "MPa": ("pressure", 1e6, 0.0),
    "mbar": ("pressure", 1e2, 0.0),
    "bar": ("pressure", 1e5, 0.0),
    "psi": ("pressure", 6894.757293168361, 0.0),
    "K": ("temperature", 1.0, 0.0),
    "degC": ("temperature", 1.0, 273.15),
    "degF": ("temperature", 5 / 9, 459.67 * 5 / 9),
    "mV": ("voltage", 1e-3, 0.0),
    "V": ("voltage", 1.0, 0.0),
    "kV": ("voltage", 1e3, 0.0),
    "uA": ("current", 1e-6, 0.0),
    "mA": ("current", 1e-3, 0.0),
    "A": ("current", 1.0, 0.0),
    "mOhm": ("resistance", 1e-3, 0.0),
    "Ohm": ("resistance", 1.0, 0.0),
    "kOhm": ("resistance", 1e3, 0.0),
    "MOhm": ("resistance", 1e6, 0.0),
    "GOhm": ("resistance", 1e9, 0.0),
    "mW": ("power", 1e-3, 0.0),
    "W": ("power", 1.0, 0.0),
    "kW": ("power", 1e3, 0.0),
    "VA": ("apparent power", 1.0, 0.0),
    "kVA": ("apparent power", 1e3, 0.0),
    "var": ("reactive power", 1.0, 0.0),
    "J": ("energy", 1.0, 0.0),
    "kJ": ("energy", 1e3, 0.0),
    "Wh": ("energy", 3600.0, 0.0),
    "kWh": ("energy", 3.6e6, 0.0),
    "MWh": ("energy", 3.6e9, 0.0),
    "Hz": ("frequency", 1.0, 0.0),
    "kHz": ("frequency", 1e3, 0.0),
    "ml": ("volume", 1e-6, 0.0),
    "l": ("volume", 1e-3, 0.0),
    "m3": ("volume", 1.0, 0.0),
    "l/min": ("flow", 1e-3 / 60, 0.0),
    "m3/h": ("flow", 1 / 3600, 0.0),
    "pcs": ("pieces", 1.0, 0.0),
    "pcs/h": ("rate", 1.0, 0.0),
    "kgCO2e": ("carbon", 1.0, 0.0),
    "kgCO2e/kWh": ("carbon intensity", 1.0, 0.0),
}
UNITS = frozenset(_TABLE)

_QUANTITY = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z%][A-Za-z0-9/%]*)?\s*\Z")


class UnitError(ValueError):
    """A quantity or unit that cannot be read or converted; the text says what would be right."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A finite number and the symbol of its unit ("" for a bare number)."""

    number: float
    unit: str = ""

    def to(self, unit: str) -> float:
        """The number in `unit`; UnitError if the two do not measure the same thing."""
        return convert(self.number, self.unit, unit)

    def __str__(self) -> str:
        return f"{self.number:g} {self.unit}".rstrip()


def parse_quantity(text: str) -> Quantity:
    """Read ``"5.2 bar"``; UnitError for anything that is not a finite number with a known unit."""
    match = _QUANTITY.match(text)
    if match is None:
        raise UnitError(f"{text!r} is not a number with a unit, such as '80 ms'")
    number, unit = float(match[1]), match[2] or ""
    if not math.isfinite(number):
        raise UnitError(f"{text!r} is not a finite number")
    if unit not in _TABLE:
        raise UnitError(f"the unit {unit!r} is not known{_nearest(unit)}")
    return Quantity(number, unit)


def convert(number: float, unit: str, to: str) -> float:
    """`number` of `unit`, expressed in `to`; UnitError if the dimensions differ."""
    if unit == to:
        return number
    dimension, factor, offset = _entry(unit)
    to_dimension, to_factor, to_offset = _entry(to)
    if dimension != to_dimension:
        raise UnitError(f"{_named(unit)} cannot be expressed in {_named(to)}")
    return (number * factor + offset - to_offset) / to_factor


def dimension_of(unit: str) -> str:
    """What `unit` measures, such as ``pressure``."""
    return _entry(unit)[0]


def duration_ns(text: str) -> int:
    """Read a length of time, ``"1.5 s"``, as whole nanoseconds; UnitError if it is no time or is negative."""
    quantity = parse_quantity(text)
    if quantity.unit == "":
        raise UnitError(f"a time needs a unit: '{text.strip()} ms' or '{text.strip()} s'?")
    nanoseconds = quantity.to("s") * 1e9
    if nanoseconds < 0:
        raise UnitError("a length of time cannot be negative")
    if not math.isfinite(nanoseconds):
        raise UnitError(f"{text.strip()} is too long")
    return round(nanoseconds)


def duration_text(duration: int) -> str:
    """Nanoseconds as a person reads them: ``250 ms``, ``1.2 s``, ``5 min``."""
    seconds = duration / 1e9
    if abs(seconds) < 1:
        return f"{seconds * 1e3:.0f} ms"
    if abs(seconds) < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min"


def _entry(unit: str) -> tuple[str, float, float]:
    try:
        return _TABLE[unit]
    except KeyError:
        raise UnitError(f"the unit {unit!r} is not known{_nearest(unit)}") from None


def _named(unit: str) -> str:
    dimension = _entry(unit)[0]
    return f"{unit} ({dimension})" if unit else "a bare number"


_SYNONYMS = {
    "sec": "s", "seconds": "s", "minutes": "min", "hours": "h", "hr": "h", "c": "degC", "f": "degF", "ohm": "Ohm",
    "percent": "%", "volt": "V", "watt": "W",
    "°c": "degC", "°f": "degF", "°": "deg", "µm": "um", "ω": "Ohm",
}  # fmt: skip


def _nearest(unit: str) -> str:
    same = [known for known in _TABLE if known.lower() == unit.lower()]
    nearest = same[0] if same else _SYNONYMS.get(unit.lower())
    return f"; did you mean {nearest!r}?" if nearest else ""
