"""The read planner: blocks against reading one by one, and against the fewest possible."""

import functools

from hypothesis import given
from hypothesis import strategies as st

from cellctl_drivers.modbus.plan import BITS_MAX, Block, Hole, Item, Limits, plan
from cellctl_drivers.modbus.rows import Orders, Row, Table, parse_row

WHERE = ("test",)
MEMORY = bytes(range(256)) * 4

_TYPES = ("uint16", "int16", "uint32", "float32", "uint64", "bit 3", "bits 4..9", "text 7")


@st.composite
def items(draw: st.DrawFn) -> list[Item]:
    made = []
    for index in range(draw(st.integers(1, 14))):
        table = draw(st.sampled_from(("holding", "input", "coil", "discrete")))
        kind = "" if table in ("coil", "discrete") else " " + draw(st.sampled_from(_TYPES))
        row = parse_row(
            f"{table} {draw(st.integers(0, 60))}{kind}", WHERE, Orders(draw(st.booleans()), draw(st.booleans()))
        )
        made.append(Item(f"p{index}", row, draw(st.sampled_from((1, 5))), draw(st.integers(0, 5)) == 0))
    return made


@given(items(), st.integers(4, 20), st.integers(0, 6))
def test_blocks_read_the_same_as_one_by_one(wanted: list[Item], most: int, gap: int) -> None:
    read = {
        item.name: item.row.decode(_read(block), at)
        for block in plan(wanted, Limits(most, gap))
        for item, at in block.items
    }
    assert {name: repr(value) for name, value in read.items()} == {
        item.name: repr(item.row.decode(_read(_alone(item.row)), 0)) for item in wanted
    }


holes = st.lists(st.builds(Hole, st.sampled_from(Table), st.integers(0, 60), st.integers(0, 60)), max_size=3)


@given(items(), st.integers(4, 20), st.integers(0, 6), holes)
def test_every_block_is_legal(wanted: list[Item], most: int, gap: int, holes: list[Hole]) -> None:
    for block in plan(wanted, Limits(most, gap, tuple(holes))):
        asked = {at for item, _ in block.items for at in range(item.row.start, item.row.start + item.row.count)}
        passed = {at for at in range(block.start, block.start + block.count) if at not in asked}
        assert not any(hole.table is block.table and hole.first <= at <= hole.last for hole in holes for at in passed)
        one_place = len({(item.row.start, item.row.count) for item, _ in block.items}) == 1
        assert one_place or not any(item.alone for item, _ in block.items)
        assert 1 <= block.count <= (BITS_MAX if block.table.bits else most)
        reached = block.start
        for item, _ in block.items:
            assert item.row.start - reached <= gap
            assert item.every_ns == block.every_ns
            reached = max(reached, item.row.start + item.row.count)
        assert reached == block.start + block.count


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 4)), min_size=1, max_size=7),
    st.integers(4, 9),
    st.integers(0, 3),
)
def test_no_plan_has_fewer_blocks(places: list[tuple[int, int]], most: int, gap: int) -> None:
    wanted = [
        Item(f"p{i}", Row(Table.HOLDING, start, count, _nothing, None), 1) for i, (start, count) in enumerate(places)
    ]
    assert len(plan(wanted, Limits(most, gap))) == _fewest(tuple(sorted(set(places))), most, gap)


def test_the_blocks_of_a_meter() -> None:
    rows = [0, 2, 4, 6, 8, 10, 52, 62, 70, 72]
    wanted = [Item(f"p{start}", parse_row(f"input {start} float32", WHERE), 1) for start in rows]
    assert [(block.start, block.count) for block in plan(wanted, Limits(80, 16))] == [(0, 12), (52, 22)]
    assert [(block.start, block.count) for block in plan(wanted, Limits(80, 80))] == [(0, 74)]
    assert len(plan(wanted, Limits(2, 80))) == len(rows)


def test_a_hole_is_never_read_in_passing() -> None:
    wanted = [Item(f"p{start}", parse_row(f"input {start} uint16", WHERE), 1) for start in (0, 3, 6)]
    spans = [(block.start, block.count) for block in plan(wanted, Limits(80, 16, (Hole(Table.INPUT, 4, 4),)))]
    assert spans == [(0, 4), (6, 1)]
    assert len(plan(wanted, Limits(80, 16, (Hole(Table.HOLDING, 4, 4),)))) == 1


def test_what_is_read_alone_is() -> None:
    wanted = [Item(f"p{start}", parse_row(f"input {start} float32", WHERE), 1, start == 2) for start in (0, 1, 2, 4)]
    spans = [(block.start, block.count) for block in plan(wanted, Limits(80, 16))]
    assert spans == [(0, 3), (2, 2), (4, 2)]


def test_what_is_read_alone_from_one_place_is_read_once() -> None:
    rows = ["input 4 word 0 of 3", "input 4 word 2 of 3", "input 5 uint16", "input 7 uint16"]
    wanted = [Item(f"p{at}", parse_row(row, WHERE), 1, at < 3) for at, row in enumerate(rows)]
    spans = [(block.start, block.count, len(block.items)) for block in plan(wanted, Limits(80, 16))]
    assert spans == [(4, 3, 2), (5, 1, 1), (7, 1, 1)]


def test_nothing_to_read_is_no_block() -> None:
    assert plan([], Limits()) == []


def _fewest(places: tuple[tuple[int, int], ...], most: int, gap: int) -> int:
    """The fewest runs of neighbours, by trying every way to cut the sorted points into runs."""

    @functools.cache
    def best(first: int) -> int:
        if first == len(places):
            return 0
        found = len(places)
        start, end = places[first][0], places[first][0]
        for last in range(first, len(places)):
            if last > first and places[last][0] - end > gap:
                break
            end = max(end, sum(places[last]))
            if end - start > most:
                break
            found = min(found, 1 + best(last + 1))
        return found

    return best(0)


def _alone(row: Row) -> Block:
    return Block(row.table, row.start, row.count, 1, ())


def _read(block: Block) -> bytes:
    """What a device with MEMORY answers to the block's request."""
    if not block.table.bits:
        return MEMORY[2 * block.start : 2 * (block.start + block.count)]
    bits = [MEMORY[at] & 1 for at in range(block.start, block.start + block.count)]
    return bytes(sum(bit << place for place, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8))


def _nothing(_data: bytes, _offset: int) -> int:
    return 0
