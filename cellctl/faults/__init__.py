"""The vocabulary of faults: what can go wrong on purpose, on a line, in a device, or in the controller itself.

One vocabulary for tests, for `cellctl fault` on a simulated cell, and for whoever else injects one. The rule kept here:
a fault is plain data, checked as a whole before anything is broken; what is wrong with it is said with what was meant.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from cellctl.core.signal import Value
from cellctl.core.units import UnitError, duration_ns

LINK, DEVICE, CONTROL = "link", "device", "control"

#: What a fault names: one device, several, a signal or command of a device, an input of the world, or nothing.
ONE, SEVERAL, PLACE, INPUT, NOTHING = "DEVICE", "DEVICE,..", "DEVICE.NAME", "DEVICE.INPUT", ""


class FaultError(ValueError):
    """A fault that there is not, or that does not fit: why, and what was meant."""


@dataclass(frozen=True, slots=True)
class Option:
    """A further word of a fault: ``duration``, ``share`` (0..1), ``number``, ``rate`` (more than 0), ``count``,
    ``bytes`` (hexadecimal), ``choice`` (one of `choices`) or ``value``, and its default. Without a default it must be
    given.
    """

    kind: str
    text: str
    default: Value | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault: where it is (`of`), what it names (`target`), its options, whether it lasts or just happens,
    and whether it needs the bytes of a wire."""

    of: str
    target: str
    text: str
    options: Mapping[str, Option] = field(default_factory=dict)
    lasts: bool = True
    needs_wire: bool = False


#: Which way bytes go.
BOTH, REQUESTS, ANSWERS = "both", "requests", "answers"

#: Where bytes come that nobody has sent.
BEFORE, INSTEAD, AFTER = "before", "instead", "after"

_SHARE = Option("share", "of the chunks of bytes that pass", 0.2)
_WAY = Option("choice", "what goes to the device, what comes from it, or both", BOTH, (BOTH, REQUESTS, ANSWERS))
_CHUNKS: Mapping[str, Option] = {"share": _SHARE, "way": _WAY}
_BYTES: Mapping[str, Option] = {"after": Option("count", "so many bytes", 0), "way": _WAY}

