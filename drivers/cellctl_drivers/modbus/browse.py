"""Which registers and bits of a Modbus device answer, and what stands in them.

The rule kept here: only the four functions that read are used, one request at a time, with the pauses of the profile;
what the profile calls a hole, or cleared by reading, is left alone.
"""

import asyncio
import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cellctl.driver import AddressError, Browse, DriverError, Finding
from cellctl_drivers.modbus import requests
from cellctl_drivers.modbus.profile import Profile
from cellctl_drivers.modbus.requests import Framing, RtuFraming, TcpFraming, UnknownFunctionError
from cellctl_drivers.modbus.rows import Table
from cellctl_drivers.wire.exchange import Exchange
from cellctl_drivers.wire.orders import BusyError, OrderError, RefusalError, SilenceError

#: Where is looked, in each table, if nobody says where.
_USUAL = range(200)

#: So many registers or bits are asked for at first; of what is refused, the halves.
_BLOCK = {True: 256, False: 64}

#: After so many questions in a row without an answer a table is left alone: enough to come down from a block to one
#: register and a little on, for devices that say nothing when a part of a block is missing. Fewer, if no table before
#: has ever answered.
_SILENCES_MAX = 12
_SILENCES_MAX_LATER = 3

#: A device that is busy is asked again so often, after this.
_BUSY_MAX = 20
_BUSY_S = 0.1

#: Numbers of this size are what people measure.
_PLAUSIBLE = (1e-3, 1e7)

