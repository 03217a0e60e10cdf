"""One block that is read again and again: what changed is told, the rest only confirmed.

The rule kept here: a confirmation always means the values last told, so whoever tells another one of them has the block
forget. Everything is told again once a second, so that whoever keeps times keeps true ones. What follows a point is
read and told before the point itself: whoever sees that there is something new finds it there.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from struct import Struct

from cellctl.driver import Link, Value
from cellctl_drivers.modbus import requests
from cellctl_drivers.modbus.plan import Block
from cellctl_drivers.modbus.targets import Target

#: After this long a value is told although it is still the same.
REPEAT_NS = 1_000_000_000


class Polled:
    """A block on one connection; `targets` by name, `after` gives the blocks that are read after a point; `only`: it is
    all that is read of the device.

    An answer is compared as what it came as, registers or bytes of bits, and only the points of those that changed are
    decoded: most of what is read stays as it was.
    """

    def __init__(
        self,
        block: Block,
        targets: Mapping[str, Target],
        link: Link,
        after: Callable[[str], Sequence[Block]] = lambda name: (),
        *,
        only: bool = False,
    ) -> None:
        self.request = requests.read(block.table, block.start, block.count)
        self.every_ns = block.every_ns
        self._link = link
        self._readings = [targets[item.name].reading for item, _ in block.items]
        self.clears = any(targets[item.name].clears for item, _ in block.items)
        self._places = [(item.row.decode, at) for item, at in block.items]
        self._pieces = Struct(f">{(block.count + 7) // 8}B" if block.table.bits else f">{block.count}H")
        self._of_piece = _of_pieces(block)
        self._repeat_ns = 0
        self._followers = [
            (item.row.decode, at, [Polled(each, targets, link) for each in following])
            for item, at in block.items
            if (following := after(item.name))
        ]
        self.leads = bool(self._followers)
        self._signals = None if only and not self.leads else [reading.signal.id for reading in self._readings]
        self.owed = b""  # an answer that is told when what follows it was read
        self._is_first = True
        self.forget()

    def followers(self, data: bytes) -> "list[Polled]":
        """What is read before this answer is told: what follows a point in it that is not 0, or everything if it is the
        first answer of the connection."""
        return [each for decode, at, after in self._followers if self._is_first or decode(data, at) for each in after]

    def forget(self) -> None:
        """Tell everything with the next answer."""
        self._data = b""
        self._told: tuple[int, ...] = ()
        self._raws: list[Value | None] = [None] * len(self._places)

    def take(self, data: bytes) -> None:
        """The device answered with `data`."""
        self._is_first = False
        now = self._link.now()
        if now >= self._repeat_ns:
            self._repeat_ns = now + REPEAT_NS
            self.forget()
        if data != self._data and self._tell(data, now) == len(self._places):
            return
        self._link.alive(self._signals)

    def _tell(self, data: bytes, now: int) -> int:
        """Tell what is another value than before; how many are."""
        pieces = self._pieces.unpack(data)
        samples = []
        for index in self._changed(pieces):
            decode, at = self._places[index]
            raw = decode(data, at)
            if raw != self._raws[index]:
                self._raws[index] = raw
                samples.append(self._readings[index].sample(raw, now))
        self._data, self._told = data, pieces
        self._link.put(samples)
        return len(samples)

    def _changed(self, pieces: tuple[int, ...]) -> Iterable[int]:
        """The points of which a piece is another one than was told, in their order."""
        if not self._told:
            return range(len(self._places))
        both = zip(pieces, self._told, self._of_piece, strict=True)
        return sorted({index for piece, last, points in both if piece != last for index in points})

    def miss(self, reason: str) -> None:
        """No answer came. What clears when it is read may have been lost with it."""
        if self.clears:
            self.refuse(f"its answer was lost: {reason}")

    def refuse(self, reason: str) -> None:
        """The device answered that it will not say."""
        now = self._link.now()
        self._link.put([reading.bad(reason, now) for reading in self._readings])
        self.forget()


def _of_pieces(block: Block) -> list[list[int]]:
    """For each register, or each byte of bits, the points that lie in it, as places among the block's items."""
    found: list[list[int]] = [[] for _ in range((block.count + 7) // 8 if block.table.bits else block.count)]
    for index, (item, at) in enumerate(block.items):
        first, count = (at // 8, 1) if block.table.bits else (at // 2, item.row.count)
        for piece in range(first, first + count):
            found[piece].append(index)
    return found
