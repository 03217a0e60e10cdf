"""What a client is shown of a device instead of the truth, and what of its orders the device never hears of.

The rule kept here: the model stays as it is. A mask lies between the wire and those who look at it.
"""

from dataclasses import dataclass, field

from cellctl.driver import Value


@dataclass(slots=True)
class Mask:
    """Places by what is wrong with them: `frozen` with what is shown for ever (None: what is shown next), `stuck`,
    `clamped` with lowest and highest, and `strange`: where the device says that it is another."""

    frozen: dict[object, Value | None] = field(default_factory=dict)
    stuck: set[object] = field(default_factory=set)
    clamped: dict[object, tuple[float, float]] = field(default_factory=dict)
    strange: set[object] = field(default_factory=set)

    def shown(self, place: object, value: Value) -> Value:
        """What is shown for `value`."""
        if place in self.frozen:
            kept = self.frozen[place]
            if kept is None:
                kept = self.frozen[place] = value
            value = kept
        if place in self.strange:
            return "STRANGER,0" if isinstance(value, str) else int(value) ^ 0xFFFF
        return value

    def taken(self, place: object, value: Value) -> Value | None:
        """What the device hears of `value`; None: nothing."""
        if place in self.stuck:
            return None
        if place in self.clamped and not isinstance(value, str | bool):
            low, high = self.clamped[place]
            return type(value)(min(max(value, low), high))
        return value
