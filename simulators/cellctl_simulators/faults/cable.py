"""The cable between a device and its client, and what is wrong with it.

The rule kept here: a cable knows bytes and nothing of what they mean. Without a fault it is not there: what goes in
comes out, at once and as it is. What is late stays in order, but for `reorder`.
"""

import asyncio
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from cellctl.faults import AFTER, ANSWERS, BOTH, INSTEAD, Fault

Deliver = Callable[[bytes], None]

#: Ways through the cable.
TO_DEVICE, TO_CLIENT = "to device", "to client"

#: A connection is cut so long after the last byte that still passes: it arrives before, even on a slow line.
CUT_S = 0.02

#: How often a device that floods sends, and the most bytes that come by themselves beside others.
_FLOOD_S = 0.01
_GARBAGE_MAX = 16


@dataclass(slots=True, eq=False)
class _Suffered:
    """A fault that is on. Before one that ends all `left` bytes pass; then it is `over`."""

    fault: Fault
    left: int
    over: bool = False

    @property
    def kind(self) -> str:
        return self.fault.kind


class Cable:
    """All faults on the cable of one device. `cut` cuts its connections, as soon as it can."""

    def __init__(self, random: Random, cut: Callable[[], None] = lambda: None) -> None:
        self._suffered: list[_Suffered] = []
        self._random, self._cut = random, cut
        self._strands: list[weakref.ref[Strand]] = []
        self._broken = False  # nothing passes until the connections are cut
        self._flood: asyncio.TimerHandle | None = None
        self._cutting: asyncio.TimerHandle | None = None

    @property
    def ill(self) -> bool:
        """Whether anything is wrong."""
        return bool(self._suffered) or self._broken

    def suffer(self, fault: Fault) -> None:
        """Something more is wrong."""
        self._suffered.append(_Suffered(fault, int(fault.options.get("after", 0))))
        if fault.kind == "flood" and self._flood is None:
            self._pour()

    def heal(self, fault: Fault) -> None:
        """One fault less; one that is not there is none."""
        for each in self._suffered:
            if each.fault is fault:
                self._suffered.remove(each)
                return

    def close(self) -> None:
        """Nothing of it goes on."""
        for timer in (self._flood, self._cutting):
            if timer is not None:
                timer.cancel()

    def lead(self, strand: "Strand") -> None:
        """A strand begins here."""
        self._strands = [each for each in self._strands if (other := each()) is not None and other.open]
        self._strands.append(weakref.ref(strand))

    def without_wire(self) -> tuple[str, float]:
        """What the faults mean where there are no bytes: the trouble that a driver has, and the delay in s.

        Bytes that are lost, torn or wrong are no answers.
        """
        trouble, delay_s = "", 0.0
        for each in self._suffered:
            if each.kind in ("black_hole", "partition"):
                trouble = "silent"
            elif each.kind == "no_reply":
                trouble = trouble or "mute"
            elif each.kind == "delay":
                delay_s += float(each.fault.options["by"]) / 1e9
        return trouble, delay_s

    def pass_on(self, way: str, data: bytes) -> Iterator[tuple[float, bytes, bool]]:
        """What becomes of a chunk: chunks with how long each takes (s), and whether it waits for the next one."""
        chunks, delay_s, held = [] if self._broken else [data], 0.0, False
        for each in tuple(self._suffered):
            if each.over or _is_of(each.fault, way):
                chunks = [piece for chunk in chunks for piece in self._through(each, way, chunk) if piece]
                delay_s += self._delay_s(each.fault, sum(map(len, chunks)))
                held = held or (each.kind == "reorder" and self._hits(each.fault))
        for number, chunk in enumerate(chunks):
            yield delay_s + number * 1e-6, chunk, held

    def _through(self, each: _Suffered, way: str, chunk: bytes) -> list[bytes]:
        match each.kind:
            case "black_hole" | "partition":
                return []
            case "no_reply":
                return [] if way == TO_CLIENT else [chunk]
            case "cut" | "hang":
                return [] if each.over else [self._up_to(each, chunk)]
            case "split":
                return [chunk[at : at + 1] for at in range(len(chunk))]
            case _:
                return self._spoilt(each.fault, chunk)

    def _spoilt(self, fault: Fault, chunk: bytes) -> list[bytes]:
        """What becomes of a chunk that such a fault may hit."""
        if fault.kind not in _SPOIL or not self._hits(fault):
            return [chunk]
        match fault.kind:
            case "duplicate":
                return [chunk, chunk]
            case "truncate":
                return [chunk[: len(chunk) // 2]]
            case "corrupt":
                return [self._corrupted(chunk, int(fault.options["first"]))]
            case "garbage":
                return self._beside(fault, chunk)
            case _:
                return []

    def _up_to(self, each: _Suffered, chunk: bytes) -> bytes:
        """As much of a chunk as passes before the end of all."""
        passed = chunk[: each.left]
        each.left -= len(passed)
        each.over = not each.left
        if each.kind == "cut" and each.over:
            self._suffered.remove(each)
            self._broken = True
            self._cutting = asyncio.get_running_loop().call_later(CUT_S, self._end)
        return passed

    def _end(self) -> None:
        self._broken = False
        self._cut()

    def _beside(self, fault: Fault, chunk: bytes) -> list[bytes]:
        given = bytes.fromhex(str(fault.options["bytes"]))
        garbage = given or self._random.randbytes(self._random.randint(1, _GARBAGE_MAX))
        if fault.options["place"] == INSTEAD:
            return [garbage]
        return [chunk, garbage] if fault.options["place"] == AFTER else [garbage, chunk]

    def _pour(self) -> None:
        """Send on all connections what nobody has asked for, and come back."""
        rates = [float(each.fault.options["rate"]) for each in self._suffered if each.kind == "flood"]
        self._flood = asyncio.get_running_loop().call_later(_FLOOD_S, self._pour) if rates else None
        size = round(sum(rates) * _FLOOD_S)
        for strand in [strand for each in self._strands if (strand := each()) is not None]:
            if size and strand.way == TO_CLIENT:
                strand.send(self._random.randbytes(size))

    def _delay_s(self, fault: Fault, size: int) -> float:
        if fault.kind == "delay":
            return (float(fault.options["by"]) + self._random.random() * float(fault.options["jitter"])) / 1e9
        return size / float(fault.options["rate"]) if fault.kind == "slow" else 0.0

    def _hits(self, fault: Fault) -> bool:
        return self._random.random() < float(fault.options["share"])

    def _corrupted(self, chunk: bytes, first: int) -> bytes:
        at = self._random.randrange(min(len(chunk), first or len(chunk)))
        return chunk[:at] + bytes([chunk[at] ^ self._random.randrange(1, 256)]) + chunk[at + 1 :]


#: What may happen to a chunk as a whole.
_SPOIL = frozenset({"loss", "duplicate", "truncate", "corrupt", "garbage"})


def _is_of(fault: Fault, way: str) -> bool:
    """Whether the fault is of the bytes that go this way; what ends all is of all once it is there."""
    wanted = fault.options.get("way", BOTH)
    return wanted == BOTH or (wanted == ANSWERS) == (way == TO_CLIENT)


class Strand:
    """One way through the cable for one connection: `send` delivers, at once or later, what comes through."""

    def __init__(self, cable: Cable, way: str, deliver: Deliver) -> None:
        self._cable, self.way, self._deliver = cable, way, deliver
        self._loop = asyncio.get_running_loop()
        self._last_s = 0.0
        self._held: list[bytes] = []
        self.open = True
        cable.lead(self)

    def send(self, data: bytes) -> None:
        """Put bytes in."""
        if not self.open:
            return
        if not self._cable.ill and self._last_s <= self._loop.time() and not self._held:
            self._deliver(data)
            return
        for delay_s, chunk, held in self._cable.pass_on(self.way, data):
            if held and not self._held:
                self._held.append(chunk)
                continue
            for one in (chunk, *self._held):
                self._later(delay_s, one)
            self._held.clear()

    def cut(self) -> None:
        """Deliver nothing more."""
        self.open = False

    def _later(self, delay_s: float, chunk: bytes) -> None:
        if not chunk:
            return
        self._last_s = max(self._loop.time() + delay_s, self._last_s + 1e-9)
        self._loop.call_at(self._last_s, self._arrive, chunk)

    def _arrive(self, chunk: bytes) -> None:
        if self.open:
            self._deliver(chunk)


class CabledProtocol(asyncio.Protocol):
    """A protocol of somebody else's at the far end of a cable."""

    def __init__(self, inner: asyncio.Protocol, cable: Cable) -> None:
        self._inner, self._cable = inner, cable

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Put the cable between."""
        assert isinstance(transport, asyncio.Transport)
        self._out = Strand(self._cable, TO_CLIENT, transport.write)
        self._in = Strand(self._cable, TO_DEVICE, self._inner.data_received)
        self._inner.connection_made(_CabledTransport(transport, self._out))

    def data_received(self, data: bytes) -> None:
        """What comes from the client."""
        self._in.send(data)

    def eof_received(self) -> bool | None:
        """The client has ended."""
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing comes any more."""
        self._in.cut()
        self._out.cut()
        self._inner.connection_lost(exc)


class _CabledTransport(asyncio.Transport):
    """The transport that such a protocol is given: as the real one, but that what is written goes through the cable."""

    def __init__(self, real: asyncio.Transport, out: Strand) -> None:
        super().__init__()
        self._real, self._out = real, out

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send."""
        self._out.send(bytes(data))

    def close(self) -> None:
        """Close the real one."""
        self._real.close()

    def abort(self) -> None:
        """Abort the real one."""
        self._real.abort()

    def is_closing(self) -> bool:
        """Whether the real one is."""
        return self._real.is_closing()

    def get_extra_info(self, name: str, default: object = None) -> object:
        """What the real one says."""
        return self._real.get_extra_info(name, default)
