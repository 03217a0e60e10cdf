"""What must hold, held against what the devices themselves know.

The rule kept here: nothing is taken from the drivers. When a value was true says the law by which the device counts;
what was written says the device that took it.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cellctl.core.messages import Done, Outcome
from cellctl.core.signal import Image, Sample
from cellctl.testing.virtual import EPOCH_NS
from tests.links.limits import LINKS

STEP_NS = 100_000_000
_NUMBERS = {"press": 1, "oven": 2, "fan": 3, "pump": 4, "scale": 5, "robot": 6}
_COUNTERS = {"count": 0, "again": 1}

#: How often a device may have taken an order that came to this.
_TAKEN: Mapping[Outcome, Sequence[int]] = {
    Outcome.CONFIRMED: (1,),
    Outcome.REFUSED: (0,),
    Outcome.NOT_SENT: (0,),
    Outcome.UNKNOWN: (0, 1),
}

#: More findings of one run say nothing new.
FINDINGS_MAX = 20


@dataclass(slots=True)
class Issued:
    """An order: the device, what was ordered and its number, and when it was too late for it."""

    device: str
    what: str
    number: int
    deadline_ns: int
    done: Done | None = None


@dataclass(slots=True)
class Judge:
    """Hears all that control hears; `findings` is what was wrong, in words."""

    findings: list[str] = field(default_factory=list)
    orders: dict[int, Issued] = field(default_factory=dict)
    samples: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    begun_ns: int = 0
    log: list[tuple[int, str, str, int]] = field(default_factory=list)
    _read: int = 0
    _shown: dict[str, tuple[list[int], list[int]]] = field(default_factory=dict)

    def seen(self, sample: Sample, now_ns: int) -> None:
        """A sample arrived: a good one was true a moment ago."""
        if sample.good:
            self._hold(sample, now_ns, LINKS[sample.signal.partition(".")[0]].age_ns, "told")
            self.samples += 1

    def answered(self, done: Done, now_ns: int) -> None:
        """An order was answered, for the first time and not much too late."""
        order = self.orders[done.id]
        if order.done is not None:
            self._find(now_ns, f"{order} was answered twice, now {done}")
        order.done = done
        self.outcomes[done.outcome.value] += 1

    def look(self, image: Image, now_ns: int) -> None:
        """What the image holds for good was true not longer ago than a value may grow old."""
        image.expire(now_ns)
        for name, signal in image.signals.items():
            sample = image.read(name)
            if sample.good:
                self._hold(sample, now_ns, signal.stale_after_ns + LINKS[signal.device].age_ns, "believed")

    def close(self, now_ns: int) -> None:
        """After all: each order was taken as often as its outcome says, in order, and in time."""
        taken: dict[tuple[str, str, int], list[int]] = {}
        last: dict[str, int] = {}
        for at_ns, device, what, number in self.log:
            if what != "shows":
                taken.setdefault((device, what, number), []).append(at_ns)
                if number <= last.get(device, 0):
                    self._find(at_ns + self.begun_ns, f"{device} took {what} {number} after {last[device]}")
                last[device] = number
        for order in self.orders.values():
            times = taken.pop((order.device, order.what, order.number), [])
            if order.done is None:
                self._find(now_ns, f"{order} was never answered")
                continue
            if len(times) not in _TAKEN[order.done.outcome]:
                self._find(now_ns, f"{order}: the device took it {len(times)} times")
            late_ns = max(times, default=0) + self.begun_ns - order.deadline_ns
            if times and late_ns > LINKS[order.device].late_ns:
                self._find(now_ns, f"{order}: the device took it {late_ns / 1e9:.3f} s after its deadline")
        for key in taken:
            self._find(now_ns, f"{key} was never ordered")

    # --- how --------------------------------------------------------------------------------------------------

    def _hold(self, sample: Sample, now_ns: int, age_ns: int, how: str) -> None:
        device, _, name = sample.signal.partition(".")
        now, value = now_ns - self.begun_ns, sample.value
        if name in _COUNTERS:
            step, index, number = int(value) // 64, int(value) // 8 % 8, int(value) % 8  # type: ignore[arg-type]
            own = (index, number) == (_COUNTERS[name], _NUMBERS[device])
            right = own and step * STEP_NS <= now and (step + 1) * STEP_NS >= now - age_ns
        else:
            right = value in self._targets(device, now - age_ns)
        if not right:
            self._find(now_ns, f"{how} as good, and is not so: {sample}")

    def _targets(self, device: str, since_ns: int) -> list[int]:
        """What the device has shown since then."""
        while self._read < len(self.log):
            at_ns, of, what, number = self.log[self._read]
            self._read += 1
            if what == "shows":
                times, values = self._shown.setdefault(of, ([], []))
                times.append(at_ns)
                values.append(number)
        times, values = self._shown.get(device, ([], []))
        return values[max(0, bisect_right(times, since_ns) - 1) :]

    def _find(self, now_ns: int, what: str) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(f"{(now_ns - EPOCH_NS) / 1e9 + 1:9.3f} s  {what}")
