"""One block that is read again and again: what changed is told, the rest only confirmed.

The rule kept here: a confirmation always means the values last told, so whoever tells another one of them has the block
forget. Everything is told again once a second, so that whoever keeps times keeps true ones.
"""

from collections.abc import Mapping, Sequence

from cellctl.driver import Link, Value
from cellctl_drivers.modbus import requests
from cellctl_drivers.modbus.plan import Block
from cellctl_drivers.modbus.targets import Target

#: After this long a value is told although it is still the same.
REPEAT_NS = 1_000_000_000


class Polled:
    """A block on one connection; `targets` by name."""

    def __init__(self, block: Block, targets: Mapping[str, Target], link: Link) -> None:
        self.request = requests.read(block.table, block.start, block.count)
        self.every_ns = block.every_ns
        self._link = link
        self._readings = [targets[item.name].reading for item, _ in block.items]
        self._clears = any(targets[item.name].clears for item, _ in block.items)
        self._places = [(item.row.decode, at) for item, at in block.items]
        self._signals = [reading.signal.id for reading in self._readings]
        self._repeat_ns = 0
        self.forget()

    def forget(self) -> None:
        """Tell everything with the next answer."""
        self._data = b""
        self._raws: Sequence[Value | None] = (None,) * len(self._places)

    def take(self, data: bytes) -> None:
        """The device answered with `data`."""
        now = self._link.now()
        if now >= self._repeat_ns:
            self._repeat_ns = now + REPEAT_NS
            self.forget()
        if data != self._data:
            raws = [decode(data, at) for decode, at in self._places]
            both = zip(self._readings, raws, self._raws, strict=True)
            told = [reading.sample(raw, now) for reading, raw, last in both if raw != last]
            self._data, self._raws = data, raws
            self._link.put(told)
            if len(told) == len(raws):
                return
        self._link.alive(self._signals)

    def miss(self, reason: str) -> None:
        """No answer came. What clears when it is read may have been lost with it."""
        if self._clears:
            self.refuse(f"its answer was lost: {reason}")

    def refuse(self, reason: str) -> None:
        """The device answered that it will not say."""
        now = self._link.now()
        self._link.put([reading.bad(reason, now) for reading in self._readings])
        self.forget()
