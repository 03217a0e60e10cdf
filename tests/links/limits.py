"""The six devices: what their profiles promise, as times.

The rule kept here: every bound is added up from the time-outs of the profile and the pauses of drivers and supervisor,
and from nothing that was measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cellctl.runtime.supervisor import PAUSE_LONGEST_S
from cellctl_drivers.wire.line import _QUIET_TIMEOUTS_MAX, CONNECT_S

#: How long a subscription may be silent and how often that is looked at, and how often a server is asked how it is.
_SILENCE_S, _LISTEN_S, _AUDIT_S = 2.2, 0.2, 1.0

#: What is asked and told anew on a new connection, at full speed, until a write is confirmed; a write may just have
#: begun when the fault ended, and the next one comes a little later.
ANEW_S = 0.6


@dataclass(frozen=True, slots=True)
class Limits:
    """One device: its time-out, whether late answers can be told from timely ones (`numbered`), whether its bytes carry
    a checksum, and how soon after the end of a fault it is back."""

    timeout_s: float
    back_s: float
    age_s: float
    numbered: bool = False
    checked: bool = True

    @property
    def age_ns(self) -> int:
        """How old a value may be when it is told."""
        return round(self.age_s * 1e9)

    @property
    def late_ns(self) -> int:
        """How long an order may be on its way that left in time."""
        return round((self.longest_delay_s + self.wait_s) * 1e9)

    @property
    def longest_delay_s(self) -> float:
        """How late bytes may be. What carries no number is not told from another after twice its time-out."""
        return 3.0 if self.numbered else 0.4 * self.timeout_s

    @property
    def wait_s(self) -> float:
        """How long an order may wait for a line that is left alone."""
        return 0.0 if self.numbered else 2 * _QUIET_TIMEOUTS_MAX * self.timeout_s + ANEW_S


def _tcp(timeout_s: float) -> Limits:
    """A request without an answer ends the connection."""
    back_s = timeout_s + PAUSE_LONGEST_S + CONNECT_S + timeout_s + ANEW_S
    return Limits(timeout_s, back_s, timeout_s, numbered=True, checked=False)


def _line(timeout_s: float, neighbours: int = 0) -> Limits:
    """The second request without an answer does; each may have to wait until the line is quiet, and for others."""
    failure_s = _QUIET_TIMEOUTS_MAX * timeout_s
    waits_s = 2 * failure_s * neighbours  # it fails too, and afterwards has the line for as long
    back_s = 2 * failure_s + waits_s + PAUSE_LONGEST_S + CONNECT_S + ANEW_S
    return Limits(timeout_s, back_s, timeout_s)


def _opcua(timeout_s: float) -> Limits:
    """The subscription falls silent, or the server is asked in vain how it is; connecting may take four time-outs."""
    noticed_s = max(_SILENCE_S + _LISTEN_S, _AUDIT_S + timeout_s)
    back_s = noticed_s + PAUSE_LONGEST_S + 4 * timeout_s + ANEW_S
    return Limits(timeout_s, back_s, noticed_s + timeout_s, numbered=True, checked=False)


LINKS: Mapping[str, Limits] = {
    "press": _tcp(0.3),
    "oven": _line(0.1, neighbours=1),
    "fan": _line(0.1, neighbours=1),
    "pump": _line(0.15),
    "scale": _line(0.15),
    "robot": _opcua(0.6),
}

#: Devices that share a link.
GROUPS = (("press",), ("oven", "fan"), ("pump",), ("scale",), ("robot",))