_RANGE = re.compile(r"(?P<table>[a-z]+)(?::(?P<first>\w+)(?:(?:-|\.\.)(?P<last>\w+))?)?\Z")
_FORM = "holding:0-200, or a table alone: holding, input, coil, discrete"


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbours in one table."""

    table: Table
    places: range

    def __str__(self) -> str:
        name, places = self.table.name.lower(), self.places
        return f"{name} {places[0]}" if len(places) == 1 else f"{name} {places[0]}..{places[-1]}"


def spans_of(ranges: Sequence[str], profile: Profile) -> list[Span]:
    """Where to look, without what must not be read; AddressError for a range that is none."""
    wanted = [_span(text) for text in ranges] or [Span(table, _USUAL) for table in _ORDER]
    taboo = _taboo(profile)
    return [part for span in wanted for part in _without(span, taboo)]


class Search:
    """Looks through a device on one connection."""

    def __init__(self, profile: Profile, exchange: Exchange, browse: Browse) -> None:
        self._profile, self._exchange, self._browse = profile, exchange, browse
        self._framing: Framing = RtuFraming(profile.unit) if profile.rtu else TcpFraming(profile.unit)
        self._silences, self._patience = 0, _SILENCES_MAX
        self._answers = 0
        self._found = 0
        exchange.silences_max = 1_000_000  # it is counted here: one table may be silent, and the next one not

    async def run(self, spans: Sequence[Span]) -> None:
        """Tell what answers; DriverError if nothing ever does."""
        closed: dict[Table, str] = {}
        if not self._browse.ranges and not await self._is_there(spans):
            raise self._unheard(
                "; one that is silent about what it does not have is found with --range holding:100-120"
            )
        for span in spans:
            if span.table in closed:
                continue
            self._patience = _SILENCES_MAX if self._answers or not closed else _SILENCES_MAX_LATER
            try:
                await self._look(span)
            except UnknownFunctionError as refusal:
                closed[span.table] = str(refusal)
            except SilenceError as silence:
                closed[span.table] = str(silence)
            if self._found >= self._browse.count_max:
                self._browse.cut(f"after {self._found} registers and bits; --max, or --range, shows the others")
                break
        if not self._answers:
            raise self._unheard()
        for table, reason in closed.items():
            self._browse.cut(f"{table.name.lower()}: {reason}")
        if not self._browse.ranges:
            self._browse.cut(f"only {_USUAL[0]}..{_USUAL[-1]} of each table: --range holding:0-9999 looks further")

    async def _is_there(self, spans: Sequence[Span]) -> bool:
        """Whether any table answers to a first question, or refuses it."""
        for table in dict.fromkeys(span.table for span in spans):
            first = next(span.places for span in spans if span.table is table)
            try:
                await self._ask(table, first[:1])
                return True
            except RefusalError:
                return True
            except (SilenceError, OrderError) as silence:
                self._browse.progress(f"{Span(table, first[:1])}: {silence}")
        return False

    def _unheard(self, else_: str = "") -> DriverError:
        name, unit = self._profile.id, self._profile.unit
        asked = f"is it switched on, and is {unit} its unit number? Another is asked with '?unit=NUMBER' in the address"
        return DriverError(f"{name} answers nothing: {asked}{else_}")

    async def _look(self, span: Span) -> None:
        """Look through a span, block by block."""
        size = _BLOCK[span.table.bits] if span.table.bits else min(_BLOCK[False], self._profile.limits.max_registers)
        values: dict[int, int] = {}
        self._silences = 0
        try:
            for start in range(span.places.start, span.places.stop, size):
                block = range(start, min(start + size, span.places.stop))
                await self._read(span.table, block, values)
                looked = block.stop - span.places.start
                self._browse.progress(f"{span}: {looked} of {len(span.places)} looked at, {len(values)} answer")
                if self._found + len(values) >= self._browse.count_max:
                    break
        finally:
            self._tell(span.table, values)

    async def _read(self, table: Table, block: range, values: dict[int, int]) -> None:
        """Put into `values` what stands in those places of a block that answer."""
        todo = [block]
        while todo:
            part = todo.pop()
            try:
                values |= zip(part, _values(table, await self._ask(table, part), len(part)), strict=True)
                self._silences = 0
                self._answers += 1
            except UnknownFunctionError:
                self._answers += 1
                raise
            except RefusalError:
                self._silences = 0
                self._answers += 1
                todo += _halves(part)
            except (SilenceError, OrderError) as silence:
                self._silences += 1
                self._browse.progress(f"{Span(table, part)}: {silence}")
                if self._silences >= self._patience:
                    raise SilenceError(f"from {part.start} on, {silence}") from silence
                todo += _halves(part)

    async def _ask(self, table: Table, part: range) -> bytes:
        for _ in range(_BUSY_MAX):
            frame, take = self._framing.frame(requests.read(table, part.start, len(part)))
            try:
                return await self._exchange.ask(frame, take, self._profile.timeout_s)
            except BusyError:
                await asyncio.sleep(_BUSY_S)
        raise SilenceError(f"{self._profile.id} is always busy")

    def _tell(self, table: Table, values: Mapping[int, int]) -> None:
        for place, value in list(values.items())[: self._browse.count_max - self._found]:
            name = f"{table.name.lower()} {place}"
            if table.bits:
                row: dict[str, object] = {"type": "bool", "read": name}
                self._browse.found(Finding(name, name, "bit", "r", str(value), row=row))
            else:
                row = {"type": "int", "read": f"{name} uint16"}
                hint = "; ".join([f"0x{value:04X}", *_floats(value, values.get(place + 1))])
                self._browse.found(Finding(name, name, "uint16", "r", str(value), hint, row=row))
            self._found += 1


_ORDER = (Table.HOLDING, Table.INPUT, Table.COIL, Table.DISCRETE)


def _span(text: str) -> Span:
    match = _RANGE.match(text.strip().lower())
    if match is None or match["table"].upper() not in Table.__members__:
        raise AddressError(f"{text!r} is not of the form {_FORM}", ("range",))
    table = Table[match["table"].upper()]
    if match["first"] is None:
        return Span(table, _USUAL)
    try:
        first, last = int(match["first"], 0), int(match["last"] or match["first"], 0)
    except ValueError:
        raise AddressError(f"{text!r} is not of the form {_FORM}", ("range",)) from None
    if not first <= last < 65_536:
        raise AddressError(f"{text!r}: addresses go from 0 to 65535, the lower one first", ("range",))
    return Span(table, range(first, last + 1))


def _taboo(profile: Profile) -> frozenset[tuple[Table, int]]:
    """What must not be read in passing."""
    holes = {(hole.table, place) for hole in profile.limits.holes for place in range(hole.first, hole.last + 1)}
    cleared = {
        (row.table, place)
        for target in profile.targets.values()
        if (row := target.read) is not None and target.clears
        for place in range(row.start, row.start + row.count)
    }
    return frozenset(holes | cleared)


def _without(span: Span, taboo: frozenset[tuple[Table, int]]) -> Iterator[Span]:
    start = span.places.start
    for place in [*sorted(at for table, at in taboo if table is span.table and at in span.places), span.places.stop]:
        if place > start:
            yield Span(span.table, range(start, place))
        start = place + 1


def _halves(part: range) -> list[range]:
    """The halves of a part, the first one last: it is taken first. Nothing, if it is a single one."""
    middle = part.start + len(part) // 2
    return [range(middle, part.stop), range(part.start, middle)] if len(part) > 1 else []


def _values(table: Table, data: bytes, count: int) -> Iterator[int]:
    if table.bits:
        return (data[at >> 3] >> (at & 7) & 1 for at in range(count))
    return (word for (word,) in struct.iter_unpack(">H", data))


def _floats(word: int, following: int | None) -> Iterator[str]:
    """What a register and the next one mean together, if it looks like something that is measured."""
    if following is None:
        return
    for order, high, low in (("msw", word, following), ("lsw", following, word)):
        (number,) = struct.unpack(">f", struct.pack(">HH", high, low))
        if math.isfinite(number) and _PLAUSIBLE[0] <= abs(number) < _PLAUSIBLE[1]:
            yield f"float32 {order} {number:.6g}"
