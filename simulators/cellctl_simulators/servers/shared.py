"""One line with several units on it: what a client sends is heard by all, and each answers to its own number.

The rule kept here: each unit hangs on the line by a cable of its own. A unit that is unplugged is silent, and the line
stays; only the last one takes the line with it. A line that is cut is cut for all.
"""

from collections.abc import Callable
from random import Random

from cellctl_simulators.faults.cable import TO_CLIENT, TO_DEVICE, Cable, Strand
from cellctl_simulators.servers.streams import Session, SessionFactory, Stream


class SharedLine:
    """The line; `stream` makes it of what its sessions and its cable are."""

    def __init__(self, stream: Callable[[SessionFactory, Cable], Stream]) -> None:
        self.stream = stream(self._session, Cable(Random(0)))  # what is wrong is wrong between the line and a unit
        self.units: list[Unit] = []

    def _session(self, write: Callable[[bytes], None]) -> Session:
        return _Connection(self.units, write)

    async def plug(self, unit: "Unit") -> None:
        """Put a unit on the line; the first one brings the line."""
        if unit not in self.units:
            self.units.append(unit)
            if len(self.units) == 1:
                await self.stream.start()

    async def unplug(self, unit: "Unit") -> None:
        """Take a unit off the line; the last one takes the line away."""
        if unit in self.units:
            self.units.remove(unit)
            if not self.units:
                await self.stream.stop()


class Unit:
    """One device on a line."""

    def __init__(self, line: SharedLine, session: SessionFactory, cable: Cable) -> None:
        self._line, self._session, self._cable = line, session, cable
        self._strands: list[Strand] = []
        self.at = line.stream.at

    async def start(self) -> None:
        """Be on the line."""
        await self._line.plug(self)

    async def stop(self) -> None:
        """Be on the line no more: what is on its way arrives nowhere, and who comes back begins anew."""
        for strand in self._strands:
            strand.cut()
        await self._line.unplug(self)

    def refresh(self) -> None:
        """A unit speaks when it is spoken to."""

    async def cut(self) -> None:
        """Cut the connections of the line."""
        await self._line.stream.cut()

    async def aclose(self) -> None:
        """Give the address back."""
        await self._line.stream.aclose()

    def connect(self, write: Callable[[bytes], None]) -> "tuple[Strand, Strand]":
        """The ways to this unit and back for a new connection of the line, whose answers go to `write`."""
        out = Strand(self._cable, TO_CLIENT, write)
        way = Strand(self._cable, TO_DEVICE, self._session(out.send).feed)
        self._strands = [each for each in (*self._strands, way, out) if each.open]
        return way, out


class _Connection:
    """One connection to the line, and so to all units that are on it."""

    def __init__(self, units: list[Unit], write: Callable[[bytes], None]) -> None:
        self._units, self._write = units, write
        self._ways: dict[Unit, tuple[Strand, Strand]] = {}

    def feed(self, data: bytes) -> None:
        for unit in tuple(self._units):
            if unit not in self._ways or not self._ways[unit][0].open:
                self._ways[unit] = unit.connect(self._write)
            self._ways[unit][0].send(data)

    def refresh(self) -> None:
        """Units speak when they are spoken to."""

    def close(self) -> None:
        """What is still on its way to a unit, or back, does not arrive."""
        for way in self._ways.values():
            for strand in way:
                strand.cut()
