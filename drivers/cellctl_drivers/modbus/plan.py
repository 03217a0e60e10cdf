"""The read planner: which blocks to ask for so that every point is read with the fewest legal requests.

The rule kept here: pure. Points of the same table and period are covered by blocks that are no longer than the device
allows and span no gap wider than the profile allows; a point is never divided.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cellctl_drivers.modbus.rows import Row, Table

#: What the protocol itself allows in one read request.
REGISTERS_MAX = 125
BITS_MAX = 2000


@dataclass(frozen=True, slots=True)
class Item:
    """A point to be read every `every_ns`."""

    name: str
    row: Row
    every_ns: int


@dataclass(frozen=True, slots=True)
class Block:
    """One read request, and for each point in it where its bytes (of a register) or its bit begins."""

    table: Table
    start: int
    count: int
    every_ns: int
    items: tuple[tuple[Item, int], ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """The longest request in registers, and the widest gap between two points that is read and thrown away."""

    max_registers: int = REGISTERS_MAX
    max_gap: int = 0

    def longest(self, table: Table) -> int:
        """The longest request of `table`."""
        return BITS_MAX if table.bits else self.max_registers


def plan(items: Iterable[Item], limits: Limits) -> list[Block]:
    """The blocks that cover `items`; none of them may be longer than the limit by itself."""
    classes: dict[tuple[int, int], list[Item]] = {}
    for item in items:
        classes.setdefault((item.every_ns, item.row.table.value), []).append(item)
    blocks: list[Block] = []
    for _, members in sorted(classes.items()):
        run: list[Item] = []
        end = 0
        for item in sorted(members, key=_place):
            row = item.row
            fits = run and max(end, row.start + row.count) - run[0].row.start <= limits.longest(row.table)
            if run and not (fits and row.start - end <= limits.max_gap):
                blocks.append(_block(run, end))
                run, end = [], 0
            run.append(item)
            end = max(end, row.start + row.count)
        blocks.append(_block(run, end))
    return blocks


def _block(run: list[Item], end: int) -> Block:
    table, start = run[0].row.table, run[0].row.start
    width = 1 if table.bits else 2
    places = tuple((item, (item.row.start - start) * width) for item in run)
    return Block(table, start, end - start, run[0].every_ns, places)


def _place(item: Item) -> tuple[int, int, str]:
    return item.row.start, item.row.count, item.name
