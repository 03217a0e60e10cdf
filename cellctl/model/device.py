"""A device of the cell: its profile and its address put together for the core and for its driver.

The rule kept here: a row of a profile is wrong as a whole or right as a whole; bare numbers in it are in its own unit.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cellctl.core.condition import Condition, refs_of
from cellctl.core.equipment import CommandSpec
from cellctl.core.messages import CommandClass
from cellctl.core.parameter import Parameter
from cellctl.core.signal import STALE_AFTER_NS, Signal, Value
from cellctl.driver import Command, Device, Point
from cellctl.model.conditions import Known
from cellctl.model.problems import Report, Wrong, did_you_mean
from cellctl.model.profile import Profile
from cellctl.model.quantity import Amount, Bounds, fit, plain
from cellctl.model.shapes import ArgumentRow, CommandRow, LeaseRow, SignalRow

_SERIES = re.compile(r"(?P<stem>[a-z][a-z0-9_]*?)(?P<first>\d+)\.\.(?P<last>\d+)\Z")
#: A series of choices longer than this is a number, not a list of names.
_SERIES_MAX = 1000


@dataclass(frozen=True, slots=True)
class Lease:
    """What is true once the watchdog of a device was not fed for `within_ns`, and the command that ends it, if any."""

    tripped: Condition
    within_ns: int
    reset: str = ""


@dataclass(slots=True)
class DeviceParts:
    """What one device brings into the cell: signals and commands by id, what its driver is told, and its lease."""

    signals: dict[str, Signal] = field(default_factory=dict)
    commands: dict[str, CommandSpec] = field(default_factory=dict)
    points: dict[str, Point] = field(default_factory=dict)
    orders: dict[str, Command] = field(default_factory=dict)
    lease: Lease | None = None

    def device(self, name: str, profile: Profile, address: str, settings: Mapping[str, object]) -> Device:
        """The device as its driver sees it."""
        return Device(
            id=name,
            protocol=profile.file.profile.protocol,
            address=address,
            points=self.points,
            commands=self.orders,
            settings=settings,
            identify=profile.identify,
            watchdog=profile.file.watchdog,
        )

    def complete(self, profile: Profile) -> bool:
        """Whether every row of the profile could be used."""
        return len(self.signals) == len(profile.file.signals) and len(self.commands) == len(profile.file.commands)


def parts_of(device: str, profile: Profile, report: Report) -> DeviceParts:
    """The signals and commands of a device with this profile; what is wrong is reported and left out."""
    return _Builder(device, profile, report).build()


class _Builder:
    def __init__(self, device: str, profile: Profile, report: Report) -> None:
        self._device = device
        self._document = profile.document
        self._file = profile.file
        self._complete = profile.complete
        self._report = report
        self._parts = DeviceParts()

    def build(self) -> DeviceParts:
        for name, row in self._file.signals.items():
            self._signal(name, row)
        for name, command in self._file.commands.items():
            self._command(name, command)
        if self._file.lease is not None:
            self._parts.lease = self._lease(self._file.lease)
        return self._parts

    def _lease(self, row: LeaseRow) -> Lease | None:
        errors, reset = self._report.errors, self._file.commands.get(row.reset)
        tripped = self._known_condition(row.tripped, "lease", "tripped")
        for name in refs_of(tripped) if tripped else ():
            self._wrong(Wrong("E312", f"${name} means nothing here", "compare with a value"), "lease", "tripped")
        if self._file.watchdog is None:
            self._wrong(Wrong("E319", "a lease needs a watchdog that is fed", "add 'watchdog: ...'"), "lease")
        if row.reset and (reset is None or reset.parameters):
            hint = did_you_mean(row.reset, self._file.commands)
            self._wrong(Wrong("E319", f"{row.reset!r} is no command without parameters", hint), "lease", "reset")
        if tripped is None or self._report.errors > errors:
            return None
        return Lease(tripped, row.within, row.reset)

    def _wrong(self, wrong: Wrong, *path: str) -> None:
        known = path in self._document.values
        self._report.add(self._document.at(*path) if known else self._document.key(*path), wrong)

    def _signal(self, name: str, row: SignalRow) -> None:
        at = ("signals", name)
        errors = self._report.errors
        if row.read is None and row.write is None and "hear" not in (row.model_extra or {}):
            self._wrong(Wrong("E304", f"the signal {name!r} has no address", "add 'read: ...' or 'write: ...'"), *at)
        self._check_keys(name, row)
        bounds = self._bounds(row.range, row.unit, *at, "range")
        safe = self._own(row.safe, row, *at, "safe")
        verify = None if row.verify is None else self._own(row.verify, _LIKE_NUMBER, *at, "verify")
        if safe is not None and bounds and not isinstance(safe, bool | str) and not bounds.low <= safe <= bounds.high:
            wrong = Wrong("E306", f"the safe value {safe:g} is outside {bounds}", "choose a value inside the range")
            self._wrong(wrong, *at, "safe")
        if self._report.errors > errors:
            return
        signal = Signal(
            id=f"{self._device}.{name}",
            type=row.type,
            unit=row.unit,
            writable=row.write is not None,
            low=bounds.low if bounds else None,
            high=bounds.high if bounds else None,
            safe=safe,
            verify=None if verify is None else float(verify),
            latch=row.latch or "",
            stale_after_ns=row.stale or max(STALE_AFTER_NS, row.every * 5 // 2),
            text=plain(row.text or {}),
        )
        self._parts.signals[signal.id] = signal
        self._parts.points[name] = Point(
            signal=signal,
            read=row.read,
            write=row.write,
            every_ns=row.every,
            scale=row.scale,
            offset=row.offset,
            bad_if=row.bad_if,
            options=row.model_extra or {},
        )

    def _check_keys(self, name: str, row: SignalRow) -> None:
        """The keys that do not go together."""
        at = ("signals", name)
        if row.type in ("bool", "text"):
            for key in {"unit", "range", "scale", "offset"} & row.model_fields_set:
                self._wrong(Wrong("E305", f"a {row.type} signal has no {key}", f"remove '{key}'"), *at, key)
            if row.latch and row.type == "text":
                self._wrong(Wrong("E305", "a text signal has no edges", "remove 'latch'"), *at, "latch")
        elif row.latch:
            self._wrong(Wrong("E305", f"a signal of type {row.type} has no edges", "remove 'latch'"), *at, "latch")
        for key in ("safe", "verify"):
            if getattr(row, key) is not None and row.write is None:
                wrong = Wrong("E307", f"{key!r} stands at a signal that cannot be written", "add 'write: ...'")
                self._wrong(wrong, *at, key)
        if row.verify is not None and row.read is None:
            self._wrong(Wrong("E307", "what cannot be read cannot be verified", "add 'read: ...'"), *at, "verify")

    def _own(self, amount: Amount | None, row: "SignalRow | ArgumentRow | _Number", *path: str) -> Any:
        """A value of the row; a bare number is in the row's unit. None if there is none, or it is wrong."""
        if amount is None:
            return None
        kind = row.type or "float"
        bare = not amount.unit and kind in ("int", "float")
        try:
            return fit(Amount(amount.value, row.unit) if bare else amount, kind, row.unit)
        except Wrong as wrong:
            self._wrong(wrong, *path)
            return None

    def _bounds(self, bounds: Bounds | None, unit: str, *path: str) -> Bounds | None:
        if bounds is None:
            return None
        try:
            return bounds.to(unit)
        except Wrong as wrong:
            self._wrong(wrong, *path)
            return None

    def _command(self, name: str, row: CommandRow) -> None:
        at = ("commands", name)
        errors = self._report.errors
        if name in self._file.signals:
            wrong = Wrong("E310", f"{name!r} is a signal and a command", "give one of them another name")
            self._report.add(self._document.key(*at), wrong)
        if row.safe and (row.command_class is not CommandClass.STOP or row.parameters):
            hint = "write 'class: stop', and no parameters"
            self._wrong(Wrong("E311", "only a command of class stop can be a safe one", hint), *at, "safe")
        parameters = {key: self._parameter(name, key, each) for key, each in row.parameters.items()}
        until = self._condition(row.until, row, *at, "until")
        probe, running, unsent = (
            self._condition(getattr(row, key), row, *at, key) for key in ("probe", "running", "unsent")
        )
        self._check_resuming(name, row)
        result = {key: self._result(signal, *at, "result", key) for key, signal in row.result.items()}
        if self._report.errors > errors:
            return
        spec = CommandSpec(
            id=f"{self._device}.{name}",
            command_class=row.command_class,
            timeout_ns=row.timeout,
            parameters=parameters,
            until=until,
            probe=probe,
            running=running,
            unsent=unsent,
            result=result,
            safe=row.safe,
        )
        self._parts.commands[spec.id] = spec
        self._parts.orders[name] = Command(name, row.command_class, row.timeout, row.model_extra or {})

    def _check_resuming(self, name: str, row: CommandRow) -> None:
        """What is told of a pulse when the device is back must be enough to go on."""
        for key, needed in (("running", "probe"), ("unsent", "probe"), ("running", "until")):
            if getattr(row, key) is not None and getattr(row, needed) is None:
                wrong = Wrong("E318", f"{key!r} is of no use without {needed!r}", f"add '{needed}: ...'")
                self._wrong(wrong, "commands", name, key)

    def _parameter(self, command: str, name: str, row: ArgumentRow) -> Parameter:
        at = ("commands", command, "parameters", name)
        choices: dict[str, Value] = {}
        for word, value in row.choices.items():
            try:
                choices |= dict(_choices(word, value))
            except Wrong as wrong:
                self._wrong(wrong, *at, "choices", word)
        bounds = self._bounds(row.range, row.unit, *at, "range")
        kind = row.type or ("text" if row.choices else "float")
        default = row.default.value if row.default and choices else self._own(row.default, row, *at, "default")
        parameter = Parameter(
            name=name,
            type=kind,
            unit=row.unit,
            low=bounds.low if bounds else None,
            high=bounds.high if bounds else None,
            default=default,
            choices=choices,
        )
        if default is not None and (problem := parameter.problem(default)):
            self._wrong(Wrong("E306", f"the default: {problem}", "choose a value that is allowed"), *at, "default")
        return parameter

    def _condition(self, text: str | None, row: CommandRow, *path: str) -> Condition | None:
        if text is None:
            return None
        place = self._document.at(*path)
        condition = self._known_condition(text, *path)
        allowed = ["token", *row.parameters]
        if path[-1] != "until":  # later: what a signal was when it was sent
            allowed += [name for name, signal in self._file.signals.items() if signal.read is not None]
        for name in refs_of(condition) if condition else ():
            if name not in allowed:
                what = "is no parameter of the command" + (" and no signal" if path[-1] != "until" else "")
                self._report.add(place, Wrong("E312", f"${name} {what}", did_you_mean(name, allowed)))
        return condition

    def _known_condition(self, text: str, *path: str) -> Condition | None:
        """A condition over the signals of the device."""
        incomplete = not self._complete or len(self._parts.signals) < len(self._file.signals)
        known = Known(frozenset(), self._parts.signals, incomplete=frozenset({self._device} if incomplete else ()))
        return known.condition(text, self._document.at(*path), self._report, device=self._device)

    def _result(self, signal: str, *path: str) -> str:
        if signal not in self._file.signals and self._complete:
            hint = did_you_mean(signal, self._file.signals)
            self._wrong(Wrong("E313", f"there is no signal {signal!r} in this profile", hint), *path)
        return f"{self._device}.{signal}"


@dataclass(frozen=True, slots=True)
class _Number:
    type: str = "float"
    unit: str = ""


#: `verify` of a bool or text signal is a number, too: 0.
_LIKE_NUMBER = _Number()


def _choices(word: str, value: object) -> Iterator[tuple[str, Value]]:
    """One choice, or the series ``weld_1..96: 101``, which counts up name and value together."""
    if not isinstance(value, bool | int | float | str):
        raise Wrong("E314", f"the choice {word!r} has no value", "write name: value")
    series = _SERIES.match(word)
    if series is None:
        if ".." in word:
            raise Wrong("E314", f"{word!r} is not a series", "write it as 'weld_1..96'")
        yield word, value
        return
    first, last = int(series["first"]), int(series["last"])
    if not isinstance(value, int) or isinstance(value, bool) or not first <= last <= first + _SERIES_MAX:
        raise Wrong(
            "E314", f"{word!r} is not a series", "write a whole number for its first name, and at most 1000 names"
        )
    yield from ((f"{series['stem']}{n}", value + n - first) for n in range(first, last + 1))
