"""One block that is read again and again: what changed is told, the rest only confirmed.

The rule kept here: a confirmation always means the values last told, so whoever tells another one of them has the block
forget. On a wire everything is told again once a second, so that whoever keeps times keeps true ones. What follows a
point is read and told before the point itself: whoever sees that there is something new finds it there. What an answer
means is the same whether it came over a wire or was looked up in a model.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from struct import Struct

from cellctl.driver import Link, Sample, Value
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
        self.block = block
        self.request = requests.read(block.table, block.start, block.count)
        self.every_ns = block.every_ns
        self._link = link
        self._readings = [targets[item.name].reading for item, _ in block.items]
        self.signals = [reading.signal.id for reading in self._readings]
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
        self._confirmed = None if only and not self.leads else self.signals
        self.owed = b""  # an answer that is told when what follows it was read
        self._is_first = True
        self.forget()

    def followers(self, data: bytes) -> "list[Polled]":
        """What is read before this answer is told: what follows a point in it that is not 0, or everything if it is the
        first answer of the connection."""
        return [each for decode, at, after in self._followers if self._is_first or decode(data, at) for each in after]

    def forget(self) -> None:
        """Tell everything with the next answer."""
        self.data = b""  # the answer that was told last
        self._told: tuple[int, ...] = ()
        self._raws: list[Value | None] = [None] * len(self._places)

    def take(self, data: bytes) -> None:
        """The device answered with `data`: tell what is new, confirm the rest."""
        now = self._link.now()
        if now >= self._repeat_ns:
            self._repeat_ns = now + REPEAT_NS
            self.forget()
        if data != self.data:
            news = self.news(data, now)
            self._link.put(news)
            if len(news) == len(self._places):
                return
        self._link.alive(self._confirmed)

    def miss(self, reason: str) -> None:
        """No answer came. What clears when it is read may have been lost with it."""
        if self.clears:
            self.refuse(f"its answer was lost: {reason}")

    def refuse(self, reason: str) -> None:
        """The device answered that it will not say."""
        self._link.put(self.refused(reason, self._link.now()))

    def news(self, data: bytes, now: int) -> list[Sample]:
        """What is another value in `data` than was told before; from now on it counts as told."""
        self._is_first = False
        pieces = self._pieces.unpack(data)
        samples = []
        for index in self._changed(pieces):
            decode, at = self._places[index]
            raw = decode(data, at)
            if raw != self._raws[index]:
                self._raws[index] = raw
                samples.append(self._readings[index].sample(raw, now))
        self.data, self._told = data, pieces
        return samples

    def refused(self, reason: str, now: int) -> list[Sample]:
        """All of it as bad; with the next answer everything is told."""
        self.forget()
        return [reading.bad(reason, now) for reading in self._readings]

    def holds(self) -> bool:
        """Whether anything that was told last is not 0."""
        return any(self._raws)

    def _changed(self, pieces: tuple[int, ...]) -> Iterable[int]:
        """The points of which a piece is another one than was told, in their order."""
        if not self._told:
            return range(len(self._places))
        both = zip(pieces, self._told, self._of_piece, strict=True)
        return sorted({index for piece, last, points in both if piece != last for index in points})


def _of_pieces(block: Block) -> list[list[int]]:
    """For each register, or each byte of bits, the points that lie in it, as places among the block's items."""
    found: list[list[int]] = [[] for _ in range((block.count + 7) // 8 if block.table.bits else block.count)]
    for index, (item, at) in enumerate(block.items):
        first, count = (at // 8, 1) if block.table.bits else (at // 2, item.row.count)
        for piece in range(first, first + count):
            found[piece].append(index)
    return found
