"""Units as devices and lists write them, and what they are called here.

The rule kept here: a unit is known or it is told; nothing is guessed where two units differ by a letter's size only.
"""

from collections.abc import Mapping

from cellctl.core.units import UNITS

#: As written, in small letters -> the unit.
_OTHER_NAMES: Mapping[str, str] = {
    "°c": "degC", "deg c": "degC", "deg. c": "degC", "degc": "degC", "celsius": "degC", "degree celsius": "degC",
    "degrees celsius": "degC", "grad c": "degC", "°f": "degF", "deg f": "degF", "degf": "degF", "fahrenheit": "degF",
    "kelvin": "K", "percent": "%", "pct": "%", "prozent": "%",
    "sec": "s", "second": "s", "seconds": "s", "msec": "ms", "milliseconds": "ms", "µs": "us", "μs": "us",
    "minute": "min", "minutes": "min", "hour": "h", "hours": "h", "hr": "h", "hrs": "h", "day": "d", "days": "d",
    "µm": "um", "μm": "um", "micron": "um", "meter": "m", "metre": "m", "millimetre": "mm", "millimeter": "mm",
    "inch": "in", "mm/sec": "mm/s", "m/sec": "m/s",
    "°": "deg", "degree": "deg", "degrees": "deg", "radian": "rad",
    "1/min": "rpm", "rev/min": "rpm", "r/min": "rpm", "u/min": "rpm", "min-1": "rpm", "min⁻¹": "rpm",
    "gram": "g", "grams": "g", "kilogram": "kg", "newton": "N", "n·m": "Nm", "n.m": "Nm", "n m": "Nm",
    "volt": "V", "volts": "V", "amp": "A", "amps": "A", "ampere": "A", "µa": "uA", "μa": "uA",
    "ω": "Ohm", "ohms": "Ohm", "kω": "kOhm",
    "watt": "W", "watts": "W", "kilowatt": "kW", "kilowatt hour": "kWh", "hertz": "Hz",
    "litre": "l", "liter": "l", "litres": "l", "liters": "l", "ltr": "l", "m³": "m3", "m^3": "m3", "m³/h": "m3/h",
    "lpm": "l/min", "ltr/min": "l/min", "litre/min": "l/min", "pieces": "pcs", "pc": "pcs", "stk": "pcs",
    "mm": "mm", "ms": "ms", "min": "min", "m/s": "m/s", "mm/s": "mm/s",
}  # fmt: skip

#: Units without a prefix that could be another one in other letters.
_CLEAR: Mapping[str, str] = {unit.lower(): unit for unit in UNITS if unit and unit[0] not in "mM"}


def unit_of(text: str) -> str | None:
    """The unit that `text` means; "" for none, None for one that is not known."""
    text = " ".join(text.split()).strip("[]()")
    if text in UNITS:
        return text
    if text in ("-", "--", "none", "n/a", "1"):
        return ""
    small = text.lower()
    return _OTHER_NAMES.get(small) or _CLEAR.get(small)
