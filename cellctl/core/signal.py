"""Signals, their samples, and the process image.

The rule kept here: no value without quality and age. A reader is given a `Sample`, never a bare value,
and a sample that grew old is turned into a bad one before anybody can take it for good.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import IntEnum

Value = bool | int | float | str

#: A signal older than this counts as stale unless its profile says otherwise: the longest time in which a
#: silent loss of communication may go unnoticed.
STALE_AFTER_NS = 2_500_000_000

#: No time of any run is later: what is due then is never due.
FAR_NS = 2**63 - 1


class Quality(IntEnum):
    """Severity of a sample, in the order of the two top bits of an OPC UA status code."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2


@dataclass(frozen=True, slots=True)
class Signal:
    """A declared point of a device.

    `id` is ``device.name``; `type` one of ``bool int float text``; `low` and `high` bound what may be written
    and what is credible when read, in `unit`; `safe` is the value forced when the cell holds, stops or aborts;
    `verify` is the largest difference allowed between a written value and its readback (None: not read back).
    """

    id: str
    type: str
    unit: str = ""
    writable: bool = False
    low: float | None = None
    high: float | None = None
    safe: Value | None = None
    verify: float | None = None
    latch: str = ""
    stale_after_ns: int = STALE_AFTER_NS
    text: str = ""

    @property
    def device(self) -> str:
        """The id of the device that the signal belongs to."""
        return self.id.partition(".")[0]

    @property
    def name(self) -> str:
        """The signal's name within its device."""
        return self.id.partition(".")[2]


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading: value, quality, the source's time and the time of receipt (both ns UTC).

    `value` is None only when no value was ever read. `reason` says why the quality is not good.
    """

    signal: str
    value: Value | None
    quality: Quality = Quality.GOOD
    time_ns: int = 0
    received_ns: int = 0
    reason: str = ""

    @property
    def good(self) -> bool:
        """Whether the value may be acted upon."""
        return self.quality is Quality.GOOD


class Image:
    """The process image: the last sample of every declared signal, as it is at `now_ns`."""

    def __init__(self, signals: Iterable[Signal]) -> None:
        self.now_ns = 0
        self.signals: dict[str, Signal] = {}
        self._samples: dict[str, Sample] = {}
        self._confirmed_ns: dict[str, int] = {}  # of whole devices and of single signals
        self._expired: dict[str, Sample] = {}  # as they were before they grew old
        self.stale_at = FAR_NS  # until then nothing can be stale
        self._stale_at: dict[str, int] = {}  # the same by device
        self._patience_ns: dict[str, int] = {}  # by device, that of its signal which grows old first
        self._of_device: dict[str, list[str]] = {}
        self.declare(signals)

    def declare(self, signals: Iterable[Signal]) -> None:
        """Take in `signals`: a new one has no value yet, and one that is known may be another than before."""
        for signal in signals:
            if signal.id not in self.signals:
                self._of_device.setdefault(signal.device, []).append(signal.id)
                self._samples[signal.id] = Sample(signal.id, None, Quality.BAD, reason="no value yet")
            self.signals[signal.id] = signal
        for device, names in self._of_device.items():
            self._patience_ns[device] = min(self.signals[name].stale_after_ns for name in names)
        self._stale_at = dict.fromkeys(self._of_device, 0)  # the next look tells when
        self.stale_at = 0 if self._of_device else FAR_NS

    def read(self, signal: str) -> Sample:
        """The last sample of `signal`; KeyError for a name that was never declared."""
        return self._samples[signal]

    def take(self, sample: Sample) -> bool:
        """Put a sample in; True if its value or quality differs from the one before. Unknown names are ignored."""
        last = self._samples.get(sample.signal)
        if last is None:
            return False
        if sample.value != sample.value:  # NaN is equal to nothing, and no condition may ever see it
            sample = replace(sample, quality=Quality.BAD, reason="not a number")
        self._samples[sample.signal] = sample
        if last.quality is Quality.BAD:
            self._expired.pop(sample.signal, None)
            self._will_be_stale(sample)
        elif sample.received_ns < last.received_ns:
            self._will_be_stale(sample)  # else it stays good for longer than the last
        return sample.value != last.value or sample.quality is not last.quality

    def confirm(self, device: str, time_ns: int, signals: Collection[str] | None = None) -> list[str]:
        """Note that at `time_ns` `signals`, or all of `device`, still had the values last told.

        Those that had only grown old are good again: their names.
        """
        self._confirmed_ns.update(dict.fromkeys((device,) if signals is None else signals, time_ns))
        silent = [name for name in self._expired if self.signals[name].device == device]
        returned = [name for name in silent if signals is None or name in signals]
        for name in returned:
            self._samples[name] = self._expired.pop(name)
            self._will_be_stale(self._samples[name])
        return returned

    def seen_ns(self, signal: str) -> int:
        """When the value of `signal` was last known to be true: read, or confirmed by its device."""
        confirmed_ns, device = self._confirmed_ns, self.signals[signal].device
        return max(self._samples[signal].received_ns, confirmed_ns.get(signal, 0), confirmed_ns.get(device, 0))

    def lose(self, device: str, now: int, reason: str) -> list[str]:
        """Mark all signals of `device` bad, keeping their last values; the names that changed."""
        self._confirmed_ns.pop(device, None)
        names = self._of_device.get(device, ())
        for name in names:
            self._confirmed_ns.pop(name, None)
            self._expired.pop(name, None)
        return [name for name in names if self._spoil(name, now, reason)]

    def expire(self, now: int) -> list[str]:
        """Mark every good sample that is older than its signal allows as bad; the names that changed."""
        expired: list[str] = []
        if now > self.stale_at:
            for device, stale_at in self._stale_at.items():
                if now > stale_at:
                    expired += self._expire(device, now)
            self.stale_at = min(self._stale_at.values())
        return expired

    def _expire(self, device: str, now: int) -> list[str]:
        expired = list[str]()
        earliest = self._confirmed_ns.get(device, 0) + self._patience_ns[device]
        if now <= earliest:  # it spoke for all its signals
            self._stale_at[device] = earliest
            return expired
        earliest = FAR_NS
        for name in self._of_device[device]:
            sample = self._samples[name]
            if sample.quality is Quality.BAD:
                continue
            stale_at = self.seen_ns(name) + self.signals[name].stale_after_ns
            if now > stale_at:
                self._expired[name] = sample
                self._spoil(name, now, "stale: no news from the device")
                expired.append(name)
            else:
                earliest = min(earliest, stale_at)
        self._stale_at[device] = earliest
        return expired

    def _will_be_stale(self, sample: Sample) -> None:
        signal = self.signals[sample.signal]
        stale_at = sample.received_ns + signal.stale_after_ns
        if stale_at < self._stale_at[signal.device]:
            self._stale_at[signal.device] = stale_at
            self.stale_at = min(self.stale_at, stale_at)

    def _spoil(self, name: str, now: int, reason: str) -> bool:
        sample = self._samples[name]
        changed = sample.quality is not Quality.BAD
        if changed or sample.reason != reason:
            self._samples[name] = replace(sample, quality=Quality.BAD, received_ns=now, reason=reason)
        return changed
