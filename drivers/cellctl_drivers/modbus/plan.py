"""The read planner: which blocks to ask for so that every point is read with the fewest legal requests.

The rule kept here: pure. Points of the same table and period are covered by blocks that are no longer than the device
allows and span no gap wider than the profile allows, and no hole; a point is never divided, and one that is to be
read alone is, or with those of the very same place.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol, TypeVar

from cellctl_drivers.modbus.rows import Row, Table

#: What the protocol itself allows in one read request.
REGISTERS_MAX = 125
BITS_MAX = 2000


@dataclass(frozen=True, slots=True)
class Item:
    """A point to be read every `every_ns`; `alone`: in a request of its own."""

    name: str
    row: Row
    every_ns: int
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """One read request, and for each point in it where its bytes (of a register) or its bit begins."""

    table: Table
    start: int
    count: int
    every_ns: int
    items: tuple[tuple[Item, int], ...]


class Periodic(Protocol):
    """What is read every `every_ns`."""

    every_ns: int


B = TypeVar("B", bound=Periodic)


@dataclass(frozen=True, slots=True)
class Hole:
    """Addresses of a table that must not be read, not even in passing; `last` is the last of them."""

    table: Table
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The longest request in registers, the widest gap between two points that is read and thrown away, and what must
    never be read in passing."""

    max_registers: int = REGISTERS_MAX
    max_gap: int = 0
    holes: tuple[Hole, ...] = ()

    def longest(self, table: Table) -> int:
        """The longest request of `table`."""
        return BITS_MAX if table.bits else self.max_registers

    def passable(self, table: Table, first: int, end: int) -> bool:
        """Whether what lies from `first` up to, but not at, `end` may be read and thrown away."""
        inside = (hole.table is table and hole.first < end and hole.last >= first for hole in self.holes)
        return end - first <= self.max_gap and not any(inside)


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
            if run and not _joins(run, end, item, limits):
                blocks.append(_block(run, end))
                run, end = [], 0
            run.append(item)
            end = max(end, item.row.start + item.row.count)
        blocks.append(_block(run, end))
    return blocks


def together(blocks: Sequence[B], at_once: int) -> list[Sequence[B]]:
    """The `blocks`, each with its period, in groups of one period that are asked for with so many requests at once."""
    groups: list[Sequence[B]] = []
    for _, same in groupby(blocks, key=lambda block: block.every_ns):
        members = list(same)
        groups += [members[at : at + at_once] for at in range(0, len(members), at_once)]
    return groups


def _joins(run: list[Item], end: int, item: Item, limits: Limits) -> bool:
    """Whether the request that covers `run`, up to but not at `end`, may cover `item` too."""
    row, start = item.row, run[0].row.start
    if item.alone or any(each.alone for each in run):
        return (row.start, row.count) == (start, run[0].row.count)  # the same request answers both
    fits = max(end, row.start + row.count) - start <= limits.longest(row.table)
    return fits and (row.start <= end or limits.passable(row.table, end, row.start))


def _block(run: list[Item], end: int) -> Block:
    table, start = run[0].row.table, run[0].row.start
    width = 1 if table.bits else 2
    places = tuple((item, (item.row.start - start) * width) for item in run)
    return Block(table, start, end - start, run[0].every_ns, places)


def _place(item: Item) -> tuple[int, int, str]:
    return item.row.start, item.row.count, item.name
