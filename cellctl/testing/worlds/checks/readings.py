"""What a driver has read comes to the cell."""

from collections.abc import Sequence

from cellctl.core.messages import Effect, Input, Samples
from cellctl.core.signal import Sample
from cellctl.testing.worlds.checks import Check


class Readings(Check):
    """The newest reading of each signal is taken in the next turn, whatever else happens in it."""

    def begin(self) -> None:
        """Nothing was read yet."""
        self._waiting: dict[str, Sample] = {}

    def read(self, samples: Sequence[Sample]) -> None:
        """A driver hands readings over."""
        self._waiting.update((sample.signal, sample) for sample in samples)

    def turn(self, now: int, inputs: Sequence[Input], effects: Sequence[Effect]) -> None:
        """Compare with what the cell is given."""
        waiting, self._waiting = self._waiting, {}
        for each in inputs:
            if isinstance(each, Samples):
                for sample in each.samples:
                    if waiting.get(sample.signal) is sample:
                        del waiting[sample.signal]
        for name, sample in waiting.items():
            self.find(f"{name} = {sample.value!r} was read and never came to the cell")
