"""What a device that is back tells of a pulse whose end nobody knows.

The rule kept here: it is sent again only if the device shows that it never arrived. Where a command says by what that
is seen (`unsent`), everything that is neither done, nor under way, nor unsent is in doubt, and a person decides.
"""

from collections.abc import Iterator, Mapping
from enum import Enum

from cellctl.core.condition import Condition, Watch, fill, refs_of, signals_of
from cellctl.core.equipment import CommandSpec, Equipment
from cellctl.core.phase import PhaseDefinition
from cellctl.core.signal import Image, Value

#: A contradiction counts only if it stays: the values of a device may be told one after the other.
DOUBT_AFTER_NS = 500_000_000

#: So many signals are written down with the intent of a pulse.
SEEN_MAX = 20


class Verdict(Enum):
    """What became of a pulse."""

    DONE = "done"
    RUNNING = "running"  # the device is at it: its end is waited for
    UNSENT = "unsent"  # it never arrived: it is sent again, under the same token
    DOUBT = "in doubt"


class Probe:
    """The conditions of a command, filled for one execution; only samples received from `since_ns` on count.

    `values` are the arguments, the token, and what signals were when it was sent. A condition that needs one which
    nobody knows is never true.
    """

    def __init__(self, spec: CommandSpec, values: Mapping[str, Value], since_ns: int) -> None:
        conditions = dict(_conditions(spec))
        self._watches = {
            verdict: Watch(fill(condition, values), since_ns)
            for verdict, condition in conditions.items()
            if values.keys() >= set(refs_of(condition))
        }
        # What cannot be asked is not "no": only a command that asks for nothing more is sent again when it is not done.
        self._strict = spec.unsent is not None or len(self._watches) < len(conditions)
        self._doubt_ns: int | None = None
        self.signals = frozenset(name for watch in self._watches.values() for name in watch.signals)
        self.wake_at: int | None = None

    @property
    def done(self) -> Watch | None:
        """What tells that it is done."""
        return self._watches.get(Verdict.DONE)

    def verdict(self, image: Image, now: int) -> Verdict | None:
        """What the device tells at `now`; None: not enough yet. `wake_at` tells when time alone may change it."""
        truths = {verdict: watch.update(image, now) for verdict, watch in self._watches.items()}
        self.wake_at = None
        if found := next((verdict for verdict, truth in truths.items() if truth), None):
            return found
        if None in truths.values():
            self._doubt_ns = None
            return None
        if not self._strict:
            return Verdict.UNSENT
        self._doubt_ns = now if self._doubt_ns is None else self._doubt_ns
        if now >= self._doubt_ns + DOUBT_AFTER_NS:
            return Verdict.DOUBT
        self.wake_at = self._doubt_ns + DOUBT_AFTER_NS
        return None


def before(spec: CommandSpec, image: Image) -> dict[str, Value]:
    """What the signals are, now that it is sent, that its conditions name with ``$``: those that are known."""
    device = spec.id.partition(".")[0]
    found: dict[str, Value] = {}
    for _, condition in _conditions(spec):
        for name in refs_of(condition):
            if name != "token" and name not in spec.parameters:
                sample = image.read(f"{device}.{name}")
                if sample.good and sample.value is not None:
                    found[name] = sample.value
    return found


def witnesses(equipment: Equipment, phase: PhaseDefinition, spec: CommandSpec) -> tuple[str, ...]:
    """The signals that may tell what became of a command: its own, and the sensors of the devices around."""
    own = [*spec.result.values()]
    for condition in (spec.until, *(condition for _, condition in _conditions(spec))):
        own += [] if condition is None else signals_of(condition)
    around = {spec.id.partition(".")[0], *equipment.uses(phase)}
    sensors = (
        one.id for one in equipment.signals.values() if one.type == "bool" and not one.writable and one.device in around
    )
    return tuple(dict.fromkeys([*own, *sensors]))[:SEEN_MAX]


def _conditions(spec: CommandSpec) -> Iterator[tuple[Verdict, Condition]]:
    for verdict, condition in (
        (Verdict.DONE, spec.probe),
        (Verdict.RUNNING, spec.running),
        (Verdict.UNSENT, spec.unsent),
    ):
        if condition is not None:
            yield verdict, condition