KINDS: Mapping[str, FaultKind] = {
    # the line between controller and device
    "unplug": FaultKind(LINK, ONE, "The connection is cut, and none can be made."),
    "reset": FaultKind(LINK, ONE, "The connection is cut, once.", lasts=False),
    "no_reply": FaultKind(LINK, ONE, "Requests arrive and are carried out; the answers are lost."),
    "black_hole": FaultKind(LINK, ONE, "Nothing arrives on either side, and nobody is told."),
    "partition": FaultKind(LINK, SEVERAL, "As black_hole, of several devices at once."),
    "delay": FaultKind(
        LINK,
        ONE,
        "Everything takes longer.",
        {"by": Option("duration", "so much"), "jitter": Option("duration", "and up to so much more", 0)},
    ),
    "loss": FaultKind(LINK, ONE, "Chunks of bytes are lost.", _CHUNKS, needs_wire=True),
    "duplicate": FaultKind(LINK, ONE, "Chunks of bytes arrive twice.", _CHUNKS, needs_wire=True),
    "reorder": FaultKind(LINK, ONE, "Chunks of bytes change places with the next.", _CHUNKS, needs_wire=True),
    "truncate": FaultKind(LINK, ONE, "Of chunks of bytes only the first half arrives.", _CHUNKS, needs_wire=True),
    "corrupt": FaultKind(
        LINK,
        ONE,
        "In chunks of bytes one byte is another.",
        {**_CHUNKS, "first": Option("count", "one of so many bytes at the beginning of the chunk; 0: any", 0)},
        needs_wire=True,
    ),
    "garbage": FaultKind(
        LINK,
        ONE,
        "Bytes arrive that nobody has sent, beside chunks of bytes or instead of them.",
        {
            **_CHUNKS,
            "bytes": Option("bytes", "these; else any, 1 to 16 of them", ""),
            "place": Option("choice", "beside the chunk, or instead of it", BEFORE, (BEFORE, INSTEAD, AFTER)),
        },
        needs_wire=True,
    ),
    "flood": FaultKind(
        LINK,
        ONE,
        "The device sends without end, and without sense.",
        {"rate": Option("rate", "bytes a second", 10_000.0)},
        needs_wire=True,
    ),
    "cut": FaultKind(
        LINK, ONE, "The connection is cut after so many bytes more, once.", _BYTES, lasts=False, needs_wire=True
    ),
    "hang": FaultKind(
        LINK, ONE, "After so many bytes more nothing passes, and nobody is told.", _BYTES, needs_wire=True
    ),
    "split": FaultKind(LINK, ONE, "Every byte comes by itself.", needs_wire=True),
    "slow": FaultKind(
        LINK, ONE, "Bytes pass slowly.", {"rate": Option("rate", "bytes a second", 100.0)}, needs_wire=True
    ),
    # the device
    "frozen": FaultKind(DEVICE, PLACE, "The value that the device tells stays as it is."),
    "stuck": FaultKind(DEVICE, PLACE, "The device says yes to the signal or command, and does nothing."),
    "clamp": FaultKind(
        DEVICE,
        PLACE,
        "The device takes no value beyond the limits: what is read back is another.",
        {
            "low": Option("number", "the lowest, as on the wire", -1e30),
            "high": Option("number", "the highest, as on the wire", 1e30),
        },
    ),
    "wrong_identity": FaultKind(DEVICE, ONE, "Another device answers."),
    "reboot": FaultKind(DEVICE, ONE, "The device starts anew: it is away for so long, and has forgotten everything."),
    "set": FaultKind(
        DEVICE,
        INPUT,
        "Something in the world is so: a guard is open, the air is low.",
        {"to": Option("value", "what it is")},
    ),
    # the controller
    "kill": FaultKind(
        CONTROL,
        NOTHING,
        "The control process dies as by kill -9, when the journal has so many entries more on disk.",
        {"after": Option("count", "so many", 0)},
        lasts=False,
    ),
    "disk_full": FaultKind(CONTROL, NOTHING, "The disk of the journal is full."),
    "fsync_error": FaultKind(CONTROL, NOTHING, "The disk of the journal fails."),
    "slow_disk": FaultKind(
        CONTROL, NOTHING, "Each commit of the journal takes so long.", {"by": Option("duration", "so long")}
    ),
    "clock_step": FaultKind(
        CONTROL,
        NOTHING,
        "The computer's clock is set.",
        {"by": Option("duration", "forward, or back if negative")},
        lasts=False,
    ),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: its kind, what it names, for how long (None: until it is ended), and its options, durations in ns."""

    kind: str
    target: str = ""
    for_ns: int | None = None
    options: Mapping[str, Value] = field(default_factory=dict)

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that it names."""
        return tuple(name.strip().partition(".")[0] for name in self.target.split(",") if name.strip())

    def __str__(self) -> str:
        known = KINDS[self.kind].options
        told = {name: value for name, value in self.options.items() if value != known[name].default}
        options = "".join(f" {name}={_shown(known[name], value)}" for name, value in told.items())
        lasting = "" if self.for_ns is None else f" for {self.for_ns / 1e9:g} s"
        return f"{self.kind} {self.target}".rstrip() + options + lasting

    def plain(self) -> dict[str, Any]:
        """The same as JSON, durations in seconds; `read` takes it back."""
        options = {
            name: int(value) / 1e9 if KINDS[self.kind].options[name].kind == "duration" else value
            for name, value in self.options.items()
        }
        lasting = None if self.for_ns is None else self.for_ns / 1e9
        return {"kind": self.kind, "target": self.target, "for": lasting, "options": options}


def fault(kind: str, target: str = "", for_: object = None, **options: object) -> Fault:
    """A fault in words: ``fault("delay", "laser", for_="10 s", by="200 ms")``. FaultError says what does not fit."""
    known = kind_of(kind)
    if bool(target) != (known.target != NOTHING):
        raise FaultError(f"{kind} names {known.target}" if known.target else f"{kind} names nothing, not {target!r}")
    if known.target in (PLACE, INPUT) and "." not in target:
        raise FaultError(f"{kind} names {known.target}, with a dot between them; {target!r} is not of that form")
    if known.target in (ONE, SEVERAL) and "." in target:
        raise FaultError(f"{kind} names {known.target}; {target!r} is a place in a device")
    if for_ is not None and not known.lasts:
        raise FaultError(f"{kind} happens once: it cannot last")
    for name in options:
        if name not in known.options:
            raise FaultError(f"{kind} has no option {name!r}{_meant(name, known.options)}")
    checked: dict[str, Value] = {}
    for name, option in known.options.items():
        if name in options:
            checked[name] = _checked(kind, name, option, options[name])
        elif option.default is None:
            raise FaultError(f"{kind} needs {name}: {option.text}")
        else:
            checked[name] = option.default
    return Fault(kind, target, None if for_ is None else _ns(f"how long {kind} lasts", for_), checked)


def read(told: object) -> Fault:
    """The fault in a JSON object as `Fault.plain` gives it; FaultError if it is none."""
    match told:
        case {"kind": str(kind), "target": str(target), "for": lasting, "options": dict(options)}:
            return fault(kind, target, lasting, **options)
    raise FaultError(f"{told!r} is no fault: kind, target, for and options are wanted")


def kind_of(name: str) -> FaultKind:
    """A kind of fault by its name; FaultError says which was meant."""
    if name not in KINDS:
        raise FaultError(f"there is no fault {name!r}{_meant(name, KINDS)}")
    return KINDS[name]


def _shown(option: Option, value: Value) -> str:
    return f"{int(value) / 1e9:g} s" if option.kind == "duration" else str(value)


def _checked(kind: str, name: str, option: Option, given: object) -> Value:
    match option.kind, given:
        case "duration", _:
            return _ns(f"{name} of {kind}", given, signed=kind == "clock_step")
        case "value", bool() | int() | float() | str():
            return given
        case "share", float() | int() if not isinstance(given, bool) and 0 <= given <= 1:
            return float(given)
        case "rate", float() | int() if not isinstance(given, bool) and given > 0:
            return float(given)
        case "number", float() | int() if not isinstance(given, bool) and given == given:
            return float(given)
        case "count", int() if not isinstance(given, bool) and given >= 0:
            return given
        case "choice", str() if given in option.choices:
            return given
        case "bytes", str() if _is_hex(given):
            return given
    if option.kind == "choice":
        raise FaultError(f"{name} of {kind} is one of {', '.join(option.choices)}, not {given!r}")
    wanted = _WANTED.get(option.kind, f"a {option.kind}")
    raise FaultError(f"{name} of {kind} is {wanted}, not {given!r}")


_WANTED = {
    "share": "a share, 0 to 1",
    "count": "a whole number, 0 or more",
    "rate": "more than 0",
    "bytes": "bytes in hexadecimal, such as '01 83 02'",
}


def _is_hex(text: str) -> bool:
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return True


def _ns(what: str, given: object, *, signed: bool = False) -> int:
    """A duration ("30 s", or seconds as a number) in ns."""
    if isinstance(given, str):
        sign = -1 if signed and given.lstrip().startswith("-") else 1
        try:
            return sign * duration_ns(given.lstrip().removeprefix("-") if sign < 0 else given)
        except UnitError as error:
            raise FaultError(f"{what}: {error}") from None
    if isinstance(given, bool) or not isinstance(given, int | float) or not (signed or given >= 0):
        raise FaultError(f"{what}: {given!r} is no duration, such as '30 s'")
    return round(given * 1e9)


def _meant(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(known) or 'none'}"
