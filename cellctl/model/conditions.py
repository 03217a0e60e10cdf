"""What conditions and phases may name, and conditions read at their place.

The rule kept here: a name that belongs to a device whose profile is wrong is not told as a second mistake.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cellctl.core.condition import Condition
from cellctl.core.condition_text import ConditionError, parse
from cellctl.core.equipment import CommandSpec, Station
from cellctl.core.signal import Signal
from cellctl.model.problems import Place, Report, Wrong, did_you_mean

_SIGNAL = re.compile(r"(?P<device>[a-z][a-z0-9_]*)\.[a-z]")


@dataclass(frozen=True, slots=True)
class Known:
    """The names of a cell; devices in `incomplete` may have signals and commands that are not among them."""

    devices: frozenset[str]
    signals: Mapping[str, Signal]
    commands: Mapping[str, CommandSpec] = field(default_factory=dict)
    stations: Mapping[str, Station] = field(default_factory=dict)
    incomplete: frozenset[str] = frozenset()

    def condition(self, text: str, place: Place, report: Report, *, device: str = "") -> Condition | None:
        """The condition that stands at `place`; None if it cannot be read. `device` completes bare names."""
        try:
            return parse(text, signals=self.signals, device=device)
        except ConditionError as error:
            named = {device, *re.findall(r"([a-z][a-z0-9_]*)\.", text)}
            if not named & self.incomplete:
                report.add(place.within(error.offset), self._wrong(text, error))
            return None

    def _wrong(self, text: str, error: ConditionError) -> Wrong:
        """A name that is not known is the name of its device, if that is not known either."""
        name = _SIGNAL.match(text, error.offset)
        if name is None or not self.devices or name["device"] in self.devices:
            return Wrong("E141", error.message, error.hint)
        missing = name["device"]
        return Wrong("E141", f"there is no device {missing!r}", did_you_mean(missing, sorted(self.devices)))

    def of_device(self, device: str) -> list[str]:
        """The names of its signals and commands."""
        return [name.partition(".")[2] for name in (*self.signals, *self.commands) if name.startswith(f"{device}.")]
